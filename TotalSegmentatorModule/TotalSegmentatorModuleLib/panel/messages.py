"""The lower part of the panel: errors, warnings, the result line and the log."""

from __future__ import annotations

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _
from TotalSegmentatorWire.agreement.kept import agreement_of
from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.plan import Plan
from TotalSegmentatorWire.messages.segment import ResultHeader

from TotalSegmentatorModuleLib.agreement.view import AgreementView
from TotalSegmentatorModuleLib.qt_helpers.disclosure import Disclosure
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.qt_helpers.scrolling import scroll_into_sight, scroll_to_top
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.segment.plan_text import plan_details, plan_text
from TotalSegmentatorModuleLib.segment.progress_text import absent_text, absent_title, log_text, result_text
from TotalSegmentatorModuleLib.texts.errors import problem_texts


class MessagesSection:
    """Shows messages without dialogs. They stay until they are dismissed or the next job starts.

    Each comes into sight, unless ``may_scroll`` denies that the panel may be moved under the user's hands."""

    def __init__(self, ui: Widgets, log: Widgets, may_scroll: Callable[[], bool] = lambda: True) -> None:
        self._ui = ui
        self._log = log
        self._may_scroll = may_scroll
        self._notes: list[str] = []
        self._warned: set[str] = set()
        """Codes of the warnings that are shown."""
        self._newest, self._is_result_new = ui.resultLabel, False
        self._scroller = Ticker(self._scroll)
        self._absent = Disclosure(ui.absentButton, ui.absentLabel)
        self._agreement = AgreementView(ui)
        ui.errorDismissButton.connect("clicked(bool)", self.hide_error)
        log.copyButton.connect("clicked(bool)", self._on_copy_log)
        bold = ui.errorWhatLabel.font
        bold.setBold(True)
        ui.errorWhatLabel.setFont(bold)
        self._parts = (ui.errorFrame, ui.warningFrame, ui.resultLabel, ui.nextWidget)
        self.clear()

    def clear(self) -> None:
        """Hide everything except the log: a new job starts."""
        self._notes, self._warned = [], set()
        for widget in self._parts:
            widget.setVisible(False)
        self._absent.show("", "")
        self._agreement.hide()
        self._ui.messagesWidget.setVisible(False)

    def show_error(self, problem: Problem, can_be_repeated: bool = False, offers_this_computer: bool = False) -> None:
        """``can_be_repeated``: it was asked for in this panel; ``offers_this_computer``: it ran elsewhere and can be
        repeated here."""
        what, todo = problem_texts(problem)
        self._ui.errorWhatLabel.setText(what)
        may_accept_size = can_be_repeated and problem.code == "INPUT_SIZE_UNLIKELY"
        if may_accept_size:  # the error's own sentence is for the command line, too
            todo = _("Correct the voxel spacing. If the size is right, click 'Segment anyway'.")
        self._ui.errorTodoLabel.setText(todo)
        self._ui.errorCodeLabel.setText(_("Code: {code}").format(code=problem.code))
        self._ui.errorAnywayButton.setVisible(may_accept_size)
        self._ui.errorHereButton.setVisible(offers_this_computer)
        self._hide_result()
        self._set_visible(self._ui.errorFrame, True)
        self._bring_into_sight(self._ui.errorFrame)
        self.add_log("{}: {} {}\n".format(problem.code, what, todo))

    def hide_error(self) -> None:
        self._set_visible(self._ui.errorFrame, False)

    def add_warning(self, problem: Problem) -> None:
        what, todo = problem_texts(problem)
        self.show_note(what + " " + todo)
        self._warned.add(problem.code)
        self.add_log("{}: {} {}\n".format(problem.code, what, todo))

    def add_note(self, text: str) -> None:
        """Something to read that is neither an error nor about the CT."""
        self.show_note(text)
        self.add_log(text + "\n")

    def show_note(self, text: str) -> None:
        """As ``add_note``, but not in the log, which users hand on: ``text`` names nodes, and so perhaps a patient."""
        if text not in self._notes:
            self._notes.append(text)
        self._ui.warningLabel.setText("\n\n".join(self._notes))
        self._set_visible(self._ui.warningFrame, True)
        self._bring_into_sight(self._ui.warningFrame)

    def add_plan(self, plan: Plan) -> None:
        """Add the plan to the log, so that problem reports include it."""
        self.add_log("{}\n{}\n".format(plan_text(plan), plan_details(plan)))

    def show_result(self, header: ResultHeader, run_exactly: Callable[[], None] | None = None) -> None:
        """The line about a result, and the buttons with which one goes on (next_steps.py). ``run_exactly``: as of
        AgreementView."""
        self.show_text(result_text(header))
        self._agreement.show(agreement_of(header.agreement), run_exactly, "AGREEMENT_UNKNOWN" in self._warned)
        self._absent.show(absent_title(header), absent_text(header))
        self._ui.nextWidget.setVisible(True)
        self.add_log(log_text(header) + "\n")

    def show_text(self, text: str) -> None:
        """Show one line in the place of the result."""
        self._hide_result()
        self._ui.resultLabel.setText(text)
        self._set_visible(self._ui.resultLabel, True)
        self._bring_into_sight(self._ui.resultLabel)

    def scroll_to_result(self) -> None:
        """All sections know of the result."""
        self._is_result_new = True
        self._scroller.start()

    def hide_next_steps(self) -> None:
        """The segmentation of the result is gone."""
        self._ui.nextWidget.setVisible(False)

    def close(self) -> None:
        self._scroller.dispose()

    def add_log(self, text: str) -> None:
        """Append whole lines to the log."""
        self._log.textEdit.appendPlainText(text.rstrip("\n"))

    def show_log(self) -> None:
        """Open the Log section."""
        self._log.collapsibleButton.collapsed = False

    def _hide_result(self) -> None:
        for widget in (self._ui.resultLabel, self._ui.nextWidget):
            widget.setVisible(False)
        self._absent.show("", "")
        self._agreement.hide()

    def _bring_into_sight(self, part) -> None:
        self._newest = part
        self._scroller.start()  # when the part has got its height

    def _scroll(self) -> None:
        """To a result's own line, below which the review begins; otherwise no further than shows what is new."""
        if self._is_result_new and self._may_scroll():
            scroll_to_top(self._ui.messagesWidget)
        elif self._may_scroll():
            scroll_into_sight(self._newest)
        self._is_result_new = False

    def _set_visible(self, part, is_visible: bool) -> None:
        part.setVisible(is_visible)
        # without anything to show the widget around the parts would leave a gap
        self._ui.messagesWidget.setVisible(any(not each.isHidden() for each in self._parts))

    def _on_copy_log(self) -> None:
        slicer.app.clipboard().setText(self._log.textEdit.toPlainText())
