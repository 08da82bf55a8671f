"""The set-up in the panel: offers an installation if a job needs one, and starts the job afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.background.command_process import Failure, failure_of, process_result
from TotalSegmentatorModuleLib.background.task_runner import TaskEnd, TaskRunner
from TotalSegmentatorModuleLib.model_choices import CATALOGUE, OWN_FOLDER
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.segment.session import JobOrder
from TotalSegmentatorModuleLib.setup.changes import SectionChanges, SetupChange, SetupChanges
from TotalSegmentatorModuleLib.setup.commands import install_command, run_setup, show_command
from TotalSegmentatorModuleLib.setup.fields import SetupFields
from TotalSegmentatorModuleLib.setup.install_page import InstallPage
from TotalSegmentatorModuleLib.setup.installed_view import InstalledView
from TotalSegmentatorModuleLib.setup.pending_job import PendingOrder, SetupNeeds, needs_of
from TotalSegmentatorModuleLib.setup.plan import setup_plan
from TotalSegmentatorModuleLib.setup.removal import Removal


@dataclass(frozen=True)
class SetupCallbacks:
    """What the set-up calls in the rest of the panel."""

    start_order: Callable[[JobOrder], None]
    """Start a deferred job where the panel runs jobs by now; problems are shown. It may be deferred again."""
    end_engine: Callable[[], None]
    """Stop the engine, unless it runs a job, because its packages change."""
    on_models: Callable[[], None]
    """The installed models or the models folder have changed."""
    on_change: Callable[[], None]
    """Whether Apply is enabled may have changed."""
    on_server: Callable[[], None]
    """The settings of the department server have changed."""
    choose_model: Callable[[str, str], None]
    """The model's id, and its folder where that is OWN_FOLDER."""
    choose_suggested: Callable[[], None]
    """The model that was in use is gone."""
    model_in_use: Callable[[], str]
    """The chosen model: its id, or its folder where it is the user's own; empty where none is chosen."""
    show_text: Callable[[str], None]
    show_problem: Callable[[Problem], None]
    add_note: Callable[[str], None]
    add_log: Callable[[str], None]


