"""What a structure means, in codes: by its terminology entry, by its row of a label table, and of a union."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from TotalSegmentatorWire.tables.structures import Structure

TERMINOLOGY_TAG = "TerminologyEntry"
"""Slicer's tag: context~category~type~modifier~regionContext~region~regionModifier, each code scheme^value^meaning."""

_SNOMED, FMA = "SCT", "FMA"


@dataclass(frozen=True)
class Code:
    """A coded concept: scheme designator ("SCT", "FMA"), value and meaning."""

    scheme: str
    value: str
    meaning: str


@dataclass(frozen=True)
class RoiCodes:
    """The meaning of a structure, as its terminology entry or its row of a label table says it."""

    category: Code
    type: Code
    modifier: Code | None = None
    """The side, as a rule."""
    region: Code | None = None
    fma: Code | None = None
    """The same as ``type`` (with its side) in the Foundational Model of Anatomy."""


LEFT = Code(_SNOMED, "7771000", "Left")
RIGHT = Code(_SNOMED, "24028007", "Right")
BOTH_SIDES = Code(_SNOMED, "51440002", "Bilateral")
"""PS3.16, CID 244."""

ANATOMICAL_STRUCTURE = Code(_SNOMED, "123037004", "Anatomical Structure")
TISSUE = Code(_SNOMED, "85756007", "Tissue")
"""For what has no codes where DICOM wants some, such as a structure that somebody drew; Slicer's own default."""

UNCODED = RoiCodes(TISSUE, TISSUE)

BODY = RoiCodes(
    category=ANATOMICAL_STRUCTURE,
    type=Code(_SNOMED, "38266002", "Entire body"),
    fma=Code(FMA, "256135", "Body"),
)
"""Of the body outline: PS3.16, CID 4031, and TG-263's row "Body"."""


def parse_code(text: str) -> Code | None:
    """The code that ``scheme^value^meaning`` says; None unless all three are there."""
    parts = [part.strip() for part in text.split("^")]
    return Code(*parts) if len(parts) == 3 and all(parts) else None


def codes_of(tags: Mapping[str, str], structure: Structure | None, stated: RoiCodes | None = None) -> RoiCodes | None:
    """The codes of a segment: ``stated`` of its DICOM file, else its terminology entry, else its row of a label table.

    The entry can have been changed in Slicer, so it is asked before the row. The number in the Foundational Model of
    Anatomy comes from the row where the file has none, as long as it means the same. A structure set can name what a
    structure is without its category, which is TISSUE in ``stated`` then: that comes from such a row too.
    """
    entry = stated or _entry_codes(tags.get(TERMINOLOGY_TAG, ""))
    row = _row_codes(structure) if structure is not None else None
    if entry is None:
        return row
    if row is None:
        return entry
    if stated is not None and stated.category == TISSUE and _meaning(row)[1:] == _meaning(stated)[1:]:
        entry = dataclasses.replace(stated, category=row.category)
    if _meaning(row) == _meaning(entry):
        return dataclasses.replace(entry, fma=entry.fma or row.fma)
    return entry


def union_codes(parts: Sequence[RoiCodes | None]) -> RoiCodes | None:
    """The codes of a union, as far as those of its parts say them: of a pair, the structure with both sides.

    None where the parts are different structures: what they are together is then for the template to say.
    """
    if not parts or None in parts or len({(codes.category, codes.type, codes.region) for codes in parts}) > 1:
        return None
    sides = {codes.modifier for codes in parts}
    if len(sides) == 1:
        return dataclasses.replace(parts[0], fma=parts[0].fma if len(parts) == 1 else None)
    is_pair = {side.value if side else "" for side in sides} == {LEFT.value, RIGHT.value}
    return dataclasses.replace(parts[0], modifier=BOTH_SIDES if is_pair else None, fma=None)


def _meaning(codes: RoiCodes) -> tuple[str, str, str]:
    return codes.category.value, codes.type.value, codes.modifier.value if codes.modifier else ""


def _entry_codes(entry: str) -> RoiCodes | None:
    fields = entry.split("~")
    if len(fields) != 7:
        return None
    category, kind = parse_code(fields[1]), parse_code(fields[2])
    if category is None or kind is None:
        return None
    return RoiCodes(category, kind, parse_code(fields[3]), parse_code(fields[5]))


def _row_codes(structure: Structure) -> RoiCodes | None:
    codes = _entry_codes(structure.terminology)
    if codes is None or not structure.fma_id:
        return codes
    name = structure.display_name
    return dataclasses.replace(codes, fma=Code(FMA, structure.fma_id, name[0].upper() + name[1:]))
