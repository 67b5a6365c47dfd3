"""Files beside the storage: the parameters of finalists, and checkpoints of trials that run."""
