"""What jobs would do that nobody has started: time and memory of what is chosen."""
