"""Segments of layers with any extent come onto the CT's grid voxel for voxel, or are refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from ct_variants import reordered, turned
from TotalSegmentatorEngine.export.core.segmentation import Layer, Segment, Segmentation, structure_of
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask, union
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries
from TotalSegmentatorEngine.export.grid.alignment import check_series, edited_segments, on_planes, on_volume_voxels
from TotalSegmentatorEngine.export.grid.placement import box_on, place
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.imaging.voxel_digest import is_same, label_digests, voxel_digest
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.result_tags import CT_SERIES_TAG, series_digest
from TotalSegmentatorWire.tables.review_state import VOXEL_DIGEST_TAG

SHAPE = (8, 12, 14)
GRID = Geometry(SHAPE, [[-0.8, 0, 0, 31.4], [0, -0.9, 0, 20.2], [0, 0, 2.5, -77.3], [0, 0, 0, 1]])


@pytest.fixture
def labels() -> np.ndarray:
    """Asymmetrical: two structures that touch each other, and a lone voxel in a corner."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:6, 3:8, 4:11] = 1
    labels[2:4, 3:5, 4:7] = 2
    labels[7, 11, 13] = 3
    return labels


def segment(label: int, layer: int = 0, **tags: str) -> Segment:
    return Segment(str(label), f"structure {label}", (1, 2, 3), layer, label, tags)


def segmentation(array: np.ndarray, geometry: Geometry, *more: Layer) -> Segmentation:
    return Segmentation(tuple(segment(n) for n in (1, 2, 3)), (Layer(array, geometry), *more))


def moved(geometry: Geometry, kji: tuple[float, float, float], shape: tuple[int, ...], scale: float = 1.0) -> Geometry:
    """A grid whose first voxel is ``kji`` of another one, with voxels ``scale`` times as large."""
    matrix = np.diag([scale, scale, scale, 1.0])
    matrix[:3, 3] = kji[::-1]
    return Geometry(shape, geometry.ijk_to_ras @ matrix)


@pytest.mark.parametrize("order", ["LPS", "RAS", "PIR", "ASL", "LAS", "SRP"])
def test_layers_in_any_voxel_order_are_placed_voxel_for_voxel(labels: np.ndarray, order: str):
    array, matrix = reordered(labels, GRID.ijk_to_ras, order)
    placed = place(segmentation(array, Geometry(array.shape, matrix)), GRID)
    for number, one in enumerate(placed.segments, start=1):
        assert np.array_equal(placed.mask(one).whole(), labels == number)
        assert placed.box(one) == placed.mask(one).box
        assert not placed.is_resampled(one)


@pytest.mark.parametrize("order", ["LPS", "SRP"])
def test_large_label_values_take_no_room(labels: np.ndarray, order: str):
    """As other programs write them, for instance with identifiers of theirs as values."""
    values = np.array([0, 70_000, 1, 2_000_000_000], np.int32)
    array, matrix = reordered(values[labels], GRID.ijk_to_ras, order)
    segments = tuple(segment(int(value)) for value in (*values[1:], 65_536))
    placed = place(Segmentation(segments, (Layer(array, Geometry(array.shape, matrix)),)), GRID)
    for number, one in enumerate(segments[:3], start=1):
        assert np.array_equal(placed.mask(one).whole(), labels == number)
    assert placed.box(segments[3]) is None


def test_a_layer_may_be_smaller_or_larger_than_the_ct(labels: np.ndarray):
    part = labels[1:7, 2:, 3:]
    cropped = place(segmentation(part, moved(GRID, (1, 2, 3), part.shape)), GRID)
    expected = np.zeros_like(labels)
    expected[1:7, 2:, 3:] = part
    assert [np.array_equal(cropped.mask(s).whole(), expected == s.label) for s in cropped.segments] == [True] * 3
    assert cropped.box(cropped.segments[2]) is None
    assert cropped.mask(cropped.segments[2]).is_empty
    around = np.pad(labels, ((2, 1), (0, 4), (3, 3)))
    placed = place(segmentation(around, moved(GRID, (-2, 0, -3), around.shape)), GRID)
    assert [np.array_equal(placed.mask(s).whole(), labels == s.label) for s in placed.segments] == [True] * 3


