"""The set-up's commands."""
