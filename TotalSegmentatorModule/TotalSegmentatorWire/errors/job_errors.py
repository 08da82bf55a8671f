"""Errors and warnings of a segmentation job: the input, the computer, the model and the engine."""

from __future__ import annotations

from TotalSegmentatorWire.errors.definition import ErrorDefinition, table, warnings_table
from TotalSegmentatorWire.errors.definition import translatable as _

JOB_ERRORS: dict[str, ErrorDefinition] = table(
    __file__,
    # -- the input -----------------------------------------------------------------------------------------------------
    ("INPUT_NOT_FOUND", 10, _("The input file or folder does not exist."), _("Check the path and try again.")),
    (
        "INPUT_UNREADABLE",
        11,
        _("The image cannot be read; the file is damaged or of an unknown format."),
        _("Give a NIfTI, NRRD, MHA or MHD file, or a folder with one DICOM series, and check that it opens elsewhere."),
    ),
    (
        "INPUT_NOT_3D",
        12,
        _("The image has {dimensions} dimensions; a CT volume has 3."),
        _("Choose a single three-dimensional volume, for instance one time point of a sequence."),
    ),
    (
        "INPUT_NOT_SCALAR",
        13,
        _("The image has {components} values per voxel, like a colour image; a CT has one."),
        _("Choose the original CT instead of a colour, vector or screenshot image."),
    ),
    (
        "INPUT_TOO_FEW_SLICES",
        14,
        _("The image is only {voxels} voxels thick along its thinnest direction; at least {minimum} are needed."),
        _("Choose the full axial series instead of a localizer or a single slice."),
    ),
    (
        "INPUT_NON_FINITE",
        15,
        _("The image holds {count} voxels that are not finite numbers."),
        _("Export the CT again from its source without masking or dividing it."),
    ),
    (
        "INPUT_DEGENERATE_DIRECTION",
        16,
        _("The image's direction matrix or spacing does not describe a volume in space."),
        _("Convert the CT again from DICOM, or correct its header."),
    ),
    (
        "INPUT_SHEARED",
        17,
        _("The image's axes are not perpendicular: they are off by {degrees:.2f} degrees."),
        _("Resample the volume onto a straight grid, then segment the resampled volume."),
    ),
    (
        "INPUT_GANTRY_TILT",
        18,
        _(
            "The CT was taken with a gantry tilt of {degrees:.1f} degrees, so its slices are "
            "shifted against each other."
        ),
        _(
            "Resample the series onto a straight grid (Slicer does so when it hardens the acquisition transform), "
            "then segment the resampled volume."
        ),
    ),
    (
        "INPUT_MISSING_SLICES",
        19,
        _(
            "Slices are missing: {missing} of them, the first after position {position_mm:.1f} mm "
            "along the slice normal."
        ),
        _("Load or transfer the complete series and try again."),
    ),
    (
        "INPUT_IRREGULAR_SLICES",
        20,
        _("The distance between slices is not constant: it ranges from {smallest_mm:.2f} to {largest_mm:.2f} mm."),
        _("Resample the series to a constant slice distance, or choose a regular reconstruction of the same scan."),
    ),
    (
        "INPUT_DUPLICATE_SLICES",
        21,
        _("{count} slices lie at a position that another slice already has."),
        _("Split the series by phase or reconstruction so that each position occurs once, then choose one of them."),
    ),
    (
        "INPUT_INCONSISTENT_SLICES",
        22,
        _("The slices of the series differ in size, pixel spacing or orientation."),
        _("Remove localizers and secondary captures from the folder, or choose the axial series."),
    ),
    (
        "INPUT_SEVERAL_SERIES",
        23,
        _("The folder holds {count} DICOM series."),
        _("Give a folder with the images of one CT series only."),
    ),
    (
        "INPUT_NOT_CT",
        24,
        _("The image is not a CT: its DICOM modality is {modality}."),
        _("Choose a CT; these models know nothing else."),
    ),
    (
        "INPUT_NONLINEAR_TRANSFORM",
        25,
        _("The CT has a non-linear transform, as Slicer makes for a tilted or irregular series."),
        _("Harden the transform or resample the volume onto a straight grid, then segment that volume."),
    ),
    (
        "INPUT_REMOVED",
        26,
        _("The CT was removed from the scene while it was being segmented."),
        _("Load the CT again and click Apply."),
    ),
    # -- the machine ---------------------------------------------------------------------------------------------------
    (
        "DISK_FULL",
        30,
        _("The disk is too full: {needed_mb:.0f} MB are needed and {free_mb:.0f} MB are free."),
        _("Free some disk space, or choose another folder for temporary files, and try again."),
    ),
    (
        "MEMORY_SHORT",
        31,
        _("There is not enough memory: about {needed_gb:.1f} GB are needed and {free_gb:.1f} GB are free."),
        _("Close other programs or volumes, choose the 3 mm quality, or crop the CT to the region of interest."),
    ),
    (
        "DEVICE_UNAVAILABLE",
        32,
        _("The device {device} cannot be used on this computer."),
        _("Choose the device 'auto' or 'cpu'."),
    ),
    (
        "DEVICE_MEMORY_SHORT",
        35,
        _("The graphics card has too little memory; {free_gb:.1f} GB of it are free."),
        _("Close other programs that use it, choose the 3 mm quality, or choose the device 'cpu'."),
    ),
    (
        "OUTPUT_NOT_WRITABLE",
        33,
        _("The result cannot be written to the chosen place."),
        _("Choose a folder that exists and that you may write to."),
    ),
    (
        "OUTPUT_FORMAT",
        34,
        _("The output format {suffix} is not known."),
        _("Use a file name that ends in .seg.nrrd, .nrrd or .nii.gz."),
    ),
    # -- the model -----------------------------------------------------------------------------------------------------
    (
        "MODEL_MISSING",
        40,
        _("The model '{model}' is not installed."),
        _("Install it: click Apply in the panel, or run the command models install."),
    ),
    (
        "MODEL_DAMAGED",
        41,
        _("The model folder is incomplete or damaged: {detail}."),
        _("Install the model again, or check the folder that you gave."),
    ),
    (
        "MODEL_UNSAFE",
        42,
        _("The model's weight file holds something other than weights ({detail}) and was not loaded."),
        _("Do not use this file; get the model from its publisher again."),
    ),
    (
        "MODEL_NOT_3D",
        43,
        _(
            "The model's configuration {configuration} is not a 3-D network that runs by itself "
            "(3d_fullres or 3d_lowres)."
        ),
        _("Choose the 3d_fullres or 3d_lowres configuration of the model."),
    ),
    (
        "MODEL_CASCADE",
        44,
        _("The model is the second stage of a cascade, which needs another model's result."),
        _("Choose the 3d_fullres or 3d_lowres configuration of the model."),
    ),
    (
        "MODEL_SEVERAL_CHANNELS",
        45,
        _("The model needs {channels} images of each patient; a CT gives one."),
        _("Choose a model with a single input channel."),
    ),
    (
        "MODEL_REGION_LABELS",
        46,
        _("The model was trained with overlapping regions instead of labels."),
        _("Choose a model that gives each voxel one label."),
    ),
    (
        "MODEL_TOO_MANY_LABELS",
        48,
        _("The model knows {labels} labels; a result holds at most 255."),
        _("Choose a model with fewer labels."),
    ),
    (
        "MODEL_UNSUPPORTED",
        49,
        _("The model uses something that this program does not run: {detail}."),
        _("Choose a model made by nnU-Net's own planners, a plain or residual encoder U-Net."),
    ),
    (
        "MODEL_AMBIGUOUS",
        58,
        _("The folder holds {count} models that could run."),
        _("Give the folder of one of them; its name has the form trainer__plans__configuration."),
    ),
    (
        "STRUCTURE_UNKNOWN",
        47,
        _("The model knows no structure named {name}; the nearest names are {nearest}."),
        _("Correct the name; 'structures' on the command line lists all names of a model."),
    ),
    (
        "PROFILE_UNKNOWN",
        56,
        _("There is no pipeline profile named {profile}; the known ones are {known}."),
        _("Correct the name, or leave it out for the model's own profile."),
    ),
    # -- the engine ----------------------------------------------------------------------------------------------------
    (
        "ENGINE_MISSING",
        50,
        _("The segmentation engine is not installed: the package {package} was not found."),
        _("Install them with the set-up: click Apply, or run the command setup."),
    ),
    (
        "ENGINE_START_FAILED",
        51,
        _("The segmentation engine could not be started."),
        _("Open the log for the reason; an antivirus program or a missing file is the usual one."),
    ),
    (
        "ENGINE_DIED",
        52,
        _("The segmentation engine ended unexpectedly (exit status {status})."),
        _("Click Apply to try again; if it happens again, choose the 3 mm quality or copy the log and report it."),
    ),
    (
        "ENGINE_KILLED",
        53,
        _("The operating system ended the segmentation engine, most often because there was not enough memory."),
        _("Close other programs, choose the 3 mm quality, or crop the CT to the region of interest."),
    ),
    (
        "PROTOCOL_MISMATCH",
        54,
        _("The module and its engine are of different versions ({expected} and {found})."),
        _("Restart Slicer; if that does not help, install the extension again."),
    ),
    (
        "BAD_REQUEST",
        55,
        _("The engine did not understand a request: {detail}."),
        _("Restart Slicer; if that does not help, install the extension again."),
    ),
    ("CANCELLED", 130, _("The segmentation was cancelled."), _("Nothing was changed; start it again at any time.")),
    (
        "INTERNAL_ERROR",
        1,
        _("An unexpected error of the kind {kind} stopped the segmentation."),
        _("Copy the log and report it; the scene and your edits are unchanged."),
    ),
)

