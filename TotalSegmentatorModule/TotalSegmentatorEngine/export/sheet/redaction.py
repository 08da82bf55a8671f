"""Keeps a patient out of what somebody typed: names of structures, and what other programs wrote about them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from TotalSegmentatorWire.identifier_words import IdentifierWords
from TotalSegmentatorWire.tables.catalogue import read_catalogue
from TotalSegmentatorWire.tables.structures import known_structures

if TYPE_CHECKING:
    from pydicom import Dataset

REDACTED = "***"
_TARGETS = ("GTV", "CTV", "ITV", "PTV", "PRV")
"""Volumes that ICRU Report 83 defines: a patient's number may begin as they do."""
_NAMES_AND_DATES = ("PN", "DA")
"""Value representations (PS3.5 section 6.2)."""
_OTHER = ("PatientID", "OtherPatientIDs", "AccessionNumber", "StudyID", "PatientAddress", "PatientTelephoneNumbers")


class Redaction:
    """Replaces the words of identifiers in a text."""

    def __init__(self, identifiers: Iterable[str]) -> None:
        self._words = IdentifierWords(identifiers, kept=(*_names_of_structures(), *_TARGETS, *read_catalogue()))

    def __call__(self, text: str) -> str:
        return self._words.replaced(text, REDACTED)


def identifiers_of(dataset: Dataset) -> list[str]:
    """What a series says of persons, dates and numbers, but for UIDs, which nobody types."""
    return [
        str(element.value)
        for element in dataset
        if element.VR in _NAMES_AND_DATES or element.keyword in _OTHER
        if element.value
    ]


@cache
def _names_of_structures() -> frozenset[str]:
    """A patient may be called as an organ is; the organ keeps its name."""
    rows = known_structures().values()
    return frozenset(name for row in rows for name in (row.name, row.tg263_name, row.tg263_cut_name) if name)
