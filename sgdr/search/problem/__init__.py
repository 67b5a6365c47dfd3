"""What is searched and trained: the workload, the space, the shapes of schedule, what a trial is worth."""
