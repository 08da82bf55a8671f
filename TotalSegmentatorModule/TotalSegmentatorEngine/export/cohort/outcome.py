"""What the comparison of many pairs found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from TotalSegmentatorWire.errors.problem import Problem

from TotalSegmentatorEngine.export.compare.comparison import ComparisonRow

COMPARED, ONLY_OURS, ONLY_THEIRS = "compared", "only ours", "only theirs"
EMPTY, EMPTY_OURS, EMPTY_THEIRS = "no voxels", "no voxels in ours", "no voxels in theirs"
FAILED = "failed"


@dataclass(frozen=True)
class StructureResult:
    """One structure of one pair."""

    structure: str
    """As the report names it."""
    row: ComparisonRow
    published_dice: float | None = None
    is_cut: bool = False
    """Whether the reference reaches the border of the CT."""

    @property
    def status(self) -> str:
        row = self.row
        if not row.is_paired:
            return ONLY_OURS if row.their_ml is None else ONLY_THEIRS
        if row.our_ml and row.their_ml:
            return COMPARED
        return EMPTY_OURS if row.their_ml else EMPTY_THEIRS if row.our_ml else EMPTY


@dataclass(frozen=True)
class PairResult:
    label: str
    """Its number, or its name where names are kept."""
    number: int
    results: tuple[StructureResult, ...] = ()
    models: frozenset[str] = frozenset()
    """That made ours, as far as it is known."""
    warnings: tuple[Problem, ...] = ()
    problem: Problem | None = None
    """Why it could not be compared."""

    @property
    def compared(self) -> list[StructureResult]:
        """The structures of which both sides have voxels."""
        return [result for result in self.results if result.status == COMPARED]


@dataclass(frozen=True)
class WorstCase:
    """The pair in which a structure agrees least, with a picture."""

    structure: str
    label: str
    number: int
    row: ComparisonRow
    jpeg: bytes
    title: str
    """View and position."""


@dataclass(frozen=True)
class Cohort:
    pairs: tuple[PairResult, ...]
    tolerance_mm: float
    keeps_names: bool
    worst: Mapping[str, WorstCase] = field(default_factory=dict)
    """By structure."""

    @property
    def compared(self) -> list[PairResult]:
        return [pair for pair in self.pairs if pair.problem is None]

    @property
    def failed(self) -> list[PairResult]:
        return [pair for pair in self.pairs if pair.problem is not None]

    @property
    def models(self) -> list[str]:
        return sorted({model for pair in self.pairs for model in pair.models})
