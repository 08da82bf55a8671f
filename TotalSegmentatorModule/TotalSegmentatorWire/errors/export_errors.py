"""What can go wrong when a segmentation is exported or read back; a part of the table in problem.py."""

from __future__ import annotations

from TotalSegmentatorWire.errors.definition import ErrorDefinition, table, warnings_table
from TotalSegmentatorWire.errors.definition import translatable as _

EXPORT_ERRORS: dict[str, ErrorDefinition] = table(
    __file__,
    # -- the segmentation ----------------------------------------------------------------------------------------------
    (
        "SEGMENTATION_UNREADABLE",
        150,
        _("The segmentation could not be read: {detail}."),
        _(
            "Use a .seg.nrrd, .nrrd or .nii.gz file, a DICOM SEG or an RT Structure Set, and check that other "
            "programs can open it."
        ),
    ),
    (
        "EXPORT_SEGMENT_EMPTY",
        151,
        _("The chosen structures do not have any voxels on this CT: {names}."),
        _("Choose structures that are not empty."),
    ),
    (
        "EXPORT_NOTHING_CHOSEN",
        152,
        _("There are no structures left to export."),
        _(
            "Choose other structures or show hidden ones. Approved structures are those with the status Completed in "
            "the Segment Editor's list."
        ),
    ),
    (
        "EXPORT_LABELS_UNNAMED",
        153,
        _("The label image does not say what its {count} label values mean."),
        _(
            "Use the .seg.nrrd file of the same result. On the command line, you can also specify the label table "
            "with --labels."
        ),
    ),
    (
        "LABELS_CONTRADICT",
        182,
        _("The label value {value} is {name} according to {source}, but {other} according to {other_source}."),
        _("Omit --labels to use the names in the file, or correct the table that is wrong."),
    ),
    (
        "LABEL_TABLE_INVALID",
        183,
        _("The label table cannot be used: {detail}."),
        _("Correct the file: a CSV file with the columns label and name, one row for each label value."),
    ),
    (
        "LABEL_TABLE_UNKNOWN",
        184,
        _("There is no label table or CSV file named {name}; the available tables are {known}."),
        _("Correct the name, or specify the path of a CSV file with the columns label and name."),
    ),
    # -- segmentation and CT -------------------------------------------------------------------------------------------
    (
        "EXPORT_OTHER_PATIENT",
        154,
        _("The chosen CT and the segmentation belong to different patients."),
        _("Choose the CT on which the segmentation was made."),
    ),
    (
        "EXPORT_OTHER_CT",
        155,
        _("The segmentation was made on a different CT series."),
        _("Choose the CT series on which the segmentation was made."),
    ),
    (
        "EXPORT_GEOMETRY_DIFFERS",
        156,
        _("The segmentation extends {distance_mm:.0f} mm beyond the chosen CT."),
        _("Choose the CT on which the segmentation was made. In Slicer, also check the transforms of both."),
    ),
    (
        "EXPORT_NONLINEAR_TRANSFORM",
        157,
        _("The segmentation and its CT do not have the same non-linear transform."),
        _("Harden the transforms of both, or apply the same transform to both, then try again."),
    ),
    (
        "EXPORT_NOT_DICOM",
        158,
        _("The CT does not come from DICOM, so there is no series to refer to."),
        _(
            "Load the CT from DICOM and choose it. To export without a DICOM series, export to a folder: a new CT "
            "series is written there as well."
        ),
    ),
    (
        "EXPORT_FILES_MISSING",
        159,
        _("DICOM files of the CT are missing from Slicer's database or from the disk: {count}."),
        _("Import the CT series into Slicer's DICOM database again, load it from there, then try again."),
    ),
    (
        "EXPORT_NO_FRAME_OF_REFERENCE",
        160,
        _("The CT series has no frame of reference, or more than one, so contours cannot be placed on it."),
        _("Choose another reconstruction of the scan, or send the CT from its source again."),
    ),
    # -- what was asked for --------------------------------------------------------------------------------------------
    (
        "TEMPLATE_INVALID",
        161,
        _("The export template cannot be used: {detail}."),
        _("Correct the file; the documentation describes the format of templates."),
    ),
    (
        "TEMPLATE_UNKNOWN",
        162,
        _("There is no export template named {name}; the available templates are {known}."),
        _("Correct the name, or specify the path of a template file."),
    ),
    (
        "EXPORT_NAME_INVALID",
        163,
        _("The name {name} cannot be used: {detail}."),
        _("Rename the structure or the structure set."),
    ),
    (
        "EXPORT_FORMAT_MISMATCH",
        164,
        _("The option {option} cannot be used with the format {format}."),
        _("Omit the option, or choose another format."),
    ),
    (
        "EXPORT_NO_BODY",
        165,
        _("No body was found in the CT, so its outline cannot be exported."),
        _("Leave out the body outline, or check that the volume is a CT in Hounsfield units."),
    ),
    (
        "EXPORT_OVERLAP",
        169,
        _("{first} and {second} overlap in {voxels} voxels, which this format cannot store."),
        _(
            "Choose DICOM SEG with binary encoding, an RT Structure Set or a .seg.nrrd file, or leave out one "
            "of the two."
        ),
    ),
    (
        "EXPORT_TOO_LARGE",
        170,
        _("The structures need {size_mb:.0f} MB, but one DICOM object can hold at most {limit_mb:.0f} MB."),
        _("Export fewer structures at a time, or choose the labelmap encoding."),
    ),
    (
        "EXPORT_SUFFIX",
        171,
        _("The output name for the format {format} must end in {suffixes}."),
        _("Change the output name."),
    ),
    (
        "EXPORT_FOLDER_NOT_EMPTY",
        172,
        _("The export folder is not empty."),
        _("Choose a new or empty folder, so that no files are overwritten or mixed up."),
    ),
    (
        "EXPORT_CT_MOVED",
        173,
        _("The CT in the scene no longer matches its DICOM series: it was rotated or resampled, or moved and cropped."),
        _(
            "Load the CT from the DICOM database again, choose it here, and check that the segmentation is "
            "aligned with it."
        ),
    ),
    (
        "EXPORT_IMAGE_DIFFERS",
        174,
        _("The slice spacing of the CT is not constant, and the segmentation does not have the same slices."),
        _("Use a segmentation of the whole, uncropped image of this series."),
    ),
    (
        "EXPORT_MIXED_SERIES",
        178,
        _("The identifiers of the CT's slices contradict each other: {detail}."),
        _("Send the CT from its source again; do not use this one."),
    ),
    (
        "EXPORT_WOULD_OVERWRITE",
        179,
        _("Writing the {file} would overwrite another file."),
        _("Choose another name or folder for it."),
    ),
    (
        "EXPORT_STRUCTURE_UNKNOWN",
        176,
        _("There is no structure named {name} to export; the closest names are {nearest}."),
        _("Correct the name. You can use names from the segmentation, its models or the template."),
    ),
    (
        "EXPORT_TEMPLATE_EMPTY",
        177,
        _("The segmentation contains none of the structures in the export template."),
        _("Choose another template, or correct the names in the file."),
    ),
    # -- reading back --------------------------------------------------------------------------------------------------
    (
        "CONTOURS_OFF_PLANE",
        166,
        _("No structure of the structure set lies on the slices of the chosen CT; contours beside them: {count}."),
        _("Choose the CT series to which the structure set refers."),
    ),
    (
        "EXPORT_STRUCTURE_LEFT_OUT",
        180,
        _("The structure {name} could not be read from the file: {detail}."),
        _("Choose the CT on which it was drawn, have the file written again, or leave the structure out."),
    ),
    (
        "EXPORT_NUMBERS_SHARED",
        181,
        _("The file uses one number for several structures, so they cannot be told apart: {names}."),
        _("Give each structure a number of its own in the program that wrote the file, and export it there again."),
    ),
    (
        "EXPORT_NO_CONTOURS",
        185,
        _("The chosen structures consist only of islands smaller than {area_mm2:g} mm²: {names}."),
        _("Set the smallest area to 0, or choose other structures."),
    ),
    (
        "EXPORT_DIED",
        168,
        _("The export or comparison stopped unexpectedly (exit status {status})."),
        _("Try again. If it happens again, copy the log and report the problem."),
    ),
    (
        "EXPORT_INPUT_REMOVED",
        175,
        _("The segmentation or its CT was removed from the scene before it could be read."),
        _("Load both and try again."),
    ),
)

