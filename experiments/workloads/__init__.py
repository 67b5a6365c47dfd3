"""Workloads of the replications: CIFAR, and the wide residual network of the paper."""
