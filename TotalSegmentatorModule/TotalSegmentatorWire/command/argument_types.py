"""What argparse makes of the words of a command line; wrong ones are explained."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable


def names(text: str) -> list[str]:
    """The names in a list with commas."""
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found:
        raise argparse.ArgumentTypeError("give at least one name")
    return found


def not_negative(what: str) -> Callable[[str], float]:
    """A number of at least 0; ``what`` names it with its unit ("an area in square millimetres")."""

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 <= value < math.inf:
            raise argparse.ArgumentTypeError(f"give {what}, 0 or more")
        return value

    return number
