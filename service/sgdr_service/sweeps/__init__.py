"""Sweeps that the service runs: asked for, written into their studies, dispatched to processes."""
