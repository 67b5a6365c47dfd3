"""Slots that train trials side by side, in one compiled program or in processes."""
