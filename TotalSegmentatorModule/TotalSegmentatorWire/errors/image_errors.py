"""What can be wrong with an image file, its grid and its values; a part of the table in problem.py."""

from __future__ import annotations

from TotalSegmentatorWire.errors.definition import ErrorDefinition, table, warnings_table
from TotalSegmentatorWire.errors.definition import translatable as _

IMAGE_ERRORS: dict[str, ErrorDefinition] = table(
    __file__,
    (
        "INPUT_DAMAGED",
        96,
        _("The file {file} is damaged: {detail}."),
        _("Copy, download or export it again; do not use this copy, even if another program opens it."),
    ),
    (
        "INPUT_MIRRORED_TRANSFORMS",
        97,
        _("The file states two transforms, sform and qform, and one is the mirror image of the other."),
        _("Convert the CT from DICOM again: nothing in this file tells its left side from its right."),
    ),
    (
        "INPUT_SIZE_UNLIKELY",
        98,
        _("The size of the CT is unlikely: {detail} (metres in place of mm?)."),
        _("Correct the voxel spacing. If the size is right, segment it anyway (on the command line: --accept-size)."),
    ),
)

IMAGE_WARNINGS: dict[str, ErrorDefinition] = warnings_table(
    __file__,
    (
        "IMPLAUSIBLE_HU",
        _("The voxel values range from {minimum:.0f} to {maximum:.0f}, which is unusual for Hounsfield units."),
        _("Check that the volume is a CT in Hounsfield units before you rely on the result."),
    ),
    (
        "HU_SCALE",
        _("The voxel values do not look like Hounsfield units: {detail}."),
        _("Check that the volume is a CT of the body in Hounsfield units before you rely on the result."),
    ),
    (
        "NIFTI_TRANSFORMS_DIFFER",
        _("The file states the CT's place in more than one way; they differ by up to {distance_mm:.1f} mm."),
        _("The one that Slicer uses was taken. Check the result's size and position, or convert from DICOM again."),
    ),
    (
        "NIFTI_NO_ORIENTATION",
        _("The file does not state how the CT lies in the patient, so the axes were taken as Slicer takes them."),
        _("Check left and right, front and back, head and feet before you rely on the result."),
    ),
)
