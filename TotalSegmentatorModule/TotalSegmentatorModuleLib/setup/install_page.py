"""The set-up's page inside the panel: what will be installed, how far it is, how it ended."""

from __future__ import annotations

from collections.abc import Callable

from slicer.i18n import tr as _
from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.setup import SetupProgressEvent

from TotalSegmentatorModuleLib.background.command_process import Failure
from TotalSegmentatorModuleLib.setup.plan import SetupPlan
from TotalSegmentatorModuleLib.setup.texts import amount_text, plan_html, step_text, warnings_text
from TotalSegmentatorModuleLib.texts.errors import problem_texts

_STEPS = 1000
"""The bar counts in thousandths, so that it moves in long downloads too."""


class SetupPage:
    """Shows. The first button does what the page that is shown says; the others are connected by panel_setup.py."""

    def __init__(self, ui) -> None:
        self._ui = ui
        self._on_first: Callable[[], None] | None = None
        self._warnings: list[str] = []
        for label in (ui.setupTitleLabel, ui.setupErrorWhatLabel):
            bold = label.font
            bold.setBold(True)
            label.setFont(bold)
        ui.setupInstallButton.connect("clicked(bool)", self._on_first_clicked)
        ui.setupPageFrame.setVisible(False)

    def hide(self) -> None:
        self._ui.setupPageFrame.setVisible(False)

    def show_asking(self) -> None:
        """The plan is being made."""
        self._begin(_("This segmentation needs a set-up first"), _("Looking at what this computer needs..."))
        self._show_buttons("setupNotNowButton")

    def show_offer(self, plan: SetupPlan, on_install: Callable[[], None]) -> None:
        """What will be installed; the user decides."""
        self._begin(_("Needed once before this segmentation can start:"), plan_html(plan))
        for problem in plan.warnings:
            self._warnings.append(" ".join(problem_texts(problem)))
        self._show_warnings(warnings_text(plan, self._warnings))
        self._offer(_("Install"), on_install)

    def show_installing(self, title: str, remark: str, is_measured: bool) -> None:
        """``is_measured``: whether the command tells how far it is."""
        self._begin(title, remark)
        self._ui.setupProgressBar.setRange(0, _STEPS if is_measured else 0)
        self._ui.setupProgressBar.setValue(0)
        self._ui.setupProgressBar.setVisible(True)
        self._ui.setupStepLabel.setText(_("Starting") if is_measured else "")
        self._ui.setupStepLabel.setVisible(is_measured)
        self._show_buttons(*(("setupCancelButton",) if is_measured else ()))
        self._ui.setupCancelButton.setEnabled(True)

    def show_progress(self, event: SetupProgressEvent) -> None:
        self._ui.setupProgressBar.setValue(round(event.fraction * _STEPS))
        self._ui.setupStepLabel.setText(step_text(event))
        amount = amount_text(event)
        self._ui.setupAmountLabel.setText(amount)
        self._ui.setupAmountLabel.setVisible(bool(amount))

    def show_cancelling(self) -> None:
        self._ui.setupStepLabel.setText(_("Stopping; what has been downloaded is kept"))
        self._ui.setupAmountLabel.setVisible(False)
        self._ui.setupCancelButton.setEnabled(False)

    def add_warning(self, problem: Problem) -> None:
        sentence = " ".join(problem_texts(problem))
        if sentence not in self._warnings:
            self._warnings.append(sentence)
        self._show_warnings("\n\n".join(self._warnings))

    def show_cancelled(self, on_resume: Callable[[], None]) -> None:
        self._begin(_("The installation was stopped"), _("What has been downloaded is kept."))
        self._offer(_("Resume"), on_resume)

    def show_failed(self, title: str, failure: Failure, again: str, on_again: Callable[[], None]) -> None:
        """``again``: title of the button that tries it once more."""
        self._begin(title, "")
        self._ui.setupErrorWhatLabel.setText(failure.what)
        self._ui.setupErrorTodoLabel.setText(failure.todo)
        self._ui.setupErrorTodoLabel.setVisible(bool(failure.todo))
        self._ui.setupErrorCodeLabel.setText(_("Code: {code}").format(code=failure.code))
        self._ui.setupErrorFrame.setVisible(True)
        self._offer(again, on_again)

    def _begin(self, title: str, text: str) -> None:
        ui = self._ui
        self._warnings = []
        ui.setupTitleLabel.setText(title)
        ui.setupPlanLabel.setText(text)
        ui.setupPlanLabel.setVisible(bool(text))
        for widget in (ui.setupWarningFrame, ui.setupErrorFrame, ui.setupProgressBar):
            widget.setVisible(False)
        for label in (ui.setupStepLabel, ui.setupAmountLabel):
            label.setText("")
            label.setVisible(False)
        ui.setupPageFrame.setVisible(True)

    def _show_warnings(self, text: str) -> None:
        self._ui.setupWarningLabel.setText(text)
        self._ui.setupWarningFrame.setVisible(bool(text))

    def _offer(self, first: str, on_first: Callable[[], None]) -> None:
        self._on_first = on_first
        self._ui.setupInstallButton.setText(first)
        self._show_buttons("setupInstallButton", "setupOfflineButton", "setupNotNowButton")

    def _show_buttons(self, *names: str) -> None:
        for name in ("setupInstallButton", "setupOfflineButton", "setupNotNowButton", "setupCancelButton"):
            getattr(self._ui, name).setVisible(name in names)

    def _on_first_clicked(self) -> None:
        if self._on_first is not None:
            self._on_first()
