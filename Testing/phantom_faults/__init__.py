"""Label maps with a known fault, to see whether the review finds it."""
