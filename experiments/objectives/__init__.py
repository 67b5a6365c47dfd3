"""What restarts are good for beside one best model: models at any time, and ensembles."""
