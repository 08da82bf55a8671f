"""Benchmarks of the tasks for single regions."""
