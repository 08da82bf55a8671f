"""The module's panel: wires its parts to the session and to the parameter node."""

from __future__ import annotations

from collections.abc import Callable

from slicer.i18n import tr as _
from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.department_server import DepartmentServer
from TotalSegmentatorWire.messages.plan import Plan
from TotalSegmentatorWire.messages.segment import ResultHeader

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.compare.section import CompareSection
from TotalSegmentatorModuleLib.department_server.run_on_section import RunOnSection
from TotalSegmentatorModuleLib.early_start.starting_ahead import StartingAhead
from TotalSegmentatorModuleLib.editing.section import EditingSection
from TotalSegmentatorModuleLib.editing.segment_editor import open_editor
from TotalSegmentatorModuleLib.edits.kept_edits import KeptEdits
from TotalSegmentatorModuleLib.expected_plans.asking import PlanAsking
from TotalSegmentatorModuleLib.export.section import ExportSection
from TotalSegmentatorModuleLib.figures.section import FiguresSection
from TotalSegmentatorModuleLib.panel.advanced_options import AdvancedSection
from TotalSegmentatorModuleLib.panel.earlier_work import EarlierWork
from TotalSegmentatorModuleLib.panel.inputs import InputsSection
from TotalSegmentatorModuleLib.panel.messages import MessagesSection
from TotalSegmentatorModuleLib.panel.new_results import NewResults
from TotalSegmentatorModuleLib.panel.next_steps import NextStepCallbacks, NextSteps
from TotalSegmentatorModuleLib.panel.orders import Orders
from TotalSegmentatorModuleLib.panel.progress import ProgressSection
from TotalSegmentatorModuleLib.panel.queued_jobs import QueuedJobs
from TotalSegmentatorModuleLib.panel.widgets import PanelWidgets
from TotalSegmentatorModuleLib.parameters import SegmentationParameters
from TotalSegmentatorModuleLib.preview.messages import PreviewCallbacks, PreviewMessages
from TotalSegmentatorModuleLib.qt_helpers.one_section import OneSection
from TotalSegmentatorModuleLib.recovery.review_recovery import RecoveryCallbacks, ReviewRecovery
from TotalSegmentatorModuleLib.repair.section import RepairSection
from TotalSegmentatorModuleLib.rerun.section import RerunCallbacks, RerunSection
from TotalSegmentatorModuleLib.review.section import ReviewSection
from TotalSegmentatorModuleLib.scene.segments import reference_volume
from TotalSegmentatorModuleLib.segment.job_types import JobCallbacks
from TotalSegmentatorModuleLib.segment.progress_text import ct_not_found_text
from TotalSegmentatorModuleLib.segment.session import SegmentationSession
from TotalSegmentatorModuleLib.setup.section import SetupCallbacks, SetupSection


