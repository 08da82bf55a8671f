"""What somebody set up: who may send, where results go, and the limits."""
