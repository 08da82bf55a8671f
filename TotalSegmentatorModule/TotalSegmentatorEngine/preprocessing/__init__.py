"""From a CT to the networks' input."""
