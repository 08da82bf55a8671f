"""What has arrived, on disk: objects by series, and what became of each series."""
