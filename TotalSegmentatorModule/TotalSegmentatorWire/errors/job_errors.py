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
        _("The image could not be read: {file} is damaged or has an unsupported variant of its format."),
        _("Copy or export the image again, and check that other programs can open it."),
    ),
    (
        "INPUT_NOT_3D",
        12,
        _("The image has {dimensions} dimensions; a CT volume has 3."),
        _("Choose a single 3-D volume, for example one time point of a sequence."),
    ),
    (
        "INPUT_NOT_SCALAR",
        13,
        _("The image has {components} values per voxel, as a colour image does; a CT has one."),
        _("Choose the original CT, not a colour image, vector image or screenshot."),
    ),
    (
        "INPUT_TOO_FEW_SLICES",
        14,
        _("The image is only {voxels} voxels thick in its thinnest direction; at least {minimum} are required."),
        _("Choose the full axial series, not a localizer or a single slice."),
    ),
    (
        "INPUT_NON_FINITE",
        15,
        _("Some voxel values are infinite or not a number (voxels: {count})."),
        _("Export the original CT again, without masking or other calculations on its voxels."),
    ),
    (
        "INPUT_DEGENERATE_DIRECTION",
        16,
        _("The image's direction matrix or voxel spacing is invalid."),
        _("Convert the CT from DICOM again, or correct its header."),
    ),
    (
        "INPUT_SHEARED",
        17,
        _("The image axes are not perpendicular: they are off by {degrees:.2f} degrees."),
        _("Resample the volume to a grid with perpendicular axes, then segment the resampled volume."),
    ),
    (
        "INPUT_GANTRY_TILT",
        18,
        _("The CT was acquired with a gantry tilt of {degrees:.1f} degrees, so the volume is sheared."),
        _(
            "Resample the series to a grid with perpendicular axes (in Slicer, by hardening the acquisition "
            "transform), then segment the resampled volume."
        ),
    ),
    (
        "INPUT_MISSING_SLICES",
        19,
        _(
            "Slices are missing: {missing} in total, the first after position {position_mm:.1f} mm along the "
            "slice normal."
        ),
        _("Load or transfer the complete series, then try again."),
    ),
    (
        "INPUT_IRREGULAR_SLICES",
        20,
        _("The slice spacing is not constant: it ranges from {smallest_mm:.2f} to {largest_mm:.2f} mm."),
        _("Resample the series to a constant slice spacing, or choose a reconstruction that has one."),
    ),
    (
        "INPUT_DUPLICATE_SLICES",
        21,
        _("Several slices lie at the same position (duplicates: {count})."),
        _(
            "Split the series by phase or reconstruction so that each position occurs only once, then choose "
            "one of the parts."
        ),
    ),
    (
        "INPUT_INCONSISTENT_SLICES",
        22,
        _("The slices of the series differ in size, pixel spacing or orientation."),
        _("Choose the axial series, or remove localizers and secondary captures from the folder."),
    ),
    (
        "INPUT_RESCALE_MISSING",
        92,
        _(
            "Slices without Rescale Slope or Rescale Intercept lie among others that have them ({count}, the first in "
            "{file}): their Hounsfield units are not known."
        ),
        _("Send the series again from the scanner or archive, or leave these slices out if they are at an end."),
    ),
    (
        "INPUT_RESCALE_CONTRADICTED",
        94,
        _(
            "The slice {file} differs from the next one by {difference_hu:.0f} HU on average, and its Rescale Slope, "
            "Intercept or pixel format from those of the other slices: its header is probably damaged."
        ),
        _("Send the series again from the scanner or archive."),
    ),
    (
        "INPUT_PHOTOMETRIC",
        93,
        _(
            "The Photometric Interpretation of {file} is not MONOCHROME2, so it is not certain which values are "
            "Hounsfield units."
        ),
        _("Choose the original CT, or export it again with the Photometric Interpretation MONOCHROME2."),
    ),
    (
        "INPUT_SEVERAL_SERIES",
        23,
        _("The input contains {count} CT series, acquisitions or phases, and only one can be used."),
        _(
            "Choose one with the option --series. In Slicer, load only one of them: in the DICOM module, turn on "
            "Advanced and click Examine."
        ),
    ),
    (
        "INPUT_NOT_CT",
        24,
        _("The image is not a CT: its DICOM modality is {modality}."),
        _("Choose a CT; the models were trained only on CT."),
    ),
    (
        "INPUT_NONLINEAR_TRANSFORM",
        25,
        _("The CT has a non-linear transform, like the one that Slicer adds to a tilted or irregular series."),
        _("Harden the transform or resample the volume to a regular grid, then segment the resampled volume."),
    ),
    (
        "INPUT_REMOVED",
        26,
        _("The CT was removed from the scene during segmentation."),
        _("Load the CT again and click Apply."),
    ),
    # -- the machine ---------------------------------------------------------------------------------------------------
    (
        "DISK_FULL",
        30,
        _("There is not enough disk space: {needed_mb:.0f} MB needed, {free_mb:.0f} MB free."),
        _("Free some disk space, or choose another folder for temporary files, then try again."),
    ),
    (
        "MEMORY_SHORT",
        31,
        _("There is not enough memory: about {needed_gb:.1f} GB needed, {free_gb:.1f} GB free."),
        _("Close other programs or volumes, choose a 3 mm model, or crop the CT to the region of interest."),
    ),
    (
        "DEVICE_UNAVAILABLE",
        32,
        _("The device {device} is not available on this computer."),
        _("Choose Automatic or Processor (CPU) as the device, or 'auto' or 'cpu' on the command line."),
    ),
    (
        "DEVICE_MEMORY_SHORT",
        35,
        _("There is not enough GPU memory: {free_gb:.1f} GB free."),
        _("Close other programs that use the GPU, choose a 3 mm model, or choose Processor (CPU) as the device."),
    ),
    (
        "OUTPUT_NOT_WRITABLE",
        33,
        _("The result cannot be written to the chosen location."),
        _("Choose an existing folder that you have permission to write to."),
    ),
    (
        "OUTPUT_FORMAT",
        34,
        _("The output format is not supported: {suffix}."),
        _("Use a file name that ends in .seg.nrrd, .nrrd or .nii.gz."),
    ),
    # -- the model -----------------------------------------------------------------------------------------------------
    (
        "MODEL_MISSING",
        40,
        _("The model '{model}' is not installed."),
        _("Click Apply in the panel to install it, or run the command 'models install'."),
    ),
    (
        "MODEL_FOLDER_MISSING",
        107,
        _("There is no model folder '{folder}' at the chosen place."),
        _("Choose the folder of your model again, or a model from the list."),
    ),
    (
        "MODEL_DAMAGED",
        41,
        _("The model folder is incomplete or damaged: {detail}."),
        _("Install the model again, or check the folder that you specified."),
    ),
    (
        "MODEL_UNSAFE",
        42,
        _("The model's weight file contains something other than weights ({detail}) and was not loaded."),
        _("Do not use this file; download the model from its publisher again."),
    ),
    (
        "MODEL_NOT_3D",
        43,
        _("The model's configuration {configuration} is not a stand-alone 3-D network (3d_fullres or 3d_lowres)."),
        _("Choose the model's 3d_fullres or 3d_lowres configuration."),
    ),
    (
        "MODEL_CASCADE",
        44,
        _("The model is the second stage of a cascade and needs the result of another model."),
        _("Choose the model's 3d_fullres or 3d_lowres configuration."),
    ),
    (
        "MODEL_SEVERAL_CHANNELS",
        45,
        _("The model needs {channels} input images per patient; a CT provides one."),
        _("Choose a model with a single input channel."),
    ),
    (
        "MODEL_REGION_LABELS",
        46,
        _("The model was trained on overlapping regions instead of labels."),
        _("Choose a model that assigns one label to each voxel."),
    ),
    (
        "MODEL_TOO_MANY_LABELS",
        48,
        _("The model has {labels} labels; a result can contain at most 255."),
        _("Choose a model with fewer labels."),
    ),
    (
        "MODEL_UNSUPPORTED",
        49,
        _("The model uses an unsupported feature: {detail}."),
        _("Choose a plain or residual encoder U-Net that was planned by nnU-Net."),
    ),
    (
        "MODEL_AMBIGUOUS",
        58,
        _("The folder contains {count} models."),
        _("Choose the folder of one model; its name has the form trainer__plans__configuration."),
    ),
    (
        "STRUCTURE_UNKNOWN",
        47,
        _("The model has no structure named {name}; the closest names are {nearest}."),
        _("Correct the name. The command 'structures' lists all names of a model."),
    ),
    (
        "PROFILE_UNKNOWN",
        56,
        _("There is no pipeline profile named {profile}; the available profiles are {known}."),
        _("Correct the name, or omit it to use the model's own profile."),
    ),
    # -- the engine ----------------------------------------------------------------------------------------------------
    (
        "ENGINE_MISSING",
        50,
        _("The segmentation engine is not installed: the package {package} was not found."),
        _(
            "Click Apply in the panel to install it, or run the command 'setup'. If the panel uses your own packages, "
            "add the package to their folder."
        ),
    ),
    (
        "ENGINE_START_FAILED",
        51,
        _("The segmentation engine could not be started."),
        _("See the log for the reason, usually antivirus software or a missing file."),
    ),
    (
        "ENGINE_DIED",
        52,
        _("The segmentation engine stopped unexpectedly (exit status {status})."),
        _("Click Apply to try again. If it fails again, choose a 3 mm model, or copy the log and report the problem."),
    ),
    (
        "ENGINE_KILLED",
        53,
        _("The operating system stopped the segmentation engine, most likely because there was not enough memory."),
        _("Close other programs, choose a 3 mm model, or crop the CT to the region of interest."),
    ),
    (
        "PROTOCOL_MISMATCH",
        54,
        _("The module and its engine have different versions ({expected} and {found})."),
        _("Restart Slicer. If that does not help, reinstall the extension."),
    ),
    (
        "BAD_REQUEST",
        55,
        _("The engine received an invalid request: {detail}."),
        _("Restart Slicer. If that does not help, reinstall the extension."),
    ),
    (
        "JOB_RUNNING",
        106,
        _("Another segmentation or export is already running."),
        _("Wait until it is finished, or cancel it."),
    ),
    (
        "CANCELLED",
        130,
        _("The segmentation was cancelled."),
        _("Nothing was changed. You can start it again at any time."),
    ),
    (
        "INTERNAL_ERROR",
        1,
        _("An unexpected error ({kind}) stopped the segmentation."),
        _("Copy the log and report the problem. The scene and your edits are unchanged."),
    ),
)

