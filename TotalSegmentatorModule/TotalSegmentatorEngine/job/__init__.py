"""What a job is: its task, its progress and its result. Without torch."""
