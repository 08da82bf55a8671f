"""What a job says about labels that differ from the exact ones; a part of the table in problem.py."""

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
)
