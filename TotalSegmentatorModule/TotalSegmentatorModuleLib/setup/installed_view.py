"""The Set-up section: the state of the installation, and diagnostics to copy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import slicer
from slicer.i18n import tr as _
from TotalSegmentatorWire.command.log_text import without_names

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.background.command_process import ProcessResult, process_result
from TotalSegmentatorModuleLib.background.task_runner import TaskEnd, TaskRunner
from TotalSegmentatorModuleLib.qt_helpers.disclosure import Disclosure
from TotalSegmentatorModuleLib.qt_helpers.folders import open_folder
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.setup.commands import doctor_command, log_path, run_setup, show_command
from TotalSegmentatorModuleLib.setup.plan import setup_plan
from TotalSegmentatorModuleLib.setup.state import setup_state
from TotalSegmentatorModuleLib.setup.texts import details_text, state_text, versions_text, versions_title

_LOG_LINES = 80
_LOG_TAIL_BYTES = 64 << 10


class InstalledView:
    """Shows the installation while the section is open. changes.py connects the buttons that change it."""

    def __init__(self, ui: Widgets, model_in_use: Callable[[], str]) -> None:
        """``model_in_use`` tells the chosen model, by its id or its folder; empty where none is chosen."""
        self._ui = ui
        self._model_in_use = model_in_use
        self._is_outdated = False
        self._is_enabled = True
        self._runner = TaskRunner(Ticker, settings.work_folder())
        self._versions = Disclosure(ui.versionsButton, ui.versionsLabel)
        ui.noteLabel.setVisible(False)
        ui.collapsibleButton.connect("contentsCollapsed(bool)", self._on_collapsed)
        ui.openFolderButton.connect("clicked(bool)", self._on_open_folder)
        ui.diagnosticsButton.connect("clicked(bool)", self._on_diagnostics)

    def refresh(self) -> None:
        """Read again what is installed, if the section is open."""
        if self._ui.collapsibleButton.collapsed:
            return
        if not setup_state().has_engine:
            self._is_outdated = False
            self._show_state()
            return  # and nothing is written, so that nothing is left after a removal
        self._show_state()
        if not self._runner.is_busy:
            self._runner.start(run_setup(show_command([])), self._on_plan)

    def set_enabled(self, is_enabled: bool) -> None:
        """Lock what changes the installation, while a job or another installation runs."""
        self._is_enabled = is_enabled
        self._show_state()

    def show_note(self, text: str) -> None:
        """One line below the buttons."""
        self._ui.noteLabel.setText(text)
        self._ui.noteLabel.setVisible(bool(text))

    def dispose(self) -> None:
        self._runner.dispose()

    def _show_state(self) -> None:
        ui = self._ui
        for widget in (ui.repairButton, ui.addFileButton, ui.addFolderButton, ui.voxelOrderComboBox, ui.removeButton):
            widget.setEnabled(self._is_enabled)
        ui.updateButton.setEnabled(self._is_enabled and self._is_outdated)
        if ui.collapsibleButton.collapsed:
            return
        state = setup_state()
        ui.stateLabel.setText(state_text(state, self._is_outdated))
        ui.detailsLabel.setText(details_text(state))
        self._versions.update(versions_title(state), versions_text(state))
        is_there = bool(state.engine_bytes or state.models or state.own_models)
        ui.removeButton.setEnabled(self._is_enabled and is_there)

    def _on_collapsed(self, is_collapsed: bool) -> None:
        if not is_collapsed:
            self.refresh()

    def _on_plan(self, task_end: TaskEnd) -> None:
        end = process_result(task_end)
        try:
            self._is_outdated = end.is_success and setup_plan(end.output).is_outdated
        except ValueError:
            self._is_outdated = False
        self._show_state()

    # -- buttons -------------------------------------------------------------------------------------------------------

    def _on_open_folder(self) -> None:
        folders = {settings.engines_folder().parent, settings.models_folder().parent}
        folder = folders.pop() if len(folders) == 1 else settings.engines_folder()
        if folder.is_dir():
            self.show_note(open_folder(folder))
        else:
            self.show_note(_("Nothing is installed yet, so there is no folder to open."))

    def _on_diagnostics(self) -> None:
        self._runner.stop()
        self._ui.diagnosticsButton.setEnabled(False)
        self.show_note(_("Checking the installation. This may take a minute..."))
        self._runner.start(run_setup(doctor_command(self._model_in_use())), self._on_doctor)

    def _on_doctor(self, end: TaskEnd) -> None:
        self._ui.diagnosticsButton.setEnabled(True)
        lines = _doctor_lines(process_result(end))
        if settings.engine_packages_folder() is not None:
            lines.append("The panel uses the user's own packages, which were not checked.")
        lines += ["", "Set-up log:", *_log_tail(log_path())]
        slicer.app.clipboard().setText(without_names_in_lines(lines))
        self.show_note(_("The diagnostics were copied to the clipboard."))


def without_names_in_lines(lines: list[str]) -> str:
    """Remove the names of folders and patients."""
    return "\n".join(without_names(line) for line in lines)


def _doctor_lines(end: ProcessResult) -> list[str]:
    """What the doctor found; it ends with a status of its own where something is wrong."""
    try:
        return [str(line) for line in json.loads(end.output)["lines"]]
    except (ValueError, KeyError, TypeError):
        failure = end.failure
        return ["{}: {} {}".format(failure.code, failure.what, failure.todo)] if failure else ["no answer"]


def _log_tail(log: Path) -> list[str]:
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _LOG_TAIL_BYTES))
            return stream.read().decode("utf-8", "replace").splitlines()[-_LOG_LINES:]
    except OSError:
        return ["no log yet"]
