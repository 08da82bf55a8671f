"""What the set-up's commands print: an installation's plan, and the list of models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from TotalSegmentatorWire.command.text_table import text_table
from TotalSegmentatorWire.messages.segment import problem_from_json

if TYPE_CHECKING:
    from TotalSegmentatorSetup.models.state import ModelState


def plan_page(plan: dict[str, Any]) -> str:
    """``Installation.plan`` in words."""
    lines = []
    for item in plan["items"]:
        download = f"{size_text(item['bytes'])} download" + (f" from {item['host']}" if item["host"] else "")
        lines.append(f"{item['title']}: " + ("installed" if item["installed"] else f"to install, {download}"))
        lines.append(f"  {item['purpose']}; licence {item['licence']}; {size_text(item['disk_bytes'])} on disk")
    lines.append(f"Device: {plan['device']['name']}")
    lines += [f"Folder of the {name}: {path}" for name, path in plan["folders"].items()]
    lines.append(f"Free disk space: {size_text(plan['free_bytes'])}")
    for fields in plan["warnings"]:
        problem = problem_from_json(fields)
        lines.append(f"warning {problem.code}: {problem.what} {problem.todo}")
    return "\n".join(lines)


def models_page(states: Sequence[ModelState], own_models: Mapping[str, int]) -> str:
    """A table of the catalogue's models, then the user's own; ``own_models``: names and bytes on disk."""
    rows = [
        (
            state.id,
            state.title,
            "yes" if state.is_installed else "no",
            "-" if state.is_installed else size_text(state.download_bytes),
            size_text(state.disk_bytes) if state.disk_bytes else "-",
            state.licence,
        )
        for state in states
    ]
    rows += [(name, "your own model", "yes", "-", size_text(count), "-") for name, count in own_models.items()]
    heads = ("Model", "Description", "Installed", "Download", "On disk", "Licence")
    return text_table(heads, rows, right=("Download", "On disk"))


def size_text(count: int | None) -> str:
    """A number of bytes as "1.5 GB" or "120 MB"."""
    if count is None:
        return "unknown size"
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
