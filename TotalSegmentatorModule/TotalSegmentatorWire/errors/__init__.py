"""Errors: their codes, and the sentences for each."""