def test_voxels_outside_of_the_ct_are_refused_where_they_are_asked_for(labels: np.ndarray):
    placed = place(segmentation(labels, moved(GRID, (0, 0, 1), SHAPE)), GRID)
    beyond = [segment for segment in placed.segments if not placed.is_inside(segment)]
    assert beyond and len(beyond) < len(placed.segments)
    for ask in (placed.box, placed.mask):
        with pytest.raises(SegmentationError) as refused:
            ask(beyond[0])
        assert refused.value.code == "EXPORT_GEOMETRY_DIFFERS"
        assert refused.value.problem.values["distance_mm"] == pytest.approx(0.8)


def test_overlapping_segments_of_several_layers_keep_all_their_voxels(labels: np.ndarray):
    other = np.zeros(SHAPE, np.int16)
    other[3:7, 4:9, 5:12] = 1
    both = dataclasses.replace(
        segmentation(labels, GRID, Layer(other, GRID)), segments=(segment(1), dataclasses.replace(segment(1), layer=1))
    )
    placed = place(both, GRID)
    first, second = (placed.mask(one) for one in placed.segments)
    assert np.array_equal(first.whole(), labels == 1)
    assert np.array_equal(second.whole(), other == 1)
    assert union([first, second]).count == np.count_nonzero((labels == 1) | (other == 1))


def test_a_finer_layer_is_resampled_without_a_shift(labels: np.ndarray):
    fine = labels.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    placed = place(segmentation(fine, moved(GRID, (-0.25, -0.25, -0.25), fine.shape, 0.5)), GRID)
    assert all(placed.is_resampled(one) for one in placed.segments)
    assert [np.array_equal(placed.mask(s).whole(), labels == s.label) for s in placed.segments] == [True] * 3


def test_a_turned_layer_keeps_its_volume_roughly(labels: np.ndarray):
    """A layer that was turned by hand: its voxels lie between the CT's."""
    geometry = Geometry(SHAPE, turned(GRID.ijk_to_ras, 2.0))
    one = Segmentation((segment(1),), (Layer(labels, geometry),))
    placed = place(one, GRID)
    assert placed.mask(placed.segments[0]).count == pytest.approx(np.count_nonzero(labels == 1), rel=0.15)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, bool])
def test_any_voxel_type_is_placed(dtype: type):
    array = np.zeros(SHAPE, dtype)
    array[1:3, 2:4, 5:9] = 1
    placed = place(Segmentation((segment(1),), (Layer(array, GRID),)), GRID)
    assert placed.mask(placed.segments[0]).count == 16


# -- whether somebody edited it ----------------------------------------------------------------------------------------


def digest_of(labels: np.ndarray, label: int, geometry: Geometry) -> str:
    mask = VoxelMask.cropped(labels == label)
    return voxel_digest(mask.voxels, mask.start, geometry)


@pytest.mark.parametrize("order", ["LPS", "RAS", "PIR", "LAS", "SRP"])
def test_the_digest_does_not_depend_on_how_the_image_is_stored(labels: np.ndarray, order: str):
    array, matrix = reordered(labels, GRID.ijk_to_ras, order)
    assert is_same(digest_of(labels, 1, GRID), digest_of(array, 1, Geometry(array.shape, matrix)))


@pytest.mark.parametrize("order", ["LPS", "ASL"])
def test_one_pass_over_a_label_map_gives_each_structures_digest(labels: np.ndarray, order: str):
    array, matrix = reordered(labels, GRID.ijk_to_ras, order)
    geometry = Geometry(array.shape, matrix)
    boxes = {label: VoxelMask.cropped(array == label).box for label in (1, 2, 3)}
    assert label_digests(array, boxes, geometry) == {label: digest_of(array, label, geometry) for label in boxes}


def test_one_voxel_or_another_place_makes_another_digest(labels: np.ndarray):
    made = digest_of(labels, 1, GRID)
    edited = labels.copy()
    edited[4, 5, 6] = 0
    assert not is_same(made, digest_of(edited, 1, GRID))
    assert not is_same(made, digest_of(labels, 1, moved(GRID, (0, 0, 1), SHAPE)))
    assert not is_same(made, "")
    assert not is_same("", "")


def test_edited_segments_are_those_whose_voxels_changed(labels: np.ndarray):
    made = {label: digest_of(labels, label, GRID) for label in (1, 2, 3)}
    labels[2, 3, 4] = 1  # a voxel goes from one structure to its neighbour
    segments = tuple(segment(label, **{VOXEL_DIGEST_TAG: made[label]}) for label in (1, 2, 3))
    drawn = dataclasses.replace(segment(3), id="drawn")
    placed = place(Segmentation((*segments, drawn), (Layer(labels, GRID),)), GRID)
    assert edited_segments(placed) == {"1", "2"}


