"""What can go wrong when two segmentations are compared; a part of the table in problem.py."""

from __future__ import annotations

from TotalSegmentatorWire.errors.definition import ErrorDefinition, table, warnings_table
from TotalSegmentatorWire.errors.definition import translatable as _

COMPARISON_ERRORS: dict[str, ErrorDefinition] = table(
    __file__,
    (
        "COMPARISON_NOTHING_IN_COMMON",
        167,
        _("The two segmentations have no structure in common."),
        _("Check that you chose the right files, or pair the structures by name with a template."),
    ),
    (
        "COMPARISON_NEEDS_SERIES",
        190,
        _("Structures in a DICOM file belong to a CT series, but the CT does not come from DICOM."),
        _("Choose the CT that was loaded from DICOM, or compare with a segmentation that is not DICOM."),
    ),
    (
        "COHORT_EMPTY",
        196,
        _("There is no pair to compare: the folder has no sub-folders, or the list no rows."),
        _(
            "Give each pair a sub-folder in which the names of the CT, our segmentation and the reference begin with "
            "ct, ours and theirs, or use a CSV file with the columns name,ct,ours,theirs."
        ),
    ),
    (
        "COHORT_LIST_INVALID",
        197,
        _("The list of pairs cannot be used: {detail}."),
        _("Use a CSV file with the columns name,ct,ours,theirs; paths count from the folder of the file."),
    ),
    (
        "COHORT_PAIR_INCOMPLETE",
        198,
        _("The pair lacks: {detail}."),
        _("Let the names of its files or folders begin with ct, ours and theirs (or reference)."),
    ),
    (
        "COHORT_PAIR_AMBIGUOUS",
        199,
        _("The pair has several files that could be: {detail}."),
        _("Leave one of them, or rename the others so that they do not begin with ct, ours, theirs or reference."),
    ),
    (
        "COHORT_NOTHING_COMPARED",
        200,
        _("None of the pairs could be compared; no report was written."),
        _("The lines above say why for each pair."),
    ),
)

COMPARISON_WARNINGS: dict[str, ErrorDefinition] = warnings_table(
    __file__,
    (
        "COMPARISON_RESAMPLED",
        _("Structures on another voxel grid were resampled to the grid of the comparison: {names}."),
        _("Small and thin structures may agree a little less for this reason alone."),
    ),
    (
        "COMPARISON_ON_VOLUME",
        _("The CT's DICOM series cannot be used ({code}), so the volume in Slicer is measured instead."),
        _("Distances and volumes are approximate if the slices are tilted or unevenly spaced."),
    ),
)
