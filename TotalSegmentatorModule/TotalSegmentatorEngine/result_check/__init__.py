"""Whether the structures that were found lie in a body as they should. Without torch."""
