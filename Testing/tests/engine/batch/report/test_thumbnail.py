"""The small picture of a CT shows each structure on its side of the patient, whatever the order of the voxels is."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image
from TotalSegmentatorEngine.batch.report.thumbnail import MOST_BYTES, thumbnail_jpeg
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.messages.segment import FoundStructure

SIZE_MM = np.array([300.0, 200.0, 400.0])
"""Along right, front and head (RAS); the middle is at 0."""
SPACING_MM = np.array([1.5, 2.0, 5.0])
BLOCKS = {  # of the label tables by their colours: green, blue and red
    "rib_right_9": ((60, 110), (-30, 30), (-60, 60)),
    "rib_left_10": ((-110, -60), (-30, 30), (-60, 60)),
    "vertebrae_L2": ((-20, 20), (10, 70), (20, 140)),
}
RIGHT_GREEN, LEFT_BLUE, FRONT_RED = 1, 2, 0
"""Channels."""
FOUND = [FoundStructure(label, name, 1, [0] * 6) for label, name in enumerate(BLOCKS, start=1)]
BOLD = [Flag("holes", Level.WRONG, name) for name in BLOCKS]
AXES = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}


def block_phantom(orientation: str) -> tuple[Volume, np.ndarray]:
    """CT and labels; each voxel's label is that of the place in RAS mm at which its centre lies."""
    matrix = np.eye(4)
    matrix[:3, :3] = 0
    shape = []
    for column, letter in enumerate(orientation):
        axis, sign = AXES[letter]
        matrix[axis, column] = sign * SPACING_MM[axis]
        shape.append(round(SIZE_MM[axis] / SPACING_MM[axis]))
    matrix[:3, 3] = -matrix[:3, :3] @ ((np.array(shape) - 1) / 2)
    k, j, i = np.indices(shape[::-1])
    places = np.stack([i, j, k], axis=-1) @ matrix[:3, :3].T + matrix[:3, 3]
    labels = np.zeros(shape[::-1], np.uint8)
    for structure in FOUND:
        inside = [(places[..., axis] > low) & (places[..., axis] < high)
                  for axis, (low, high) in enumerate(BLOCKS[structure.name])]  # fmt: skip
        labels[np.logical_and.reduce(inside)] = structure.label
    hu = np.where(labels == 1, 300, np.where(labels > 0, 40, -40)).astype(np.int16)
    return Volume(hu, Geometry(labels.shape, matrix)), labels


def pictures_of(jpeg: bytes, widths: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    picture = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB")).astype(int)
    assert picture.shape[1] == pytest.approx(sum(widths) + 4, abs=2)
    return picture[:, : widths[0]], picture[:, -widths[1] :]


def middle_of_colour(picture: np.ndarray, channel: int) -> tuple[float, float] | None:
    """Of the box about the pixels in which red, green or blue prevails: row and column, 0..1 of the picture; None where
    there are hardly any."""
    others = np.delete(picture, channel, axis=2).max(axis=2)
    pixels = np.argwhere(picture[..., channel] - others > 20)
    middle = (pixels.min(axis=0) + pixels.max(axis=0) + 1) / 2 if len(pixels) > 20 else None
    return None if middle is None else tuple((middle / picture.shape[:2]).tolist())


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "PIR", "SAL", "LIA"])
def test_each_structure_is_on_its_side(orientation: str):
    volume, labels = block_phantom(orientation)
    jpeg = thumbnail_jpeg(volume, [labels], FOUND, BOLD)
    assert len(jpeg) <= MOST_BYTES
    coronal, axial = pictures_of(jpeg, (168, 224))  # 224 pixels for 400 and for 300 mm
    axial = axial[:149]
    for picture, upper_mm, size_mm in ((coronal, (0, 80), (400, 300)), (axial, (0, 40), (200, 300))):
        right, left = middle_of_colour(picture, RIGHT_GREEN), middle_of_colour(picture, LEFT_BLUE)
        assert right == pytest.approx((0.5 - upper_mm[0] / size_mm[0], 0.5 - 85 / size_mm[1]), abs=0.03)
        assert left == pytest.approx((0.5 - upper_mm[0] / size_mm[0], 0.5 + 85 / size_mm[1]), abs=0.03)
        middle = middle_of_colour(picture, FRONT_RED)
        assert middle == pytest.approx((0.5 - upper_mm[1] / size_mm[0], 0.5), abs=0.03)
        bright = np.argwhere(picture.min(axis=2) > 230)
        bright = bright[np.abs(bright[:, 1] / picture.shape[1] - right[1]) < 0.1]  # not the marks and the bar
        assert bright.mean(axis=0) / picture.shape[:2] == pytest.approx(right, abs=0.03)


