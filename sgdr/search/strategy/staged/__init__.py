"""The staged search: peaks first, then shapes, then new seeds of what leads, by one model of them all."""
