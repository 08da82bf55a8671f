"""What the benchmarks work on: CTs and models."""
