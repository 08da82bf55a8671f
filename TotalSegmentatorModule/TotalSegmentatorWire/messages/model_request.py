"""What a job asks of one model. A job has one or more of these; their order is the order of computation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from TotalSegmentatorWire.errors.problem import SegmentationError


@dataclass(frozen=True)
class ModelRequest:
    """One model and the structures that it is to find."""

    model: str
    """Id of the catalogue, or the path of a model folder."""
    structures: tuple[str, ...] | None = None
    """Names as the model has them; None for all that it finds."""

    def to_json(self) -> dict[str, Any]:
        return {"model": self.model, "structures": None if self.structures is None else list(self.structures)}


def request_from_json(fields: Any) -> ModelRequest:
    """What ``ModelRequest.to_json`` wrote. Raises SegmentationError("BAD_REQUEST")."""
    try:
        model, structures = fields["model"], fields.get("structures")
    except (KeyError, TypeError, AttributeError) as error:
        raise SegmentationError("BAD_REQUEST", detail="model request") from error
    is_list = isinstance(structures, list) and all(isinstance(name, str) for name in structures)
    if not isinstance(model, str) or not (structures is None or is_list):
        raise SegmentationError("BAD_REQUEST", detail="model request")
    return ModelRequest(model, None if structures is None else tuple(structures))


def requests_from_json(rows: Any) -> tuple[ModelRequest, ...]:
    """Those of a whole job, at least one. Raises SegmentationError("BAD_REQUEST")."""
    if not isinstance(rows, list) or not rows:
        raise SegmentationError("BAD_REQUEST", detail="model requests")
    return tuple(map(request_from_json, rows))


def requests_to_json(requests: Iterable[ModelRequest]) -> list[dict[str, Any]]:
    return [request.to_json() for request in requests]


def model_request(model: str, structures: Iterable[str] | None = None) -> ModelRequest:
    """A request of any sequence of names."""
    return ModelRequest(model, None if structures is None else tuple(structures))
