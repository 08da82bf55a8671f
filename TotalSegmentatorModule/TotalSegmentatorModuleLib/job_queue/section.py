"""The Queue section of the panel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import slicer
from slicer.i18n import tr as _
from TotalSegmentatorWire.errors.problem import Problem

from TotalSegmentatorModuleLib.job_queue.choices import choices_of, choices_text
from TotalSegmentatorModuleLib.job_queue.ct_choice import SEQUENCE, VOLUME, CtChoice, TickedCt
from TotalSegmentatorModuleLib.job_queue.ct_origin import origin_of, origin_of_sequence, origin_of_series
from TotalSegmentatorModuleLib.job_queue.ct_queue import CtQueue, QueueCallbacks
from TotalSegmentatorModuleLib.job_queue.queue_table import QueueTable
from TotalSegmentatorModuleLib.job_queue.queued_ct import CtOrigin, QueuedCt, QueueState
from TotalSegmentatorModuleLib.job_queue.texts import explanation, section_title, summary
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.segment.session import JobOrder, SegmentationSession

_AGAIN = (QueueState.FAILED, QueueState.CANCELLED, QueueState.GONE)


@dataclass(frozen=True)
class SectionCallbacks:
    """What the section calls in the rest of the panel."""

    order: Callable[[], JobOrder | None]
    """An order with what is chosen now, for no CT yet; None where that is not complete, which is shown."""
    defer: Callable[[JobOrder], bool]
    """As QueueCallbacks.defer."""
    on_running: Callable[[], None]
    """Whether the queue runs may have changed."""
    review: Callable[[object], None]
    """Review this vtkMRMLSegmentationNode."""
    on_stopped: Callable[[Problem, JobOrder], None]
    """As QueueCallbacks.on_stopped."""
    show_text: Callable[[str], None]
    add_note: Callable[[str], None]
    add_log: Callable[[str], None]


class QueueSection:
    """Shows ``queue`` and passes on what the user does with it."""

    def __init__(
        self, ui: Widgets, session: SegmentationSession, work_folder: Path, callbacks: SectionCallbacks
    ) -> None:
        self._ui = ui
        self._callbacks = callbacks
        self._was_running = False
        self.queue = CtQueue(
            session,
            work_folder,
            QueueCallbacks(
                on_changed=self._show,
                on_stopped=callbacks.on_stopped,
                on_note=callbacks.add_note,
                on_log=callbacks.add_log,
                defer=callbacks.defer,
            ),
        )
        self._choice = CtChoice(ui.ctTree, self._show_ticked)
        self._table = QueueTable(ui.queueTree, self._show_selected)
        ui.chooserWidget.setVisible(False)
        ui.chooseButton.connect("toggled(bool)", self._on_choose)
        ui.addButton.connect("clicked(bool)", self._on_add)
        ui.startButton.connect("clicked(bool)", self._on_start)
        ui.reviewButton.connect("clicked(bool)", self._on_review)
        ui.againButton.connect("clicked(bool)", self._on_again)
        ui.upButton.connect("clicked(bool)", lambda: self._on_move(-1))
        ui.downButton.connect("clicked(bool)", lambda: self._on_move(+1))
        ui.removeButton.connect("clicked(bool)", self._on_remove)
        self._show()

    # -- what the panel calls ------------------------------------------------------------------------------------------

    def open(self) -> None:
        self._ui.collapsibleButton.collapsed = False

    def refresh(self) -> None:
        """Volumes or series may have come or gone."""
        if self._ui.chooseButton.checked:
            self._choice.refresh()

    def show_choices(self) -> None:
        """What is chosen in the panel may have changed."""
        if self._ui.chooseButton.checked:
            self._show_ticked()

    # -- choosing ------------------------------------------------------------------------------------------------------

    def _on_choose(self, is_open: bool) -> None:
        self._ui.chooserWidget.setVisible(is_open)
        self._choice.clear()
        self.refresh()

    def _show_ticked(self) -> None:
        count = len(self._choice.ticked())
        texts = {0: _("Add to the queue"), 1: _("Add 1 CT to the queue")}
        self._ui.addButton.setText(texts.get(count, _("Add {count} CTs to the queue").format(count=count)))
        self._ui.addButton.setEnabled(count > 0)
        if self._choice.is_empty:
            text = _("No CT is loaded, and Slicer's DICOM database has none.")
        else:
            text = _("They are segmented with what is chosen above now.")
        self._ui.choicesLabel.setText(text)

    def _on_add(self) -> None:
        order = self._callbacks.order()
        if order is None:
            return
        choices, added, ticked = choices_of(order), 0, self._choice.ticked()
        for each in ticked:
            origin, node_id = _origin(each)
            if origin is not None:
                added += self.queue.items.add(origin, choices, each.title, node_id)
        if added < len(ticked):
            self._callbacks.show_text(_("What waits in the queue already for the same was not added again."))
        self._ui.chooseButton.checked = False
        self._callbacks.add_log("{}\n".format(_("Queued: {choices}").format(choices=choices_text(choices))))

    # -- the lines -----------------------------------------------------------------------------------------------------

    @property
    def _selected(self) -> list[QueuedCt]:
        ids = self._table.selected_ids()
        return [item for item in self.queue.items if item.id in ids]

    def _show(self) -> None:
        ui, queue = self._ui, self.queue
        self._table.show(queue.items)
        has_lines = len(queue.items) > 0
        ui.queueWidget.setVisible(has_lines)
        line = summary(queue.items, queue.is_running)
        ui.summaryLabel.setText(line or _("Segment several CTs one after the other, also while you work."))
        ui.collapsibleButton.text = section_title(queue.items)
        ui.startButton.setText(_("Pause") if queue.is_running else _("Start"))
        ui.startButton.setToolTip(
            _("Finish the CT that is running, and begin no other one.")
            if queue.is_running
            else _("Segment the waiting CTs one after the other. You can keep working meanwhile.")
        )
        ui.startButton.setEnabled(queue.is_running or bool(queue.items.waiting))
        self._show_selected()
        if queue.is_running != self._was_running:
            self._was_running = queue.is_running
            self._callbacks.on_running()

    def _show_selected(self) -> None:
        ui, selected = self._ui, self._selected
        single = selected[0] if len(selected) == 1 else None
        running = single is not None and single is self.queue.current
        ui.explanationLabel.setText(explanation(single) if single is not None else "")
        place = self.queue.items.index(single) if single is not None else -1
        ui.upButton.setEnabled(place > 0)
        ui.downButton.setEnabled(0 <= place < len(self.queue.items) - 1)
        ui.removeButton.setText(_("Cancel") if running else _("Remove"))
        ui.removeButton.setToolTip(
            _("Stop this CT. The queue goes on with the next one.")
            if running
            else _("Take the selected CTs out of the queue. Their results stay.")
        )
        ui.removeButton.setEnabled(any(item is not self.queue.current for item in selected) or running)
        ui.againButton.setEnabled(any(item.state in _AGAIN for item in selected))
        ui.reviewButton.setEnabled(single is not None and self._result(single) is not None)

    def _result(self, item: QueuedCt):
        return slicer.mrmlScene.GetNodeByID(item.result_id) if item.result_id else None

    def _on_start(self) -> None:
        if self.queue.is_running:
            self.queue.pause()
        else:
            self.queue.start()

    def _on_review(self) -> None:
        for item in self._selected[:1]:
            self._callbacks.review(self._result(item))

    def _on_again(self) -> None:
        for item in self._selected:
            if item.state in _AGAIN:
                self.queue.queue_again(item)

    def _on_move(self, step: int) -> None:
        for item in self._selected[:1]:
            self.queue.items.move(item, step)

    def _on_remove(self) -> None:
        selected = self._selected
        for item in selected:
            if item is not self.queue.current:
                self.queue.items.remove(item)
            elif len(selected) == 1:
                self.queue.cancel(item)


def _origin(ticked: TickedCt) -> tuple[CtOrigin | None, str]:
    """From where a ticked CT comes, and its node where it has one; None where it has gone meanwhile."""
    if ticked.kind not in (VOLUME, SEQUENCE):
        return origin_of_series(ticked.key), ""
    node = slicer.mrmlScene.GetNodeByID(ticked.key)
    if node is None:
        return None, ""
    return (origin_of(node) if ticked.kind == VOLUME else origin_of_sequence(node)), node.GetID()
