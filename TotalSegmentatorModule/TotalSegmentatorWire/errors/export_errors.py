"""What can go wrong when a segmentation is exported, read back or compared; a part of the table in errors.py."""

from __future__ import annotations

from TotalSegmentatorWire.errors.definition import ErrorDefinition, table, warnings_table
from TotalSegmentatorWire.errors.definition import translatable as _

EXPORT_ERRORS: dict[str, ErrorDefinition] = table(
    __file__,
    # -- the segmentation ----------------------------------------------------------------------------------------------
    (
        "SEGMENTATION_UNREADABLE",
        150,
        _("The segmentation cannot be read: {detail}."),
        _(
            "Give a .seg.nrrd, .nrrd or .nii.gz file, a DICOM SEG or an RT Structure Set, and check that it opens "
            "elsewhere."
        ),
    ),
    (
        "EXPORT_SEGMENT_EMPTY",
        151,
        _("None of the chosen structures has a voxel on this CT; their number is {count}."),
        _("Choose structures that were found or drawn."),
    ),
    (
        "EXPORT_NOTHING_CHOSEN",
        152,
        _("No structure is left to export."),
        _("Choose other structures, show hidden ones, or approve some in the review first."),
    ),
    (
        "EXPORT_LABELS_UNNAMED",
        153,
        _("The label image does not say what its {count} label values mean."),
        _("Name its label table with --labels, or give the .seg.nrrd file of the same result."),
    ),
    # -- segmentation and CT -------------------------------------------------------------------------------------------
    (
        "EXPORT_OTHER_PATIENT",
        154,
        _("The chosen CT belongs to another patient than the segmentation."),
        _("Choose the CT on which the segmentation was made."),
    ),
    (
        "EXPORT_OTHER_CT",
        155,
        _("The segmentation was made on another CT series than the chosen one."),
        _("Choose the CT series on which the segmentation was made."),
    ),
    (
        "EXPORT_GEOMETRY_DIFFERS",
        156,
        _("The segmentation does not lie on the chosen CT: it reaches {distance_mm:.0f} mm beyond it."),
        _("Choose the CT on which the segmentation was made; in Slicer, check the transforms of both."),
    ),
    (
        "EXPORT_NONLINEAR_TRANSFORM",
        157,
        _("The segmentation or its CT has a non-linear transform that the other one does not have."),
        _("Harden the transform of both, or give both the same one, then try again."),
    ),
    (
        "EXPORT_NOT_DICOM",
        158,
        _("The CT did not come from DICOM, so that there is no series to refer to."),
        _("Use the CT's DICOM series; an export can also go into a folder, with a CT series of its own."),
    ),
    (
        "EXPORT_FILES_MISSING",
        159,
        _("DICOM files of the CT are missing in Slicer's database or on the disk: {count}."),
        _("Import the CT series into Slicer's DICOM database again, load it from there and try again."),
    ),
    (
        "EXPORT_NO_FRAME_OF_REFERENCE",
        160,
        _("The CT series names no frame of reference, or more than one, so that contours could not be placed on it."),
        _("Choose another reconstruction of the scan, or send the CT again from its source."),
    ),
    # -- what was asked for --------------------------------------------------------------------------------------------
    (
        "TEMPLATE_INVALID",
        161,
        _("The export template cannot be used: {detail}."),
        _("Correct the file; the README shows what a template holds."),
    ),
    (
        "TEMPLATE_UNKNOWN",
        162,
        _("There is no export template named {name}; the known ones are {known}."),
        _("Correct the name, or give the path of a template file."),
    ),
    (
        "EXPORT_NAME_INVALID",
        163,
        _("The name {name} cannot be written: {detail}."),
        _("Give the structure or the structure set another name."),
    ),
    (
        "EXPORT_FORMAT_MISMATCH",
        164,
        _("The option {option} does not go with the format {format}."),
        _("Leave the option out, or choose another format."),
    ),
    (
        "EXPORT_NO_BODY",
        165,
        _("No body was found in the CT, so that its outline cannot be exported."),
        _("Leave the body outline out, or check that the volume is a CT in Hounsfield units."),
    ),
    (
        "EXPORT_OVERLAP",
        169,
        _("{first} and {second} share {voxels} voxels, which this format cannot hold."),
        _("Choose DICOM SEG in binary encoding, an RT Structure Set or a .seg.nrrd file, or leave one of the two out."),
    ),
    (
        "EXPORT_TOO_LARGE",
        170,
        _("The structures need {size_mb:.0f} MB, more than the {limit_mb:.0f} MB that one DICOM object can hold."),
        _("Export fewer structures at a time, or choose the labelmap encoding."),
    ),
    (
        "EXPORT_SUFFIX",
        171,
        _("A file of the format {format} has a name that ends in {suffixes}."),
        _("Give the output such a name."),
    ),
    (
        "EXPORT_FOLDER_NOT_EMPTY",
        172,
        _("The folder for the export already holds files."),
        _("Choose a new or an empty folder, so that nothing is overwritten or mixed."),
    ),
    (
        "EXPORT_CT_MOVED",
        173,
        _("The CT in the scene no longer has the voxels of its DICOM series: it was turned, resampled or cropped."),
        _("Load the CT from the DICOM database again, choose it here, and check that the segmentation lies on it."),
    ),
    (
        "EXPORT_IMAGE_DIFFERS",
        174,
        _(
            "The distance between the CT's slices is not constant, and the segmentation's image does not have just its "
            "slices."
        ),
        _("Give the segmentation of the whole, uncropped image that was made of this series."),
    ),
    (
        "EXPORT_MIXED_SERIES",
        178,
        _("The slices of the CT series name different patients or examinations."),
        _("Send the CT again from its source; do not use this one."),
    ),
    (
        "EXPORT_WOULD_OVERWRITE",
        179,
        _("The {file} would be written over a file that is read or that was not named."),
        _("Give it another name or another folder."),
    ),
    (
        "EXPORT_STRUCTURE_UNKNOWN",
        176,
        _("There is no structure named {name} to export; the nearest names are {nearest}."),
        _("Correct the name; the names of the segmentation, of its models and of the template are possible."),
    ),
    (
        "EXPORT_TEMPLATE_EMPTY",
        177,
        _("The export template names nothing that the segmentation has."),
        _("Choose another template, or correct the names in the file."),
    ),
    # -- reading back --------------------------------------------------------------------------------------------------
    (
        "CONTOURS_OFF_PLANE",
        166,
        _("Contours of the structure set that do not lie on a plane of the chosen CT: {count}."),
        _("Choose the CT series that the structure set refers to."),
    ),
    (
        "COMPARISON_NOTHING_IN_COMMON",
        167,
        _("The two segmentations have no structure in common."),
        _("Pair their structures by name with a template, or check that the right files were chosen."),
    ),
    (
        "EXPORT_DIED",
        168,
        _("The export or comparison ended unexpectedly (exit status {status})."),
        _("Try again; if it happens again, copy the log and report it."),
    ),
    (
        "EXPORT_INPUT_REMOVED",
        175,
        _("The segmentation or its CT was removed from the scene before it had been handed over."),
        _("Load both and try again."),
    ),
)

