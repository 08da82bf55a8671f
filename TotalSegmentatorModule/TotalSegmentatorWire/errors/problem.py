"""Every foreseeable failure: a stable code, an exit code of the command line, and two English sentences.

The sentences name their values in braces. The Slicer side has its own table from the same codes to translatable
literals (TotalSegmentatorModuleLib/texts/errors.py); a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from TotalSegmentatorWire.errors.definition import ErrorDefinition, table, warnings_table
from TotalSegmentatorWire.errors.export_errors import EXPORT_ERRORS, EXPORT_WARNINGS
from TotalSegmentatorWire.errors.setup_errors import SETUP_ERRORS, SETUP_WARNINGS

_JOB_ERRORS = table(
    # -- the input -----------------------------------------------------------------------------------------------------
    ("INPUT_NOT_FOUND", 10, "The input file or folder does not exist.", "Check the path and try again."),
    (
        "INPUT_UNREADABLE",
        11,
        "The image cannot be read; the file is damaged or of an unknown format.",
        "Give a NIfTI, NRRD, MHA or MHD file, or a folder with one DICOM series, and check that it opens elsewhere.",
    ),
    (
        "INPUT_NOT_3D",
        12,
        "The image has {dimensions} dimensions; a CT volume has 3.",
        "Choose a single three-dimensional volume, for instance one time point of a sequence.",
    ),
    (
        "INPUT_NOT_SCALAR",
        13,
        "The image has {components} values per voxel, like a colour image; a CT has one.",
        "Choose the original CT instead of a colour, vector or screenshot image.",
    ),
    (
        "INPUT_TOO_FEW_SLICES",
        14,
        "The image is only {voxels} voxels thick along its thinnest direction; at least {minimum} are needed.",
        "Choose the full axial series instead of a localizer or a single slice.",
    ),
    (
        "INPUT_NON_FINITE",
        15,
        "The image holds {count} voxels that are not finite numbers.",
        "Export the CT again from its source without masking or dividing it.",
    ),
    (
        "INPUT_DEGENERATE_DIRECTION",
        16,
        "The image's direction matrix or spacing does not describe a volume in space.",
        "Convert the CT again from DICOM, or correct its header.",
    ),
    (
        "INPUT_SHEARED",
        17,
        "The image's axes are not perpendicular: they are off by {degrees:.2f} degrees.",
        "Resample the volume onto a straight grid, then segment the resampled volume.",
    ),
    (
        "INPUT_GANTRY_TILT",
        18,
        "The CT was taken with a gantry tilt of {degrees:.1f} degrees, so its slices are shifted against each other.",
        "Resample the series onto a straight grid (Slicer does so when it hardens the acquisition transform), "
        "then segment the resampled volume.",
    ),
    (
        "INPUT_MISSING_SLICES",
        19,
        "Slices are missing: {missing} of them, the first after position {position_mm:.1f} mm along the slice normal.",
        "Load or transfer the complete series and try again.",
    ),
    (
        "INPUT_IRREGULAR_SLICES",
        20,
        "The distance between slices is not constant: it ranges from {smallest_mm:.2f} to {largest_mm:.2f} mm.",
        "Resample the series to a constant slice distance, or choose a regular reconstruction of the same scan.",
    ),
    (
        "INPUT_DUPLICATE_SLICES",
        21,
        "{count} slices lie at a position that another slice already has.",
        "Split the series by phase or reconstruction so that each position occurs once, then choose one of them.",
    ),
    (
        "INPUT_INCONSISTENT_SLICES",
        22,
        "The slices of the series differ in size, pixel spacing or orientation.",
        "Remove localizers and secondary captures from the folder, or choose the axial series.",
    ),
    (
        "INPUT_SEVERAL_SERIES",
        23,
        "The folder holds {count} DICOM series.",
        "Give a folder with the images of one CT series only.",
    ),
    (
        "INPUT_NOT_CT",
        24,
        "The image is not a CT: its DICOM modality is {modality}.",
        "Choose a CT; these models know nothing else.",
    ),
    (
        "INPUT_NONLINEAR_TRANSFORM",
        25,
        "The CT has a non-linear transform, as Slicer makes for a tilted or irregular series.",
        "Harden the transform or resample the volume onto a straight grid, then segment that volume.",
    ),
    (
        "INPUT_REMOVED",
        26,
        "The CT was removed from the scene while it was being segmented.",
        "Load the CT again and click Apply.",
    ),
    # -- the machine ---------------------------------------------------------------------------------------------------
    (
        "DISK_FULL",
        30,
        "The disk is too full: {needed_mb:.0f} MB are needed and {free_mb:.0f} MB are free.",
        "Free some disk space, or choose another folder for temporary files, and try again.",
    ),
    (
        "MEMORY_SHORT",
        31,
        "There is not enough memory: about {needed_gb:.1f} GB are needed and {free_gb:.1f} GB are free.",
        "Close other programs or volumes, choose the 3 mm quality, or crop the CT to the region of interest.",
    ),
    (
        "DEVICE_UNAVAILABLE",
        32,
        "The device {device} cannot be used on this computer.",
        "Choose the device 'auto' or 'cpu'.",
    ),
    (
        "DEVICE_MEMORY_SHORT",
        35,
        "The graphics card has too little memory; {free_gb:.1f} GB of it are free.",
        "Close other programs that use it, choose the 3 mm quality, or choose the device 'cpu'.",
    ),
    (
        "OUTPUT_NOT_WRITABLE",
        33,
        "The result cannot be written to the chosen place.",
        "Choose a folder that exists and that you may write to.",
    ),
    (
        "OUTPUT_FORMAT",
        34,
        "The output format {suffix} is not known.",
        "Use a file name that ends in .seg.nrrd, .nrrd or .nii.gz.",
    ),
    # -- the model -----------------------------------------------------------------------------------------------------
    (
        "MODEL_MISSING",
        40,
        "The model '{model}' is not installed.",
        "Install it: click Apply in the panel, or run the command models install.",
    ),
    (
        "MODEL_DAMAGED",
        41,
        "The model folder is incomplete or damaged: {detail}.",
        "Install the model again, or check the folder that you gave.",
    ),
    (
        "MODEL_UNSAFE",
        42,
        "The model's weight file holds something other than weights ({detail}) and was not loaded.",
        "Do not use this file; get the model from its publisher again.",
    ),
    (
        "MODEL_NOT_3D",
        43,
        "The model's configuration {configuration} is not a 3-D network that runs by itself (3d_fullres or 3d_lowres).",
        "Choose the 3d_fullres or 3d_lowres configuration of the model.",
    ),
    (
        "MODEL_CASCADE",
        44,
        "The model is the second stage of a cascade, which needs another model's result.",
        "Choose the 3d_fullres or 3d_lowres configuration of the model.",
    ),
    (
        "MODEL_SEVERAL_CHANNELS",
        45,
        "The model needs {channels} images of each patient; a CT gives one.",
        "Choose a model with a single input channel.",
    ),
    (
        "MODEL_REGION_LABELS",
        46,
        "The model was trained with overlapping regions instead of labels.",
        "Choose a model that gives each voxel one label.",
    ),
    (
        "MODEL_TOO_MANY_LABELS",
        48,
        "The model knows {labels} labels; a result holds at most 255.",
        "Choose a model with fewer labels.",
    ),
    (
        "MODEL_UNSUPPORTED",
        49,
        "The model uses something that this program does not run: {detail}.",
        "Choose a model made by nnU-Net's own planners, a plain or residual encoder U-Net.",
    ),
    (
        "MODEL_AMBIGUOUS",
        58,
        "The folder holds {count} models that could run.",
        "Give the folder of one of them; its name has the form trainer__plans__configuration.",
    ),
    (
        "STRUCTURE_UNKNOWN",
        47,
        "The model knows no structure named {name}; the nearest names are {nearest}.",
        "Correct the name; 'structures' on the command line lists all names of a model.",
    ),
    (
        "PROFILE_UNKNOWN",
        56,
        "There is no pipeline profile named {profile}; the known ones are {known}.",
        "Correct the name, or leave it out for the model's own profile.",
    ),
    # -- the engine ----------------------------------------------------------------------------------------------------
    (
        "ENGINE_MISSING",
        50,
        "The segmentation engine is not installed: the package {package} was not found.",
        "Install them with the set-up: click Apply, or run the command setup.",
    ),
    (
        "ENGINE_START_FAILED",
        51,
        "The segmentation engine could not be started.",
        "Open the log for the reason; an antivirus program or a missing file is the usual one.",
    ),
    (
        "ENGINE_DIED",
        52,
        "The segmentation engine ended unexpectedly (exit status {status}).",
        "Click Apply to try again; if it happens again, choose the 3 mm quality or copy the log and report it.",
    ),
    (
        "ENGINE_KILLED",
        53,
        "The operating system ended the segmentation engine, most often because there was not enough memory.",
        "Close other programs, choose the 3 mm quality, or crop the CT to the region of interest.",
    ),
    (
        "PROTOCOL_MISMATCH",
        54,
        "The module and its engine are of different versions ({expected} and {found}).",
        "Restart Slicer; if that does not help, install the extension again.",
    ),
    (
        "BAD_REQUEST",
        55,
        "The engine did not understand a request: {detail}.",
        "Restart Slicer; if that does not help, install the extension again.",
    ),
    ("CANCELLED", 130, "The segmentation was cancelled.", "Nothing was changed; start it again at any time."),
    (
        "INTERNAL_ERROR",
        1,
        "An unexpected error of the kind {kind} stopped the segmentation.",
        "Copy the log and report it; the scene and your edits are unchanged.",
    ),
)

_JOB_WARNINGS = warnings_table(
    (
        "IMPLAUSIBLE_HU",
        "The values range from {minimum:.0f} to {maximum:.0f}, which is unusual for Hounsfield units.",
        "Check that the volume is a CT in Hounsfield units before you trust the result.",
    ),
    (
        "DEMO_MODEL",
        "This is the demo model: it knows the phantom only and is never for patients.",
        "Use it to try the program; choose a published model for anything else.",
    ),
    (
        "RUNTIME_FALLBACK",
        "The runtime {runtime} cannot run this network on this computer; PyTorch as it is was used instead.",
        "Nothing needs to be done: the result is as good and takes longer. The log tells the reason.",
    ),
    (
        "PRECISION_UNAVAILABLE",
        "This computer's processor does not compute faster with reduced precision; full precision was used.",
        "Nothing needs to be done: the result is the exact one and takes longer.",
    ),
    (
        "MEMORY_FALLBACK",
        "The memory ran out; the job goes on in a way that takes less memory and more time.",
        "Nothing needs to be done; close other programs or volumes to make the next job faster.",
    ),
    (
        "DEVICE_FALLBACK",
        "The device {device} failed or ran out of memory; the job goes on on the CPU.",
        "Nothing needs to be done: the result is as good and takes longer. The log tells the reason.",
    ),
    (
        "SUMS_IN_HALF",
        "Memory is short, so the sums of overlapping tiles are kept in half precision; a few voxels may differ.",
        "Nothing needs to be done; close other programs or volumes to have the exact result.",
    ),
    (
        "SUMS_ON_DISK",
        "Memory is short, so the sums of overlapping tiles are kept in a temporary file.",
        "Nothing needs to be done: the result is the same and takes longer; closing other programs saves time.",
    ),
    (
        "ONE_NETWORK_AT_A_TIME",
        "Memory is short, so the networks are loaded one at a time.",
        "Nothing needs to be done: the result is the same and takes longer; closing other programs saves time.",
    ),
    (
        "DEVICE_MEMORY_SUMS",
        "The graphics card's memory is short, so the sums of overlapping tiles are kept in the computer's own.",
        "Nothing needs to be done: the result is the same and takes longer; closing other programs saves time.",
    ),
    (
        "NO_OVERVIEW",
        "The coarse model '{model}' of the same family is not installed, so the whole image is searched.",
        "Install it to save time.",
    ),
    (
        "REGION_WIDENED",
        "A structure reached the border of the region where it was searched for ({structures}).",
        "Nothing needs to be done: the region was widened and that part of the job was run again.",
    ),
    (
        "OVERVIEW_MISSED",
        "The coarse pass missed {structures}; they were searched for in the whole body, which takes longer.",
        "Nothing needs to be done; leave out what this CT does not show to save time.",
    ),
)

ERRORS: dict[str, ErrorDefinition] = SETUP_ERRORS | EXPORT_ERRORS | _JOB_ERRORS
WARNINGS: dict[str, ErrorDefinition] = SETUP_WARNINGS | EXPORT_WARNINGS | _JOB_WARNINGS


@dataclass(frozen=True)
class Problem:
    """An error or warning as it crosses the wire: code, values, and the two finished English sentences."""

    code: str
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def definition(self) -> ErrorDefinition:
        """Raises KeyError for a code that no table holds."""
        return ERRORS[self.code] if self.code in ERRORS else WARNINGS[self.code]

    @property
    def what(self) -> str:
        return self.definition.what.format(**self.values)

    @property
    def todo(self) -> str:
        return self.definition.todo.format(**self.values)

    @property
    def exit_code(self) -> int:
        return self.definition.exit_code

    def to_json(self) -> dict[str, Any]:
        return {"code": self.code, "values": self.values, "what": self.what, "todo": self.todo}


class SegmentationError(Exception):
    """A foreseeable failure, raised anywhere in the engine: ``raise SegmentationError("INPUT_NOT_3D", dimensions=4)``.

    Values are plain numbers and strings. They never hold patient data: no paths, names or identifiers.
    """

    def __init__(self, code: str, **values: Any) -> None:
        self.problem = Problem(code, values)
        super().__init__(self.problem.what + " " + self.problem.todo)

    @property
    def code(self) -> str:
        return self.problem.code