def test_the_second_plane_goes_through_the_place_of_the_most_serious_remark():
    volume, labels = block_phantom("LPS")
    check = Flag("pieces", Level.CHECK, "rib_right_9", place_ras_mm=(85.0, 0.0, 55.0))
    wrong = Flag("holes", Level.WRONG, "rib_left_10", place_ras_mm=(-85.0, 0.0, -50.0))
    cut = Flag("cut_by_scan", Level.CUT, "vertebrae_L2", place_ras_mm=(0.0, 40.0, 130.0))
    shown = [Flag("holes", Level.WRONG, name) for name in BLOCKS]
    _, axial = pictures_of(thumbnail_jpeg(volume, [labels], FOUND, [cut, check, wrong, *shown]), (168, 224))
    assert middle_of_colour(axial, LEFT_BLUE) is not None and middle_of_colour(axial, FRONT_RED) is None
    _, axial = pictures_of(thumbnail_jpeg(volume, [labels], FOUND, [cut, check, *shown]), (168, 224))
    assert middle_of_colour(axial, FRONT_RED) is not None


def test_structures_with_the_most_serious_remarks_are_bold():
    volume, labels = block_phantom("LPS")
    check, wrong = Flag("pieces", Level.CHECK, "rib_right_9"), Flag("holes", Level.WRONG, "rib_left_10")
    coloured = []
    for flags in ([check], [check, wrong]):
        coronal, _ = pictures_of(thumbnail_jpeg(volume, [labels], FOUND, flags), (168, 224))
        coloured.append([int((coronal[..., each] - np.delete(coronal, each, 2).max(axis=2) > 20).sum())
                         for each in (RIGHT_GREEN, LEFT_BLUE)])  # fmt: skip
    (green, thin_blue), (thin_green, blue) = coloured
    assert green > 1.3 * thin_green and blue > 1.3 * thin_blue


def test_a_remark_on_a_vertebra_is_seen_from_the_side():
    volume, labels = block_phantom("RAS")
    flag = Flag("numbering", Level.WRONG, "vertebrae_L2", place_ras_mm=(0.0, 40.0, 80.0))
    _, sagittal = pictures_of(thumbnail_jpeg(volume, [labels], FOUND, [flag]), (168, 112))
    centre = middle_of_colour(sagittal, FRONT_RED)
    assert centre == pytest.approx((0.5 - 80 / 400, 0.5 - 40 / 200), abs=0.04)  # the front is at the left
    assert middle_of_colour(sagittal, RIGHT_GREEN) is None


@pytest.mark.parametrize("shape", [(1, 30, 40), (40, 1, 30), (3, 2, 1)])
def test_a_ct_of_few_planes_and_without_structures_has_a_picture(shape: tuple[int, int, int]):
    volume = Volume(np.zeros(shape, np.int16), Geometry(shape, np.diag([-1.0, -1.0, 5.0, 1.0])))
    picture = Image.open(io.BytesIO(thumbnail_jpeg(volume, [np.zeros(shape, np.uint8)], [])))
    assert picture.format == "JPEG" and min(picture.size) > 1


def test_structures_of_every_layer_are_drawn():
    """The vertebra has the label of a rib, in a layer of its own."""
    volume, labels = block_phantom("LPS")
    layers = [np.where(labels == 3, 0, labels), (labels == 3).astype(np.uint8)]
    found = [*FOUND[:2], dataclasses.replace(FOUND[2], label=1, layer=1)]
    assert thumbnail_jpeg(volume, layers, found, BOLD) == thumbnail_jpeg(volume, [labels], FOUND, BOLD)
