"""The lower part of a section that runs the export program: button, progress, errors, warnings, result."""

from __future__ import annotations

from dataclasses import dataclass

from slicer.i18n import tr as _
from TotalSegmentatorWire.errors.problem import Problem

from TotalSegmentatorModuleLib.background.command_process import Failure
from TotalSegmentatorModuleLib.qt_helpers.scrolling import IntoSight
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.tasks.step_text import export_step_text
from TotalSegmentatorModuleLib.texts.errors import problem_texts

_STEPS = 1000
"""The bar counts in thousandths."""


@dataclass(frozen=True)
class ButtonTexts:
    """What the buttons of a TaskPage say."""

    start: str
    """While nothing runs."""
    result: str = ""
    """On the button beside the result; empty if there is none."""
    result_tool_tip: str = ""


class TaskPage:
    """Shows a background task in the widgets of Task.ui. Messages stay until dismissed or the next task begins."""

    def __init__(self, ui: Widgets, texts: ButtonTexts) -> None:
        self._ui = ui
        self._texts = texts
        self._warnings: list[str] = []
        self._sight = IntoSight()
        bold = ui.errorWhatLabel.font
        bold.setBold(True)
        ui.errorWhatLabel.setFont(bold)
        ui.resultButton.setText(texts.result)
        ui.resultButton.setToolTip(texts.result_tool_tip)
        ui.errorDismissButton.connect("clicked(bool)", self._on_dismiss)
        ui.progressFrame.setVisible(False)
        self.clear()

    def clear(self) -> None:
        """A new background task starts."""
        self._warnings = []
        for frame in (self._ui.errorFrame, self._ui.warningFrame, self._ui.resultFrame):
            frame.setVisible(False)

    def show_ready(self, obstacle: str, note: str) -> None:
        """``obstacle``: why no task can start now; ``note``: what to know before it starts. Both may be empty."""
        self._ui.startButton.setText(self._texts.start)
        self._ui.startButton.setEnabled(not obstacle)
        self._ui.progressFrame.setVisible(False)
        self.show_hint(obstacle or note)

    def show_hint(self, text: str) -> None:
        """Above the button; empty: none."""
        self._ui.hintLabel.setText(text)
        self._ui.hintLabel.setVisible(bool(text))

    def show_busy(self, is_cancelling: bool) -> None:
        self._ui.startButton.setText(_("Cancelling...") if is_cancelling else _("Cancel"))
        self._ui.startButton.setEnabled(not is_cancelling)
        self._ui.hintLabel.setVisible(False)
        self._ui.progressFrame.setVisible(True)

    def show_progress(self, fraction: float, step: str, item: str) -> None:
        self._ui.progressBar.setValue(round(fraction * _STEPS))
        self._ui.stepLabel.setText(export_step_text(step, item))

    def show_failed(self, failure: Failure) -> None:
        self._ui.errorWhatLabel.setText(failure.what)
        self._ui.errorTodoLabel.setText(failure.todo)
        self._ui.errorTodoLabel.setVisible(bool(failure.todo))
        self._ui.errorCodeLabel.setText(_("Code: {code}").format(code=failure.code))
        self._ui.errorFrame.setVisible(True)
        self._sight.bring(self._ui.errorFrame)

    def add_warning(self, problem: Problem) -> None:
        sentences = " ".join(problem_texts(problem))
        if sentences not in self._warnings:
            self._warnings.append(sentences)
        self._ui.warningLabel.setText("\n\n".join(self._warnings))
        self._ui.warningFrame.setVisible(True)
        self._sight.bring(self._ui.warningFrame)

    def show_result(self, text: str, has_button: bool) -> None:
        self._ui.resultLabel.setText(text)
        self._ui.resultButton.setVisible(has_button and bool(self._texts.result))
        self._ui.resultFrame.setVisible(True)
        self._sight.bring(self._ui.resultFrame)

    def close(self) -> None:
        self._sight.close()

    def _on_dismiss(self) -> None:
        self._ui.errorFrame.setVisible(False)
