"""Plans a job: networks, regions, tiles, memory and time."""
