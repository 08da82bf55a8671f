"""Numbers as a reader wants them."""

from __future__ import annotations


def rounded(value: float, digits: int = 2) -> float | int:
    """To significant ``digits``, those before the decimal point kept: 0.0312, 4.7 and 1561 for 0.03119, 4.70 and
    1561.2."""
    if abs(value) >= 10 ** (digits - 1):
        return round(float(value))
    return float(f"{value:.{digits}g}")
