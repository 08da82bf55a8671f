"""What is measured: a file for each figure, or for a few that share their set-up."""
