"""What is said of labels that were computed approximately, and how segments keep it."""
