"""The lower part of a section that runs the export program: button, progress, errors, warnings, result."""

from __future__ import annotations

from collections.abc import Callable

from slicer.i18n import tr as _
from TotalSegmentatorWire.errors.problem import Problem

from TotalSegmentatorModuleLib.background.command_process import Failure
from TotalSegmentatorModuleLib.tasks.step_text import export_step_text
from TotalSegmentatorModuleLib.texts.errors import problem_texts

_STEPS = 1000
"""The bar counts in thousandths."""


class TaskPage:
    """Shows. What it says stays until it is dismissed or the next task begins.

    The widgets' names begin with ``prefix``; ``title`` is what the button says while nothing runs. ``more`` is the
    button beside the result, which has one or not; ``on_more`` is called when it is clicked.
    """

    def __init__(self, ui, prefix: str, title: str, more, on_more: Callable[[], None]) -> None:
        self._ui = ui
        self._prefix = prefix
        self._title = title
        self._more = more
        self._warnings: list[str] = []
        what = self._widget("ErrorWhatLabel")
        bold = what.font
        bold.setBold(True)
        what.setFont(bold)
        self._widget("ErrorLogButton").connect("clicked(bool)", self._on_show_log)
        self._widget("ErrorDismissButton").connect("clicked(bool)", self._on_dismiss)
        more.connect("clicked(bool)", lambda _checked: on_more())
        self._widget("ProgressFrame").setVisible(False)
        self.clear()

    def _widget(self, name: str):
        return getattr(self._ui, self._prefix + name)

    def clear(self) -> None:
        """A new background task begins."""
        self._warnings = []
        for name in ("ErrorFrame", "WarningFrame", "ResultFrame"):
            self._widget(name).setVisible(False)

    def show_ready(self, obstacle: str, note: str) -> None:
        """``obstacle``: why nothing can be started now; ``note``: what to know beforehand. Both may be empty."""
        self._widget("Button").setText(self._title)
        self._widget("Button").setEnabled(not obstacle)
        self._widget("ProgressFrame").setVisible(False)
        self._widget("HintLabel").setText(obstacle or note)
        self._widget("HintLabel").setVisible(bool(obstacle or note))

    def show_busy(self, is_cancelling: bool) -> None:
        self._widget("Button").setText(_("Cancelling...") if is_cancelling else _("Cancel"))
        self._widget("Button").setEnabled(not is_cancelling)
        self._widget("HintLabel").setVisible(False)
        self._widget("ProgressFrame").setVisible(True)

    def show_progress(self, fraction: float, step: str, item: str) -> None:
        self._widget("ProgressBar").setValue(round(fraction * _STEPS))
        self._widget("StepLabel").setText(export_step_text(step, item))

    def show_failed(self, failure: Failure) -> None:
        self._widget("ErrorWhatLabel").setText(failure.what)
        self._widget("ErrorTodoLabel").setText(failure.todo)
        self._widget("ErrorTodoLabel").setVisible(bool(failure.todo))
        self._widget("ErrorCodeLabel").setText(_("Code: {code}").format(code=failure.code))
        self._widget("ErrorFrame").setVisible(True)

    def add_warning(self, problem: Problem) -> None:
        sentences = " ".join(problem_texts(problem))
        if sentences not in self._warnings:
            self._warnings.append(sentences)
        self._widget("WarningLabel").setText("\n\n".join(self._warnings))
        self._widget("WarningFrame").setVisible(True)

    def show_result(self, text: str, has_more: bool) -> None:
        self._widget("ResultLabel").setText(text)
        self._more.setVisible(has_more)
        self._widget("ResultFrame").setVisible(True)

    # -- slots ---------------------------------------------------------------------------------------------------------

    def _on_show_log(self) -> None:
        self._ui.logCollapsibleButton.collapsed = False

    def _on_dismiss(self) -> None:
        self._widget("ErrorFrame").setVisible(False)
