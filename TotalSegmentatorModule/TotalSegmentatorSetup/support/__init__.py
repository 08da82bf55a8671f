"""Locks, folders, disk space and progress, for packages and models alike."""
