"""What is behind the tabs of a study's page, one a file."""
