"""Repairs of what the review remarks on: shown before they are applied, and taken back by the review's Undo."""
