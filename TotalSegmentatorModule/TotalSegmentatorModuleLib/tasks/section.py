"""What the Export and Compare sections share: their nodes, one background task at a time, and how it is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from slicer.i18n import tr as _
from TotalSegmentatorWire.command.command_run import without_text
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.background.command_process import Failure, failure_of, process_result
from TotalSegmentatorModuleLib.background.folder_removal import FolderRemoval
from TotalSegmentatorModuleLib.background.task_runner import TaskEnd, TaskRunner
from TotalSegmentatorModuleLib.parameters import SegmentationParameters
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.scene.segments import reference_volume
from TotalSegmentatorModuleLib.scene.transforms import segmentation_to_ct
from TotalSegmentatorModuleLib.tasks.program_run import ProgramRun, ProgramTask
from TotalSegmentatorModuleLib.tasks.step_text import export_step_text
from TotalSegmentatorModuleLib.tasks.task_widgets import ButtonTexts, TaskPage
from TotalSegmentatorModuleLib.texts.errors import problem_texts

_LOG_LINES = 80


class TaskSection:
    """Wires a section's widgets, the parameter node and the runner of its background task.

    ``ui`` has the choices, ``task_ui`` the widgets of Task.ui. ``on_log`` gets lines for the panel's log;
    ``on_changed`` is called when a task starts or ends. ``title`` is its name in the log. The last two are the names of
    the parameters (SegmentationParameters) that hold the segmentation and its CT.
    """

    def __init__(
        self,
        ui: Widgets,
        task_ui: Widgets,
        on_log: Callable[[str], None],
        on_changed: Callable[[], None],
        title: str,
        texts: ButtonTexts,
        segmentation_parameter: str,
        ct_parameter: str,
    ) -> None:
        self._ui = ui
        self._task_ui = task_ui
        self._on_log = on_log
        self._on_changed = on_changed
        self._title = title
        self._segmentation_parameter = segmentation_parameter
        self._ct_parameter = ct_parameter
        self._page = TaskPage(task_ui, texts)
        self._parameters: SegmentationParameters | None = None
        self._shown_segmentation = None
        self._obstacle = ""
        self._last_step = ""
        self._removal = FolderRemoval()
        self._runner = TaskRunner(Ticker, settings.work_folder(), self._on_busy, self._removal.step)
        self._run: ProgramRun | None = None
        ui.segmentationSelector.setMRMLScene(slicer.mrmlScene)
        ui.ctSelector.setMRMLScene(slicer.mrmlScene)
        ui.collapsibleButton.connect("contentsCollapsed(bool)", self._on_collapsed)
        task_ui.startButton.connect("clicked(bool)", self._on_clicked)
        task_ui.resultButton.connect("clicked(bool)", self._show_result)

    # -- what a subclass has of its own --------------------------------------------------------------------------------

    def _task(self) -> ProgramTask | None:
        """The task to run; None if the user declined a question. Raises SegmentationError."""
        raise NotImplementedError

    def _missing_choice(self) -> str:
        """Which choice besides the nodes is missing, in a sentence; empty if none is."""
        raise NotImplementedError

    def _no_segmentation_text(self) -> str:
        """What to show while no segmentation is chosen."""
        raise NotImplementedError

    def _note(self) -> str:
        return ""

    def _cancelled_text(self) -> str:
        raise NotImplementedError

    def _handle_result(self, result: Any) -> str:
        """Handle the result of the task; returns the sentence to show."""
        raise NotImplementedError

    def _show_result(self) -> None:
        """The button beside the result was clicked."""
        raise NotImplementedError

    def _show(self) -> None:
        """Update after another segmentation was chosen or the section was opened."""
        self._show_ready()

    # -- what the panel calls ------------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        return self._runner.is_busy

    def set_parameters(self, parameters: SegmentationParameters | None) -> None:
        """Show the nodes of ``parameters`` from now on; None while there is no scene."""
        self._parameters = parameters
        self._shown_segmentation = self._segmentation if self._ct is not None else None
        self.show_parameters()

    def show_parameters(self) -> None:
        """The parameter node was modified."""
        node, ct = self._segmentation, self._ct
        is_other = node is not self._shown_segmentation
        self._shown_segmentation = node
        if node is not None and is_other:
            reference = reference_volume(node) or ct or self._parameters.inputVolume
            if reference is not ct:
                setattr(self._parameters, self._ct_parameter, reference)
        self._show()

    def enter(self) -> None:
        """The user opens the module or the section: update what may have changed elsewhere."""
        self._choose_only_segmentation()
        self._show()

    def exit(self) -> None:
        """The user turns to another module."""

    def result_arrived(self, node) -> None:
        """Choose a new result (vtkMRMLSegmentationNode) as the segmentation."""
        if self._parameters is not None:
            setattr(self._parameters, self._segmentation_parameter, node)

    def set_obstacle(self, obstacle: str) -> None:
        """Why no task can start now, in a sentence; empty if one can."""
        self._obstacle = obstacle
        self._show_ready()

    def scene_closing(self) -> None:
        """What is not in the program's hands goes with the scene."""
        if self._runner.is_busy and self._run.needs_scene:
            self._runner.cancel()

    def close(self) -> None:
        """The application quits: the background task ends and leaves nothing."""
        self._runner.dispose()
        self._page.close()
        self._removal.finish()

    # -- nodes ---------------------------------------------------------------------------------------------------------

    @property
    def _segmentation(self):
        return getattr(self._parameters, self._segmentation_parameter) if self._parameters is not None else None

    @property
    def _ct(self):
        return getattr(self._parameters, self._ct_parameter) if self._parameters is not None else None

    def _choose_only_segmentation(self) -> None:
        if self._parameters is None or self._segmentation is not None:
            return
        nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
        filled = [node for node in nodes if node.GetSegmentation().GetNumberOfSegments()]
        if len(filled) == 1:
            self.result_arrived(filled[0])

    def _missing(self) -> str:
        node, ct = self._segmentation, self._ct
        if node is None or self._ui.segmentationSelector.currentNode() is not node:  # a node that is hidden
            return self._no_segmentation_text()
        if not node.GetSegmentation().GetNumberOfSegments():
            return _("The chosen segmentation is empty.")
        if ct is None or self._ui.ctSelector.currentNode() is not ct or ct.GetImageData() is None:
            return _("Choose the CT on which the segmentation was made.")
        return self._missing_choice()

    def _show_ready(self) -> None:
        if not self._runner.is_busy:
            self._page.show_ready(self._obstacle or self._missing(), self._note())

    # -- clicks --------------------------------------------------------------------------------------------------------

    def _on_collapsed(self, is_collapsed: bool) -> None:
        if not is_collapsed:
            self.enter()

    def _on_clicked(self) -> None:
        if self._runner.is_busy:
            self._runner.cancel()
        else:
            self.start()

    def start(self) -> None:
        """Start a task with the current choices; problems with them are shown."""
        if self._missing():  # the scene was changed since the button was enabled
            self._show_ready()
            return
        self._page.clear()
        try:
            components = self._ct.GetImageData().GetNumberOfScalarComponents()
            if components != 1:
                raise SegmentationError("INPUT_NOT_SCALAR", components=components)
            segmentation_to_ct(self._segmentation, self._ct)  # an unsuitable transform is reported at once
            task = self._task()
        except SegmentationError as error:
            self._show_error(error)
            return
        if task is not None:
            self._last_step = ""
            self._run = ProgramRun(task, self._removal, self._on_progress, self._on_warning)
            self._runner.start(self._run.task(), self._on_end)

    # -- what becomes of the task --------------------------------------------------------------------------------------

    def _on_busy(self, is_busy: bool, is_cancelling: bool) -> None:
        self._ui.choicesWidget.setEnabled(not is_busy)
        if is_busy:
            self._page.show_busy(is_cancelling)
        else:
            self._show_ready()
        self._on_changed()

    def _on_progress(self, fraction: float, step: str, item: str) -> None:
        self._page.show_progress(fraction, step, item)
        if step != self._last_step:
            self._last_step = step
            step_text = export_step_text(step, "")
            self._on_log(_("{title}: {step}").format(title=self._title, step=step_text) + "\n")

    def _on_warning(self, problem: Problem) -> None:
        self._page.add_warning(problem)
        self._on_log("{}: {} {}\n".format(problem.code, *problem_texts(without_text(problem))))

    def _on_end(self, task_end: TaskEnd) -> None:
        end = process_result(task_end)
        if end.failure is not None:
            if end.messages:
                self._on_log("\n".join(end.messages.splitlines()[-_LOG_LINES:]) + "\n")
            self._show_failure(end.failure)
        elif end.is_cancelled:
            self._page.show_result(self._cancelled_text(), False)
        else:
            text = self._handle_result(end.finished)
            self._page.show_result(text, True)
            self._on_log(text + "\n")

    def _show_error(self, error: SegmentationError) -> None:
        self._show_failure(failure_of(error.problem))

    def _show_failure(self, failure: Failure) -> None:
        self._page.show_failed(failure)
        self._on_log("{}: {} {}\n".format(failure.code, failure.what, failure.todo))
