"""What can be wrong with the CT: an image file, its grid, its values, and the series of a folder; a part of the table
in problem.py."""

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

SERIES_ERRORS: dict[str, ErrorDefinition] = table(
    __file__,
    (
        "INPUT_NO_IMAGES",
        87,
        _("The folder and its subfolders contain no DICOM images; files of other kinds: {files}."),
        _("Choose the folder of a DICOM series, or the image file itself if the CT is a NIfTI, NRRD or MHA file."),
    ),
    (
        "INPUT_ARCHIVE",
        88,
        _("The input is an archive ({kind}), not an image."),
        _("Unpack it, then choose the folder or file that it contained."),
    ),
    (
        "INPUT_FORMAT_UNKNOWN",
        89,
        _("The input is not an image in a known format; its extension is {suffix}."),
        _("Choose a NIfTI, NRRD, MHA or MHD file, a DICOM file, or a folder with a DICOM series."),
    ),
    (
        "INPUT_SERIES_UNKNOWN",
        90,
        _("The input contains no CT series {series}."),
        _("Give --series the number of a row in the list of series, or a Series Instance UID that the files state."),
    ),
    (
        "INPUT_SLICE_UNUSABLE",
        91,
        _("The file {file} cannot be used, but it may be a slice of the CT: {detail}."),
        _(
            "Copy or send the series again so that it is complete and sound. If the file does not belong to the CT, "
            "move it out of the folder."
        ),
    ),
)

SERIES_WARNINGS: dict[str, ErrorDefinition] = warnings_table(
    __file__,
    (
        "INPUT_IMAGES_LEFT_OUT",
        _("Images of the CT series that are not slices were left out ({kinds}): {files}."),
        _("No action is needed if these are localizers, result pages or copies."),
    ),
    (
        "INPUT_FILES_UNREAD",
        _("Damaged or empty DICOM files, or closed folders, outside the series were left out ({count}): {files}."),
        _("Check that none of them belongs to the CT."),
    ),
    (
        "INPUT_UIDS_SHARED",
        _("Different slices share their SOP Instance UIDs ({count} slices), so their positions tell them apart."),
        _("Check the number of slices. Send the CT from its source again before you export to DICOM."),
    ),
    (
        "INPUT_MIXED_ORIGIN",
        _(
            "The slices of this CT name different patients or frames of reference (patients: {patients}, frames of "
            "reference: {frames}), so they may not belong together."
        ),
        _("Check that all slices show the same scan of one patient. Otherwise, separate the parts first."),
    ),
)