# -- is it that CT? ----------------------------------------------------------------------------------------------------


def reference(positions: list[float], uid: str = "1.2.3") -> ReferenceSeries:
    """A series of axial planes at these heights over the grid's first one, mm."""
    from pydicom import Dataset
    from TotalSegmentatorEngine.export.dicom.reference_series import Plane

    first = GRID.ijk_to_lps[:3, 3]
    planes = tuple(
        Plane("1", f"{uid}.{n}", first + np.array([0, 0, height]), None) for n, height in enumerate(positions)
    )
    matrix = GRID.ijk_to_ras.copy()
    matrix[2, 2] = positions[-1] / (len(positions) - 1)
    steps = np.diff(positions)
    irregular = (
        None
        if np.ptp(steps) < 0.01
        else SegmentationError("INPUT_IRREGULAR_SLICES", smallest_mm=float(steps.min()), largest_mm=float(steps.max()))
    )
    dataset = Dataset()
    dataset.SeriesInstanceUID = uid
    geometry = Geometry((len(positions), *SHAPE[1:]), matrix)
    return ReferenceSeries(planes, SHAPE[1], SHAPE[2], (0.9, 0.8), np.eye(3)[:2], irregular, geometry, dataset)


def test_a_segmentation_of_another_series_is_refused(labels: np.ndarray):
    series = reference(REGULAR)
    own = Segmentation((segment(1, **{CT_SERIES_TAG: series_digest("1.2.3")}),), (Layer(labels, GRID),))
    other = Segmentation((segment(1, **{CT_SERIES_TAG: series_digest("1.2.4")}),), (Layer(labels, GRID),))
    check_series(own, series)
    check_series(segmentation(labels, GRID), series)  # a hand-drawn one names no series
    with pytest.raises(SegmentationError) as refused:
        check_series(other, series)
    assert refused.value.code == "EXPORT_OTHER_CT"


IRREGULAR = [0, 2, 4, 7.5, 9, 12.2, 14, 17]
REGULAR = [2.5 * n for n in range(8)]


def in_slicer(step: float, is_reversed: bool) -> Geometry:
    """The grid of a volume of the series with equal steps, its slices in either order."""
    matrix = GRID.ijk_to_ras.copy()
    matrix[2, 2] = -step if is_reversed else step
    matrix[2, 3] += 7 * step if is_reversed else 0
    return Geometry(SHAPE, matrix)


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize("step", [2.0, 3.1])
@pytest.mark.parametrize("align", ["file", "volume"])
def test_slices_of_an_irregular_series_go_to_their_planes(labels: np.ndarray, is_reversed: bool, step: float, align):
    """Slicer shows an irregular series as an image of equal steps; which ones depends on its reader."""
    series, image = reference(IRREGULAR), in_slicer(step, is_reversed)
    array = labels[::-1] if is_reversed else labels
    if align == "volume":
        part = array[:, 1:, 2:]
        layer = Layer(part, moved(image, (0, 1, 2), part.shape))
        aligned = on_volume_voxels(Segmentation((segment(1), segment(2)), (layer,)), series, image)
    else:
        aligned = on_planes(Segmentation((segment(1), segment(2)), (Layer(array, image),)), series)
    placed = place(aligned, series.grid)
    for one in placed.segments:
        assert np.array_equal(placed.mask(one).whole(), labels == one.label)


def test_an_image_without_the_planes_of_an_irregular_series_is_refused(labels: np.ndarray):
    for image in (Geometry((7, *SHAPE[1:]), GRID.ijk_to_ras), moved(GRID, (0, 1, 0), SHAPE)):
        with pytest.raises(SegmentationError) as refused:
            on_planes(segmentation(labels[: image.shape[0]], image), reference(IRREGULAR))
        assert refused.value.code == "EXPORT_IMAGE_DIFFERS"


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize("shift", [(0, 0, 0), (0, 0, 30), (3, -2, 0.4)])
def test_a_volume_that_was_moved_keeps_its_structures_on_their_pixels(labels: np.ndarray, is_reversed: bool, shift):
    """Slicer's Center Volume moves the CT, and what is then drawn lies where the CT is shown."""
    series, volume = reference(REGULAR), moved(in_slicer(2.5, is_reversed), shift, SHAPE)
    array = labels[::-1] if is_reversed else labels
    part = array[1:, :, 2:]
    layer = Layer(part, moved(volume, (1, 0, 2), part.shape))
    placed = place(on_volume_voxels(Segmentation((segment(1),), (layer,)), series, volume), series.grid)
    expected = np.zeros_like(array)
    expected[1:, :, 2:] = part
    assert np.array_equal(placed.mask(placed.segments[0]).whole(), (expected[::-1] if is_reversed else expected) == 1)


