"""Numbers and words as DICOM wants them: their length and what they may hold, PS3.5 6.2."""

from __future__ import annotations

from TotalSegmentatorWire.errors.problem import SegmentationError

MAXIMUM_DECIMAL_STRING = 16
"""Bytes of one DS value; Eclipse refuses files with longer ones."""
MAXIMUM_SHORT_STRING = 16
"""Characters of an SH value."""
MAXIMUM_LONG_STRING = 64
"""Characters of an LO value."""


def decimal_string(value: float) -> str:
    """The shortest DS value that is as near to ``value`` as 16 bytes can be."""
    shortest = repr(float(value) + 0.0)  # + 0.0 turns -0.0 into 0.0
    if "e" not in shortest and shortest.endswith(".0"):
        shortest = shortest[:-2]
    if len(shortest) <= MAXIMUM_DECIMAL_STRING:
        return shortest
    candidates = (f"{value:.{digits}{kind}}" for digits in range(MAXIMUM_DECIMAL_STRING, -1, -1) for kind in "fe")
    return next(text for text in candidates if len(text) <= MAXIMUM_DECIMAL_STRING)


def long_string(text: str) -> str:
    """``text`` cut to what an LO value may hold."""
    kept = "".join(" " if is_forbidden(character) else character for character in text)
    return " ".join(kept.split())[:MAXIMUM_LONG_STRING].rstrip()


def is_forbidden(character: str) -> bool:
    """True for the backslash, which separates values, and for control characters."""
    return character == "\\" or ord(character) < 32 or 127 <= ord(character) < 160


def check_person_name(name: str) -> str:
    """``name`` where it can be a PN value, PS3.5 6.2.1: up to five components with ^ between them.

    Raises SegmentationError("EXPORT_NAME_INVALID").
    """
    check_text(name, MAXIMUM_LONG_STRING)
    if "=" in name or name.count("^") > 4 or not name.strip("^ "):
        raise SegmentationError("EXPORT_NAME_INVALID", name=repr(name), detail="it is no name such as Family^Given")
    return name


def check_text(text: str, length: int) -> str:
    """``text`` where it can be a value of at most ``length`` characters as it is.

    Raises SegmentationError("EXPORT_NAME_INVALID"): a name that a user chose must not change when it is exported.
    """
    if not text.strip():
        raise SegmentationError("EXPORT_NAME_INVALID", name=repr(text), detail="it is empty")
    if len(text) > length:
        detail = f"it has {len(text)} characters; at most {length} are allowed"
        raise SegmentationError("EXPORT_NAME_INVALID", name=repr(text), detail=detail)
    if any(is_forbidden(character) for character in text):
        detail = "it contains a backslash or a control character"
        raise SegmentationError("EXPORT_NAME_INVALID", name=repr(text), detail=detail)
    return text
