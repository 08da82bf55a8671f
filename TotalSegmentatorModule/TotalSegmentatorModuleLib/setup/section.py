"""What the panel does about the set-up: offers it when a job needs it, and starts the job that waited for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import qt
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


@dataclass(frozen=True)
class SetupCallbacks:
    """What the set-up calls of the rest of the panel."""

    start_order: Callable[[JobOrder], None]
    """Start a job that waited for the set-up; what is wrong with it is shown."""
    end_engine: Callable[[], None]
    """End the engine, unless it computes: its packages change."""
    on_models: Callable[[], None]
    """Other models are installed now, or the models folder is another one."""
    on_change: Callable[[], None]
    """Whether Apply can be clicked may have changed."""
    choose_model: Callable[[str, str], None]
    """The model's id, and its folder where that is OWN_FOLDER."""
    show_text: Callable[[str], None]
    show_problem: Callable[[Problem], None]
    add_note: Callable[[str], None]
    add_log: Callable[[str], None]


class SetupSection:
    """Page and section of the set-up, and the order that waits for it."""

    def __init__(self, page_ui: Widgets, ui: Widgets, callbacks: SetupCallbacks) -> None:
        self._callbacks = callbacks
        self._pending: PendingOrder | None = None
        self._needs = SetupNeeds()
        self._is_job_running = False
        self._asking = TaskRunner(Ticker, settings.work_folder())
        self._page = InstallPage(page_ui)
        self._installed = InstalledView(ui)
        self._changes = SetupChanges(page_ui, self._page, self._on_changes, callbacks.add_log)
        self._section_changes = SectionChanges(ui, self._changes, self._on_section_done)
        self._fields = SetupFields(ui, self._on_engine_folder, self._on_models_folder)
        page_ui.offlineButton.connect("clicked(bool)", self._on_offline)
        page_ui.notNowButton.connect("clicked(bool)", self._on_not_now)
        self._lock()

    # -- what the panel calls ------------------------------------------------------------------------------------------

    def takes(self, order: JobOrder) -> bool:
        """Whether something is missing for this order; it is kept then, and the page shows what."""
        needs = needs_of(order)
        if needs.is_nothing:
            return False
        self._keep(order, needs)
        return True

    def engine_failed(self, order: JobOrder) -> None:
        """The engine's packages are there, but not all of them: offer new ones."""
        self._keep(order, SetupNeeds(needs_of(order).models, has_engine=False, is_repair=True))

    def obstacle(self) -> str:
        """Why no job can start now, in a sentence; empty where one can."""
        change = self._changes.current
        if change is not None and change.touches_engine:
            return _("Wait until the set-up is complete, or cancel it.")
        return ""

    def set_enabled(self, is_enabled: bool) -> None:
        """A job begins or ends."""
        self._is_job_running = not is_enabled
        self._lock()

    def refresh(self) -> None:
        self._installed.refresh()

    def node_removed(self, node_id: str) -> None:
        """A node has left the scene; without its CT an order has no purpose."""
        if self._pending is not None and self._pending.ct_id == node_id:
            self._drop_order()

    def scene_closing(self) -> None:
        """An installation goes on; the order goes with its scene."""
        if self._pending is not None:
            self._drop_order()

    def close(self) -> None:
        """The application quits: an installation is stopped, and continues where it was at the next start."""
        self._pending = None
        self._asking.dispose()
        self._installed.dispose()
        self._changes.close()

    # -- the page ------------------------------------------------------------------------------------------------------

    def _keep(self, order: JobOrder, needs: SetupNeeds) -> None:
        self._pending, self._needs = PendingOrder(order), needs
        if self._changes.current is None:
            self._ask()
        else:
            self._callbacks.show_text(_("The segmentation will start when the set-up is complete."))

    def _drop_order(self) -> None:
        self._pending = None
        if self._changes.current is None:
            self._on_not_now()

    def _ask(self) -> None:
        self._asking.stop()
        self._page.show_checking()
        command = show_command(self._needs.models, self._needs.is_repair)
        self._asking.start(run_setup(command), self._on_answer)

    def _on_answer(self, task_end: TaskEnd) -> None:
        end = process_result(task_end)
        try:
            failure, plan = end.failure, None if end.failure else setup_plan(end.output)
        except ValueError:
            failure, plan = failure_of(Problem("BAD_REQUEST", {"detail": "setup --show"})), None
        if failure is not None or plan is None:
            self._show_no_answer(failure)
        elif plan.missing:
            self._page.show_offer(plan, self._install)
        else:  # another Slicer has installed it meanwhile
            self._page.hide()
            self._on_installed("")

    def _show_no_answer(self, failure: Failure) -> None:
        title = _("Could not determine what this computer needs")
        self._callbacks.add_log("{}: {} {}\n".format(failure.code, failure.what, failure.todo))
        self._page.show_failed(title, failure, _("Try again"), self._ask)

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
        self._look_again()
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
                _("The output segmentation was edited or removed meanwhile, so a new one was created.")
            )
        if not self.takes(order):
            self._callbacks.start_order(order)

    def _on_offline(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(None, _("Choose offline folder"), "")
        if folder:
            self._fields.choose_offline_folder(folder)
            if self._pending is not None:  # else the page offers to resume something of the section
                self._ask()

    def _on_not_now(self) -> None:
        self._asking.stop()
        self._pending = None
        self._page.hide()

    # -- the section ---------------------------------------------------------------------------------------------------

    def _on_section_done(self, sentence: str, added: str) -> None:
        self._installed.show_note(sentence)
        self._look_again()
        if added in CATALOGUE:
            self._callbacks.choose_model(added, "")
        elif added:
            self._callbacks.choose_model(OWN_FOLDER, added)

    def _look_again(self) -> None:
        """Other packages or models are there now."""
        self._callbacks.end_engine()
        self._callbacks.on_models()
        self._installed.refresh()

    def _on_changes(self) -> None:
        change = self._changes.current
        if change is not None and change.touches_engine:
            self._callbacks.end_engine()
        self._lock()
        self._callbacks.on_change()

    def _on_engine_folder(self) -> None:
        self._callbacks.end_engine()
        self._installed.refresh()

    def _on_models_folder(self) -> None:
        self._callbacks.on_models()
        self._installed.refresh()

    def _lock(self) -> None:
        is_free = not self._is_job_running and self._changes.current is None
        self._installed.set_enabled(is_free)
        self._fields.set_enabled(is_free)
