"""What can go wrong with the DICOM SEG that a measurement report refers to; a part of the table in problem.py."""

from __future__ import annotations

from TotalSegmentatorWire.errors.definition import ErrorDefinition, table
from TotalSegmentatorWire.errors.definition import translatable as _

REPORT_ERRORS: dict[str, ErrorDefinition] = table(
    __file__,
    (
        "SEG_NOT_FOUND",
        186,
        _("There is no DICOM SEG named {file}."),
        _("Correct its path, or omit --seg: a SEG is then written with the report."),
    ),
    (
        "SEG_OTHER_FRAME",
        187,
        _("The DICOM SEG has another frame of reference than the CT."),
        _("Choose a SEG that was made on this CT series, or omit --seg: one is then written with the report."),
    ),
    (
        "SEG_LACKS_STRUCTURES",
        188,
        _("The DICOM SEG does not contain all structures of the report; missing: {names}."),
        _("Choose the SEG that contains them, or omit --seg: one is then written with the report."),
    ),
    (
        "SEG_VOXELS_DIFFER",
        189,
        _("Structures have other voxels in the DICOM SEG than in the segmentation: {names}."),
        _(
            "Choose the SEG of this segmentation, or omit --seg: one is then written with the report. If you edited "
            "structures, export the SEG again."
        ),
    ),
)
