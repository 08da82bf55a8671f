"""One table over all structures of all CTs of a run."""
