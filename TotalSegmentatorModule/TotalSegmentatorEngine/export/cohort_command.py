"""The command ``compare --report``: what it refuses, and what the terminal says."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from TotalSegmentatorWire.command.text_table import text_table
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.export import ExportFinishedEvent, ExportStep
from TotalSegmentatorWire.tables.catalogue import catalogue_model

from TotalSegmentatorEngine.export.arguments import CohortOptions
from TotalSegmentatorEngine.export.cohort.outcome import Cohort
from TotalSegmentatorEngine.export.cohort.summary import summaries
from TotalSegmentatorEngine.export.cohort.writer import companions, write_report
from TotalSegmentatorEngine.export.cohort_job import ComparedCohort, compare_cohort
from TotalSegmentatorEngine.export.order import check_outputs
from TotalSegmentatorEngine.export.progress import ExportReporter
from TotalSegmentatorEngine.imaging.atomic_file import check_place

_HEADS = ("Structure", "Pairs", "Dice", "lowest", "Published", "HD95 mm", "sDice", "APL cm", "Volume %")

_log = logging.getLogger(__name__)


def check_cohort_files(options: CohortOptions) -> None:
    """Raises SegmentationError: EXPORT_SUFFIX, EXPORT_WOULD_OVERWRITE, OUTPUT_IS_INPUT, OUTPUT_NOT_WRITABLE,
    MODEL_UNKNOWN."""
    if options.report.suffix.lower() != ".html":
        raise SegmentationError("EXPORT_SUFFIX", format="report", suffixes=".html")
    if options.model is not None:
        catalogue_model(options.model)
    outputs = {"report": options.report, **companions(options.report)}
    source = options.pairs_of_files
    inputs = [source] if source.is_file() else [path for path in source.glob("*") if path.is_dir()]
    check_outputs({"log": options.files.log, "events file": options.files.events, **outputs}, [*inputs, options.pairs])
    for name, path in companions(options.report).items():
        if path.exists() and not options.report.exists():
            raise SegmentationError("EXPORT_WOULD_OVERWRITE", file=name)
    check_place(options.report)


def compare_pairs(
    options: CohortOptions, reporter: ExportReporter, printed: list[str], failed: list[str]
) -> ExportFinishedEvent:
    """``printed`` gets what the terminal says, ``failed`` the codes of the pairs that could not be compared.

    Raises SegmentationError: COHORT_NOTHING_COMPARED, what ``compare_cohort`` and ``write_report`` raise.
    """
    started = time.monotonic()
    compared = compare_cohort(options, reporter)
    if not compared.cohort.compared:
        raise SegmentationError("COHORT_NOTHING_COMPARED")
    reporter.progress(ExportStep.WRITING, 1.0)
    files = write_report(options.report, compared.cohort, date.today())
    structures = sum(len(pair.compared) for pair in compared.cohort.pairs)
    seconds = time.monotonic() - started
    _log.info("%d pairs, %d structures in %.1f s", len(compared.cohort.pairs), structures, seconds)
    printed.append(_page(compared, files))
    failed += [pair.problem.code for pair in compared.cohort.failed]
    return ExportFinishedEvent([str(path.absolute()) for path in files], structures, [], round(seconds, 3))


# -- the terminal ------------------------------------------------------------------------------------------------------


def _page(compared: ComparedCohort, files: Sequence[Path]) -> str:
    cohort = compared.cohort
    paragraphs = [
        text_table(_HEADS, _rows(cohort), right=_HEADS[1:]),
        f"Pairs compared: {len(cohort.compared)} of {len(cohort.pairs)}."
        + "".join(f"\nPair {pair.label}: {pair.problem.code}" for pair in cohort.failed),
    ]
    for title, names in (("Pairs", compared.pair_names), ("Structures", compared.structure_names)):
        if names:
            paragraphs.append(_mapping(f"{title} in the report; keep this list, the report does not hold it:", names))
    paragraphs.append("\n".join(f"Written: {path.absolute()}" for path in files))
    return "\n\n".join(paragraphs)


def _mapping(title: str, names: Mapping[str, str]) -> str:
    return "\n".join([title, *(f"  {shown}  {name}" for shown, name in names.items())])


def _rows(cohort: Cohort) -> list[list[str]]:
    """As _HEADS has it: medians, but for the lowest Dice."""
    return [
        [
            each.structure,
            str(each.count),
            f"{each.dice.median:.3f}",
            f"{each.dice.lowest:.3f}",
            "-" if each.published_dice is None else f"{each.published_dice:.3f}",
            f"{each.hausdorff95_mm.median:.1f}",
            f"{each.surface_dice.median:.3f}",
            f"{each.added_path_mm.median / 10:.1f}",
            f"{each.difference_percent.median:+.1f}",
        ]
        for each in summaries(cohort)
    ]
