"""What the engine has planned for a CT in this session, so that a quality can be chosen by its time and memory."""

from __future__ import annotations

from collections.abc import Sequence

from TotalSegmentatorWire.messages.model_request import ModelRequest
from TotalSegmentatorWire.messages.plan import Plan

_KEPT = 50
"""So many plans; the oldest is forgotten."""


class LastPlans:
    """The latest plan of each CT, models and structures. Never an estimate of ours: the engine measures this
    computer."""

    def __init__(self) -> None:
        self._plans: dict[tuple[str, tuple[ModelRequest, ...]], Plan] = {}

    def remember(self, ct_id: str, requests: Sequence[ModelRequest], plan: Plan) -> None:
        """``ct_id``: of the vtkMRMLScalarVolumeNode."""
        self._plans.pop((ct_id, tuple(requests)), None)
        self._plans[ct_id, tuple(requests)] = plan
        while len(self._plans) > _KEPT:
            del self._plans[next(iter(self._plans))]

    def plan(self, ct_id: str, requests: Sequence[ModelRequest]) -> Plan | None:
        return self._plans.get((ct_id, tuple(requests)))
