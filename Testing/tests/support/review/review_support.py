"""Somebody who reviews a result in the panel, with real clicks and keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np
import slicer
from panel_support import GRID
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.messages.segment import FoundStructure, ResultHeader
from TotalSegmentatorWire.tables.review_state import ReviewState
from TotalSegmentatorWire.tables.structures import structure_table

SHAPE = (24, 28, 32)
WRONG_PLACE = (60.0, 80.0, -270.0)
FLAGS = (
    Flag("second_opinion", Level.CHECK, "gallbladder", (), (12.0, 24.0, -290.0), {"volume_ml": 2, "distance_mm": 6}),
    Flag("second_opinion", Level.WRONG, "kidney_right", (), WRONG_PLACE, {"volume_ml": 9, "distance_mm": 6}),
    Flag("cut_by_scan", Level.CUT, "spleen", (), None, {"sides": "above"}),
    Flag("cut_by_scan", Level.CUT, "kidney_right", (), None, {"sides": "below"}),
    Flag("cut_by_scan", Level.CHECK, "aorta", (), None, {"sides": "above"}),
)
"""Of a result with the first six structures of the table: the aorta is missing in it."""
FIRST_SIX = ("spleen", "kidney right", "kidney left", "gallbladder", "liver", "stomach")
NAME_COLUMN = 2


def review_of(flags: Iterable[Flag]) -> dict:
    """ResultHeader.review."""
    return {"version": 1, "flags": [flag.to_json(f"Remark on {flag.structure}.") for flag in flags]}


def result_of(ct_matrix, count: int, review: dict | None, shape=SHAPE) -> tuple[object, ResultHeader]:
    """A LabelImage in blocks of the first ``count`` structures of the table, and its header with real sizes and
    boxes."""
    from TotalSegmentatorModuleLib.scene.segmentation_import import LabelImage
    from TotalSegmentatorModuleLib.self_test import synthetic_header

    image = LabelImage(shape)
    image.array[:] = touching_blocks(shape, count)
    structures = structure_table("structures_104")[:count]
    found = []
    for structure in structures:
        places = np.argwhere(image.array == structure.label)
        low, high = places.min(axis=0), places.max(axis=0)
        extent = [int(end[axis]) for axis in (2, 1, 0) for end in (low, high)]
        volume_ml = len(places) * abs(np.linalg.det(np.reshape(ct_matrix, (4, 4))[:3, :3])) / 1000
        found.append(FoundStructure(structure.label, structure.name, len(places), extent, "", 40.5, volume_ml))
    header = synthetic_header(shape, ct_matrix, structures)
    return image, dataclasses.replace(
        header, found=found, models=["104-1.5mm"], profiles={"104-1.5mm": "nnunet"}, review=review
    )


def touching_blocks(shape: tuple[int, int, int], count: int) -> np.ndarray:
    """Labels 1 to ``count`` in blocks without a gap between them, so that the boxes of neighbours touch."""
    labels = np.zeros(shape, np.uint8)
    per_axis = int(np.ceil(count ** (1 / 3)))
    sizes = [length // per_axis for length in shape]
    places = [(k, j, i) for k in range(per_axis) for j in range(per_axis) for i in range(per_axis)]
    for label, place in enumerate(places[:count], 1):
        labels[tuple(slice(n * size, (n + 1) * size) for n, size in zip(place, sizes, strict=True))] = label
    return labels


class ReviewUser:
    """``node`` is the segmentation under review."""

    def __init__(self, user) -> None:
        self.user, self.app, self.ui = user, user.app, user.ui.review
        self.panel = user.widget.panel
        self.node = None
        self.ct = None

    def add_result(
        self, flags: Iterable[Flag] | None = FLAGS, count: int = 6, name: str = "", shape=SHAPE, height: int = 2600
    ):
        """A new result; ``flags`` None: it was not checked."""
        from TotalSegmentatorModuleLib.scene.segmentation_import import ImportTarget, import_result

        if self.ct is None:
            self.ct = self.user.add_ct(np.full(shape, 40, np.int16))
        image, header = result_of(GRID, count, None if flags is None else review_of(flags), shape)
        self.node = import_result([image], header, ImportTarget(self.ct, None, name))
        self.panel.result_arrived(self.node, header)
        self.settle()
        if self.ui.segmentationSelector.currentNode() is not self.node:  # another one is being reviewed
            self.ui.segmentationSelector.setCurrentNode(self.node)
        self.wait(lambda: self.tree.model().rowCount() > 0)
        self.app.resize_window(1024, height)
        return self.node

    def wait(self, condition) -> None:
        assert self.app.wait_until(condition, 20)

    # -- the table -----------------------------------------------------------------------------------------------------

    @property
    def tree(self):
        return self.ui.structuresTree

    def groups(self) -> list[str]:
        """The headings in sight, without their arrows."""
        model, root = self.tree.model(), self.tree.rootIndex()
        places = [n for n in range(model.rowCount()) if not self.tree.isRowHidden(n, root)]
        return [model.index(n, 0).data().split(" ", 1)[1] for n in places]

    def rows(self) -> list[str]:
        """Names in sight, from top to bottom."""
        return [index.data() for index in self._names()]

    def cells(self, name: str) -> list[str]:
        index = self.index(name)
        return [index.sibling(index.row(), column).data() or "" for column in range(6)]

    def index(self, name: str):
        return next(index for index in self._names() if index.data() == name)

    def _names(self):
        model, root = self.tree.model(), self.tree.rootIndex()
        for place in range(model.rowCount()):
            group = model.index(place, 0)
            if self.tree.isRowHidden(place, root) or not self.tree.isExpanded(group):
                continue
            for row in range(model.rowCount(group)):
                if not self.tree.isRowHidden(row, group):
                    yield model.index(row, NAME_COLUMN, group)

    def open_group(self, title: str) -> None:
        model = self.tree.model()
        group = next(index for index in (model.index(n, 0) for n in range(model.rowCount())) if title in index.data())
        self.app.click_item(self.tree, group)

    def click_row(self, name: str) -> None:
        self.app.click_item(self.tree, self.index(name))

    def select(self, *names: str) -> None:
        """Several rows; the first one is chosen."""
        import qt

        self.click_row(names[0])
        rows = qt.QItemSelectionModel.Select | qt.QItemSelectionModel.Rows
        for name in names[1:]:
            self.tree.selectionModel().select(self.index(name), rows)

    @property
    def chosen(self) -> str:
        """Name of the chosen row; empty where none is."""
        index = self.tree.currentIndex()
        return index.sibling(index.row(), NAME_COLUMN).data() or "" if index.isValid() else ""

    def remarks(self) -> list[str]:
        uis = self.user.ui.review_remarks
        return [ui.remarkLabel.text for ui in uis if ui.remarkFrame.visible]

    def choose(self, box, title: str) -> None:
        box.setCurrentIndex(box.findText(title))
        self.app.process_events()

    # -- the keyboard --------------------------------------------------------------------------------------------------

    def press(self, *keys: str) -> None:
        """With the focus in the table."""
        self.app.focus(self.tree)
        for each in keys:
            self.app.press(each)

    def slice_view(self, name: str = "Red"):
        return slicer.app.layoutManager().sliceWidget(name)

    # -- the scene -----------------------------------------------------------------------------------------------------

    def segment(self, segment_id: str):
        return self.node.GetSegmentation().GetSegment(segment_id)

    def state(self, segment_id: str) -> ReviewState:
        from TotalSegmentatorModuleLib.scene.review_tags import state_of

        return state_of(self.segment(segment_id))

    def flags(self, segment_id: str) -> str:
        """What the segment itself says about its remarks."""
        from TotalSegmentatorModuleLib.tags.segment_tags import read_tag

        return read_tag(self.segment(segment_id), "TotalSegmentatorModule.Flags")

    def set_state(self, segment_id: str, state: ReviewState) -> None:
        """As another module does it."""
        from TotalSegmentatorModuleLib.scene.review_tags import set_state

        set_state(self.segment(segment_id), state)
        self.settle()

    def settle(self) -> None:
        for _ in range(5):
            self.app.process_events()

    def visible(self) -> set[str]:
        """Ids of the segments whose eye is open."""
        display = self.node.GetDisplayNode()
        return {each for each in self.node.GetSegmentation().GetSegmentIDs() if display.GetSegmentVisibility(each)}

    def slice_centre(self) -> tuple[float, float, float]:
        """Where the three slice views are, R, A, S in mm."""
        offsets = {name: self.slice_view(name).mrmlSliceNode().GetSliceToRAS() for name in ("Yellow", "Green", "Red")}
        return tuple(matrix.GetElement(axis, 3) for axis, matrix in enumerate(offsets.values()))