class SetupSection:
    """The set-up's page and section, and the deferred order."""

    def __init__(self, page_ui: Widgets, ui: Widgets, callbacks: SetupCallbacks) -> None:
        self._callbacks = callbacks
        self._pending: PendingOrder | None = None
        self._needs = SetupNeeds()
        self._is_job_running = False
        self._plan_runner = TaskRunner(Ticker, settings.work_folder())
        self._page = InstallPage(page_ui)
        self._installed = InstalledView(ui, callbacks.model_in_use)
        self._changes = SetupChanges(page_ui, self._page, self._on_changes, callbacks.add_log)
        self._section_changes = SectionChanges(ui, self._changes, self._on_section_done)
        self._fields = SetupFields(ui, self._on_installation_changed, self._on_models_folder, callbacks.on_server)
        self._removal = Removal(ui.removeButton, self._changes, self._fields, self._on_removed)
        page_ui.offlineButton.connect("clicked(bool)", self._on_offline)
        page_ui.notNowButton.connect("clicked(bool)", self._on_not_now)
        self._lock()

    # -- what the panel calls ------------------------------------------------------------------------------------------

    def defer(self, order: JobOrder) -> bool:
        """Keep ``order`` and show the page if packages or models are missing for it; returns whether that is so."""
        needs = needs_of(order)
        if needs.is_nothing:
            return False
        self._show_needs(order, needs)
        return True

    def engine_failed(self, order: JobOrder) -> None:
        """Some of the engine's packages are missing or damaged: offer to install them again."""
        self._show_needs(order, SetupNeeds(needs_of(order).models, has_engine=False, is_repair=True))

    def obstacle(self) -> str:
        """Why no job can start now, in a sentence; empty if one can."""
        change = self._changes.current
        if change is not None and change.touches_engine:
            return _("Wait until the set-up is complete, or cancel it.")
        return ""

    def set_enabled(self, is_enabled: bool) -> None:
        """Lock the section while a job runs."""
        self._is_job_running = not is_enabled
        self._lock()

    def refresh(self) -> None:
        self._installed.refresh()

    def node_removed(self, node_id: str) -> None:
        """A node was removed from the scene; an order is dropped with its CT."""
        if self._pending is not None and self._pending.ct_id == node_id:
            self._drop_order()

    def scene_closing(self) -> None:
        """The order is dropped with its scene; an installation continues."""
        if self._pending is not None:
            self._drop_order()

    def close(self) -> None:
        """The application quits: stop an installation, which can be resumed in the next session."""
        self._pending = None
        self._page.close()
        self._plan_runner.dispose()
        self._installed.dispose()
        self._changes.close()
        self._removal.close()

    # -- the page ------------------------------------------------------------------------------------------------------

    def _show_needs(self, order: JobOrder, needs: SetupNeeds) -> None:
        self._pending, self._needs = PendingOrder(order), needs
        if self._changes.current is None:
            self._request_plan()
        else:
            self._callbacks.show_text(_("The segmentation will start when the set-up is complete."))

    def _drop_order(self) -> None:
        self._pending = None
        if self._changes.current is None:
            self._on_not_now()

    def _request_plan(self) -> None:
        self._plan_runner.stop()
        self._page.show_checking()
        command = show_command(self._needs.models, self._needs.is_repair)
        self._plan_runner.start(run_setup(command), self._on_plan)

    def _on_plan(self, task_end: TaskEnd) -> None:
        end = process_result(task_end)
        try:
            failure, plan = end.failure, None if end.failure else setup_plan(end.output)
        except ValueError:
            failure, plan = failure_of(Problem("BAD_REQUEST", {"detail": "setup --show"})), None
        if failure is not None or plan is None:
            self._show_plan_failed(failure)
        elif plan.missing:
            self._page.show_offer(plan, self._install)
        else:  # another Slicer has installed it in the meantime
            self._page.hide()
            self._on_installed("")

    def _show_plan_failed(self, failure: Failure) -> None:
        title = _("Could not determine what this computer needs")
        self._callbacks.add_log("{}: {} {}\n".format(failure.code, failure.what, failure.todo))
        self._page.show_failed(title, failure, _("Try again"), self._request_plan)

    def _install(self) -> None:
        needs = self._needs
        self._changes.run(
            SetupChange(
                _("Installing"),
                lambda: install_command(needs.models, needs.is_repair),
                self._on_installed,
                touches_engine=needs.is_repair,
                remark=_(
                    "The segmentation starts automatically when the installation is complete. You can keep working."
                ),
            )
        )

    def _on_installed(self, _output: str) -> None:
        self._on_installation_changed()
        pending, self._pending = self._pending, None
        if pending is None:
            self._callbacks.show_text(_("The set-up is complete."))
            return
        try:
            order = pending.resolved()
        except SegmentationError as error:
            self._callbacks.show_problem(error.problem)
            return
        if pending.lost_output:
            self._callbacks.add_note(
                _("The output segmentation was edited or removed in the meantime, so a new one was created.")
            )
        self._callbacks.start_order(order)

    def _on_offline(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), _("Choose offline folder"), "")
        if folder:
            self._fields.choose_offline_folder(folder)
            if self._pending is not None:  # else the page is about a change from the section
                self._request_plan()

    def _on_not_now(self) -> None:
        self._plan_runner.stop()
        self._pending = None
        self._page.hide()

    # -- the section ---------------------------------------------------------------------------------------------------

    def _on_section_done(self, sentence: str, added: str) -> None:
        self._installed.show_note(sentence)
        self._on_installation_changed()
        if added in CATALOGUE:
            self._callbacks.choose_model(added, "")
        elif added:
            self._callbacks.choose_model(OWN_FOLDER, added)

    def _on_removed(self, sentence: str) -> None:
        in_use = self._callbacks.model_in_use()
        if in_use and in_use not in CATALOGUE and not Path(in_use).is_dir():
            self._callbacks.choose_suggested()
        self._on_section_done(sentence, "")

    def _on_installation_changed(self) -> None:
        """Packages or models were installed or removed, or are elsewhere."""
        self._callbacks.end_engine()
        self._callbacks.on_models()
        self._installed.refresh()

    def _on_changes(self) -> None:
        change = self._changes.current
        if change is not None and change.touches_engine:
            self._callbacks.end_engine()
        self._lock()
        self._callbacks.on_change()

    def _on_models_folder(self) -> None:
        self._callbacks.on_models()
        self._installed.refresh()

    def _lock(self) -> None:
        is_free = not self._is_job_running and self._changes.current is None
        self._installed.set_enabled(is_free)
        self._fields.set_enabled(is_free)
