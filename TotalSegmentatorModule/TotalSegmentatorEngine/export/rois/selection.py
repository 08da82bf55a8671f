"""Which segments and unions were chosen, in the template's order, and the name that each of them shall have."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.export_formats import TG263
from TotalSegmentatorWire.tables.review_state import ReviewState

from TotalSegmentatorEngine.export.core.codes import RoiCodes
from TotalSegmentatorEngine.export.core.segmentation import Segment, structure_of
from TotalSegmentatorEngine.export.grid.placement import PlacedSegmentation
from TotalSegmentatorEngine.export.rois.derived_parts import derived_part
from TotalSegmentatorEngine.export.rois.parts import Part, segment_part, union_part
from TotalSegmentatorEngine.export.rois.segment_names import SegmentNames, all_names
from TotalSegmentatorEngine.export.rois.template import EVERYTHING, load_template, standard_unions, usual_type
from TotalSegmentatorEngine.export.rois.template_schema import Entry, Template
from TotalSegmentatorEngine.export.rois.tg263_names import LONGEST_NAME, cut_name, export_name, name_key, own_name


@dataclass(frozen=True)
class Choice:
    """What somebody chose to export."""

    structures: Sequence[str] | None = None
    """Segment ids or names, structure or TG-263 names, names of unions; None for all segments."""
    states: Collection[ReviewState] | None = None
    """Review states that go out; None for all but rejected ones."""
    template: Template | None = None
    """None for everything, without unions."""
    names: str = TG263
    """One of NAME_KINDS: the TG-263 name where there is one, or the segment's own. A template's names come first."""
    external: bool = False
    """The body outline goes out too; a segment of the interpreted type EXTERNAL takes its place."""
    longest_name: int = LONGEST_NAME
    """LONGEST_NAME characters for planning systems; the other formats take LONGEST_TEXT."""


@dataclass(frozen=True)
class Selected:
    """A segment or a union under the name that it shall have; names can still be the same."""

    part: Part
    name: str
    whole_name: str
    """As ``name``, with all that somebody typed, however long."""
    colour: tuple[int, int, int]
    interpreted_type: str
    codes: RoiCodes | None


@dataclass(frozen=True)
class Selection:
    structures: list[Selected]
    not_in_segmentation: list[str]
    """Names of the template's entries for which there is nothing."""
    not_found: list[str]
    """Names of structures that were chosen by name and are not there."""


def select(
    placed: PlacedSegmentation,
    choice: Choice,
    edited: Collection[str],
    hu: Callable[[], np.ndarray] | None = None,
) -> Selection:
    """Segments without a voxel are among the selected. ``hu`` gives the CT on the grid, (k, j, i).

    Raises SegmentationError: "EXPORT_STRUCTURE_UNKNOWN" for a chosen name that means nothing,
    "EXPORT_STRUCTURE_LEFT_OUT" for that of a structure that could not be read.
    """
    return _Selector(placed, choice, edited, hu).selection()


