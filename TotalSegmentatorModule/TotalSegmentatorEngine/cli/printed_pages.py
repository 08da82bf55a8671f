"""What the commands print: a job's plan (one line while it runs, a page for the command ``plan``), and a model's
structures.

The panel words the plan alike (TotalSegmentatorModuleLib/segment/plan_text.py), in the user's language.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from TotalSegmentatorWire.command.text_table import text_table
from TotalSegmentatorWire.errors.problem import WARNINGS
from TotalSegmentatorWire.messages.plan import Plan, PlannedPass, plan_from_json
from TotalSegmentatorWire.messages.segment import PlanEvent
from TotalSegmentatorWire.tables.structures import Structure

_GIGABYTE = 1e9
"""As system monitors and graphics cards count."""

_COLUMNS = ("Part", "Purpose", "Region in voxels", "Of the scan", "Tiles", "Time")

_ESTIMATE = " (estimate)"

_PRELIMINARY = """\
This is a first estimate. Quick coarse passes find the structures or their region, and the networks then run only there:
tiles and time are {bounds}, and memory is that of the passes whose region is known. A running job shows its final
plan after the coarse passes."""


def lasting_line(event: Any) -> str | None:
    """What stays on the terminal while a job runs: its plan."""
    return f"plan: {plan_line(plan_from_json(event.plan))}" if isinstance(event, PlanEvent) else None


def plan_line(plan: Plan) -> str:
    """One line: work, time, memory, and what computes. What is not known is left out."""
    words = [_work_text(plan)]
    if plan.seconds is not None:
        words.append(about_text(plan.seconds) + _ESTIMATE * plan.is_estimated)
    words.append(f"needs {_memory_text(plan, ' of memory')}")
    line = f"{', '.join(words)}; {plan.runtime}, {plan.precision}"
    return f"first estimate: {line}" if plan.is_preliminary else line


def plan_page(plan: Plan) -> str:
    """The summary, a table of the passes, and what was planned around; ends without a line end."""
    bound = "at most " if plan.is_preliminary and "CROP_EXPECTED" not in plan.notes else ""
    time = "not known yet: the first job on this computer measures it"
    if plan.seconds is not None:
        time = f"{bound}{about_text(plan.seconds)}"
    if plan.is_estimated:
        time += "; an estimate by a short trial, since not all of these networks have run on this computer yet"
    at_once = f", {plan.tile_batch} tiles at once" if plan.tile_batch > 1 else ""
    summary = [
        *_model_lines(plan),
        f"Computed   by {plan.runtime} on {plan.device}, precision {plan.precision}{at_once}",
        f"Work       {bound}{_work_text(plan)}",
        f"Time       {time}",
        f"Memory     {_memory_text(plan)}",
    ]
    paragraphs = ["\n".join(summary), text_table(_COLUMNS, map(_row, plan.passes), right=("Region in voxels", "Tiles"))]
    if plan.notes:
        paragraphs.append("\n".join(_note_text(code) for code in plan.notes))
    if plan.is_preliminary:
        bounds = "upper bounds" if bound else "those of an adult's head"
        paragraphs.append(_PRELIMINARY.format(bounds=bounds))
    return "\n\n".join(paragraphs)


def _model_lines(plan: Plan) -> list[str]:
    titles = ["Model     ", *[" " * 10] * (len(plan.models) - 1)]
    return [
        f"{title} {model}, pipeline {plan.profiles[model]}" for title, model in zip(titles, plan.models, strict=True)
    ]


def structures_page(structures: Sequence[Structure]) -> str:
    """A table of a model's label set."""
    rows = [(str(row.label), row.name, row.tg263_name or "-", row.group) for row in structures]
    return text_table(("Label", "Name", "TG-263 name", "Group"), rows, right=("Label",))


def about_text(seconds: float) -> str:
    """A time that is only estimated, to two digits or so: "about 40 s", "about 12 min", "about 2 h 10 min"."""
    if seconds < 90:
        return f"about {max(5, round(seconds / 5.0) * 5)} s"
    minutes = round(seconds / 60.0)
    if minutes < 60:
        return f"about {minutes} min"
    hours, rest = divmod(round(minutes / 10.0) * 10, 60)
    return f"about {hours} h {rest} min" if rest else f"about {hours} h"


def _work_text(plan: Plan) -> str:
    networks = len({planned.part for planned in plan.passes})
    return f"{_count(plan.tiles, 'tile')} in {_count(networks, 'network')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _memory_text(plan: Plan, of_what: str = "") -> str:
    needed = f"{plan.peak_bytes / _GIGABYTE:.1f} GB{of_what}"
    return needed if plan.available_bytes is None else f"{needed} ({plan.available_bytes / _GIGABYTE:.1f} GB free)"


def _row(planned: PlannedPass) -> tuple[str, ...]:
    return (
        planned.part,
        planned.purpose,
        " x ".join(str(size) for size in planned.shape),
        "a part" if planned.is_cropped else "all",
        str(planned.tiles),
        "not known yet" if planned.seconds is None else about_text(planned.seconds) + _ESTIMATE * planned.is_estimated,
    )


def _note_text(code: str) -> str:
    """The warning's two sentences. A plan carries no values for them: ``{named}`` ones become <named>."""
    definition = WARNINGS[code]
    return f"Note {code}: " + re.sub(r"\{(\w+)[^}]*\}", r"<\1>", f"{definition.what} {definition.todo}")
