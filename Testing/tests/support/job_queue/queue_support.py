"""Somebody who fills the panel's queue and follows it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import slicer
from job_support import soft_tissue_with_air
from panel_support import GRID, PanelUser


class QueueUser(PanelUser):
    """The panel's user in the Queue section."""

    @property
    def queue_ui(self):
        return self.ui.queue

    def open_queue(self) -> None:
        self.queue_ui.collapsibleButton.collapsed = False
        self.app.process_events()

    def tick(self, *titles: str) -> None:
        """Open the choice, and tick what begins with these titles, headings as well."""
        if not self.queue_ui.chooseButton.checked:
            self.app.click(self.queue_ui.chooseButton)
        for title in titles:
            self._item(title).setCheckState(2)
        self.app.process_events()

    def add(self, *titles: str) -> None:
        self.tick(*titles)
        self.app.click(self.queue_ui.addButton)

    def choices(self) -> list[str]:
        """Every title in the tree of the choice."""
        return [item.text() for item in self._items(self.queue_ui.ctTree.model().invisibleRootItem())]

    def expand(self, title: str) -> None:
        self.queue_ui.ctTree.expand(self._item(title).index())
        self.app.process_events()

    def _item(self, title: str):
        root = self.queue_ui.ctTree.model().invisibleRootItem()
        return next(item for item in self._items(root) if item.text().startswith(title))

    def _items(self, item) -> list:
        children = [item.child(row) for row in range(item.rowCount())]
        return [each for child in children for each in (child, *self._items(child))]

    # -- the lines -----------------------------------------------------------------------------------------------------

    def lines(self) -> list[tuple[str, str]]:
        """Title and state of each line."""
        model = self.queue_ui.queueTree.model()
        return [(model.item(row, 0).text(), model.item(row, 1).text()) for row in range(model.rowCount())]

    def states(self) -> list[str]:
        return [state for _title, state in self.lines()]

    def tool_tip(self, row: int) -> str:
        return self.queue_ui.queueTree.model().item(row, 0).toolTip()

    def select(self, row: int) -> None:
        self.app.click_item(self.queue_ui.queueTree, self.queue_ui.queueTree.model().index(row, 0))

    def start(self) -> None:
        assert self.queue_ui.startButton.text == "Start"
        self.app.click(self.queue_ui.startButton)

    def wait_for_states(self, expected: Sequence[str], seconds: float = 30.0) -> None:
        assert self.app.wait_until(lambda: self.states() == list(expected), seconds), (self.lines(), self.describe())

    def wait_for_running(self, row: int, seconds: float = 30.0) -> None:
        assert self.app.wait_until(lambda: self.states()[row].startswith("Running"), seconds), (
            self.lines(),
            self.describe(),
        )

    # -- data ----------------------------------------------------------------------------------------------------------

    def add_cts(self, *names: str) -> list:
        """A CT for each name; no two have the same voxels."""
        return [self.add_ct(distinct_ct(number), name) for number, name in enumerate(names)]

    def add_sequence(self, name: str = "4D CT", frames: int = 3):
        sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", name)
        sequence.SetIndexName("phase")
        sequence.SetIndexUnit("%")
        for frame in range(frames):
            volume = self.app.add_volume(distinct_ct(frame), GRID, name)
            sequence.SetDataNodeAtValue(volume, str(frame * 10))
            slicer.mrmlScene.RemoveNode(volume)
        browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", name)
        browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
        self.app.process_events()
        return sequence, browser


def distinct_ct(number: int) -> np.ndarray:
    array = soft_tissue_with_air()
    array[-1, -1, : number + 1] = -1000
    return array
