"""What is trained again: finalists on fresh seeds, and schedules that are compared side by side."""
