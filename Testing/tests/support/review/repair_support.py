"""A phantom's spine under review in the panel, with names planted wrong, and everything that an undo must restore."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import slicer
import vtk
import vtk.util.numpy_support
from phantom import PhantomParameters, make_phantom
from phantom.phantom import read_label_table
from review_support import ReviewUser, review_of
from scipy import ndimage
from time_bounds import READY_SECONDS
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.messages.segment import FoundStructure
from TotalSegmentatorWire.tables.structures import known_structures

TABLE = read_label_table()
ABDOMEN = PhantomParameters(
    spacing_mm=(4.0, 4.0, 4.0), orientation="LPS", field_of_view_mm=((-170.0, 170.0), (-130.0, 120.0), (0.0, 300.0))
)
VOXEL_ML = 4.0**3 / 1000
TAGS = (
    "TotalSegmentatorModule.Flags",
    "TotalSegmentatorModule.Measures",
    "TotalSegmentatorModule.AbsentStructures",
    "TotalSegmentatorModule.ReviewState",
    "TotalSegmentatorModule.VoxelDigest",
    "TotalSegmentatorModule.Model",
    "Segmentation.Status",
    "TerminologyEntry",
)


class RepairUser(ReviewUser):
    """Reviews the abdomen of a phantom."""

    def add_phantom(self, labels: np.ndarray, flags: list[Flag], ct: np.ndarray | None = None) -> None:
        """``labels`` (k, j, i) on the grid of ``phantom()``; the segmentation's structures are those that occur."""
        from TotalSegmentatorModuleLib.scene.segmentation_import import ImportTarget, LabelImage, import_result
        from TotalSegmentatorModuleLib.self_test import synthetic_header

        made = phantom()
        self.ct = self.user.add_ct(made.ct if ct is None else ct, matrix=made.ijk_to_ras)
        image = LabelImage(labels.shape)
        image.array[:] = labels
        by_label = {label: known_structures()[name] for name, label in TABLE.items()}
        present = [int(label) for label in np.unique(labels) if label]
        found = []
        for label in present:
            places = np.argwhere(labels == label)
            ends = (places.min(axis=0), places.max(axis=0))
            extent = [int(end[axis]) for axis in (2, 1, 0) for end in ends]
            volume_ml = len(places) * abs(np.linalg.det(np.reshape(made.ijk_to_ras, (4, 4))[:3, :3])) / 1000
            name, digest = by_label[label].name, f"digest {label}"
            found.append(FoundStructure(label, name, len(places), extent, digest, 40.5, volume_ml))
        header = synthetic_header(labels.shape, made.ijk_to_ras, [by_label[label] for label in present])
        header = dataclasses.replace(
            header, found=found, models=["104-1.5mm"], profiles={"104-1.5mm": "nnunet"}, review=review_of(flags)
        )
        self.node = import_result([image], header, ImportTarget(self.ct, None, ""))
        self.panel.result_arrived(self.node, header)
        self.settle()
        self.wait(lambda: self.tree.model().rowCount() > 0)
        self.app.resize_window(1024, 2600)

    def add_swapped(self) -> dict[str, np.ndarray]:
        """T10 and T11 bear each other's name; the remark on T10 says so. Returns what the names belong to."""
        labels = labels_of("vertebrae_T9", "vertebrae_T10", "vertebrae_T11", "liver")
        true = {name: labels == TABLE[name] for name in ("vertebrae_T10", "vertebrae_T11")}
        labels[true["vertebrae_T10"]], labels[true["vertebrae_T11"]] = TABLE["vertebrae_T11"], TABLE["vertebrae_T10"]
        place = centre_of(true["vertebrae_T11"])
        flags = [
            Flag("vertebrae_swapped", Level.WRONG, "vertebrae_T10", ("vertebrae_T11",), place),
            Flag("cut_by_scan", Level.CUT, "vertebrae_T11", (), None, {"sides": "above"}),
            Flag("missing_between", Level.WRONG, "aorta", (), None),
        ]
        self.add_phantom(labels, flags)
        return true

    def add_with_island(self, *more: Flag) -> tuple[np.ndarray, np.ndarray]:
        """A liver with a stray piece in a far corner, of which the remark tells; spleen and T12 beside it, and ``more``
        remarks. Returns the liver and the island."""
        labels = labels_of("liver", "spleen", "vertebrae_T12")
        liver = labels == TABLE["liver"]
        largest = largest_piece(liver)
        labels[liver & ~largest] = 0
        island = np.zeros(liver.shape, bool)
        island[2:5, 2:6, 2:5] = True
        labels[island] = TABLE["liver"]
        evidence = {"pieces": 2, "expected": 1, "volume_ml": 2.3}
        self.add_phantom(labels, [Flag("islands", Level.CHECK, "liver", (), centre_of(island), evidence), *more])
        return largest, island

    @property
    def repair_ui(self):
        return self.user.ui.review_repair

    def click_repair(self, title: str) -> None:
        """The button of that title beside a remark on the chosen row."""
        uis = self.user.ui.review_remarks
        (button,) = [ui.repairButton for ui in uis if ui.repairButton.visible and ui.repairButton.text == title]
        self.app.click(button)
        self.settle()

    def repair_buttons(self) -> list[str]:
        return [ui.repairButton.text for ui in self.user.ui.review_remarks if ui.repairButton.visible]

    def more_repairs(self) -> list[str]:
        """What the button *Repairs* lists; nothing where it is off."""
        button = self.ui.moreRepairsButton
        return [action.text for action in button.menu().actions()] if button.enabled else []

    def choose_repair(self, title: str) -> None:
        (action,) = [each for each in self.ui.moreRepairsButton.menu().actions() if each.text == title]
        action.trigger()
        self.settle()

    def mask(self, segment_id: str) -> np.ndarray:
        """bool (k, j, i) on the grid of the CT."""
        array = slicer.util.arrayFromSegmentBinaryLabelmap(self.node, segment_id, self.ct)
        return array.astype(bool)

    def everything(self) -> dict:
        """Order, names, colours, tags and voxels of all segments."""
        segmentation = self.node.GetSegmentation()
        return {
            each: (
                segmentation.GetSegment(each).GetName(),
                tuple(segmentation.GetSegment(each).GetColor()),
                [tag_of(segmentation.GetSegment(each), tag) for tag in TAGS],
                own_voxels(segmentation.GetSegment(each)),
            )
            for each in segmentation.GetSegmentIDs()
        }


