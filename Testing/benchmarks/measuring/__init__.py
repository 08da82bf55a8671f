"""Instruments: time, memory, a clock on the networks, agreement of label maps, and the report."""
