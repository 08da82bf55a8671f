"""The figures that the project claims, measured again: ``python3 Testing/run.py benchmark``."""
