"""What a job says about labels that differ from the exact ones, and of graphics that it does not use after all; a part
of the table in problem.py."""

from __future__ import annotations

from TotalSegmentatorWire.errors.definition import ErrorDefinition, warnings_table
from TotalSegmentatorWire.errors.definition import translatable as _

AGREEMENT_WARNINGS: dict[str, ErrorDefinition] = warnings_table(
    __file__,
    (
        "AGREEMENT_LOW",
        _(
            "The fast labels differ from the exact ones more than you allow: in a sample, {percent} % of the voxels of "
            "structures are equal (95 % interval {low} to {high} %; at least {threshold} % wanted)."
        ),
        _("For the exact labels, run the job again in exact precision and over the whole CT."),
    ),
    (
        "AGREEMENT_UNKNOWN",
        _("How well the fast labels agree with the exact ones could not be checked."),
        _(
            "Review the labels with more care than usual, or run the job again in exact precision and over the whole "
            "CT."
        ),
    ),
)

GRAPHICS_WARNINGS: dict[str, ErrorDefinition] = warnings_table(
    __file__,
    (
        "GRAPHICS_UNAVAILABLE",
        _("No Intel graphics processor can run this network on this computer, so the processor runs it."),
        _("No action is needed: the result is equally good. To use graphics, install Intel's current driver for it."),
    ),
    (
        "GRAPHICS_FAILED",
        _("The graphics processor failed, so the job continues on the processor; finished tiles are kept."),
        _(
            "No action is needed: the result is equally good but may take longer. Graphics are tried again once their "
            "driver has been updated."
        ),
    ),
)
