"""Checks and converts models when they are installed."""
