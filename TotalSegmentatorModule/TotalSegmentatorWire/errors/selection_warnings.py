"""What an export says about review states and what it leaves out; a part of the table in problem.py."""

from __future__ import annotations

from TotalSegmentatorWire.errors.definition import ErrorDefinition, warnings_table
from TotalSegmentatorWire.errors.definition import translatable as _

SELECTION_WARNINGS: dict[str, ErrorDefinition] = warnings_table(
    __file__,
    (
        "EXPORT_UNREVIEWED",
        _("Exported structures are not approved: {names}. Not reviewed: {unreviewed}, edited: {edited}."),
        _("Check each of them. In Slicer, approve it with the status Completed in the Segment Editor's list."),
    ),
    (
        "EXPORT_PREVIEW",
        _("Exported structures are those of a preview, which is coarser than the result that was asked for: {names}."),
        _("Do not use them for treatment planning. Segment the CT to the end, and export that result."),
    ),
    (
        "EXPORT_NEEDS_ATTENTION",
        _("Exported structures are flagged because they need attention: {names}."),
        _("Correct them before they are used for treatment planning, and change their status in the Segment Editor."),
    ),
    (
        "EXPORT_STATES_LEFT_OUT",
        _("Structures in other review states than the chosen ones were not exported: {names}."),
        _("No action is needed if you do not want them."),
    ),
    (
        "EXPORT_REJECTED_LEFT_OUT",
        _("Rejected structures were not exported: {names}."),
        _("Correct and approve them, or choose explicitly to export rejected structures."),
    ),
    (
        "EXPORT_EMPTY_LEFT_OUT",
        _("Empty structures were not exported: {names}."),
        _("No action is needed if the CT does not show them."),
    ),
    (
        "EXPORT_TEMPLATE_ABSENT",
        _("Some structures of the template are not in the segmentation: {names}."),
        _("No action is needed if the CT does not show them."),
    ),
)
