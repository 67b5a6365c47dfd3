"""Workloads on real data, measurements side by side, and replications of published results."""
