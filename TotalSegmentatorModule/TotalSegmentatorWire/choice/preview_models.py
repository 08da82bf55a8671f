"""Which model gives a preview of a finer one's result."""

from __future__ import annotations

from collections.abc import Iterable

from TotalSegmentatorWire.choice.model_selection import FAST_MM
from TotalSegmentatorWire.messages.model_request import ModelRequest
from TotalSegmentatorWire.tables.catalogue import CatalogueModel, read_catalogue


def preview_model(model_id: str) -> CatalogueModel | None:
    """The finest model with large voxels of the same family, one network that finds the same structures; None where
    ``model_id`` is such a model itself, or of a family that has none, as the tasks for a region, or the user's own."""
    catalogue = read_catalogue()
    own = catalogue.get(model_id)
    if own is None or own.is_task or own.spacing_mm is None or own.spacing_mm >= FAST_MM:
        return None
    fast = [
        other
        for other in catalogue.values()
        if other.family == own.family and len(other.parts) == 1 and (other.spacing_mm or 0) >= FAST_MM
    ]
    return min(fast, key=lambda other: other.spacing_mm, default=None)


def preview_models(requests: Iterable[ModelRequest]) -> dict[str, CatalogueModel]:
    """Of the requested models that have one, by their ids: the model that gives the preview. None for a model whose
    fast one is requested beside it: what that finds comes anyway."""
    asked = [request.model for request in requests]
    found = {model_id: preview_model(model_id) for model_id in asked}
    return {model_id: fast for model_id, fast in found.items() if fast is not None and fast.id not in asked}
