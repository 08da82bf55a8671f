"""What becomes of the words of a command line: checked values first, then dataclasses of options."""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def options_from(parsed: argparse.Namespace, kind: type[T], **given: Any) -> T:
    """The dataclass ``kind`` with the options that bear its fields' names, and with what is ``given`` beside them.

    An option that the command does not have, or that nobody typed (None), leaves its field the default.
    """
    typed = {name: value for name, value in vars(parsed).items() if value is not None}
    names = [field.name for field in dataclasses.fields(kind) if field.name in typed]
    return kind(**({name: typed[name] for name in names} | given))


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


def share(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("give a share from 0 to 1, such as 0.98")
    return value
