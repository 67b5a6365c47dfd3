"""Workloads on real data, each a function that reads the data and returns a `Supervised`."""
