"""What the words of a command line stand for: folders, files, patterns and lists become cases, one a CT."""
