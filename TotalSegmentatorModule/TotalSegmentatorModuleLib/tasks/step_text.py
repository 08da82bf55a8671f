"""What a background task is doing, in the user's language."""

from __future__ import annotations

from slicer.i18n import tr as _
from TotalSegmentatorWire.messages.export import ExportStep

from TotalSegmentatorModuleLib.tasks.program_run import STEP_HANDING_OVER, STEP_PREPARING, STEP_STARTING


def export_step_text(step: str, item: str) -> str:
    """What is being done, and with which structure; an unknown step gives "Working"."""
    name = _step_names().get(step, _("Working"))
    return _("{step}: {item}").format(step=name, item=item) if item else name


def _step_names() -> dict[str, str]:
    return {
        STEP_PREPARING: _("Looking up the CT's DICOM files"),
        STEP_HANDING_OVER: _("Transferring the segmentation"),
        STEP_STARTING: _("Starting"),
        ExportStep.READING: _("Reading"),
        ExportStep.CHECKING: _("Checking"),
        ExportStep.CONTOURING: _("Drawing contours"),
        ExportStep.MESHING: _("Creating surfaces"),
        ExportStep.MEASURING: _("Measuring"),
        ExportStep.DRAWING: _("Drawing pictures"),
        ExportStep.WRITING: _("Writing"),
    }
