"""Compares all pairs of a folder or list, one after the other: no more than one is in memory."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import numpy as np
from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.export import ExportStep
from TotalSegmentatorWire.tables.published_scores import published_dice
from TotalSegmentatorWire.tables.review_rules import shown_name

from TotalSegmentatorEngine.export.arguments import CohortOptions, CompareOptions
from TotalSegmentatorEngine.export.cohort.names import StructureNames
from TotalSegmentatorEngine.export.cohort.outcome import Cohort, PairResult, StructureResult
from TotalSegmentatorEngine.export.cohort.pair_list import Pair, find_pairs
from TotalSegmentatorEngine.export.cohort.worst_cases import WorstCases
from TotalSegmentatorEngine.export.compare.comparison import ComparisonRow
from TotalSegmentatorEngine.export.compare.pairing import NamePair, read_pairs
from TotalSegmentatorEngine.export.compare_job import Sides, compare_structures, read_sides
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.export.progress import ExportReporter
from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.job.error_boundary import problem_of

_NO_CT_HU = -200
"""Where there is no CT, a picture is dark: the lower end of its window."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ComparedCohort:
    cohort: Cohort
    pair_names: dict[str, str] = field(default_factory=dict)
    """What the report calls a pair, to its name; empty where names are kept."""
    structure_names: dict[str, str] = field(default_factory=dict)
    """Likewise of structures."""


def compare_cohort(options: CohortOptions, reporter: ExportReporter) -> ComparedCohort:
    """A pair that cannot be compared has its problem, and the others go on. ``reporter`` gets what each pair warns of.

    Raises SegmentationError: what ``find_pairs`` and ``read_pairs`` raise, CANCELLED.
    """
    reporter.progress(ExportStep.READING, 0.0)
    pairs = find_pairs(options.pairs_of_files)
    job = _CohortJob(options, read_pairs(options.pairs) if options.pairs is not None else [], reporter, len(pairs))
    results = tuple(job.result(pair) for pair in pairs)
    cohort = Cohort(results, options.tolerance_mm, options.keep_names, job.worst.found)
    if options.keep_names:
        return ComparedCohort(cohort)
    return ComparedCohort(cohort, {str(pair.number): pair.name for pair in pairs}, dict(job.names.others))


class _CohortJob:
    def __init__(self, options: CohortOptions, named: list[NamePair], reporter: ExportReporter, count: int) -> None:
        self._options = options
        self._named = named
        self._reporter = reporter
        self._count = count
        self.names = StructureNames(named, options.keep_names)
        self.worst = WorstCases()

    def result(self, pair: Pair) -> PairResult:
        label = pair.name if self._options.keep_names else str(pair.number)
        reporter = _PairReporter(self._reporter, pair.number, self._count)
        try:
            if pair.problem is not None:
                raise pair.problem
            results, models = self._compared(pair, label, reporter)
        except Exception as error:  # one pair never stops the others: a code for everything
            problem = problem_of(error)
            if problem.code == "CANCELLED":
                raise
            _log.error("pair %d: %s", pair.number, problem.code)
            self._reporter.note(f"pair {pair.number}: error {problem.code}: {problem.what} {problem.todo}")
            return PairResult(label, pair.number, warnings=tuple(reporter.warnings), problem=problem)
        _log.info("pair %d: %d structures", pair.number, len(results))
        return PairResult(label, pair.number, results, models, tuple(reporter.warnings))

    def _compared(
        self, pair: Pair, label: str, reporter: _PairReporter
    ) -> tuple[tuple[StructureResult, ...], frozenset[str]]:
        options = self._options
        order = CompareOptions(pair.theirs, options.files, ours=pair.ours, reference=pair.ct, labels=options.labels)
        sides = read_sides(order, reporter, lambda selected: [*map(reporter.warning, selected.warnings)], keeps_ct=True)
        models = frozenset([options.model]) if options.model is not None else sides.models
        published = published_dice(next(iter(models))) if len(models) == 1 else {}
        published = {shown_name(name): dice for name, dice in published.items()}
        cut: dict[tuple[str, str], bool] = {}
        ct = _Ct(sides)

        def on_pair(row: ComparisonRow, ours: VoxelMask, theirs: VoxelMask) -> None:
            cut[row.ours, row.theirs] = _reaches_border(theirs)
            structure = self.names.of(row)
            if self.worst.wants(structure, row):
                self.worst.add(structure, label, pair.number, row, (ours, theirs), ct.volume)

        rows = compare_structures(sides, self._named, options.tolerance_mm, reporter, on_pair)
        results = []
        for row in rows:
            structure = self.names.of(row)
            is_cut = cut.get((row.ours, row.theirs), False)
            results.append(StructureResult(structure, row, published.get(structure), is_cut))
        return tuple(results), models


class _Ct:
    """Read when the first picture needs it."""

    def __init__(self, sides: Sides) -> None:
        self._sides = sides
        self._volume: Volume | None = None

    @property
    def volume(self) -> Volume:
        if self._volume is None:
            ct = self._sides.ct
            dark = np.broadcast_to(np.int16(_NO_CT_HU), ct.grid.shape)
            self._volume = Volume(dark, ct.grid) if ct.volume is None else ct.volume()
        return self._volume


def _reaches_border(mask: VoxelMask) -> bool:
    """Of the CT along any axis."""
    if mask.is_empty:
        return False
    return any(part.start == 0 or part.stop == size for part, size in zip(mask.box, mask.shape, strict=True))


class _PairReporter(ExportReporter):
    """Reports one pair as a part of the whole; its warnings are kept, and shown with its number."""

    def __init__(self, whole: ExportReporter, number: int, count: int) -> None:
        super().__init__()
        self._whole = whole
        self._number = number
        self._count = count
        self.warnings: list[Problem] = []

    def progress(self, step: str, fraction: float, item: str = "") -> None:
        done = (self._number - 1 + fraction) / self._count
        self._whole.progress(step, done, f"pair {self._number} of {self._count}: {item}".rstrip(" :"))

    def warning(self, problem: Problem) -> None:
        if problem not in self.warnings:
            self.warnings.append(problem)
            self._whole.note(f"pair {self._number}: warning {problem.code}: {problem.what}")

    def note(self, text: str) -> None:
        """Which series was chosen matters where a single CT is compared."""

    def check_cancelled(self) -> None:
        self._whole.check_cancelled()
