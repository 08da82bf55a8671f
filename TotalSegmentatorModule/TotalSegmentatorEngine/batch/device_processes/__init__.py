"""A run on several GPUs of one computer: a process for each, which share the cases by their claims."""
