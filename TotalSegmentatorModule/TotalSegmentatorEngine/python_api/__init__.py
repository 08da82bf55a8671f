"""The engine for plain Python: ``import TotalSegmentatorEngine as engine``."""
