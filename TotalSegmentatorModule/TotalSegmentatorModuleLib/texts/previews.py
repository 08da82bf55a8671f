"""What is said of a preview."""

from __future__ import annotations

from slicer.i18n import tr as _


def preview_sentence() -> str:
    """Wherever somebody may export it, or take it for a result."""
    return _(
        "This segmentation is a preview: it is coarser than the result that was asked for. Do not use it for treatment "
        "planning."
    )
