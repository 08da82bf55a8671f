"""The result of fast models, shown while the fine ones run."""
