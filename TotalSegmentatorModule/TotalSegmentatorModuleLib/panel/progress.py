"""Apply, which becomes Cancel while a job runs, and the progress of the job."""

from __future__ import annotations

from slicer.i18n import tr as _
from TotalSegmentatorWire.messages.plan import Plan
from TotalSegmentatorWire.messages.segment import ProgressEvent

from TotalSegmentatorModuleLib.expected_plans.questions import ExpectedPlan
from TotalSegmentatorModuleLib.qt_helpers.scrolling import IntoSight
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.segment.plan_text import memory_text, plan_details, plan_text
from TotalSegmentatorModuleLib.segment.progress_text import stage_text
from TotalSegmentatorModuleLib.texts.network_text import network_text
from TotalSegmentatorModuleLib.texts.quantities import time_left_text


class ProgressSection:
    """Shows the job's progress. The bar counts in thousandths, so that it moves in long jobs too."""

    _STEPS = 1000

    def __init__(self, ui: Widgets) -> None:
        self._ui = ui
        self._sight = IntoSight()
        ui.progressBar.setRange(0, self._STEPS)
        ui.progressFrame.setVisible(False)
        ui.planLabel.setVisible(False)
        ui.obstacleLabel.setVisible(False)
        self._forget_network()

    def show_ready(self, obstacle: str, ct_name: str) -> None:
        """No job runs. ``obstacle`` says why none can be started; empty when one can, on the CT ``ct_name``."""
        ready = _("Segment '{ct}'. You can keep working while it runs.").format(ct=ct_name)
        self._ui.applyButton.setText(_("Apply"))
        self._ui.applyButton.setToolTip(obstacle or ready)
        self._ui.applyButton.setEnabled(not obstacle)
        self._ui.obstacleLabel.setText(obstacle)
        self._ui.obstacleLabel.setVisible(bool(obstacle))
        self._ui.progressFrame.setVisible(False)
        self._ui.planLabel.setVisible(False)

    def show_busy(self, is_cancelling: bool) -> None:
        self._ui.applyButton.setText(_("Cancelling...") if is_cancelling else _("Cancel"))
        self._ui.applyButton.setToolTip(
            _("Stop the segmentation. What is in the scene, such as a preview, stays as it is.")
        )
        self._ui.applyButton.setEnabled(not is_cancelling)
        self._ui.obstacleLabel.setVisible(False)
        if not self._ui.progressFrame.visible:
            self._forget_network()  # of the job before
        self._ui.progressFrame.setVisible(True)

    def come_into_sight(self) -> None:
        """The user has started a job, with a button that may stand at the lower border of the panel."""
        self._sight.bring(self._ui.progressFrame)

    def close(self) -> None:
        self._sight.close()

    def show_plan(self, plan: Plan, is_on_server: bool = False) -> None:
        """``is_on_server``: it is the department server's plan."""
        text = plan_text(plan)
        text = _("On the department server: {plan}").format(plan=text) if is_on_server else text
        self._ui.planLabel.setText(text)
        self._ui.planLabel.setToolTip(plan_details(plan))
        self._ui.planLabel.setVisible(True)

    def show_expected(self, expected: ExpectedPlan) -> None:
        """No job runs: what Apply would start."""
        if expected.is_chosen:
            self.show_plan(expected.plan)
            self._ui.planLabel.setText(_("Expected: {plan}").format(plan=plan_text(expected.plan)))

    def show_network(self, event: ProgressEvent) -> None:
        """Which network runs, and what the worker occupies."""
        network = network_text(event)
        self._ui.networkLabel.setText(network)
        self._ui.networkLabel.setVisible(bool(network))
        is_known = event.memory_bytes is not None
        self._ui.memoryLabel.setText(memory_text(event.memory_bytes) if is_known else "")
        self._ui.memoryLabel.setVisible(is_known)

    def show_progress(self, fraction: float, stage: str, seconds_left: float | None, tile: int, tiles: int) -> None:
        """``fraction`` 0..1 of the whole job."""
        self._ui.progressBar.setValue(round(fraction * self._STEPS))
        self._ui.progressBar.setFormat(_("{percent} %").format(percent=int(fraction * 100)))
        self._ui.stageLabel.setText(stage_text(stage, tile, tiles))
        self._ui.timeLeftLabel.setText(time_left_text(seconds_left))

    def _forget_network(self) -> None:
        self._ui.networkLabel.setVisible(False)
        self._ui.memoryLabel.setVisible(False)
