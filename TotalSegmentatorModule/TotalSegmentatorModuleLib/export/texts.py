"""How the Export section reads."""

from __future__ import annotations

from slicer.i18n import tr as _

from TotalSegmentatorModuleLib.export.task import ExportResult
from TotalSegmentatorModuleLib.texts.quantities import duration_text


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
