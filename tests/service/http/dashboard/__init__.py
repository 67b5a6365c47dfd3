"""A package, so that a fixture may last as long as its tests."""
