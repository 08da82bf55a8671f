"""Several CTs, and the frames of sequences, one after the other; what is left of the list outlasts a crash."""
