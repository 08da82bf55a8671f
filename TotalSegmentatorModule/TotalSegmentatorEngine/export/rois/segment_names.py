"""Finds segments by what people call them."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Sequence

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.structures import LABEL_TABLES, nearest_names, structure_table

from TotalSegmentatorEngine.export.core.segmentation import Segment
from TotalSegmentatorEngine.export.rois.template import standard_unions
from TotalSegmentatorEngine.export.rois.template_schema import is_pattern
from TotalSegmentatorEngine.export.rois.tg263_names import (
    is_renamed,
    name_key,
)


class SegmentNames:
    """The segments of a segmentation by id, structure, TG-263 name and own name."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self.segments = segments

    def asked(self, name: str) -> list[Segment]:
        """Those that somebody chose: the segment with exactly this id, else as ``find``."""
        return [segment for segment in self.segments if segment.id == name] or self.find(name)

    def find(self, name: str) -> list[Segment]:
        """Those that are the structure ``name`` (its own or its TG-263 name), else that are called so, else the id."""
        key = name_key(name)
        for names in (_structure_names, _own_names, _ids):
            found = [segment for segment in self.segments if key in names(segment)]
            if found:
                return found
        return []

    def take(self, source: str) -> list[Segment]:
        """The segments that a template's source means, a name or a pattern."""
        if not is_pattern(source):
            return self.find(source)
        pattern = name_key(source)
        return [
            segment
            for segment in self.segments
            if any(fnmatch.fnmatchcase(name, pattern) for name in all_names(segment))
        ]

    def check_known(self, name: str, unions: Collection[str]) -> None:
        """Passes the name of a structure that the models can find, though this segmentation does not have it.

        Raises SegmentationError("EXPORT_STRUCTURE_UNKNOWN") for other names, with the nearest of all known ones.
        """
        rows = [row for table in LABEL_TABLES for row in structure_table(table)]
        if name_key(name) in {name_key(known) for row in rows for known in (row.name, row.tg263_name)}:
            return
        own = [segment.name for segment in self.segments]
        standard = [union.name for union in standard_unions().values()]
        known = list(dict.fromkeys([*own, *(row.name for row in rows), *unions, *standard]))
        raise SegmentationError("EXPORT_STRUCTURE_UNKNOWN", name=name, nearest=", ".join(nearest_names(name, known)))


def all_names(segment: Segment) -> set[str]:
    """All that a template's source can call it, as name_keys."""
    return _structure_names(segment) | _own_names(segment) | _ids(segment)


def _structure_names(segment: Segment) -> set[str]:
    structure = segment.structure
    if structure is None or is_renamed(segment):
        return set()
    return {name_key(structure.name), name_key(structure.tg263_name)}


def _own_names(segment: Segment) -> set[str]:
    return {name_key(segment.name)}


def _ids(segment: Segment) -> set[str]:
    """The id of a renamed structure still says what it was."""
    return set() if is_renamed(segment) else {name_key(segment.id)}
