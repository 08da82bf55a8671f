"""The set-up's page in the panel: what will be installed, the progress, and how it ended."""

from __future__ import annotations

from collections.abc import Callable

from slicer.i18n import tr as _
from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.setup import SetupProgressEvent

from TotalSegmentatorModuleLib.background.command_process import Failure
from TotalSegmentatorModuleLib.qt_helpers.scrolling import IntoSight
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.setup.plan import SetupPlan
from TotalSegmentatorModuleLib.setup.texts import amount_text, plan_html, step_text, warnings_text
from TotalSegmentatorModuleLib.texts.errors import problem_texts

_STEPS = 1000
"""The bar counts in thousandths, so that it moves in long downloads too."""


class InstallPage:
    """Shows one of several pages. The first button is the page's own; section.py connects the others."""

    def __init__(self, ui: Widgets) -> None:
        self._ui = ui
        self._on_first: Callable[[], None] | None = None
        self._warnings: list[str] = []
        self._sight = IntoSight()
        for label in (ui.titleLabel, ui.errorWhatLabel):
            bold = label.font
            bold.setBold(True)
            label.setFont(bold)
        ui.installButton.connect("clicked(bool)", self._on_first_clicked)
        ui.pageFrame.setVisible(False)

    def close(self) -> None:
        self._sight.close()

    def hide(self) -> None:
        self._ui.pageFrame.setVisible(False)

    def show_checking(self) -> None:
        """The plan of the set-up has been requested."""
        self._begin(_("Set-up required"), _("Checking what this computer needs..."))
        self._show_buttons(self._ui.notNowButton)

    def show_offer(self, plan: SetupPlan, on_install: Callable[[], None]) -> None:
        """What will be installed; the user decides."""
        self._begin(_("To be installed before the segmentation can start:"), plan_html(plan))
        for problem in plan.warnings:
            self._warnings.append(" ".join(problem_texts(problem)))
        self._show_warnings(warnings_text(plan, self._warnings))
        self._offer(_("Install"), on_install)

    def show_installing(self, title: str, remark: str, is_measured: bool) -> None:
        """``is_measured``: whether the command reports its progress."""
        self._begin(title, remark)
        self._ui.progressBar.setRange(0, _STEPS if is_measured else 0)
        self._ui.progressBar.setValue(0)
        self._ui.progressBar.setVisible(True)
        self._ui.stepLabel.setText(_("Starting") if is_measured else "")
        self._ui.stepLabel.setVisible(is_measured)
        self._show_buttons(*((self._ui.cancelButton,) if is_measured else ()))
        self._ui.cancelButton.setEnabled(True)

    def show_progress(self, event: SetupProgressEvent) -> None:
        self._ui.progressBar.setValue(round(event.fraction * _STEPS))
        self._ui.stepLabel.setText(step_text(event))
        amount = amount_text(event)
        self._ui.amountLabel.setText(amount)
        self._ui.amountLabel.setVisible(bool(amount))

    def show_cancelling(self) -> None:
        self._ui.stepLabel.setText(_("Stopping; downloaded files are kept"))
        self._ui.amountLabel.setVisible(False)
        self._ui.cancelButton.setEnabled(False)

    def add_warning(self, problem: Problem) -> None:
        sentence = " ".join(problem_texts(problem))
        if sentence not in self._warnings:
            self._warnings.append(sentence)
        self._show_warnings("\n\n".join(self._warnings))

    def show_cancelled(self, on_resume: Callable[[], None]) -> None:
        self._begin(_("The installation was stopped"), _("Downloaded files are kept."))
        self._offer(_("Resume"), on_resume)

    def show_failed(self, title: str, failure: Failure, again: str, on_again: Callable[[], None]) -> None:
        """``again``: title of the button that tries again."""
        self._begin(title, "")
        self._ui.errorWhatLabel.setText(failure.what)
        self._ui.errorTodoLabel.setText(failure.todo)
        self._ui.errorTodoLabel.setVisible(bool(failure.todo))
        self._ui.errorCodeLabel.setText(_("Code: {code}").format(code=failure.code))
        self._ui.errorFrame.setVisible(True)
        self._offer(again, on_again)

    def _begin(self, title: str, text: str) -> None:
        ui = self._ui
        self._warnings = []
        ui.titleLabel.setText(title)
        ui.planLabel.setText(text)
        ui.planLabel.setVisible(bool(text))
        for widget in (ui.warningFrame, ui.errorFrame, ui.progressBar):
            widget.setVisible(False)
        for label in (ui.stepLabel, ui.amountLabel):
            label.setText("")
            label.setVisible(False)
        ui.pageFrame.setVisible(True)
        self._sight.bring(ui.pageFrame)

    def _show_warnings(self, text: str) -> None:
        self._ui.warningLabel.setText(text)
        self._ui.warningFrame.setVisible(bool(text))

    def _offer(self, first: str, on_first: Callable[[], None]) -> None:
        self._on_first = on_first
        self._ui.installButton.setText(first)
        self._show_buttons(self._ui.installButton, self._ui.offlineButton, self._ui.notNowButton)

    def _show_buttons(self, *buttons) -> None:
        ui = self._ui
        for button in (ui.installButton, ui.offlineButton, ui.notNowButton, ui.cancelButton):
            button.setVisible(button in buttons)

    def _on_first_clicked(self) -> None:
        if self._on_first is not None:
            self._on_first()
