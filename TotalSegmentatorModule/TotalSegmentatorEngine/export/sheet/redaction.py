"""Keeps a patient out of what somebody typed: names of structures, and what other programs wrote about them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from TotalSegmentatorWire.tables.structures import known_structures

if TYPE_CHECKING:
    from pydicom import Dataset

REDACTED = "***"
_SHORTEST = 3
"""Letters of a word that is looked for: "J" or "de" is found in any name."""
_WORD = re.compile(r"[^\W_]+")
_NAMES_AND_DATES = ("PN", "DA")
"""Value representations (PS3.5 section 6.2)."""
_OTHER = ("PatientID", "OtherPatientIDs", "AccessionNumber", "StudyID", "PatientAddress", "PatientTelephoneNumbers")


class Redaction:
    """Replaces the words of identifiers in a text."""

    def __init__(self, identifiers: Iterable[str]) -> None:
        words = {word.casefold() for each in identifiers for word in _WORD.findall(each) if len(word) >= _SHORTEST}
        self._words = words - _words_of_structures()

    def __call__(self, text: str) -> str:
        return _WORD.sub(lambda found: REDACTED if found[0].casefold() in self._words else found[0], text)


def identifiers_of(dataset: Dataset) -> list[str]:
    """What a series says of persons, dates and numbers, but for UIDs, which nobody types."""
    return [
        str(element.value)
        for element in dataset
        if element.VR in _NAMES_AND_DATES or element.keyword in _OTHER
        if element.value
    ]


@cache
def _words_of_structures() -> frozenset[str]:
    """A patient may be called as an organ is; the organ keeps its name."""
    return frozenset(word.casefold() for name in known_structures() for word in _WORD.findall(name.replace("_", " ")))
