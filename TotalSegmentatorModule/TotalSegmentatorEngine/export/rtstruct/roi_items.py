"""Which contours, name and observation of an RT Structure Set belong together.

The three sequences refer to each other by ROI Number (PS3.3 C.8.8.5, C.8.8.6, C.8.8.8), which is unique by the
standard. Files in which it is not exist: a program that deletes a structure and counts anew gives two the same number,
and another one writes the contours of one structure in two items.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.export.core.shown_names import listed
from TotalSegmentatorEngine.export.dicom.object import items_of
from TotalSegmentatorEngine.export.dicom.reading_report import DAMAGED, NUMBER_SHARED, ReadingReport

if TYPE_CHECKING:
    from pydicom import Dataset


@dataclass(frozen=True, eq=False)
class RoiItems:
    """All that a file says about one structure."""

    number: int
    name: str
    description: Dataset
    """Its item of Structure Set ROI Sequence."""
    contours: tuple[Dataset, ...]
    """Its items of ROI Contour Sequence: one by the standard, none for a structure without contours."""
    observation: Dataset | None
    """Its item of RT ROI Observations Sequence."""


def roi_items(dataset: Dataset, report: ReadingReport) -> list[RoiItems]:
    """The structures in the order of Structure Set ROI Sequence.

    Structures that share a number keep their contours where both sequences run in the same order and have as many
    items of that number; ``report`` says so. It names those that cannot be told apart, and what has no number.
    """
    named = _Numbered(items_of(dataset, "StructureSetROISequence"), "ROINumber")
    drawn = _Numbered(items_of(dataset, "ROIContourSequence"), "ReferencedROINumber")
    observed = _Numbered(items_of(dataset, "RTROIObservationsSequence"), "ReferencedROINumber")
    nameless = sum(len(item.get("ContourSequence") or ()) for item in drawn.without(named))
    if nameless:
        report.note("CONTOURS_WITHOUT_STRUCTURE", count=nameless)
    runs_alike = _is_part_in_order(drawn.order, named.order)
    found: dict[int, RoiItems] = {}
    for item in named.unnumbered:
        report.leave_out(roi_name(item, None), DAMAGED, _unreadable("a structure has no number"))
    for number, items in named.by_number.items():
        for rois in _of_number(number, items, drawn.of(number), observed.of(number), runs_alike, report):
            found[id(rois.description)] = rois
    return [found[id(item)] for item in named.items if id(item) in found]


def roi_name(item: Dataset, number: int | None) -> str:
    """ROI Name; the number, or "?" without one, stands for a name that is empty."""
    return str(item.get("ROIName") or "").strip() or ("?" if number is None else str(number))


class _Numbered:
    """The items of a sequence by the number in their attribute ``keyword``."""

    def __init__(self, items: Iterable[Dataset], keyword: str) -> None:
        self.items = list(items)
        self.by_number: dict[int, list[Dataset]] = defaultdict(list)
        self.unnumbered: list[Dataset] = []
        self.order: list[int] = []
        for item in self.items:
            number = _number(item.get(keyword))
            if number is None:
                self.unnumbered.append(item)
            else:
                self.by_number[number].append(item)
                self.order.append(number)

    def of(self, number: int) -> list[Dataset]:
        return self.by_number.get(number, [])

    def without(self, named: _Numbered) -> Iterator[Dataset]:
        """Items whose number no item of ``named`` has."""
        yield from self.unnumbered
        for number, items in self.by_number.items():
            if number not in named.by_number:
                yield from items


def _of_number(
    number: int,
    named: list[Dataset],
    drawn: list[Dataset],
    observed: list[Dataset],
    runs_alike: bool,
    report: ReadingReport,
) -> Iterator[RoiItems]:
    names = [roi_name(item, number) for item in named]
    if len(named) == 1:
        yield RoiItems(number, names[0], named[0], tuple(drawn), _observation(names[0], observed, report))
        return
    if len({name.casefold() for name in names}) == 1 and len(drawn) <= 1:  # one structure that is listed twice
        report.note("STRUCTURES_JOINED", names[0])
        yield RoiItems(number, names[0], named[0], tuple(drawn), _observation(names[0], observed, report))
        return
    is_in_order = len(drawn) == len(named) and runs_alike
    if drawn and not is_in_order:
        for name in names:
            report.leave_out(name, NUMBER_SHARED, SegmentationError("EXPORT_NUMBERS_SHARED", names=listed(names)))
        return
    has_observations = len(observed) == len(named)
    for position, (name, item) in enumerate(zip(names, named, strict=True)):
        if drawn:
            report.note("STRUCTURES_TOLD_APART", name)
        yield RoiItems(
            number,
            name,
            item,
            tuple(drawn[position : position + 1]),
            observed[position] if has_observations else None,
        )


def _observation(name: str, observed: list[Dataset], report: ReadingReport) -> Dataset | None:
    """A structure may have several observations (PS3.3 C.8.8.8); their types must not contradict each other."""
    types = {str(item.get("RTROIInterpretedType") or "").strip().upper() for item in observed} - {""}
    if len(types) > 1:
        report.note("STRUCTURES_TYPE_CONTRADICTED", name)
        return None
    stated = [item for item in observed if str(item.get("RTROIInterpretedType") or "").strip()]
    return next(iter(stated or observed), None)


def _is_part_in_order(part: list[int], whole: list[int]) -> bool:
    """True where ``part`` is what remains of ``whole`` when some of its elements are taken out."""
    rest = iter(whole)
    return all(number in rest for number in part)


def _number(value: object) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _unreadable(detail: str) -> SegmentationError:
    return SegmentationError("SEGMENTATION_UNREADABLE", detail=detail)
