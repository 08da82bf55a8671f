"""Somebody who exports from the panel, with an export program that does what a test asks (fake_export.py)."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import slicer
from job_support import MARK
from panel_support import GRID
from places import FAKES
from time_bounds import READY_SECONDS
from TotalSegmentatorModuleLib.background.engine_environment import EngineEnvironment
from TotalSegmentatorWire.messages.export import SEGMENTATION_HEADER, segmentation_header_from_json
from TotalSegmentatorWire.messages.segment import ResultHeader
from TotalSegmentatorWire.tables.review_state import REVIEW_STATE_TAG, ReviewState
from TotalSegmentatorWire.tables.structures import structure_table

FAKE_EXPORT = FAKES / "fake_export.py"
SHAPE = (12, 16, 20)
PROGRAM_SECONDS = 120.0
"""A bound for an export by the real program."""


class ExportUser:
    """``folder`` is where the fake program looks what to do, ``target`` where the exports go."""

    title = "Export"
    """On the section's button."""

    def __init__(self, user, folder: Path) -> None:
        self.user, self.ui, self.app = user, user.ui, user.app
        self.folder = folder / "fake export"
        self.target = folder / "to planning"
        self.folder.mkdir()
        self.target.mkdir()
        self.acts("write")

    @property
    def environment(self) -> EngineEnvironment:
        environment = {**os.environ, MARK: self.user.mark, "FAKE_EXPORT": str(self.folder)}
        return EngineEnvironment(sys.executable, environment, program=FAKE_EXPORT)

    def acts(self, act: str) -> None:
        (self.folder / "act").write_text(act, encoding="utf-8")

    def finish(self) -> None:
        """Let a slow export come to its end."""
        (self.folder / "finish").touch()

    def tells_edited(self, *segment_ids: str) -> None:
        (self.folder / "edited").write_text("\n".join(segment_ids), encoding="utf-8")

    @property
    def calls(self) -> list[list[str]]:
        path = self.folder / "calls.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def argument(self, name: str) -> str:
        """Of the last call; empty where it has none."""
        call = self.calls[-1]
        return call[call.index(name) + 1] if name in call else ""

    def header(self, folder: str):
        """The SegmentationHeader of what the fake program found in this folder of its own: "transferred", ..."""
        text = (self.folder / folder / SEGMENTATION_HEADER).read_text(encoding="utf-8")
        return segmentation_header_from_json(text)

    # -- the scene -----------------------------------------------------------------------------------------------------

    def add_result(self, ct, labels: np.ndarray | None = None, digest: str = "0123"):
        """A result of two structures, imported as the session does it."""
        from TotalSegmentatorModuleLib.scene.segmentation_import import ImportTarget, import_result

        labels = blocks() if labels is None else labels
        images, header = result_of(labels, ct, digest)
        node = import_result(images, header, ImportTarget(ct))
        self.user.widget.panel.result_arrived(node, header)
        selectors = (self.ui.export.segmentationSelector, self.ui.compare.segmentationSelector)
        self.wait(lambda: all(selector.currentNode() is node for selector in selectors))
        return node

    # -- the section ---------------------------------------------------------------------------------------------------

    def open_section(self) -> None:
        self.ui.export.collapsibleButton.collapsed = False
        self.ui.export.folderPathLineEdit.currentPath = str(self.target)
        self.app.process_events()

    @property
    def task_ui(self):
        return self.ui.export_task

    def choose(self, box, value: str) -> None:
        """Choose the item of a QComboBox that has this data."""
        index = box.findData(value)
        assert index >= 0, value
        box.setCurrentIndex(index)
        self.app.process_events()

    def click(self) -> None:
        self.app.click(self.task_ui.startButton)

    def export(self) -> None:
        self.click()
        self.wait_until_ready()

    def export_as(self, format_id: str) -> None:
        """With the real program, which must not fail."""
        self.choose(self.ui.export.formatComboBox, format_id)
        self.click()
        self.wait_until_ready(PROGRAM_SECONDS)
        assert self.error_code == "", self.describe()

    def wait_until_ready(self, seconds: float = READY_SECONDS) -> None:
        self.wait(lambda: self.task_ui.startButton.text == self.title, seconds)

    def wait_for_half(self) -> None:
        self.wait(lambda: self.task_ui.progressBar.value >= 500)

    def wait(self, condition, seconds: float = READY_SECONDS) -> None:
        assert self.app.wait_until(condition, seconds), self.describe()

    def describe(self) -> str:
        labels = (self.task_ui.startButton, self.task_ui.stepLabel, self.task_ui.hintLabel)
        shown = [*(label.text for label in labels), self.error_code]
        log = self.ui.log.textEdit.toPlainText()
        return "section {!r}, calls {}, log:\n{}".format(shown, self.calls, log)

    @property
    def error_code(self) -> str:
        return self.task_ui.errorCodeLabel.text.split()[-1] if self.task_ui.errorFrame.visible else ""

    @property
    def written(self) -> list[str]:
        """What lies in the target folder, hidden things included."""
        return sorted(str(path.relative_to(self.target)) for path in self.target.rglob("*"))


