"""The explorer of schedules: what it holds, its link, what it works out, and what it shows."""
