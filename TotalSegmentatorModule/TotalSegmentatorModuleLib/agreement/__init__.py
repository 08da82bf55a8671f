"""How well approximate labels agree with the exact ones, in the panel."""
