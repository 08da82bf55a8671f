"""What can be wrong with a result, with the models that make it together, and with the place it goes to; a part of the
table in problem.py."""

from __future__ import annotations

from TotalSegmentatorWire.errors.definition import ErrorDefinition, table, warnings_table
from TotalSegmentatorWire.errors.definition import translatable as _

RESULT_ERRORS: dict[str, ErrorDefinition] = table(
    __file__,
    # -- the models of a job -------------------------------------------------------------------------------------------
    (
        "STRUCTURE_TWICE",
        193,
        _("The structure '{structure}' is asked of two models: {first} and {second}."),
        _("Ask only one of the models for it."),
    ),
    (
        "MODEL_NEEDED",
        194,
        _("The model '{model}' needs the model '{needed}', which is not installed."),
        _("Install that model as well: click Apply in the panel, or run the command 'models install {needed}'."),
    ),
    # -- the result ----------------------------------------------------------------------------------------------------
    (
        "OUTPUT_IS_INPUT",
        102,
        _("The {file} is the input, or a part of it, and would replace it."),
        _("Choose another name or folder for it."),
    ),
    (
        "OUTPUT_ONE_LAYER",
        192,
        _("Structures of several models may overlap, and a label image can hold only one at a place."),
        _("Use a file name that ends in .seg.nrrd, or choose an export such as rtstruct, binary seg or volumes."),
    ),
    (
        "COMPUTED_NOT_KEPT",
        111,
        _("The structure as the model computed it was not kept with this segmentation."),
        _("Segment the CT again to get it back; the result becomes a new segmentation."),
    ),
    (
        "REVIEW_TIMES_NOT_WRITABLE",
        119,
        _("The times of the review could not be written to {folder}."),
        _("Make this folder writable and free some disk space, or stop counting the time."),
    ),
    (
        "REPAIR_NO_SEGMENT",
        104,
        _("The structure is no longer there."),
        _("Choose it again in the list."),
    ),
    (
        "REPAIR_NEEDS_CT",
        105,
        _("A gap can be bridged only with the CT, and its voxels are not there."),
        _("Choose the CT of the segmentation, then try again."),
    ),
    (
        "REPAIR_NO_GAP",
        108,
        _("The structure is in one piece: there is no gap to bridge."),
        _("Correct the structure in the Segment Editor if something is missing."),
    ),
    (
        "REPAIR_GAP_LONG",
        109,
        _("The gap is {length_mm} mm long; up to {longest_mm} mm can be bridged."),
        _("Draw the missing part in the Segment Editor."),
    ),
    (
        "REPAIR_NO_BRIDGE",
        110,
        _("Between the two ends there is no tissue with the CT numbers of the structure, so the gap stays."),
        _("Draw the missing part in the Segment Editor."),
    ),
    (
        "REVIEW_DAMAGED",
        118,
        _("The files of the saved review are damaged or missing, so it cannot be restored."),
        _("Segment the CT again, or load a scene that was saved before."),
    ),
    (
        "REVIEW_NO_STRUCTURES",
        103,
        _("No structure of the segmentation has a name that the review knows."),
        _(
            "Rename the structures as the label tables do, or name the label values with --labels. The command "
            "'structures' lists the names."
        ),
    ),
)

RESULT_WARNINGS: dict[str, ErrorDefinition] = warnings_table(
    __file__,
    (
        "PREVIEW_MEMORY_SHORT",
        _("Memory is too low for the preview, so it was left out."),
        _("No action is needed: the fine result follows. To get a preview, close other programs or volumes."),
    ),
    (
        "PREVIEW_MODEL_DAMAGED",
        _("The model '{model}' cannot be used, so no preview is shown."),
        _("The fine result is not affected. Remove that model in the section 'Set-up' and install it again."),
    ),
    (
        "PREVIEW_FAILED",
        _("The preview could not be made."),
        _("No action is needed: the fine result follows. See the log for the reason."),
    ),
    (
        "CROP_FOUND_NOTHING",
        _("The model '{model}' did not run: the model '{by}' found none of {structures} in this CT."),
        _("No action is needed if the CT does not show this region."),
    ),
    (
        "CROP_EXPECTED",
        _("How large the part of the CT is in which a model runs is not known yet: the usual size of a head counts."),
        _("No action is needed: the plan is made anew when the part is found."),
    ),
    (
        "MODEL_RUNS_AS_TASK",
        _("The folder of {model} is called as the published task '{task}' and runs as published, with its crop."),
        _("No action is needed. For a model of your own, choose the profile 'nnunet' or give the folder another name."),
    ),
    (
        "MODEL_ORIENTATION_UNKNOWN",
        _(
            "The model does not record the voxel order of its training images, so its labels can depend on the voxel "
            "order of the CT."
        ),
        _(
            "Check the labels. If you know the order, add the model with it: in the Set-up section, or with the "
            "command 'models add --orientation'."
        ),
    ),
    (
        "RESULT_LEFT_RIGHT",
        _(
            "The CT may be mirrored: left and right of what was found do not fit its axes ({wrong} of {checked} "
            "comparisons, for example {first} and {second})."
        ),
        _(
            "Check left and right of the CT before you use the result. Organs that lie on the other side in the "
            "patient (situs inversus) also cause this warning."
        ),
    ),
    (
        "RESULT_FRONT_BACK",
        _(
            "The CT may be mirrored or turned over: front and back of what was found do not fit its axes ({wrong} of "
            "{checked} comparisons, for example {first} and {second})."
        ),
        _("Check the orientation of the CT and the patient position in its header before you use the result."),
    ),
    (
        "RESULT_HEAD_FEET",
        _(
            "The CT may be mirrored or upside down: head and feet of what was found do not fit its axes ({wrong} of "
            "{checked} comparisons, for example {first} and {second})."
        ),
        _("Check the orientation of the CT and the order of its slices before you use the result."),
    ),
    (
        "RESULT_TURNED",
        _(
            "The CT may be mirrored, upside down or turned: what was found does not fit its axes in several "
            "directions ({wrong} of {checked} comparisons, for example {first} and {second})."
        ),
        _("Check the orientation of the CT and the patient position in its header before you use the result."),
    ),
    (
        "REVIEW_NOT_KNOWN",
        _("The review leaves out structures with unknown names, or with a name that occurs twice: {names} ({count})."),
        _("Rename them as the label tables do if they are to be reviewed."),
    ),
    (
        "RESULT_KEPT_TEMPORARY",
        _(
            "The result could not be written where it was to go, so the segmentation was saved in the folder for "
            "temporary files as {file}."
        ),
        _(
            "Move the file to another folder, since temporary files are deleted. You can export it with the command "
            "'export'; you do not need to segment again."
        ),
    ),
    (
        "RESULT_KEPT_HOME",
        _(
            "The result could not be written where it was to go, so the segmentation was saved in your home folder as "
            "{file}."
        ),
        _("You can export this file with the command 'export'; you do not need to segment again."),
    ),
    (
        "RESULT_NOT_KEPT",
        _("The segmentation could not be kept: there is no room for it next to the output or in your own folders."),
        _("Free some disk space, then segment again."),
    ),
)
