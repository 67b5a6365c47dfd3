"""A schedule in the frameworks that train with it: one module each, which alone imports its framework."""
