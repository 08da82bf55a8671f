"""The texts of progress and results."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from slicer.i18n import tr as _
from TotalSegmentatorWire.agreement.kept import agreement_of
from TotalSegmentatorWire.messages.segment import ResultHeader, Stage

from TotalSegmentatorModuleLib.agreement.texts import agreement_details, agreement_text
from TotalSegmentatorModuleLib.segment.job_types import STAGE_RECEIVING, STAGE_SENDING, STAGE_STARTING
from TotalSegmentatorModuleLib.segment.name_lists import readable_names
from TotalSegmentatorModuleLib.texts.previews import preview_sentence
from TotalSegmentatorModuleLib.texts.quantities import duration_text

STAGE_PREPARING = "preparing"
"""Before the job's controller has the CT: its DICOM files are being looked up."""


def stage_text(stage: str, tile: int = 0, tiles: int = 0) -> str:
    """A stage of a job in the application's language; an unknown one gives "Working"."""
    if stage == Stage.PREDICTING and tiles:
        return _("Segmenting, step {tile} of {tiles}").format(tile=min(tile + 1, tiles), tiles=tiles)
    return _stage_names().get(stage, _("Working"))


def result_text(header: ResultHeader) -> str:
    """One line about a finished result: how many structures, in which time, with which options; and what it is if it is
    a preview whose job was not finished."""
    count = len(header.found)
    found = _("1 structure found") if count == 1 else _("{count} structures found").format(count=count)
    line = _("{found} in {duration}.").format(found=found, duration=duration_text(header.seconds))
    choices = options_text(header.options)
    line = _("{line} Options: {choices}.").format(line=line, choices=choices) if choices else line
    if header.preview_of is None:
        return line
    return _("Preview: {line} {warning}").format(line=line, warning=preview_sentence())


def options_text(options: dict[str, Any]) -> str:
    """The options of a result (ResultHeader.options) that changed its labels; empty if there are none."""
    choices = []
    if options.get("precision") == "reduced":
        choices.append(_("reduced precision"))
    if options.get("crop") == "body":
        choices.append(_("cropped to the structures"))
    if options.get("smooth"):
        choices.append(_("smooth boundaries"))
    if options.get("largest_piece"):
        choices.append(_("largest island only"))
    if options.get("smallest_island_mm3"):
        choices.append(_("islands below {volume:g} mm\u00b3 removed").format(volume=options["smallest_island_mm3"]))
    if options.get("profile"):
        choices.append(_("pipeline {profile}").format(profile=options["profile"]))
    return ", ".join(choices)


def absent_title(header: ResultHeader) -> str:
    """How many structures are absent, on one line."""
    count = len(header.absent)
    return (
        _("1 structure was not found in this scan")
        if count == 1
        else _("{count} structures were not found in this scan").format(count=count)
    )


def absent_text(header: ResultHeader) -> str:
    """The names of all absent structures, for the list below that line and for the log; empty if none is."""
    return ", ".join(readable_names(header.absent))


def log_text(header: ResultHeader) -> str:
    """All about a finished result, for the log."""
    line = result_text(header)
    agreement = agreement_of(header.agreement)
    if agreement is not None:
        line = "\n".join((line, agreement_text(agreement), agreement_details(agreement)))
    if header.absent:
        line = _("{line} {title}: {names}.").format(line=line, title=absent_title(header), names=absent_text(header))
    return line


def unimported_text(header: ResultHeader) -> str:
    """One line about a result that was not imported."""
    if header.preview_of is not None:
        return _(
            "The preview of a segmentation from {when} ({model}, {count} structures) has not been imported; the fine "
            "result was not finished."
        ).format(when=_local_time(header.created), model=", ".join(header.models), count=len(header.found))
    return _("A finished segmentation from {when} ({model}, {count} structures) has not been imported.").format(
        when=_local_time(header.created), model=", ".join(header.models), count=len(header.found)
    )


def unsaved_text(created: str, model: str, count: int) -> str:
    """One line about a segmentation whose review was not saved. ``created``: ISO 8601."""
    return _("The review of a segmentation from {when} ({model}, {count} structures) has not been saved.").format(
        when=_local_time(created), model=model, count=count
    )


def ct_not_found_text() -> str:
    return _(
        "The CT of this result is not in the scene, was moved, or was loaded from an image file and is not chosen, so "
        "the result is at the CT's original position."
    )


def _local_time(created: str) -> str:
    """An ISO 8601 time in the computer's time zone, to the minute; what cannot be read stays as it is."""
    try:
        return datetime.fromisoformat(created).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return created


def _stage_names() -> dict[str, str]:
    return {
        STAGE_PREPARING: _("Preparing the CT"),
        STAGE_SENDING: _("Transferring the CT"),
        STAGE_STARTING: _("Starting the engine"),
        Stage.LOADING_ENGINE: _("Loading the engine"),
        Stage.READING: _("Reading the CT"),
        Stage.CHECKING: _("Checking the CT"),
        Stage.ASKING_SERVER: _("Waiting for the department server"),
        Stage.SENDING_TO_SERVER: _("Sending the CT to the department server"),
        Stage.PREVIEWING: _("Making the preview"),
        Stage.LOADING_MODEL: _("Loading the model"),
        Stage.RESAMPLING: _("Resampling the CT"),
        Stage.PREDICTING: _("Segmenting"),
        Stage.LABELLING: _("Making the labels"),
        Stage.RESTORING: _("Resampling the labels to the CT's grid"),
        Stage.REVIEWING: _("Reviewing the result"),
        Stage.WRITING: _("Writing the result"),
        STAGE_RECEIVING: _("Importing the result"),
    }
