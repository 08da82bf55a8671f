"""The panel's Export section."""
