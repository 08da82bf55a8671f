"""How a sheet says what it says; the printed page and the one for browsers have the same words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from TotalSegmentatorWire.agreement.words import agreement_details, agreement_line
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.review import Level
from TotalSegmentatorWire.rounding import rounded
from TotalSegmentatorWire.tables.result_tags import PREFIX, provenance_tags
from TotalSegmentatorWire.tables.review_state import ReviewState
from TotalSegmentatorWire.tables.usual_ranges import Range

from TotalSegmentatorEngine.export.sheet.contents import (
    APPROVED_TOGETHER,
    OPEN,
    Computation,
    EditSize,
    Remark,
    ReviewSheet,
    SheetStructure,
)
from TotalSegmentatorEngine.export.sheet.drawing import WINDOW_LEVEL, WINDOW_WIDTH

TITLE = "Review of a segmented CT"
COUNTS_HEAD, LEVELS_HEAD = "Review", "Remarks of the check"
NOT_CHECKED = "Not checked: the check knows none of these structures."
CHECKED_NOW = "Checked when this sheet was made."
LEVELS = {Level.WRONG: "Wrong?", Level.CHECK: "Check", Level.CUT: "Cut by the scan"}
PATIENT = {
    "PatientName": "Patient",
    "PatientID": "ID",
    "PatientBirthDate": "born",
    "PatientSex": "sex",
    "StudyDate": "study of",
    "StudyDescription": "study",
    "AccessionNumber": "accession number",
    "SeriesDescription": "series",
}
"""Attributes of DICOM that are printed where the patient is named."""
STATES = {
    ReviewState.APPROVED: "approved",
    ReviewState.EDITED: "edited, not approved",
    ReviewState.NEEDS_ATTENTION: "put off (later)",
    ReviewState.REJECTED: "rejected",
    ReviewState.UNREVIEWED: "not reviewed",
}
"""In the order in which they are counted."""
SHORT_STATES = {
    ReviewState.APPROVED: "ok",
    ReviewState.EDITED: "edited",
    ReviewState.NEEDS_ATTENTION: "later",
    ReviewState.REJECTED: "rejected",
    ReviewState.UNREVIEWED: "open",
}
DECISIONS = {
    OPEN: "open",
    APPROVED_TOGETHER: "approved with others",
    ReviewState.APPROVED.value: "approved",
    ReviewState.EDITED.value: "edited, not approved",
    ReviewState.NEEDS_ATTENTION.value: "put off (later)",
    ReviewState.REJECTED.value: "rejected",
}
TABLE_HEADS = ("Structure", "ml", "published", "HU", "possible", "state")
TABLE_NOTE = (
    "published: volumes of adults; possible: mean HU that the tissue can have; their sources are in the JSON file. "
    "! outside of these. ~ cut by the scan, its volume is not compared. * voxels were edited. ok: approved; "
    "open: not reviewed."
)
EDIT_HEADS = ("Structure", "computed ml", "now ml", "difference ml", "Dice", "added path mm")
EDIT_NOTE = (
    "Against what the model computed. Added path length: the part of the final contour, in all axial slices, that does "
    "not lie on the computed one (Vaassen et al. 2020, Phys Imaging Radiat Oncol 13:1-6)."
)
DISCLAIMER = "For research use; not a medical device."
PICTURE_NOTE = (
    f"Window {WINDOW_LEVEL:.0f}/{WINDOW_WIDTH:.0f} HU. R is the patient's right. Numbers: where the remarks are, seen "
    "from the front."
)

Row = tuple[str, ...]
_ALWAYS_SHOWN = ("Runtime", "Precision")
"""Of the options; the others where they are not as usual."""


def input_line(sheet: ReviewSheet) -> str:
    shape, spacing = sheet.input.shape[::-1], sheet.input.spacing_mm
    size = " x ".join(str(size) for size in shape)
    return f"CT {sheet.input.digest}, {size} voxels of " + " x ".join(f"{mm:.4g}" for mm in spacing) + " mm"


def patient_lines(sheet: ReviewSheet) -> list[str]:
    """Empty where the patient shall not be named. UIDs are for programs, which find them in the JSON."""
    shown = {PATIENT[name]: value for name, value in (sheet.patient or {}).items() if name in PATIENT}
    return ["; ".join(f"{name}: {_date(value)}" for name, value in shown.items())] if shown else []


def _date(value: str) -> str:
    """19430705 as 1943-07-05; anything else as it is."""
    return f"{value[:4]}-{value[4:6]}-{value[6:]}" if re.fullmatch(r"\d{8}", value) else value


def computation_lines(sheet: ReviewSheet) -> list[str]:
    if not sheet.computations:
        return ["It is not known how the structures were computed."]
    jobs = Counter(map(_job_of, sheet.computations))
    lines = []
    for each in sheet.computations:
        lines.append(_computation_line(each, len(sheet.structures), jobs[_job_of(each)]))
        if each.agreement is not None:
            lines.append(" ".join([agreement_line(each.agreement), *agreement_details(each.agreement)]))
    shared = [(job, count) for job, count in jobs.items() if job is not None and count > 1]
    return lines + [f"{count} models in one job of {job[-1]:.0f} s" for job, count in shared]


def _job_of(each: Computation) -> tuple[str, str, float] | None:
    """The same for models that ran in one job: only its time, to a tenth of a second, names it. None: unknown."""
    return None if each.seconds is None else (each.version, each.device, each.seconds)


def _computation_line(each: Computation, structures: int, models: int) -> str:
    """``models``: how many the job had; the time is that of all together."""
    parts = [f"Model {each.model}", f"pipeline {each.profile}", f"TotalSegmentatorModule {each.version}"]
    usual = provenance_tags("", "", "", JobOptions().to_json())
    for name, value in each.options.items():
        if name in _ALWAYS_SHOWN or value != usual.get(PREFIX + name):
            parts.append(f"{_option_words(name)} {value}")
    if each.device:
        parts.append(f"on {each.device}")
    if each.seconds is not None and models == 1:
        parts.append(f"in {each.seconds:.0f} s")
    if each.structures < structures:
        parts.append(f"{each.structures} of {structures} structures")
    return ", ".join(parts)


def _option_words(name: str) -> str:
    return {
        "Runtime": "runtime",
        "Precision": "precision",
        "Crop": "crop",
        "Smooth": "smooth",
        "LargestPiece": "largest piece",
        "SmallestIslandMm3": "smallest island in mm3",
    }.get(name, name)


def software_line(sheet: ReviewSheet) -> str:
    return "Sheet made by " + ", ".join(f"{name} {version}" for name, version in sheet.software.items())


def count_rows(sheet: ReviewSheet) -> list[Row]:
    """Number and words: all structures, then by state; states that nothing has are left out."""
    rows = [(str(len(sheet.structures)), "structures")]
    for state, words in STATES.items():
        count = sheet.counts[state.value]
        if state is ReviewState.APPROVED and sheet.approved_together:
            words += f" ({sheet.approved_together} with others at once)"
        if count:
            rows.append((str(count), words))
    if sheet.edited:
        rows.append((str(len(sheet.edited)), "with edited voxels"))
    if sheet.removed:
        rows.append((str(len(sheet.removed)), "computed, but gone now"))
    return rows


def level_rows(sheet: ReviewSheet) -> list[Row]:
    """Number and words."""
    return [(str(sheet.levels[level]), words.lower()) for level, words in LEVELS.items()]


def open_remarks_line(sheet: ReviewSheet) -> str:
    """How many of the remarks that ask for a look still wait; empty where there is nothing to say."""
    remarks = [remark for _, remark in sheet.numbered]
    if sheet.is_checked_now:
        return "Checked when this sheet was made: nobody has seen the remarks before." if remarks else CHECKED_NOW
    waiting = sum(remark.decision in (OPEN, ReviewState.NEEDS_ATTENTION.value) for remark in remarks)
    if not remarks:
        return ""
    return f"{waiting} of {len(remarks)} remarks still open." if waiting else "All remarks were decided on."


def structure_row(each: SheetStructure) -> Row:
    """As TABLE_HEADS has it."""
    return (
        each.name + (" ~" if each.is_cut else ""),
        volume_text(each.volume_ml) + (" !" if each.has_usual_volume is False else ""),
        range_text(each.usual_ml),
        str(round(each.mean_hu)) + (" !" if each.has_usual_hu is False else ""),
        range_text(each.usual_hu),
        SHORT_STATES[each.state] + ("*" if each.is_edited else ""),
    )


def edit_rows(sheet: ReviewSheet) -> Iterator[Row]:
    """As EDIT_HEADS has it: what was edited most comes first, then what is gone, then edits of unknown size."""
    measured = [each for each in sheet.edited if each.edit is not None]
    for each in sorted(measured, key=lambda each: -each.edit.added_path_mm):
        yield (each.name, *_size(each.edit))
    for name, computed_ml in sheet.removed:
        yield (name, volume_text(computed_ml), "removed", "", "", "")
    for each in sheet.edited:
        if each.edit is None:
            yield (each.name, "not kept", volume_text(each.volume_ml), "", "", "")


def _size(size: EditSize) -> Row:
    return (
        volume_text(size.computed_ml),
        volume_text(size.volume_ml),
        f"{size.difference_ml:+.2f}",
        f"{size.dice:.3f}",
        f"{size.added_path_mm:.0f}",
    )


def remark_head(number: int, remark: Remark) -> str:
    return f"{number}. {LEVELS[remark.flag.level]}"


def decision_text(remark: Remark, is_checked_now: bool) -> str:
    repaired = "; changed, not checked again" if remark.is_repaired else ""
    title = "State of the structure" if is_checked_now else "Decision"
    return f"{title}: {DECISIONS[remark.decision]}{repaired}"


def place_text(remark: Remark) -> str:
    place = remark.flag.place_ras_mm
    return "" if place is None else "At RAS {:.0f}, {:.0f}, {:.0f} mm.".format(*place)


def capital(text: str) -> str:
    """Names of structures begin with a small letter, sentences do not."""
    return text[:1].upper() + text[1:]


def volume_text(volume_ml: float) -> str:
    return f"{volume_ml:.0f}" if volume_ml >= 1000 else f"{volume_ml:.1f}" if volume_ml >= 10 else f"{volume_ml:.2f}"


def range_text(usual: Range | None) -> str:
    """ "39 to 326", "> 12", "< 300"; empty without a range."""
    if usual is None:
        return ""
    low, high = (None if end is None else rounded(end, 3) for end in (usual.low, usual.high))
    if low is None or high is None:
        return f"< {high}" if low is None else f"> {low}"
    return f"{low} to {high}"
