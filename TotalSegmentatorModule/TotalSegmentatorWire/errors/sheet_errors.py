"""What can go wrong with the documents of an export: a review sheet, and the DICOM SEG that a measurement report refers
to. A part of the table in problem.py."""

from __future__ import annotations

from TotalSegmentatorWire.errors.definition import ErrorDefinition, table, warnings_table
from TotalSegmentatorWire.errors.definition import translatable as _

SHEET_ERRORS: dict[str, ErrorDefinition] = table(
    __file__,
    (
        "EXPORT_SHEET_NO_CT",
        191,
        _("A review sheet shows the CT, which was not given."),
        _("Choose the CT on which the segmentation was made; on the command line, specify it with --reference."),
    ),
    (
        "EDITS_NONE",
        201,
        _("No edits of reviews have been kept yet."),
        _(
            "Turn on that they are kept, in the section Review or with --keep-edits, and make review sheets of the "
            "results that you have reviewed."
        ),
    ),
    (
        "EDITS_UNREADABLE",
        202,
        _("The table of the edits of reviews is damaged."),
        _("Restore it from a backup, or delete it (command edits --delete) and begin a new one."),
    ),
)

SHEET_WARNINGS: dict[str, ErrorDefinition] = warnings_table(
    __file__,
    (
        "EXPORT_SHEET_NO_PATIENT",
        _("The CT does not come from DICOM, so the review sheet cannot name the patient."),
        _("Use the CT's DICOM series if the sheet has to name the patient."),
    ),
    (
        "EXPORT_SHEET_EDITS_NOT_KEPT",
        _("The review sheet was made, but its edits were not kept ({code})."),
        _("Check the table of edits among your files, and make the sheet again."),
    ),
    (
        "EXPORT_SHEET_NOT_CHECKED",
        _("The segmentation has no structure that the check knows, so the review sheet lists no remarks."),
        _("The check knows structures by their names: give them those of the label tables, for example kidney_left."),
    ),
)

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