class _Selector:
    def __init__(
        self,
        placed: PlacedSegmentation,
        choice: Choice,
        edited: Collection[str],
        hu: Callable[[], np.ndarray] | None,
    ) -> None:
        self._placed = placed
        self._hu = hu
        self._choice = choice
        self._edited = edited
        self._entries = (choice.template or load_template(EVERYTHING)).entries
        self._parts: dict[str, Part] = {}
        self._all = SegmentNames(placed.segments)
        self._unions: dict[str, Entry] = {}
        """Unions that were chosen by name, by name_key."""
        self._not_found: list[str] = []
        self._chosen = self._all if choice.structures is None else SegmentNames(self._asked(choice.structures))
        self._taken = {
            segment.id
            for entry in self._entries
            if entry.source and not entry.is_pattern
            for segment in self._chosen.find(entry.source)
        }
        """Ids of segments that the next pattern does not take."""

    def selection(self) -> Selection:
        structures: list[Selected] = []
        absent: list[str] = []
        named = {_key(entry) for entry in self._entries}
        others = [entry for key, entry in self._unions.items() if key not in named]
        for entry in (*self._entries, *others):
            found = self._of_entry(entry)
            structures += found
            if found or entry.is_pattern:
                continue
            if _key(entry) in self._unions:
                self._not_found.append(entry.name or entry.source)
            elif self._choice.structures is None and not entry.is_optional:
                absent.append(entry.name or entry.source)
        return Selection(structures, absent, self._not_found)

    # -- what was chosen by name ---------------------------------------------------------------------------------------

    def _asked(self, names: Sequence[str]) -> list[Segment]:
        """The segments that ``names`` mean, in the segmentation's order; notes the unions among them."""
        ids: set[str] = set()
        for name in names:
            segments = self._all.asked(name) or self._under_template_name(name)
            union = self._union_named(name)
            if segments:
                ids.update(segment.id for segment in segments)
            else:
                self._check_not_left_out(name)
                if union is not None:
                    self._unions[_key(union)] = union
                    continue
                self._all.check_known(name, [entry.name for entry in self._entries if entry.name])
                self._not_found.append(name)
        return [segment for segment in self._all.segments if segment.id in ids]

    def _check_not_left_out(self, name: str) -> None:
        """Raises SegmentationError("EXPORT_STRUCTURE_LEFT_OUT") where the file has it, and it could not be read."""
        for structure in self._placed.left_out:
            row = structure_of(structure.name, structure.name, {})
            named = Segment(structure.name, structure.name, (0, 0, 0), 0, 0, structure=row)
            if SegmentNames([named]).asked(name):
                raise SegmentationError("EXPORT_STRUCTURE_LEFT_OUT", name=name, detail=structure.detail)

    def _under_template_name(self, name: str) -> list[Segment]:
        sources = [entry.source for entry in self._entries if entry.source and name_key(entry.name) == name_key(name)]
        return [segment for source in sources for segment in self._all.find(source)]

    def _union_named(self, name: str) -> Entry | None:
        key = name_key(name)
        for entry in self._entries:
            if entry.union_of and key == _key(entry):
                return entry
        return standard_unions().get(key)

    # -- one entry of the template -------------------------------------------------------------------------------------

    def _of_entry(self, entry: Entry) -> list[Selected]:
        """What the entry means here: segments, or a union, or nothing."""
        if entry.is_pattern:
            segments = [segment for segment in self._chosen.take(entry.source) if segment.id not in self._taken]
            self._taken.update(segment.id for segment in segments)
            return [self._segment(segment, entry) for segment in segments]
        names = self._all if _key(entry) in self._unions else self._chosen
        if entry.source:
            found = names.find(entry.source)
            if found:
                return [self._segment(segment, entry) for segment in found]
            standard = standard_unions().get(name_key(entry.source))
            if standard is None:
                return []
            entry = _completed(entry, standard)
        part = self._union(entry, names)
        return [] if part is None else [self._named_union(part, entry)]

    def _union(self, entry: Entry, names: SegmentNames) -> Part | None:
        parts: list[Part] = []
        seen: set[str] = set()
        absent = 0
        for source in entry.union_of:
            found = names.take(source)
            standard = standard_unions().get(name_key(source))
            nested = self._union(standard, names) if not found and standard is not None else None
            parts += [self._part(segment) for segment in found if segment.id not in seen]
            seen.update(segment.id for segment in found)
            if nested is not None:
                parts.append(nested)
            elif not found:
                absent += 1
        if entry.needs_all and (absent or any(part.is_empty for part in parts)):
            return None
        if entry.step:
            return derived_part(entry.step, parts, absent, self._placed, self._hu)
        return union_part(parts, absent)

    def _part(self, segment: Segment) -> Part:
        if segment.id not in self._parts:
            self._parts[segment.id] = segment_part(self._placed, segment, segment.id in self._edited)
        return self._parts[segment.id]

    # -- names ---------------------------------------------------------------------------------------------------------

    def _segment(self, segment: Segment, entry: Entry) -> Selected:
        part = self._part(segment)
        longest = self._choice.longest_name
        name = _marked(entry.name, part.is_cut, longest)
        if not name and self._choice.names == TG263:
            name = export_name(segment, part.is_cut) or ""
        whole = name
        if not name:
            name = own_name(segment.name, part.is_cut, longest)
            whole = own_name(segment.name, part.is_cut, _ANY_LENGTH)
        kind = self._stated_type(segment, entry) or usual_type(all_names(segment))
        return Selected(part, name, whole, entry.colour or part.colour, kind, entry.codes or part.codes)

    def _stated_type(self, segment: Segment, entry: Entry) -> str:
        """What a template says comes first, but for the one with everything, which guesses from names."""
        is_guess = self._choice.template in (None, load_template(EVERYTHING))
        stated = (segment.interpreted_type, entry.interpreted_type)
        return (stated[0] or stated[1]) if is_guess else (stated[1] or stated[0])

    def _named_union(self, part: Part, entry: Entry) -> Selected:
        name = _marked(entry.name, part.is_cut, self._choice.longest_name)
        kind = entry.interpreted_type or usual_type([name_key(entry.name)])
        return Selected(part, name, name, entry.colour or part.colour, kind, entry.codes or part.codes)


_ANY_LENGTH = 1 << 20


def _key(entry: Entry) -> str:
    return name_key(entry.name or entry.source)


def _marked(name: str, is_cut: bool, longest: int) -> str:
    return cut_name(name, longest) if name and is_cut else name


def _completed(entry: Entry, union: Entry) -> Entry:
    """The standard union with what the template says about it."""
    return dataclasses.replace(
        union,
        name=entry.name or union.name,
        colour=entry.colour or union.colour,
        interpreted_type=entry.interpreted_type or union.interpreted_type,
        codes=entry.codes or union.codes,
    )