EXPORT_WARNINGS: dict[str, ErrorDefinition] = warnings_table(
    __file__,
    (
        "EXPORT_UNREVIEWED",
        _("Of the exported structures {unreviewed} not reviewed, {edited} edited and not approved."),
        _("Check them before they are used for treatment planning."),
    ),
    (
        "EXPORT_REJECTED_LEFT_OUT",
        _("Rejected structures were left out: {count}."),
        _("Correct and approve them, or choose rejected ones expressly to export them."),
    ),
    (
        "EXPORT_EMPTY_LEFT_OUT",
        _("Structures without a voxel were left out: {count}."),
        _("Nothing needs to be done if the CT does not show them."),
    ),
    (
        "EXPORT_CUT",
        _("Structures that the field of view cuts, marked by a ~ in their names: {count}."),
        _("Do not use their volumes or dose statistics as those of whole organs."),
    ),
    (
        "EXPORT_CT_WRITTEN",
        _("The CT did not come from DICOM, so a new CT series was written that the structures refer to."),
        _("Send both; the structures do not attach to any CT series that the planning system has already."),
    ),
    (
        "EXPORT_RESAMPLED",
        _("The segmentation does not lie on the CT's voxels and was resampled onto them; structures changed: {count}."),
        _("Check their contours; set the segmentation's geometry to the CT's in Slicer to avoid it."),
    ),
    (
        "EXPORT_ISLANDS_REMOVED",
        _("Islands smaller than {area_mm2:g} mm² were left out: {islands}, {volume_ml:.2f} ml together."),
        _("Nothing needs to be done; leave out the smallest area to have them."),
    ),
    (
        "EXPORT_CONTOURS_SMOOTHED",
        _("The contours were smoothed; {percent:.1f} % of the structures' pixels changed sides."),
        _("Nothing needs to be done; switch the smoothing off for contours that match the voxels exactly."),
    ),
    (
        "EXPORT_NAMES_CHANGED",
        _("Names shortened or numbered to be unique and at most {longest} characters long: {count}."),
        _("Check the names in the planning system, or name them in a template."),
    ),
    (
        "EXPORT_TEMPLATE_ABSENT",
        _("Structures of the template that the segmentation does not have: {count}."),
        _("Nothing needs to be done if the CT does not show them."),
    ),
    (
        "EXPORT_RESULT_KEPT",
        _("The structures could not be exported, so the segmentation was saved beside the output as {file}."),
        _("Export that file with the command export once the reason is gone; nothing needs to be computed again."),
    ),
    (
        "STRUCTURE_WITHOUT_VOXELS",
        _("Structures of the file without a contour or voxel were passed over: {count}."),
        _("Nothing needs to be done."),
    ),
)
