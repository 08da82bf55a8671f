"""How the Export section reads."""

from __future__ import annotations

from slicer.i18n import tr as _
from TotalSegmentatorWire.export_messages import ExportStep

from .errand_session import STEP_HANDING_OVER, STEP_PREPARING, STEP_STARTING
from .export_errand import ExportResult
from .progress_text import duration_text


def export_step_text(step: str, item: str) -> str:
    """What is being done, and with which structure; an unknown step gives "Working"."""
    name = _step_names().get(step, _("Working"))
    return _("{step}: {item}").format(step=name, item=item) if item else name


def export_result_text(result: ExportResult) -> str:
    """One sentence about what was written, and one about the database where it was asked for."""
    count = result.structures
    what = _("1 structure") if count == 1 else _("{count} structures").format(count=count)
    values = {"what": what, "names": ", ".join(path.name for path in result.paths)}
    text = _("{what} written to {names} in {duration}.").format(duration=duration_text(result.seconds), **values)
    if result.in_database is None:
        return text
    if result.in_database:
        return _("{text} Slicer's DICOM database has it, too.").format(text=text)
    return _("{text} It could not be added to Slicer's DICOM database; import the file there.").format(text=text)


def unreviewed_question(waiting: int, count: int) -> str:
    """Before structures go out that nobody has approved."""
    return _(
        "{waiting} of {count} structures have not been approved in a review. Contours from a segmentation program can "
        "be wrong, also where they look right.\n\nCheck every one of them before it is used for treatment. This "
        "question is asked once for each segmentation."
    ).format(waiting=waiting, count=count)


def _step_names() -> dict[str, str]:
    return {
        STEP_PREPARING: _("Looking for the CT's files"),
        STEP_HANDING_OVER: _("Handing over the segmentation"),
        STEP_STARTING: _("Starting"),
        ExportStep.READING: _("Reading"),
        ExportStep.CHECKING: _("Checking"),
        ExportStep.CONTOURING: _("Drawing contours"),
        ExportStep.MESHING: _("Making surfaces"),
        ExportStep.MEASURING: _("Measuring"),
        ExportStep.WRITING: _("Writing"),
    }
