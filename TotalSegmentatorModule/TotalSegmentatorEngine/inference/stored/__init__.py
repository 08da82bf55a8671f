"""Networks that are ready to run, kept on disk for the next process."""
