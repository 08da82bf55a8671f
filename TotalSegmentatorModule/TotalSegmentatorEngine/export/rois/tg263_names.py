"""Names of structures that planning systems take.

AAPM Report 263 (TG-263), section 7.2: at most 16 characters, unique ignoring case, the side at the end (``_L``,
``_R``), and ``~`` after the root of a structure of which only a part is contoured (``Lung~_L``), for instance because
the field of view cuts it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache

from TotalSegmentatorWire.resources import STRUCTURES_FOLDER
from TotalSegmentatorWire.tables.csv_table import read_csv
from TotalSegmentatorWire.tables.structures import Structure

from TotalSegmentatorEngine.export.core.segmentation import Segment

LONGEST_NAME = 16
"""Characters of a TG-263 name; some planning systems refuse longer ones."""

LONGEST_TEXT = 64
"""Characters of a DICOM name (value representation LO: ROI Name, Segment Label)."""

CUT = "~"

_NAMELESS = "Structure"
_SEPARATORS = " _.-"
_SIDE = re.compile(r"(?P<head>.+?)(?P<side>[ _.-](?:l|r|lt|rt|left|right|\d{1,3}))", re.IGNORECASE)
_TG263_SIDES = ("_L", "_R")
_BLANK_CATEGORIES = {"Cc": " ", "Zl": " ", "Zp": " ", "Cf": ""}
"""What takes the place of characters of a Unicode category."""


def export_name(segment: Segment, is_cut: bool) -> str | None:
    """The TG-263 name of a segment, None where there is none for it.

    A structure that somebody renamed ("liver-GTV") is no longer the structure of its id.
    """
    if segment.structure is not None and not is_renamed(segment):
        return tg263_name(segment.structure, is_cut) or None
    spelling = tg263_spelling(segment.name)
    return cut_name(spelling) if spelling and is_cut else spelling


def is_renamed(segment: Segment) -> bool:
    return segment.structure is not None and not is_named_as(segment.structure, segment.name)


def tg263_name(structure: Structure, is_cut: bool) -> str:
    """The name of a row of a label table; the table holds both forms."""
    return structure.tg263_cut_name if is_cut else structure.tg263_name


def cut_name(name: str, longest: int = LONGEST_NAME) -> str:
    """``name`` with the sign for a part: before the side (``Lung~_L``), else at the end (``Liver~``)."""
    return own_name(name, True, longest)


def own_name(name: str, is_cut: bool, longest: int = LONGEST_NAME) -> str:
    """A name that somebody typed, valid in DICOM and at most ``longest`` characters long.

    A long one loses the end of its head: the side or number at its end stays, since a name without its side is
    dangerous (``gluteus maximus left`` becomes ``gluteus max left``).
    """
    return _composed(valid_name(name), is_cut, longest)


def valid_name(name: str) -> str:
    """``name`` without what DICOM's LO cannot hold (PS3.5 section 6.2): backslashes, control characters, outer spaces.

    Invisible characters of Unicode's category Cf go, too: those that turn the direction of writing could show
    ``Kidney_L`` as another name. Never empty.
    """
    text = unicodedata.normalize("NFC", name).replace("\\", "/")
    visible = "".join(_BLANK_CATEGORIES.get(unicodedata.category(character), character) for character in text)
    return " ".join(visible.split()) or _NAMELESS


def unique_names(names: Sequence[str], longest: int = LONGEST_NAME) -> list[str]:
    """The names with a number where one occurs again ignoring case: ``Liver_2``, ``Kidney_2_L``, ``Lung_2~_L``."""
    waiting = Counter(name.casefold() for name in names)
    used: set[str] = set()
    unique = []
    for name in names:
        candidate, number = name, 1
        while candidate.casefold() in used or (number > 1 and candidate.casefold() in waiting):
            number += 1
            candidate = _numbered(name, number, longest)
        used.add(candidate.casefold())
        unique.append(candidate)
    return unique


def name_key(name: str) -> str:
    """What names of the same structure have in common: neither case nor spaces for underscores count."""
    return "_".join(name.casefold().replace("_", " ").split())


def tg263_spelling(name: str) -> str | None:
    """The TG-263 name that somebody meant who typed "spinal cord" or "parotid_l"; None where it is no such name."""
    by_case, by_letters = _spellings()
    return by_case.get(name.casefold()) or by_letters.get(_letters(name))


def is_named_as(structure: Structure, name: str) -> bool:
    """True where ``name`` only says what the structure is, in its own words or in another order ("right kidney").

    A structure that somebody renamed ("liver-GTV") is another one.
    """
    if name.casefold() in (structure.tg263_name.casefold(), structure.tg263_cut_name.casefold()):
        return True
    return _words(name) == _words(structure.name)


def _words(name: str) -> set[str]:
    """The words of a name without their endings: "vertebrae" is "vertebra" here."""
    return {word.rstrip("es") for word in re.split(r"[\W_]+", name.casefold()) if word not in ("", "of", "and", "the")}


def _composed(name: str, is_cut: bool, longest: int, number: str = "") -> str:
    match = _SIDE.fullmatch(name)
    head, side = (match["head"], match["side"]) if match else (name, "")
    mark = CUT if is_cut else ""
    if is_cut:
        head = head.removesuffix(CUT)
    end = number + mark + side if side in _TG263_SIDES or not side else side + number + mark
    if len(head) + len(end) > longest:
        head = head[: longest - len(end)].rstrip(_SEPARATORS) or _NAMELESS
    return head + end


def _numbered(name: str, number: int, longest: int) -> str:
    side = next((side for side in _TG263_SIDES if name.endswith(side)), "")
    head = name.removesuffix(side)
    plain = head.removesuffix(CUT) + side
    return _composed(plain, head.endswith(CUT), longest, f"_{number}")


@cache
def _spellings() -> tuple[dict[str, str], dict[str, str]]:
    """The names of TG-263 in lower case, and by their letters alone where those are unambiguous (not VBs and VB_S)."""
    names = [row["name"] for row in read_csv(STRUCTURES_FOLDER / "tg263.csv", ["name"])]
    count = Counter(_letters(name) for name in names)
    by_letters = {_letters(name): name for name in names if count[_letters(name)] == 1}
    return {name.casefold(): name for name in names}, by_letters


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())