EXPORT_WARNINGS: dict[str, ErrorDefinition] = warnings_table(
    __file__,
    (
        "EXPORT_CUT",
        _("Structures are cut off by the field of view and marked with ~ in their names: {names}."),
        _("Do not use their volumes or dose statistics as those of whole organs."),
    ),
    (
        "EXPORT_CT_WRITTEN",
        _("The CT does not come from DICOM, so a new CT series was written for the structures to refer to."),
        _("Send the new series too; the structures cannot be attached to one that the planning system already has."),
    ),
    (
        "EXPORT_RESAMPLED",
        _("Structures that are not on the voxel grid of the CT were resampled and changed slightly: {names}."),
        _("Check their contours. To avoid resampling, set the segmentation's geometry to that of the CT in Slicer."),
    ),
    (
        "EXPORT_ISLANDS_REMOVED",
        _("Islands smaller than {area_mm2:g} mm² were removed ({islands}, {volume_ml:.2f} ml) from: {names}."),
        _("No action is needed. To keep them, set the smallest area to 0."),
    ),
    (
        "EXPORT_ISLANDS_ONLY",
        _("Structures that consist only of islands smaller than {area_mm2:g} mm² were not exported: {names}."),
        _("If you need them, set the smallest area to 0."),
    ),
    (
        "EXPORT_CONTOURS_SMOOTHED",
        _("Contour smoothing changed {percent:.1f} % of the structures' pixels."),
        _("No action is needed. For contours that match the voxels exactly, turn smoothing off."),
    ),
    (
        "EXPORT_NAMES_CHANGED",
        _("Names were shortened to {longest} characters or numbered to be unique: {names}."),
        _("Check the names in the planning system, or specify them in a template."),
    ),
    (
        "EXPORT_RESULT_KEPT",
        _("The result could not be written as requested, so the segmentation was saved next to the output as {file}."),
        _("Fix the problem, then export this file with the command 'export'; you do not need to segment again."),
    ),
    # -- reading files of others ---------------------------------------------------------------------------------------
    (
        "STRUCTURE_WITHOUT_VOXELS",
        _("Structures without contours or voxels were skipped: {names}."),
        _("No action is needed."),
    ),
    (
        "STRUCTURES_OFF_PLANE",
        _("Structures with contours that are not on the slices of the CT were left out: {names}."),
        _("If you need them, choose the CT on which they were drawn."),
    ),
    (
        "STRUCTURES_OUTSIDE_CT",
        _("Structures that extend beyond the CT were left out: {names}."),
        _("If you need them, choose the CT on which they were drawn."),
    ),
    (
        "STRUCTURES_OTHER_FRAME",
        _("Structures that were drawn in another frame of reference, on other images, were left out: {names}."),
        _("If you need them, choose the CT on which they were drawn."),
    ),
    (
        "STRUCTURES_DAMAGED",
        _("Structures with contours that are damaged or of an unknown kind were left out: {names}."),
        _("If you need them, have the file written again by the program from which it comes."),
    ),
    (
        "STRUCTURES_NUMBER_SHARED",
        _("Structures that share a number cannot be told apart and were left out: {names}."),
        _("If you need them, give each a number of its own in the program that wrote the file."),
    ),
    (
        "STRUCTURES_NOT_RESAMPLED",
        _("Structures could not be resampled to the CT because of uneven slices and were left out: {names}."),
        _("If you need them, choose the CT on which they were made."),
    ),
    (
        "STRUCTURES_TOLD_APART",
        _("Structures share a number in the file and were told apart by their order: {names}."),
        _("Check that each name belongs to its contours."),
    ),
    (
        "STRUCTURES_JOINED",
        _("Structures that are listed in several parts of the file were joined: {names}."),
        _("Check these structures."),
    ),
    (
        "STRUCTURES_TYPE_CONTRADICTED",
        _("The file states contradictory types for some structures, so none was used: {names}."),
        _("Check the types of these structures in the planning system."),
    ),
    (
        "STRUCTURES_CUT_AT_BORDER",
        _("Structures that extend beyond the image were cut at its border: {names}."),
        _("Do not use their volumes or dose statistics as those of whole structures."),
    ),
    (
        "STRUCTURES_OTHER_IMAGES",
        _("Structures refer to images that are not in the CT and were placed by their coordinates: {names}."),
        _("Check that they were drawn on this CT, or on another series of the same scan."),
    ),
    (
        "CONTOURS_REPEATED",
        _("Contours that the file lists more than once were counted once: {count}, in {names}."),
        _("Check these structures."),
    ),
    (
        "CONTOURS_CROSS",
        _("Contours of a structure cross each other; what both of them enclose was taken as outside: {names}."),
        _("Check these structures."),
    ),
    (
        "CONTOURS_SKIPPED",
        _("Points, open curves and lines, which enclose nothing, were skipped: {count}, in {names}."),
        _("No action is needed if they are markers; otherwise check these structures."),
    ),
    (
        "CONTOURS_TAKEN_AS_CLOSED",
        _("Contours whose type is missing or misspelled were read as closed contours: {count}, in {names}."),
        _("Check these structures."),
    ),
    (
        "CONTOURS_WITHOUT_STRUCTURE",
        _("Contours that belong to no named structure of the file were skipped: {count}."),
        _("Check that no structure is missing."),
    ),
    (
        "SEGMENTS_UNDESCRIBED",
        _("The file contains voxels of segments that it does not describe, which were skipped; numbers: {names}."),
        _("Check that no structure is missing."),
    ),
    (
        "LABELS_LEFT_OUT",
        _("Label values without a name were left out: {names}."),
        _(
            "If you need them, put a table with their names next to the image, such as labels.csv next to "
            "labels.nii.gz. On the command line, --labels names one."
        ),
    ),
    (
        "EXPORT_ORIGIN_UNSTATED",
        _("The file does not say on which images its structures were drawn."),
        _("Check that they are in the right place on the CT."),
    ),
)
