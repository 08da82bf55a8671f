"""The lines of the Review section about kept edits: turned on and off, shown and deleted."""

from __future__ import annotations

from collections.abc import Callable, Generator

import qt
from slicer.i18n import tr as _
from TotalSegmentatorWire.edits_file import delete_edits, edits_file, report_beside
from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.job_folder import create_owned_folder, jobs_folder, new_id
from TotalSegmentatorWire.messages.export import EXPORT_EVENTS, ExportFinishedEvent

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.background import installed_engine
from TotalSegmentatorModuleLib.background.command_process import (
    OneShotProcess,
    ProcessProtocol,
    ProcessResult,
    failure_of,
    process_result,
)
from TotalSegmentatorModuleLib.background.task_runner import TaskEnd, TaskRunner
from TotalSegmentatorModuleLib.qt_helpers.questions import confirm_loss
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets

_PROTOCOL = ProcessProtocol(EXPORT_EVENTS, ExportFinishedEvent, "EXPORT_DIED")
_RUNNING_MS, _CANCEL_SECONDS, _QUIT_SECONDS = 50, 3.0, 1.0
_LOG = "edits.log"


class KeptEdits:
    """The widgets of ReviewEdits.ui. ``on_changed`` is called when the program that makes the report starts or ends."""

    def __init__(self, ui: Widgets, on_changed: Callable[[], None]) -> None:
        self._ui = ui
        self._file = edits_file()
        self._runner = TaskRunner(Ticker, settings.work_folder(), lambda _busy, _cancelling: self._on_busy(on_changed))
        ui.editsCheckBox.connect("toggled(bool)", lambda is_on: settings.turn(settings.REVIEW_EDITS, is_on))
        ui.showEditsButton.connect("clicked(bool)", self._on_show)
        ui.deleteEditsButton.connect("clicked(bool)", self._on_delete)
        self._say("")
        self.refresh()

    @property
    def is_busy(self) -> bool:
        return self._runner.is_busy

    def refresh(self) -> None:
        """A sheet may have been made, or the settings removed."""
        self._ui.editsCheckBox.checked = settings.is_on(settings.REVIEW_EDITS)
        has_edits = self._file.exists()
        self._ui.showEditsButton.setVisible(has_edits)
        self._ui.deleteEditsButton.setVisible(has_edits)

    def close(self) -> None:
        self._runner.dispose()

    # -- inside --------------------------------------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        self._ui.editsLabel.setText(text)
        self._ui.editsLabel.setVisible(bool(text))

    def _on_busy(self, on_changed: Callable[[], None]) -> None:
        for button in (self._ui.showEditsButton, self._ui.deleteEditsButton):
            button.setEnabled(not self._runner.is_busy)
        on_changed()

    def _on_show(self) -> None:
        if not self._runner.is_busy:
            self._say(_("Making the report..."))
            self._runner.start(self._report(), self._on_end)

    def _report(self) -> Generator[int, None, ProcessResult]:
        """A task (see task_runner)."""
        engine = installed_engine.engine_environment()
        words = ["edits", "--table", str(self._file), "--report", str(report_beside(self._file))]
        process = OneShotProcess(
            [engine.python, str(engine.program), *words],
            engine.process_environment(),
            create_owned_folder(jobs_folder(settings.work_folder()), new_id()),
            _PROTOCOL,
            settings.work_folder() / _LOG,
        )
        end = yield from process.follow(_RUNNING_MS, _CANCEL_SECONDS, _QUIT_SECONDS)
        return end

    def _on_end(self, task_end: TaskEnd) -> None:
        end = process_result(task_end)
        failure = end.failure
        if failure is None and end.finished is None and not end.is_cancelled:
            failure = failure_of(Problem(_PROTOCOL.died, {"status": 0}))
        if failure is not None:
            self._say("{} {}".format(failure.what, failure.todo))
            return
        self._say("")
        report = report_beside(self._file)
        if not end.is_cancelled and not qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(report))):
            self._say(
                _("The system could not open the report. Open this file in a web browser: {file}").format(file=report)
            )

    def _on_delete(self) -> None:
        question = _("Delete the edits of all reviews? They cannot be brought back.")
        if not confirm_loss(question, _("Delete edits"), _("Delete")):
            return
        try:
            delete_edits(self._file)
        except OSError as error:
            self._say(_("The edits could not be deleted: {reason}").format(reason=error.strerror))
            return
        self._say("")
        self.refresh()
