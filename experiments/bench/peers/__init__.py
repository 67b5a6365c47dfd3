"""The same search as users of other tools write it."""
