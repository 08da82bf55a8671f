"""Sentences for the user that several sections share."""