class CompareUser(ExportUser):
    """The same somebody in the Compare section."""

    title = "Compare"

    @property
    def task_ui(self):
        return self.ui.compare_task

    def open_section(self) -> None:
        self.ui.compare.collapsibleButton.collapsed = False
        self.app.process_events()

    def choose_kind(self, kind: str) -> None:
        """What to compare with: file, scene or database."""
        self.choose(self.ui.compare.otherKindComboBox, kind)

    def choose_file(self, path: Path) -> None:
        self.ui.compare.filePathLineEdit.currentPath = str(path)
        self.app.process_events()

    def compare(self, seconds: float = READY_SECONDS) -> None:
        self.click()
        self.wait_until_ready(seconds)

    @property
    def tables(self) -> list:
        return slicer.util.getNodesByClass("vtkMRMLTableNode")


def blocks(shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """uint8 labels (k, j, i): 1 and 2 in two blocks that touch each other."""
    labels = np.zeros(shape, np.uint8)
    labels[2:8, 3:9, 4:10] = 1
    labels[2:8, 3:9, 10:15] = 2
    return labels


def result_of(labels: np.ndarray, ct, digest: str = "0123"):
    """LabelImages, one for each layer, and the ResultHeader of a result with the first structures of the table."""
    import dataclasses

    from TotalSegmentatorModuleLib.scene.segmentation_import import LabelImage
    from TotalSegmentatorModuleLib.scene.volumes import ijk_to_ras
    from TotalSegmentatorModuleLib.self_test import synthetic_header

    present = [int(label) for label in np.unique(labels) if label]
    structures = structure_table("structures_104")[: max(present)]
    header: ResultHeader = synthetic_header(labels.shape, ijk_to_ras(ct), structures)
    header = dataclasses.replace(
        header, found=[dataclasses.replace(found, digest=digest and digest + found.name) for found in header.found]
    )
    image = LabelImage(labels.shape)
    image.array[:] = labels
    return [image], header


def add_segment(node, name: str, voxels: np.ndarray, ct, start: tuple[int, int, int] = (0, 0, 0)) -> str:
    """A segment with a layer of its own, whose image holds ``voxels`` (k, j, i) from voxel ``start`` of the CT on."""
    from TotalSegmentatorModuleLib.scene.segmentation_import import LabelImage
    from TotalSegmentatorModuleLib.scene.volumes import ijk_to_ras

    image = LabelImage(voxels.shape)
    image.array[:] = voxels
    oriented = image.oriented(ijk_to_ras(ct))
    first = tuple(reversed(start))
    extent = [number for axis in range(3) for number in (first[axis], first[axis] + voxels.shape[2 - axis] - 1)]
    oriented.SetExtent(*extent)
    segment = slicer.vtkSegment()
    segment.SetName(name)
    segment.SetLabelValue(1)
    segment.AddRepresentation("Binary labelmap", oriented)
    node.GetSegmentation().AddSegment(segment, name)
    return name


def state_tag(node, segment_id: str) -> str:
    import vtk

    value = vtk.reference("")
    node.GetSegmentation().GetSegment(segment_id).GetTag(REVIEW_STATE_TAG, value)
    return str(value)


def approve(node, *segment_ids: str) -> None:
    for segment_id in segment_ids:
        node.GetSegmentation().GetSegment(segment_id).SetTag(REVIEW_STATE_TAG, ReviewState.APPROVED.value)


__all__ = ["GRID", "SHAPE", "CompareUser", "ExportUser", "add_segment", "approve", "blocks", "result_of", "state_tag"]
