"""Changes of the installation: one at a time, in the background, with their progress on the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _
from TotalSegmentatorWire.messages.segment import WarningEvent
from TotalSegmentatorWire.messages.setup import SetupProgressEvent
from TotalSegmentatorWire.tables.voxel_orders import AS_IN_FILE, ORIENTATIONS

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.background.command_process import process_result
from TotalSegmentatorModuleLib.background.process_failures import problem_of_event
from TotalSegmentatorModuleLib.background.task_runner import TaskEnd, TaskRunner
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.setup.commands import (
    QUIT_SECONDS,
    SetupCommand,
    add_model_command,
    install_command,
    run_setup,
)
from TotalSegmentatorModuleLib.setup.install_page import InstallPage
from TotalSegmentatorModuleLib.setup.texts import step_text


@dataclass(frozen=True)
class SetupChange:
    """``make_command`` is called for every attempt: the settings may have changed. ``on_done`` gets the output.

    ``touches_engine``: packages in use are replaced or removed, so no job may run at the same time.
    """

    title: str
    """Such as "Installing"."""
    make_command: Callable[[], SetupCommand]
    on_done: Callable[[str], None]
    touches_engine: bool = False
    remark: str = ""
    """What happens after it."""


class SetupChanges:
    """``on_state`` is called when a change begins and, before its own ``on_done``, when it has ended."""

    def __init__(
        self, ui: Widgets, page: InstallPage, on_state: Callable[[], None], on_log: Callable[[str], None]
    ) -> None:
        self._ui = ui
        self._page = page
        self._on_state = on_state
        self._on_log = on_log
        self._runner = TaskRunner(Ticker, settings.work_folder())
        self._change: SetupChange | None = None
        self._last_step = ""
        ui.cancelButton.connect("clicked(bool)", self._on_cancel)

    @property
    def current(self) -> SetupChange | None:
        """The change that is running."""
        return self._change if self._runner.is_busy else None

    def run(self, change: SetupChange) -> None:
        """Start ``change``, unless another one is running."""
        if self._runner.is_busy:
            return
        self._change = change
        self._last_step = ""
        command = change.make_command()
        self._page.show_installing(change.title, change.remark, command.has_events)
        self._on_log("{}\n".format(change.title))
        self._runner.start(run_setup(command, self._on_event, QUIT_SECONDS), self._on_end)
        self._on_state()

    def close(self) -> None:
        """Stop a running change."""
        self._runner.dispose()

    def _on_cancel(self) -> None:
        self._page.show_cancelling()
        self._runner.cancel()

    def _on_event(self, event: Any) -> None:
        if isinstance(event, SetupProgressEvent):
            if self._ui.cancelButton.enabled:  # otherwise it is stopping, and the page says so
                self._page.show_progress(event)
            step = step_text(event)
            if step != self._last_step:
                self._last_step = step
                self._on_log(step + "\n")
        elif isinstance(event, WarningEvent):
            problem = problem_of_event(event)
            self._page.add_warning(problem)
            self._on_log("{}: {} {}\n".format(problem.code, problem.what, problem.todo))

    def _on_end(self, task_end: TaskEnd) -> None:
        change, end = self._change, process_result(task_end)
        if end.failure is not None:
            failure = end.failure
            self._on_log("{}: {} {}\n".format(failure.code, failure.what, failure.todo))
            title = _("{task} failed").format(task=change.title)
            self._page.show_failed(title, failure, _("Resume"), lambda: self.run(change))
        elif end.is_cancelled:
            self._page.show_cancelled(lambda: self.run(change))
        else:
            self._page.hide()
        self._on_state()
        if end.is_success:
            change.on_done(end.output)


class SectionChanges:
    """The buttons that install something. ``on_done`` gets a sentence, and the model that was added."""

    def __init__(self, ui: Widgets, changes: SetupChanges, on_done: Callable[[str, str], None]) -> None:
        self._orders = ui.voxelOrderComboBox
        self._changes = changes
        self._on_done = on_done
        self._offer_orders()
        ui.repairButton.connect("clicked(bool)", self._on_repair)
        ui.updateButton.connect("clicked(bool)", self._on_update)
        ui.addFileButton.connect("clicked(bool)", self._on_add_file)
        ui.addFolderButton.connect("clicked(bool)", self._on_add_folder)

    def _on_repair(self) -> None:
        self._renew(_("Repairing the engine"))

    def _on_update(self) -> None:
        self._renew(_("Updating the engine"))

    def _renew(self, title: str) -> None:
        def on_done(_output: str) -> None:
            self._on_done(_("The engine's packages were installed."), "")

        self._changes.run(SetupChange(title, lambda: install_command((), is_repair=True), on_done, touches_engine=True))

    def _on_add_file(self) -> None:
        title = _("Choose model archive")
        self._add(qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), title, "", _("ZIP archives (*.zip)")))

    def _on_add_folder(self) -> None:
        self._add(qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), _("Choose model folder"), ""))

    def _offer_orders(self) -> None:
        self._orders.addItem(_("Not known"), "")
        self._orders.addItem(_("As in each file"), AS_IN_FILE)
        for orientation in ORIENTATIONS:
            self._orders.addItem(orientation, orientation)

    def _add(self, path: str) -> None:
        if path:
            title = _("Adding a model")
            order = self._orders.itemData(self._orders.currentIndex) or ""
            self._changes.run(SetupChange(title, lambda: add_model_command(path, order), self._on_added))

    def _on_added(self, output: str) -> None:
        self._orders.setCurrentIndex(0)  # another model may have another order
        lines = output.split("\n")
        added = next((line.strip() for line in reversed(lines) if line.strip()), "")
        self._on_done(_("The model was added."), added)
