"""The texts of the bar above another module's panel."""

from __future__ import annotations

from slicer.i18n import tr as _

from TotalSegmentatorModuleLib.editing.first_effect import FirstEffect


def editing_text(name: str, effect: FirstEffect, is_masked: bool) -> str:
    """In the Segment Editor; ``is_masked``: nothing is drawn over the visible structures."""
    lines = [_("Editing {structure}.").format(structure=name)]
    if effect.operation:
        lines.append(_("A click on a piece removes it."))
    if effect.hu is not None:
        low, high = effect.hu
        lines.append(_("Only {low} to {high} HU are changed; Masking has the range.").format(low=low, high=high))
    if is_masked:
        lines.append(_("Visible structures are protected; Masking switches that off."))
    else:
        lines.append(_("Other structures keep their voxels; what you draw may overlap them."))
    return " ".join(lines)


def points_text(name: str) -> str:
    """In nnInteractive."""
    return _(
        "Correcting {structure}. Click Initialize if the tools are off, choose Point, and click in a slice view. Other "
        "structures keep their voxels."
    ).format(structure=name)
