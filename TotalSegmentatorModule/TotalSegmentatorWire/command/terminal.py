"""What a command says on standard error: its progress in one line that rewrites itself, its warnings, its error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable
from typing import Any

from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.export import ExportProgressEvent, ExportStep
from TotalSegmentatorWire.messages.segment import NoteEvent, ProgressEvent, Stage, WarningEvent, problem_from_json
from TotalSegmentatorWire.messages.setup import SetupProgressEvent, SetupStep

_STAGES = {
    Stage.LOADING_ENGINE: "loading the engine",
    Stage.READING: "reading the CT",
    Stage.CHECKING: "checking the CT",
    Stage.PREVIEWING: "making the preview",
    Stage.LOADING_MODEL: "loading the model",
    Stage.RESAMPLING: "resampling the CT",
    Stage.PREDICTING: "segmenting",
    Stage.LABELLING: "making the labels",
    Stage.RESTORING: "resampling the labels",
    Stage.REVIEWING: "reviewing the result",
    Stage.WRITING: "writing",
}
_EXPORT_STEPS = {
    ExportStep.READING: "reading",
    ExportStep.CHECKING: "checking",
    ExportStep.CONTOURING: "contouring",
    ExportStep.MESHING: "meshing",
    ExportStep.MEASURING: "measuring",
    ExportStep.DRAWING: "drawing",
    ExportStep.WRITING: "writing",
}
_SETUP_STEPS = {
    SetupStep.CHECKING: "checking",
    SetupStep.DOWNLOADING_PACKAGES: "downloading packages",
    SetupStep.INSTALLING_PACKAGES: "installing packages",
    SetupStep.TESTING_ENGINE: "testing the engine",
    SetupStep.DOWNLOADING_MODEL: "downloading",
    SetupStep.UNPACKING_MODEL: "unpacking",
    SetupStep.CONVERTING_MODEL: "converting",
    SetupStep.CHECKING_MODEL: "checking",
}


class Terminal:
    """Shows the events of a run. Where standard error is no terminal, a line is written for each step and each tenth.

    ``lasting_line`` gives the line that an event of another kind leaves, or None; the same line is not repeated.
    """

    def __init__(self, lasting_line: Callable[[Any], str | None] = lambda event: None) -> None:
        self._lasting_line = lasting_line
        self._rewrites = sys.stderr.isatty()
        self._shown: Hashable = None
        self._width = 0
        self._lasting: str | None = None
        self.place = ""
        """Stands before the progress: which of several jobs it is."""

    def show(self, event: Any) -> None:
        if isinstance(event, WarningEvent):
            self.show_problem(problem_from_json(event.problem), "warning")
            return
        if isinstance(event, NoteEvent):
            self.show_note(event.text)
            return
        progress = _progress_of(event)
        if progress is not None:
            self._show_progress(event.fraction, *progress)
            return
        line = self._lasting_line(event)
        if line is not None and line != self._lasting:
            self._lasting = line
            self._write_line(line)

    def show_problem(self, problem: Problem, kind: str = "error") -> None:
        self._write_line(f"{kind} {problem.code}: {problem.what} {problem.todo}")
        if problem.listing:
            self._write_line(problem.listing)

    def show_note(self, text: str) -> None:
        """What is worth knowing and no reason to act."""
        self._write_line(text)

    def show_passing(self, text: str) -> None:
        """In the line that rewrites itself; nothing where there is no terminal."""
        if self._rewrites:
            _write("\r" + text.ljust(self._width))
            self._width = len(text)

    def close_line(self) -> None:
        """What is written next begins on a line of its own."""
        if self._rewrites and self._width:
            _write("\n")
            self._width = 0

    def _show_progress(self, fraction: float, step: Hashable, text: str) -> None:
        line, shown = f"{self.place}{fraction:4.0%} {text}", (self.place, step, int(fraction * 10))
        if self._rewrites:
            self.show_passing(line)
        elif shown != self._shown:
            _write(line + "\n")
        self._shown = shown

    def _write_line(self, text: str) -> None:
        self.close_line()
        _write(text + "\n")


def _progress_of(event: Any) -> tuple[Hashable, str] | None:
    """The step of a progress event, and what the line says of it; None for other events."""
    if isinstance(event, ProgressEvent):
        tiles = f", tile {event.tile} of {event.tiles}" if event.tiles else ""
        return event.stage, _STAGES[event.stage] + tiles + _time_left(event.seconds_left)
    if isinstance(event, ExportProgressEvent):
        return event.step, f"{_EXPORT_STEPS[event.step]} {event.item}".rstrip()
    if isinstance(event, SetupProgressEvent):
        text = f"{_SETUP_STEPS[event.step]} {event.item}".rstrip() + _download(event)
        return (event.step, event.item), text + _time_left(event.seconds_left)
    return None


def _download(event: SetupProgressEvent) -> str:
    text = ""
    if event.done_bytes:
        text += f", {event.done_bytes / 1e6:.0f}"
        text += f" of {event.total_bytes / 1e6:.0f} MB" if event.total_bytes else " MB"
    if event.bytes_per_second:
        text += f", {event.bytes_per_second / 1e6:.1f} MB/s"
    return text


def _time_left(seconds: float | None) -> str:
    return "" if seconds is None else f", about {seconds:.0f} s left"


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
