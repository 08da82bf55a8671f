"""The engine as the benchmarks run it."""
