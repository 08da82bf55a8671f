"""Numbers as a reader wants them."""

from __future__ import annotations


def rounded(value: float, digits: int = 2) -> float | int:
    """To significant ``digits``, all of those before the decimal point kept: 0.031, 4.7, 5 and 1561 for 0.0312, 4.71,
    4.98 and 1561.2."""
    if abs(value) >= 10 ** (digits - 1):
        return round(float(value))
    shown = float(f"{value:.{digits}g}")
    return int(shown) if shown.is_integer() else shown