@cache
def phantom():
    return make_phantom(ABDOMEN)


def labels_of(*names: str) -> np.ndarray:
    """The phantom's labels, of these structures only."""
    labels = phantom().labels
    return np.where(np.isin(labels, [TABLE[name] for name in names]), labels, 0).astype(np.uint8)


def centre_of(mask: np.ndarray) -> tuple[float, float, float]:
    middle = np.argwhere(mask).mean(axis=0)
    return tuple(float(x) for x in (phantom().ijk_to_ras @ [*middle[::-1], 1.0])[:3])


def tag_of(segment, name: str) -> str:
    value = vtk.reference("")
    return str(value) if segment.GetTag(name, value) else ""


def own_voxels(segment) -> bytes:
    """Which voxels of its image are the segment's."""
    image = segment.GetRepresentation("Binary labelmap")
    array = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    return image.GetExtent(), np.packbits(array == segment.GetLabelValue()).tobytes()


def largest_piece(mask: np.ndarray) -> np.ndarray:
    """Without islands of the phantom's own."""
    numbers, _count = ndimage.label(mask, np.ones((3, 3, 3)))
    return numbers == np.argmax(np.bincount(numbers.ravel())[1:]) + 1


def previews() -> list:
    return [node for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode") if node.GetHideFromEditors()]


def nodes() -> set:
    return {node.GetID() for node in slicer.util.getNodesByClass("vtkMRMLNode")}


def work_out(reviewer, row: str, title: str) -> None:
    """``title``: of a button beside a remark, or of one of the further repairs."""
    reviewer.click_row(row)
    if title in reviewer.more_repairs():
        reviewer.choose_repair(title)
    else:
        reviewer.click_repair(title)
    text = reviewer.repair_ui.repairLabel
    assert reviewer.app.wait_until(lambda: not text.text.startswith("Working out"), READY_SECONDS), text.text


def wait_for_second_check(reviewer) -> None:
    """Until the remarks on the chosen row are of what it is now."""
    repaired = "Changed, not checked again"
    is_checked = lambda: not any(each.startswith(repaired) for each in reviewer.remarks())  # noqa: E731
    assert reviewer.app.wait_until(is_checked, READY_SECONDS), reviewer.remarks()
