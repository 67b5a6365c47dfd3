"""What is known of schedules: a model of what each is worth, from a handful of trials."""
