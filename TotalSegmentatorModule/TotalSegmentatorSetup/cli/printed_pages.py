"""What the set-up's commands print: an installation's plan, and the list of models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from TotalSegmentatorWire.command.sizes import size_text
from TotalSegmentatorWire.command.text_table import text_table
from TotalSegmentatorWire.messages.segment import problem_from_json
from TotalSegmentatorWire.tables.catalogue import licensed_tasks

if TYPE_CHECKING:
    from TotalSegmentatorWire.errors.problem import Problem

    from TotalSegmentatorSetup.models.state import ModelState


def plan_page(plan: dict[str, Any]) -> str:
    """``Installation.plan`` in words."""
    lines = []
    for item in plan["items"]:
        lines.append(f"{item['title']}: " + ("installed" if item["installed"] else f"to install, {_download(item)}"))
        on_disk = "" if item["disk_bytes"] is None else f"; {size_text(item['disk_bytes'])} on disk"
        lines.append(f"  {item['purpose']}; licence {item['licence']}{on_disk}")
        lines += [f"  {text}" for text in _publication(item)]
    lines.append(f"Device: {plan['device']['name']}")
    lines += [f"Folder of the {name}: {path}" for name, path in plan["folders"].items()]
    lines.append(
        "Free disk space: {}".format("unknown" if plan["free_bytes"] is None else size_text(plan["free_bytes"]))
    )
    for fields in plan["warnings"]:
        lines.append(warning_line(problem_from_json(fields)))
    return "\n".join(lines)


def _download(item: dict[str, Any]) -> str:
    source = f" from {item['host']}" if item["host"] else ""
    if item["bytes"] is None:
        return f"download{source}, {size_text(None)}"
    return f"{size_text(item['bytes'])} download{source}"


def warning_line(problem: Problem) -> str:
    return f"warning {problem.code}: {problem.what} {problem.todo}"


def _publication(item: dict[str, Any]) -> list[str]:
    """What is to be known of a model before it is downloaded."""
    lines = []
    if item.get("unchecked") and not item["installed"]:
        lines.append(
            "no checksum is published: HTTPS to {} only, the archive and its labels are checked, and its SHA-256 is "
            "kept and printed".format(item["host"])
        )
    if item.get("small_training_set"):
        lines.append("trained with few images, says the publisher")
    if item.get("note"):
        lines.append(item["note"])
    return lines + [f"to cite: {citation}" for citation in item.get("citations", ())]


def models_page(states: Sequence[ModelState], own_models: Mapping[str, int]) -> str:
    """A table of the catalogue's models, of the user's own, and of those that need a licence; then the digests that
    were recorded here. ``own_models``: names and bytes on disk."""
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
    needs_licence = "needs a licence from the publisher"
    rows += [(task.id, needs_licence, "-", "-", "-", "-") for task in licensed_tasks().values()]
    heads = ("Model", "Description", "Installed", "Download", "On disk", "Licence")
    table = text_table(heads, rows, right=("Download", "On disk"))
    digests = [
        f"{part}: {state.digests[part]}"
        for state in states
        for part in state.unpublished_digests
        if state.digests[part] is not None
    ]
    if not digests:
        return table
    head = "SHA-256 of archives for which nobody publishes one, as downloaded here:"
    return "\n".join([table, "", head, *dict.fromkeys(digests)])
