"""What this computer has: memory, cores, devices, and what was measured on it."""
