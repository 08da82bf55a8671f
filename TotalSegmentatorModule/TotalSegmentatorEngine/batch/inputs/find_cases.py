"""Finds the CTs of a run: each once, with an id that comes from its bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from pathlib import Path

from TotalSegmentatorWire.errors.problem import Problem

from TotalSegmentatorEngine.batch.inputs.candidate import PASSED_OVER, Candidate
from TotalSegmentatorEngine.batch.inputs.candidates import CandidateSearch
from TotalSegmentatorEngine.batch.inputs.case import ID_DIGITS, Case, FoundInputs
from TotalSegmentatorEngine.batch.inputs.digests import input_digest, is_blank, stamp_of
from TotalSegmentatorEngine.batch.inputs.source_names import source_names
from TotalSegmentatorEngine.batch.store.input_table import InputRow


def find_cases(
    inputs: Sequence[str],
    but: Path | None = None,
    known: Mapping[str, str] | None = None,
    keeps_names: bool = False,
    listen: Callable[[], None] = lambda: None,
    verdicts: MutableMapping[str, bool] | None = None,
) -> FoundInputs:
    """``inputs``: folders, image files, DICOM files, patterns, and lists in CSV or JSON.

    ``but``: the folder of the results, which is not looked into. ``known``: digests by the stamps of files that were
    read before (input_table.py). ``keeps_names``: the rows of the table of inputs name patient and series. ``listen``
    is called again and again; it may raise to stop. ``verdicts``: of image files that were looked at before
    (image_verdicts.py); new ones are added.

    Raises SegmentationError: INPUT_NOT_FOUND, BATCH_LIST_INVALID.
    """
    found = CandidateSearch(but, listen, {} if verdicts is None else verdicts).of_inputs(inputs)
    cases: dict[str, Case] = {}
    rows: dict[InputRow, None] = {}
    problems = list(found.problems)
    places: set[tuple] = set()
    unequal = 0
    for candidate in found.candidates:
        listen()
        place = (candidate.path, candidate.files, candidate.frames)
        if place in places:  # named twice
            continue
        places.add(place)
        try:
            stamp = stamp_of(candidate.parts)
            digest = (known or {}).get(stamp) or input_digest(candidate.parts)
            problem = _problem_of_second(candidate) if digest[:ID_DIGITS] in cases else None
        except OSError:
            problems.append((candidate.path, Problem("INPUT_UNREADABLE", {"file": candidate.path.name})))
            continue
        case = _case(candidate, digest)
        names = source_names(candidate) if keeps_names else {}
        rows[InputRow(case.id, digest, str(case.path), case.series or "", stamp, **names)] = None
        if problem is not None:
            problems.append((candidate.path, problem))
            unequal += 1
        cases.setdefault(case.id, case)
    passed_over = {kind: found.passed_over[kind] for kind in PASSED_OVER if found.passed_over[kind]}
    copies = len(rows) - len(cases) - unequal
    return FoundInputs(tuple(cases.values()), passed_over, tuple(problems), copies, tuple(rows))


def _problem_of_second(candidate: Candidate) -> Problem | None:
    """Of one with the bytes of another one. Damaged files may be equal although they are of different patients."""
    if candidate.problem is None and is_blank(path for path, _ in candidate.parts):
        return Problem("INPUT_UNREADABLE", {"file": candidate.path.name})
    return candidate.problem


def _case(candidate: Candidate, digest: str) -> Case:
    return Case(
        digest[:ID_DIGITS],
        digest,
        candidate.path,
        candidate.series,
        candidate.files,
        candidate.frames,
        candidate.warnings,
        candidate.problem,
    )
