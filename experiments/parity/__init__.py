"""Our schedule against those of PyTorch, Keras and braintools: where they are equal, where they are wrong."""
