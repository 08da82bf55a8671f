"""Editing of one structure under review in another module, and the way back to its row."""
