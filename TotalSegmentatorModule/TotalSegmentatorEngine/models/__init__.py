"""Finds and reads model folders."""
