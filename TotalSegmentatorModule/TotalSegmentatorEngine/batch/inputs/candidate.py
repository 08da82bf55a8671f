"""A CT that was found, before its files are read for their digest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from TotalSegmentatorWire.errors.problem import Problem

SEGMENTATIONS, LOCALIZERS, OTHER_SERIES, OTHER_OBJECTS, OTHER_FILES = PASSED_OVER = (
    "segmentations",
    "localizers and single images",
    "series that are no CT",
    "DICOM objects without an image",
    "other files",
)


@dataclass(frozen=True)
class Candidate:
    path: Path
    """As that of a case."""
    row: str = ""
    """Its id in the list of series of its folder ("3", "3.2")."""
    series: str | None = None
    files: tuple[str, ...] = ()
    frames: tuple[tuple[str, tuple[int, ...]], ...] = ()
    extra: tuple[Path, ...] = ()
    """Further files on which the verdict rests: a damaged slice, the voxels of a header file."""
    warnings: tuple[Problem, ...] = ()
    problem: Problem | None = None

    @property
    def parts(self) -> list[tuple[Path, Sequence[int]]]:
        """All files, and of each the frames that belong to the CT, none where all do."""
        frames = dict(self.frames)
        own = [(self.path / name, frames.get(name, ())) for name in self.files] or [(self.path, ())]
        return own + [(path, ()) for path in self.extra]


@dataclass
class Found:
    """What a folder holds, or several."""

    candidates: list[Candidate] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    problems: list[tuple[Path, Problem]] = field(default_factory=list)

    def add(self, other: Found) -> None:
        self.candidates += other.candidates
        self.passed_over.update(other.passed_over)
        self.problems += other.problems
