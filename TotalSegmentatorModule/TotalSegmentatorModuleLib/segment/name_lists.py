"""Readable lists of structure names: numbered ones are folded into ranges."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NUMBERED = re.compile(r"^(?P<family>.*[ _])(?P<letter>[A-Z]?)(?P<number>\d+)$")


def readable_name(name: str) -> str:
    """``kidney_left`` becomes "kidney left"."""
    return name.replace("_", " ")


def readable_names(names: Iterable[str]) -> list[str]:
    """Names in their order, with each run of numbers as a range in the place of its first member.

    ``vertebrae_T1``, ``vertebrae_T2``, ``vertebrae_T3`` in any order become "vertebrae T1-T3".
    """
    names = list(names)
    families: dict[tuple[str, str], list[int]] = {}
    for match in filter(None, map(_NUMBERED.match, names)):
        families.setdefault((match["family"], match["letter"]), []).append(int(match["number"]))
    readable: dict[str, None] = {}
    for name in names:
        match = _NUMBERED.match(name)
        text = _ranges(match["letter"], families[match["family"], match["letter"]]) if match else ""
        readable[readable_name(match["family"] + text if match else name)] = None
    return list(readable)


def _ranges(letter: str, numbers: list[int]) -> str:
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(_range(letter, run) for run in runs)


def _range(letter: str, run: list[int]) -> str:
    if len(run) == 1:
        return "{}{}".format(letter, run[0])
    return "{0}{1}-{0}{2}".format(letter, run[0], run[-1])
