"""What the set-up's commands print: an installation's plan, and the list of models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from TotalSegmentatorWire.messages.segment import problem_from_json

if TYPE_CHECKING:
    from TotalSegmentatorSetup.models.state import ModelState


def plan_page(plan: dict[str, Any]) -> str:
    """``Installation.plan`` in words."""
    lines = []
    for item in plan["items"]:
        state = "installed" if item["installed"] else f"to install, {_size(item['bytes'])} from {item['host']}"
        lines.append(f"{item['title']}: {state}")
        lines.append(f"  {item['purpose']}; licence {item['licence']}; on disk {_size(item['disk_bytes'])}")
    lines.append(f"device: {plan['device']['name']}")
    lines += [f"{name} folder: {path}" for name, path in plan["folders"].items()]
    lines.append(f"free disk space: {_size(plan['free_bytes'])}")
    for fields in plan["warnings"]:
        problem = problem_from_json(fields)
        lines.append(f"warning {problem.code}: {problem.what} {problem.todo}")
    return "\n".join(lines)


def models_page(states: Sequence[ModelState]) -> str:
    """One line a model."""
    rows = []
    for state in states:
        where = (
            f"installed, {_size(state.disk_bytes)}" if state.is_installed else f"{_size(state.download_bytes)} to get"
        )
        rows.append(f"{state.id:12} {state.title:42} {where} ({state.licence})")
    return "\n".join(rows)


def _size(count: int | None) -> str:
    if count is None:
        return "size unknown"
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
