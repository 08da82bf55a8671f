"""The texts of the Export section."""

from __future__ import annotations

from collections.abc import Sequence

from slicer.i18n import tr as _

from TotalSegmentatorModuleLib.export.reopening import reopening_text
from TotalSegmentatorModuleLib.export.task import ExportResult
from TotalSegmentatorModuleLib.scene.cropped_volumes import INSTANCE_UIDS, whole_volume
from TotalSegmentatorModuleLib.scene.volumes import series_instance_uid
from TotalSegmentatorModuleLib.texts.lists import listed
from TotalSegmentatorModuleLib.texts.quantities import duration_text

_MOST_NAMES = 6
"""In a question; more would make its window higher than a small screen."""


def export_result_text(result: ExportResult) -> str:
    """One sentence about the written files, and if they were added to the database, how to open them from there."""
    count = result.structures
    what = _("1 structure") if count == 1 else _("{count} structures").format(count=count)
    values = {"what": what, "names": ", ".join(path.name for path in result.paths)}
    text = _("{what} written to {names} in {duration}.").format(duration=duration_text(result.seconds), **values)
    if result.in_database is None:
        return text
    if result.in_database:
        return _("{text} The export was added to Slicer's DICOM database. {reopening}").format(
            text=text, reopening=reopening_text(result.modality)
        )
    return _("{text} The export could not be added to Slicer's DICOM database. Import it manually.").format(text=text)


def series_note(ct) -> str:
    """To which DICOM series an export on ``ct`` (vtkMRMLScalarVolumeNode) refers; empty where that is its own."""
    whole = whole_volume(ct)
    if whole is not None:
        return _(
            'The chosen CT is a part of "{whole}". The export is placed on the whole CT and refers to its series.'
        ).format(whole=whole.GetName())
    if not ct.GetAttribute(INSTANCE_UIDS):
        return _("The CT does not come from DICOM, so a new CT series is written with the structures.")
    if not series_instance_uid(ct):
        return _("The chosen CT was made from a DICOM series. The export refers to that whole series.")
    return ""


def unreviewed_question(unapproved: Sequence[str], count: int) -> str:
    """The question before unapproved structures are exported; ``unapproved``: their names, of ``count`` in all."""
    if count == 1:
        which = _("{name} has not been approved in a review.").format(name=unapproved[0])
    elif len(unapproved) == 1:
        which = _("1 of {count} structures has not been approved in a review: {name}.")
        which = which.format(count=count, name=unapproved[0])
    else:
        which = _("{unapproved} of {count} structures have not been approved in a review: {names}.")
        names = listed(unapproved, _MOST_NAMES)
        which = which.format(unapproved=len(unapproved), count=count, names=names)
    return _(
        "{which}\n\nContours can be wrong even where they look right. Check each of them before it is used for "
        "treatment. The section Review leads from one to the next. This question is asked once for each segmentation."
    ).format(which=which)
