"""What has become of what a node received, read from its folder whether it runs or not. Without patient data."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import Any

from TotalSegmentatorWire.command.text_table import text_table

from TotalSegmentatorEngine.dicom_node.incoming.incoming_folder import series_folders
from TotalSegmentatorEngine.dicom_node.incoming.series_state import FAILED, WAITING, SeriesState, read_state
from TotalSegmentatorEngine.dicom_node.node_folder import NodeFolder
from TotalSegmentatorEngine.dicom_node.sending.delivery import GIVEN_UP, Delivery
from TotalSegmentatorEngine.dicom_node.sending.outgoing_folder import OutgoingFolder

INCOMPLETE, ARRIVING = "incomplete", "arriving"


@dataclass(frozen=True)
class SeriesRow:
    id: str
    images: int
    state: str
    code: str
    minutes: float
    """Since something last happened."""
    cases: tuple[str, ...]
    deliveries: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class NodeStatus:
    series: tuple[SeriesRow, ...]

    @property
    def has_trouble(self) -> bool:
        return any(
            row.state in (INCOMPLETE, FAILED) or any(one["state"] == GIVEN_UP for one in row.deliveries)
            for row in self.series
        )

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def read_status(folder: NodeFolder) -> NodeStatus:
    now, outgoing = time.time(), OutgoingFolder(folder.outgoing)
    deliveries = [(path.name[:12], delivery) for path, delivery in outgoing.all()]
    rows = []
    for path in series_folders(folder.incoming):
        state = read_state(path)
        if state is None:
            continue
        own = tuple(_delivery(case, one) for case, one in deliveries if case in state.cases)
        images = len(list((path / "objects").glob("*.dcm")))
        minutes = round((now - state.last) / 60, 1)
        rows.append(SeriesRow(path.name, images, _state(state), state.code, minutes, state.cases, own))
    return NodeStatus(tuple(rows))


def _state(state: SeriesState) -> str:
    if state.is_open:
        return ARRIVING
    if state.is_cut_off and state.work == WAITING:
        return INCOMPLETE
    return state.work


def _delivery(case: str, delivery: Delivery) -> dict[str, Any]:
    return {
        "case": case,
        "destination": delivery.destination,
        "state": delivery.state,
        "sent": len(delivery.sent),
        "objects": len(delivery.files),
        "attempts": delivery.attempts,
        "code": delivery.problem.get("code", ""),
    }


def status_page(status: NodeStatus) -> str:
    if not status.series:
        return "Nothing is in the folder of the node."
    heads = ("series", "images", "state", "error", "minutes ago", "results", "sent")
    lines = [
        (
            row.id,
            str(row.images),
            row.state,
            row.code,
            f"{row.minutes:.0f}",
            ", ".join(row.cases),
            "; ".join(_sent(one) for one in row.deliveries),
        )
        for row in status.series
    ]
    return text_table(heads, lines, {"images", "minutes ago"})


def _sent(delivery: dict[str, Any]) -> str:
    text = f"{delivery['destination']}: {delivery['sent']} of {delivery['objects']}"
    if delivery["code"] or delivery["state"] == GIVEN_UP:
        text += f", {delivery['state'].replace('_', ' ')}"
    return f"{text} ({delivery['code']})" if delivery["code"] else text
