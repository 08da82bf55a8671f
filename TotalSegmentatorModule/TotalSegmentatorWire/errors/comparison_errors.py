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
