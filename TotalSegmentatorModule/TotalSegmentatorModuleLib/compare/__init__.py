"""The panel's Compare section."""