JOB_WARNINGS: dict[str, ErrorDefinition] = warnings_table(
    __file__,
    (
        "IMPLAUSIBLE_HU",
        _("The values range from {minimum:.0f} to {maximum:.0f}, which is unusual for Hounsfield units."),
        _("Check that the volume is a CT in Hounsfield units before you trust the result."),
    ),
    (
        "DEMO_MODEL",
        _("This is the demo model: it knows the phantom only and is never for patients."),
        _("Use it to try the program; choose a published model for anything else."),
    ),
    (
        "RUNTIME_FALLBACK",
        _("The runtime {runtime} cannot run this network on this computer; PyTorch as it is was used instead."),
        _("Nothing needs to be done: the result is as good and takes longer. The log tells the reason."),
    ),
    (
        "PRECISION_UNAVAILABLE",
        _("This computer's processor does not compute faster with reduced precision; full precision was used."),
        _("Nothing needs to be done: the result is the exact one and takes longer."),
    ),
    (
        "MEMORY_FALLBACK",
        _("The memory ran out; the job goes on in a way that takes less memory and more time."),
        _("Nothing needs to be done; close other programs or volumes to make the next job faster."),
    ),
    (
        "DEVICE_FALLBACK",
        _("The device {device} failed or ran out of memory; the job goes on on the CPU."),
        _("Nothing needs to be done: the result is as good and takes longer. The log tells the reason."),
    ),
    (
        "SUMS_IN_HALF",
        _("Memory is short, so the sums of overlapping tiles are kept in half precision; a few voxels may differ."),
        _("Nothing needs to be done; close other programs or volumes to have the exact result."),
    ),
    (
        "SUMS_ON_DISK",
        _("Memory is short, so the sums of overlapping tiles are kept in a temporary file."),
        _("Nothing needs to be done: the result is the same and takes longer; closing other programs saves time."),
    ),
    (
        "ONE_NETWORK_AT_A_TIME",
        _("Memory is short, so the networks are loaded one at a time."),
        _("Nothing needs to be done: the result is the same and takes longer; closing other programs saves time."),
    ),
    (
        "DEVICE_MEMORY_SUMS",
        _("The graphics card's memory is short, so the sums of overlapping tiles are kept in the computer's own."),
        _("Nothing needs to be done: the result is the same and takes longer; closing other programs saves time."),
    ),
    (
        "NO_OVERVIEW",
        _("The coarse model '{model}' of the same family is not installed, so the whole image is searched."),
        _("Install it to save time."),
    ),
    (
        "REGION_WIDENED",
        _("A structure reached the border of the region where it was searched for ({structures})."),
        _("Nothing needs to be done: the region was widened and that part of the job was run again."),
    ),
    (
        "OVERVIEW_MISSED",
        _("The coarse pass missed {structures}; they were searched for in the whole body, which takes longer."),
        _("Nothing needs to be done; leave out what this CT does not show to save time."),
    ),
)