class Panel:
    """Makes the sections and the session, and connects them."""

    def __init__(self, ui: PanelWidgets, make_session: Callable[[JobCallbacks], SegmentationSession]) -> None:
        self._wrapped_labels = ui.wrapped_labels
        self._parameters: SegmentationParameters | None = None
        self._progress = ProgressSection(ui.progress)
        self._messages = MessagesSection(ui.messages, ui.log, lambda: not self.review.is_in_use)
        previewing = PreviewCallbacks(self._messages.show_text, self._messages.show_note, self._compare)
        self._previews = PreviewMessages(ui.messages, previewing)
        self._compare_button = ui.compare.collapsibleButton
        self._new_results = NewResults(self._messages.scroll_to_result)
        self._earlier = EarlierWork(ui.unimported, self._messages, lambda: self._chosen_ct)
        self._recovery = ReviewRecovery(
            settings.work_folder(),
            RecoveryCallbacks(
                on_offers=self._earlier.offer_reviews,
                on_restored=self._on_review_restored,
                on_failed=self._messages.show_error,
                on_note=self._messages.add_note,
                on_changed=self._earlier.enable,
            ),
        )
        try:
            self._make_sections(ui, make_session)
        except BaseException:  # nobody closes a panel that was not made, and this part has timers
            self._recovery.close()
            raise

    def _make_sections(self, ui: PanelWidgets, make_session: Callable[[JobCallbacks], SegmentationSession]) -> None:
        self._session = make_session(
            JobCallbacks(
                on_busy=self._on_busy,
                on_progress=self._on_progress,
                on_network=self._progress.show_network,
                on_plan=self._on_plan,
                on_warning=self._messages.add_warning,
                on_log=self._messages.add_log,
                on_note=self._messages.add_note,
                on_failed=self._on_failed,
                on_cancelled=self._on_cancelled,
                on_preview=self._previews.arrived,
                on_preview_kept=self._previews.kept,
                on_surfaces_gone=lambda node: self._figures.make_surfaces_again(node),
                on_result=self.result_arrived,
                call_when_safe=lambda node, action: self._queue.call_when_safe(node, action, self._recovery),
                on_unimported_results=self._earlier.offer_results,
            )
        )
        self._options = AdvancedSection(ui.advanced)
        self._setup: SetupSection | None = None  # the inputs ask for it while they are made
        self._inputs = InputsSection(
            ui.inputs, ui.advanced, self._show_ready, self._messages.show_error, self._session.ask_first
        )
        self._run_on = RunOnSection(ui.inputs, ui.notice, self._inputs.set_on_server)
        self._plan_asking = PlanAsking(self._session, self._progress.show_expected, self._inputs.show_expected)
        self._starting_ahead = StartingAhead(self._session, ui.early_start, self._show_ready)
        sections = (self._messages, self._inputs, self._options, self._run_on)
        self._orders = Orders(self._session, *sections, lambda order: self._setup.defer(order))
        self._setup = SetupSection(
            ui.install_page,
            ui.setup,
            SetupCallbacks(
                start_order=lambda order: self._queue.start(order),
                end_engine=self._session.restart_engine,
                on_models=self._show_models,
                on_change=self._on_setup_change,
                on_server=self._run_on.refresh,
                choose_model=self._inputs.use_model,
                choose_suggested=self._inputs.use_suggested_model,
                model_in_use=lambda: self._inputs.model_in_use,
                show_text=self._messages.show_text,
                show_problem=self._messages.show_error,
                add_note=self._messages.add_note,
                add_log=self._messages.add_log,
            ),
        )
        self._queue = QueuedJobs(
            ui.queue,
            self._session,
            self._orders,
            self._messages,
            self._earlier,
            self._setup,
            self._lock_choices,
            lambda node: self._review_result(node),
        )
        self._earlier.connect(self._session, self._recovery, self._queue.section.queue.items.claims)
        self.review = ReviewSection(ui.review, ui.review_remarks, ui.review_times)
        self._repairs = RepairSection(ui.review_repair, self.review.repaired, self._task_changed, self._session.lease)
        self._rerun = RerunSection(
            ui.review_rerun,
            RerunCallbacks(
                rows=lambda: self.review.contents,
                model=lambda: (self._inputs.model_and_place, self._inputs.known_structures),
                start=self._orders.run_again,
                on_replaced=self.review.changed,
                show_text=self._messages.show_text,
            ),
        )
        self.review.set_check(self._repairs.check_again)
        self.review.set_repairs(self._repairs.offer, self._end_proposals, self._repairs.offer_more)
        export = ExportSection(ui.export, ui.export_options, ui.export_task, self._messages.add_log, self._task_changed)
        self.review.set_sheet(export.export_sheet)
        self._editing = EditingSection(ui.edit_bar, ui.review.collapsibleButton, self.review.edited)
        self.review.set_editing(self._editing)
        self._figures = FiguresSection(ui.review_figures, lambda: bool(self.review.contents[2]))
        self.review.set_followers(self._figures.show)
        self._edits = KeptEdits(ui.review_edits, self._task_changed)
        self._compare_section = CompareSection(
            ui.compare, ui.compare_task, ui.compare_table, self._messages.add_log, self._task_changed
        )
        self._tasks = (export, self._compare_section)
        self._sections = OneSection(
            [
                each.collapsibleButton
                for each in (ui.queue, ui.review, ui.export, ui.compare, ui.advanced, ui.setup, ui.log)
            ]
        )
        self._next_steps = self._make_next_steps(ui)
        for button in (ui.messages.errorLogButton, ui.export_task.errorLogButton, ui.compare_task.errorLogButton):
            button.connect("clicked(bool)", self._messages.show_log)
        ui.messages.errorAnywayButton.connect("clicked(bool)", self._orders.run_anyway)
        ui.messages.errorHereButton.connect("clicked(bool)", self._orders.run_here)
        ui.progress.applyButton.connect("clicked(bool)", self._on_apply_clicked)

    def _make_next_steps(self, ui: PanelWidgets) -> NextSteps:
        def show_3d(node) -> None:
            self._parameters.reviewSegmentation = node
            self._figures.toggle_surfaces()

        def review(node) -> None:
            self._parameters.reviewSegmentation = node
            self._sections.open(ui.review.collapsibleButton)
            self.review.enter()

        self._review_result = review

        def export_result(node) -> None:
            self._parameters.exportSegmentation = node
            self._sections.open(ui.export.collapsibleButton)

        steps = NextSteps(
            ui.messages,
            NextStepCallbacks(
                show_3d=show_3d,
                review=review,
                edit=lambda node: open_editor(node, reference_volume(node)),
                export=export_result,
                on_gone=self._messages.hide_next_steps,
            ),
        )
        self._figures.show_surfaces_also_in(ui.messages.showIn3DButton, ui.messages.showIn3DProgressBar, steps.is_for)
        return steps

    # -- what the module's widget calls --------------------------------------------------------------------------------

    def set_parameters(self, parameters: SegmentationParameters | None) -> None:
        """Show the choices of this parameter node; None while the scene is being closed."""
        self._parameters = parameters
        self._orders.set_parameters(parameters)
        self._inputs.set_parameters(parameters)
        self._options.set_parameters(parameters)
        for section in (self.review, *self._tasks):
            section.set_parameters(parameters)
        self._show_ready()

    def parameters_changed(self) -> None:
        """The parameter node was modified."""
        self._inputs.show_parameters()
        self._options.show_parameters()
        for section in (self.review, *self._tasks):
            section.show_parameters()

    def enter(self) -> None:
        """The user opens the module: update what may have changed elsewhere."""
        self._run_on.refresh()
        self._show_models()
        self._setup.refresh()
        self._edits.refresh()
        self._inputs.choose_only_ct()
        for section in (self.review, *self._tasks):
            section.enter()
        self._session.look_for_unimported_results()
        self._recovery.look()
        self._queue.section.refresh()
        self._queue.offer()
        self._starting_ahead.enter()

    def exit(self) -> None:
        """The user turns to another module."""
        self._starting_ahead.exit()
        for section in (self.review, *self._tasks):
            section.exit()

    def volumes_changed(self) -> None:
        """Volumes were added to the scene or received voxels."""
        self._inputs.choose_only_ct()
        self._queue.section.refresh()
        self._show_ready()

    def node_removed(self, node_id: str) -> None:
        self._session.input_removed(node_id)
        self._queue.section.queue.node_removed(node_id)
        self._setup.node_removed(node_id)
        self._next_steps.node_removed(node_id)

    def scene_closing(self) -> None:
        self._editing.scene_closing()
        self._queue.section.queue.scene_closing()
        self._session.scene_closed()
        self._recovery.scene_closing()
        self._setup.scene_closing()
        for section in (self.review, self._figures, *self._tasks):
            section.scene_closing()
        self._messages.clear()
        self._previews.clear()

    def close(self) -> None:
        self._new_results.close()
        for section in (self._editing, self._rerun, self._repairs, self.review, self._figures, *self._tasks):
            section.close()
        self._edits.close()
        self._sections.close()
        self._messages.close()
        self._progress.close()
        self._inputs.close()
        self._setup.close()
        self._recovery.close()
        self._queue.section.queue.close()
        self._plan_asking.close()
        self._starting_ahead.close()
        self._session.dispose()
        self._wrapped_labels.close()

    # -- clicks --------------------------------------------------------------------------------------------------------

    def _on_apply_clicked(self) -> None:
        if self._session.is_busy:
            self._session.cancel()
        else:
            self._orders.apply()
            self._progress.come_into_sight()

    def _end_proposals(self) -> None:
        """The user turns to something else in the review."""
        self._repairs.end()
        self._rerun.end()

    # -- what an earlier Slicer left -----------------------------------------------------------------------------------

    def _on_review_restored(self, node, ct) -> None:
        self._messages.show_text(_("The segmentation is as you left it."))
        if ct is None:
            self._messages.add_note(ct_not_found_text())
        self._new_results.announce(node, (self.review, *self._tasks))

    @property
    def _chosen_ct(self):
        return self._parameters.inputVolume if self._parameters is not None else None

    # -- what the set-up calls -----------------------------------------------------------------------------------------

    def _show_models(self) -> None:
        self._inputs.refresh_models()  # Apply, too
        self._starting_ahead.installation_changed()

    def _on_setup_change(self) -> None:
        for section in self._tasks:
            section.set_obstacle(self._setup.obstacle())
        self._show_ready()

    # -- background tasks ----------------------------------------------------------------------------------------------

    def _task_changed(self) -> None:
        is_busy = self._session.is_busy or any(each.is_busy for each in (self._repairs, self._edits, *self._tasks))
        self._setup.set_enabled(not is_busy)
        self._edits.refresh()

    # -- what becomes of a job -----------------------------------------------------------------------------------------

    def _on_busy(self, is_busy: bool, is_cancelling: bool) -> None:
        self._lock_choices()
        self._run_on.show_job(is_busy, self._server_of_job)
        self._task_changed()
        self._rerun.set_enabled(not is_busy)
        self._earlier.enable()
        if is_busy and not is_cancelling:
            self._previews.clear()
        if is_busy:
            self._plan_asking.job_begins()
            self._progress.show_busy(is_cancelling)
        else:
            self._show_ready()
            self._queue.section.queue.session_is_free()

    def _lock_choices(self) -> None:
        """While a job runs; but while the queue does, further CTs can be added with other choices."""
        is_free = not self._session.is_busy or self._queue.is_running
        self._inputs.set_enabled(is_free)
        self._options.set_enabled(is_free)

    def _on_progress(self, fraction: float, *others) -> None:
        self._progress.show_progress(fraction, *others)
        self._queue.section.queue.show_progress(fraction)

    def _on_plan(self, plan: Plan) -> None:
        self._progress.show_plan(plan, is_on_server=self._server_of_job is not None)
        self._messages.add_plan(plan)
        self._inputs.remember_plan(self._session.order, plan)

    @property
    def _server_of_job(self) -> DepartmentServer | None:
        order = self._session.order
        return order.server if order is not None else None

    def _on_failed(self, problem: Problem) -> None:
        if self._queue.runs_job:  # it stands in the CT's line
            return
        self._orders.show_failure(problem)
        self._previews.job_failed()
        if problem.code == "ENGINE_MISSING" and self._orders.last is not None and not settings.engine_packages_folder():
            self._setup.engine_failed(self._orders.last)

    def _on_cancelled(self) -> None:
        stays = self._previews.stays_text()
        self._messages.show_text(_("Cancelled. {more}").format(more=stays) if stays else self._queue.cancelled_text)

    def _compare(self, node, other) -> None:
        self._sections.open(self._compare_button)
        self._compare_section.offer(node, other)

    def result_arrived(self, node, header: ResultHeader) -> None:
        """``node`` (vtkMRMLSegmentationNode) holds a new result."""
        if self._queue.runs_job:
            self._queue.result_arrived(node, header)
            if self._parameters is not None and self._parameters.reviewSegmentation is None:
                self._parameters.reviewSegmentation = self._parameters.exportSegmentation = node
            return
        self._queue.section.queue.result_imported(header.job_id)
        self._next_steps.offer(node)
        order = self._session.order
        self._messages.show_result(header, None if order is None else lambda: self._orders.run_exactly(order))
        self._new_results.announce(node, (self.review, *self._tasks))

    def _show_ready(self) -> None:
        if not self._session.is_busy:
            obstacle = self._setup.obstacle() if self._setup is not None else ""
            ct = self._inputs.ct
            obstacle = obstacle or self._inputs.obstacle()
            self._progress.show_ready(obstacle, ct.GetName() if ct is not None else "")
            orders = [] if obstacle else self._orders.possible()
            self._plan_asking.ask(orders)
            self._starting_ahead.consider(orders)
