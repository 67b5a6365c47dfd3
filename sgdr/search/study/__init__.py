"""What is read back: a study, its tables, its best schedule and the verdict on restarts."""