@pytest.mark.parametrize(
    "volume",
    [
        Geometry(SHAPE, turned(GRID.ijk_to_ras, 3.0)),
        Geometry(SHAPE, GRID.ijk_to_ras @ np.diag([-1.0, 1, 1, 1])),
        Geometry(SHAPE, GRID.ijk_to_ras @ np.diag([1.0, 1, 1.1, 1])),
        Geometry((7, *SHAPE[1:]), GRID.ijk_to_ras @ np.diag([1.0, 1, 1.1, 1])),
        moved(GRID, (0.5, 0, 0), (7, *SHAPE[1:])),
        moved(GRID, (0, 40, 0), (7, *SHAPE[1:])),
    ],
    ids=["turned", "mirrored", "stretched", "cropped and stretched", "cropped and moved", "elsewhere"],
)
def test_a_volume_that_is_no_longer_the_series_is_refused(labels: np.ndarray, volume: Geometry):
    with pytest.raises(SegmentationError) as refused:
        on_volume_voxels(segmentation(labels, GRID), reference(REGULAR), volume)
    assert refused.value.code == "EXPORT_CT_MOVED"


@pytest.mark.parametrize(
    ("segment_id", "name", "label"),
    [("kidney_left", "x", 3), ("Segment_7", "Kidney left", 3), ("Segment_1", "tumour", None), ("spleen", "", 1)],
)
def test_segments_are_known_by_id_or_name(segment_id: str, name: str, label: int | None):
    found = structure_of(segment_id, name, {})
    assert (found.label if found else None) == label


def test_the_models_tag_says_whose_label_it_is():
    assert structure_of("liver", "", {"TotalSegmentatorModule.Model": "117-3mm"}).part_model.startswith("Dataset")
    assert structure_of("liver", "", {"TotalSegmentatorModule.Model": "104-3mm"}).part_model.startswith("Task")


@pytest.mark.parametrize("is_reversed", [False, True], ids=["as Slicer does", "with reversed slices"])
@pytest.mark.parametrize(
    ("first", "shape", "is_cut"),
    [((2, 3, 4), (6, 9, 10), True), ((-1, 0, 2), (9, 12, 13), False)],
    ids=["inside", "reaching beyond"],
)
def test_a_crop_of_slicers_volume_lies_on_its_series(labels: np.ndarray, is_reversed: bool, first, shape, is_cut: bool):
    """The border of the first one runs through the first structure."""
    series, whole = reference(REGULAR), in_slicer(2.5, is_reversed)
    crop = moved(whole, first, shape)
    array = labels[::-1] if is_reversed else labels
    box = tuple(slice(max(low, 0), low + size) for low, size in zip(first, crop.shape, strict=True))
    part = np.zeros(SHAPE, np.uint8)
    part[box] = array[box]
    layer = Layer(part[box], moved(whole, tuple(one.start for one in box), part[box].shape))
    aligned = on_volume_voxels(Segmentation((segment(1), segment(2)), (layer,)), series, crop)
    placed = place(aligned, series.grid, box_on(aligned.made_on, series.grid))
    for number, one in enumerate(placed.segments, start=1):
        assert not placed.is_resampled(one)
        assert np.array_equal(placed.mask(one).whole(), (part[::-1] if is_reversed else part) == number)
    assert placed.is_at_border(placed.box(placed.segments[0])) is is_cut


def test_a_box_is_only_told_on_one_lattice():
    assert box_on(moved(GRID, (1, 2, 3), (4, 5, 6)), GRID) == (slice(1, 5), slice(2, 7), slice(3, 9))
    assert box_on(moved(GRID, (-2, 0, 0), (4, 5, 6)), GRID) == (slice(-2, 2), slice(0, 5), slice(0, 6))
    _array, matrix = reordered(np.zeros((4, 5, 6)), moved(GRID, (1, 2, 3), (4, 5, 6)).ijk_to_ras, "SRP")
    assert box_on(Geometry(_array.shape, matrix), GRID) == (slice(1, 5), slice(2, 7), slice(3, 9))
    for part in (moved(GRID, (1, 2, 3.5), (4, 5, 6)), moved(GRID, (9, 0, 0), (4, 5, 6))):
        assert box_on(part, GRID) is None
    assert box_on(moved(GRID, (1, 2, 3), (4, 5, 6), 2.0), GRID) is None