JOB_WARNINGS: dict[str, ErrorDefinition] = warnings_table(
    __file__,
    (
        "LONG_JOB",
        _("This job will take long: about {hours} h {minutes} min on this computer."),
        _("Let it run, or cancel it now. A 3 mm model, fewer structures or a GPU takes less time."),
    ),
    (
        "DEMO_MODEL",
        _("This demo model was trained only on the phantom; never use it for patients."),
        _("Use it only to try the program. Choose a published model for everything else."),
    ),
    (
        "RUNTIME_FALLBACK",
        _("The runtime {runtime} cannot run this network on this computer, so PyTorch was used instead."),
        _("No action is needed: the result is equally good but takes longer. See the log for the reason."),
    ),
    (
        "PRECISION_UNAVAILABLE",
        _("Reduced precision is not faster on this computer's processor, so full precision was used."),
        _("No action is needed: the result is exact but takes longer."),
    ),
    (
        "MEMORY_FALLBACK",
        _("Memory ran out, so the job continues in a way that uses less memory but takes longer."),
        _("No action is needed. To speed up the next job, close other programs or volumes."),
    ),
    (
        "DEVICE_FALLBACK",
        _("The device {device} failed or ran out of memory; the job continues on the CPU."),
        _("No action is needed: the result is equally good but takes longer. See the log for the reason."),
    ),
    (
        "SUMS_IN_HALF",
        _("Memory is low, so overlapping tiles are added up in half precision; a few voxels may differ."),
        _("No action is needed. For the exact result, close other programs or volumes."),
    ),
    (
        "SUMS_ON_DISK",
        _("Memory is low, so the sums of overlapping tiles are stored in a temporary file."),
        _(
            "No action is needed: the result is the same but takes longer. To save time, close other programs "
            "or volumes."
        ),
    ),
    (
        "ONE_NETWORK_AT_A_TIME",
        _("Memory is low, so the networks are loaded one at a time."),
        _(
            "No action is needed: the result is the same but takes longer. To save time, close other programs "
            "or volumes."
        ),
    ),
    (
        "DEVICE_MEMORY_SUMS",
        _("GPU memory is low, so the sums of overlapping tiles are stored in main memory."),
        _(
            "No action is needed: the result is the same but takes longer. To save time, close other programs "
            "or volumes."
        ),
    ),
    (
        "NO_LOCALIZATION",
        _("The coarse model '{model}' is not installed, so the whole image is searched."),
        _("Install the coarse model to save time."),
    ),
    (
        "REGION_WIDENED",
        _("Some structures reached the edge of the region that was searched: {structures}."),
        _("No action is needed: the region was enlarged and searched again."),
    ),
    (
        "LOCALIZATION_MISSED",
        _("Coarse localization did not find {structures}, so the whole body was searched, which takes longer."),
        _("No action is needed. To save time, leave out structures that this CT does not show."),
    ),
)
