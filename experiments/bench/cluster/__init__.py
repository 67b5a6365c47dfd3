"""Several workers on one study: how they scale, what a storage bears, what is left when they are killed."""
