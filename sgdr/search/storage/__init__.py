"""What is kept: studies and trials in a database, read and written so that nothing is lost or mixed."""
