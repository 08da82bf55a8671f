"""Writes and reads RT Structure Sets."""
