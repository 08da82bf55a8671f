"""What the set-up's commands say on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from TotalSegmentatorWire.command.progress_line import ProgressLine
from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.segment import WarningEvent, problem_from_json
from TotalSegmentatorWire.messages.setup import SetupProgressEvent, SetupStep

if TYPE_CHECKING:
    from TotalSegmentatorSetup.models.state import ModelState

_TITLES = {
    SetupStep.CHECKING: "checking",
    SetupStep.DOWNLOADING_PACKAGES: "downloading packages",
    SetupStep.INSTALLING_PACKAGES: "installing packages",
    SetupStep.TESTING_ENGINE: "testing the engine",
    SetupStep.DOWNLOADING_MODEL: "downloading",
    SetupStep.UNPACKING_MODEL: "unpacking",
    SetupStep.CONVERTING_MODEL: "converting",
    SetupStep.CHECKING_MODEL: "checking",
}


class SetupTerminal:
    """Fulfils command_run.RunTerminal."""

    def __init__(self) -> None:
        self._line = ProgressLine()

    def show(self, event: Any) -> None:
        if isinstance(event, SetupProgressEvent):
            self._show_progress(event)
        elif isinstance(event, WarningEvent):
            self.show_problem(problem_from_json(event.problem), "warning")

    def show_problem(self, problem: Problem, kind: str = "error") -> None:
        self._line.show_problem(problem, kind)

    def close_line(self) -> None:
        self._line.close()

    def _show_progress(self, event: SetupProgressEvent) -> None:
        text = f"{event.fraction:4.0%} {_TITLES[event.step]} {event.item}".rstrip()
        if event.done_bytes:
            text += f", {event.done_bytes / 1e6:.0f}"
            text += f" of {event.total_bytes / 1e6:.0f} MB" if event.total_bytes else " MB"
        if event.bytes_per_second:
            text += f", {event.bytes_per_second / 1e6:.1f} MB/s"
        if event.seconds_left is not None:
            text += f", about {event.seconds_left:.0f} s left"
        self._line.show(text, (event.step, event.item), event.fraction)


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
