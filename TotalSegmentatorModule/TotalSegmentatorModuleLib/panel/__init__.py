"""The module's panel: the CT, its options, progress and messages."""
