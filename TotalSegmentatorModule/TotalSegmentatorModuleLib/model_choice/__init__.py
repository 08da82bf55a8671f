"""Which models segment: the quality, the family, and what they need on this computer."""
