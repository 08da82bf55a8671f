"""What a reader of somebody else's file says besides its structures: what was left out, and what was made of oddities.

Structures are named, since a number tells nobody which one is missing. Names are what somebody typed: they are shown
to the user and stay out of the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

from TotalSegmentatorEngine.export.core.segmentation import LeftOut
from TotalSegmentatorEngine.export.core.shown_names import listed

OFF_PLANE = "STRUCTURES_OFF_PLANE"
OUTSIDE_CT = "STRUCTURES_OUTSIDE_CT"
OTHER_FRAME = "STRUCTURES_OTHER_FRAME"
DAMAGED = "STRUCTURES_DAMAGED"
NUMBER_SHARED = "STRUCTURES_NUMBER_SHARED"
UNEVEN_SLICES = "STRUCTURES_NOT_RESAMPLED"

REASONS = {
    OFF_PLANE: "its contours do not all lie on slices of the CT",
    OUTSIDE_CT: "it extends beyond the CT",
    OTHER_FRAME: "it was drawn in another frame of reference",
    DAMAGED: "it is damaged or of an unknown kind",
    NUMBER_SHARED: "it shares its number with another structure",
    UNEVEN_SLICES: "it cannot be resampled to the CT because of uneven slices",
}
"""Why a structure is left out: code of the warning, and what the error says where the structure was asked for."""


@dataclass(frozen=True)
class _Exclusion:
    structure: LeftOut
    code: str
    error: SegmentationError


class ReadingReport:
    """Collects by structure; ``warnings`` makes one warning of each kind.

    >>> report = ReadingReport()
    >>> report.note("CONTOURS_REPEATED", "Spleen", 2)
    >>> report.leave_out("Couch", OUTSIDE_CT, SegmentationError("EXPORT_OTHER_CT"))
    """

    def __init__(self) -> None:
        self._excluded: list[_Exclusion] = []
        self._notes: dict[str, dict[str, int]] = {}

    def leave_out(self, name: str, code: str, error: SegmentationError) -> None:
        """The structure is not read; ``code`` is one of REASONS. ``error``: what to raise where nothing else is."""
        self._excluded.append(_Exclusion(LeftOut(name, REASONS[code]), code, error))

    def note(self, code: str, name: str = "", count: int = 1) -> None:
        """Something odd about a structure that is read, or about ``count`` parts of it; ``code`` is a warning's."""
        of_names = self._notes.setdefault(code, {})
        of_names[name] = of_names.get(name, 0) + count

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """In the file's order."""
        return tuple(exclusion.structure for exclusion in self._excluded)

    def warnings(self) -> list[Problem]:
        """Their values: ``names``, abbreviated, and ``count``: of the structures left out, else of what was noted."""
        excluded: dict[str, list[str]] = {}
        for exclusion in self._excluded:
            excluded.setdefault(exclusion.code, []).append(exclusion.structure.name)
        problems = [Problem(code, {"names": listed(names), "count": len(names)}) for code, names in excluded.items()]
        for code, of_names in self._notes.items():
            problems.append(Problem(code, {"names": listed(of_names), "count": sum(of_names.values())}))
        return problems

    def check_something_left(self) -> None:
        """To be called where no structure was read. Raises the error of the most frequent reason for it."""
        if self._excluded:
            codes = [exclusion.error.code for exclusion in self._excluded]
            most = max(codes, key=codes.count)
            values = [exclusion.error.problem.values for exclusion in self._excluded if exclusion.error.code == most]
            counted = {"count": sum(value["count"] for value in values)} if "count" in values[0] else {}
            raise SegmentationError(most, **(values[0] | counted))


@contextmanager
def reported(warn: Callable[[Problem], None]) -> Iterator[ReadingReport]:
    """A report whose warnings ``warn`` gets at the end, also where reading fails: they say what the error does not."""
    report = ReadingReport()
    try:
        yield report
    finally:
        for problem in report.warnings():
            warn(problem)
