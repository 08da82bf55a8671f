"""What a run says on the terminal, which may name paths; no file does."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.agreement.kept import agreement_of
from TotalSegmentatorWire.agreement.words import short_agreement
from TotalSegmentatorWire.command.terminal import Terminal
from TotalSegmentatorWire.errors.problem import ERRORS, Problem
from TotalSegmentatorWire.messages.review import Flag
from TotalSegmentatorWire.messages.segment import ProgressEvent, WarningEvent

from TotalSegmentatorEngine.batch.counts import Counts
from TotalSegmentatorEngine.batch.inputs.case import Case, FoundInputs
from TotalSegmentatorEngine.batch.running.open_case import Attempt
from TotalSegmentatorEngine.review.printed_page import headline

_OF_MOST_RESULTS = ("EXPORT_UNREVIEWED", "EXPORT_CUT", "DEMO_MODEL")
"""Warnings that would stand in every line; the records have them."""


class BatchTerminal(Terminal):
    """The progress of the present CT in the line that rewrites itself, where there is a terminal; no warnings of single
    CTs, which stand in their records."""

    def __init__(self) -> None:
        super().__init__()
        self._is_terminal = sys.stderr.isatty()

    def at_case(self, number: int, total: int) -> None:
        self.place = f"{number + 1} of {total} "

    def show(self, event: Any) -> None:
        if isinstance(event, WarningEvent) or (isinstance(event, ProgressEvent) and not self._is_terminal):
            return
        super().show(event)


def found_text(found: FoundInputs, mine: int, shard: tuple[int, int]) -> str:
    text = f"{_count(len(found.cases), 'CT')} found"
    if found.copies:
        text += f", {_count(found.copies, 'copy', 'copies')} of them left out"
    if shard[1] > 1:
        text += f"; share {shard[0]} of {shard[1]}: {mine}"
    passed = passed_text(found.passed_over)
    return f"{text}; passed over: {passed}" if passed else text


def passed_text(passed_over: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in passed_over.items() if count)


def damaged_table_text(aside: Path) -> str:
    return (
        f"The list of the CTs of earlier calls could not be read; it is called {aside.name} now, in the folder "
        f"{aside.parent}. Call batch with the inputs of the earlier calls, too, so that their results are listed again."
    )


def problem_line(path: Path, problem: Problem) -> str:
    return f"error {problem.code}: {problem.what} ({path})"


def case_line(number: int, total: int, case: Case, attempt: Attempt) -> str:
    """Number, id, time, what came of it, where the CT is."""
    outcome = attempt.outcome
    if outcome.error is not None:
        what = f"error {outcome.error.code}" + ("" if attempt.ran else " (before)")
    else:
        flags = [Flag.from_json(flag) for flag in outcome.flags]
        what = f"{_count(len(outcome.structures), 'structure')}, {headline(flags)}"
        agreement = agreement_of(outcome.agreement)
        if agreement is not None:
            what += f", {short_agreement(agreement)}"
        warnings = [code for code in outcome.warnings if code not in _OF_MOST_RESULTS]
        if warnings:
            what += f", warnings: {', '.join(warnings)}"
    width = len(str(total))
    return f"{number:{width}d} of {total}  {outcome.id}  {outcome.seconds_total:6.1f} s  {what}  {case.path}"


def summary_text(counts: Counts, found: FoundInputs, seconds: float, output: Path) -> str:
    failed = sum(counts.failed.values())
    lines = [
        f"{_count(counts.done, 'CT')} segmented, {counts.before} done before, {failed} failed, in {seconds:.0f} s."
    ]
    for code, number in sorted(counts.failed.items()):
        todo = ERRORS[code].todo if code in ERRORS else "A code of another version of this program."
        lines.append(f"  {number}  {code}: {todo}")
    if found.problems:
        lines.append(f"Not read: {_count(len(found.problems), 'path')}, see above.")
    passed = passed_text(found.passed_over)
    if passed:
        lines.append(f"Passed over: {passed}.")
    lines.append(f"Written: {output.absolute()}")
    return "\n".join(lines)


def _count(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
