"""Installs the engine's packages and the models, and checks them.

Runs before any of the packages are there, so it imports nothing but Python's standard library and TotalSegmentatorWire.
What needs torch (the first test, the check and the conversion of a model) is asked of the installed engine in a
process of its own (packages/engine_program.py).
"""
