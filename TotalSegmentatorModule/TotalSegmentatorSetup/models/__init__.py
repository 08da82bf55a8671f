"""Installed models."""
