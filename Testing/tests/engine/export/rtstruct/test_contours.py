"""Contours of masks: that filling them by pixel centre gives the mask back, and that they are well formed."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from scipy import ndimage
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.export.rtstruct.contours import ContourOptions, RoiContours, roi_contours
from TotalSegmentatorEngine.export.rtstruct.rasterising import fill_contours

CORNERS_TOO = np.ones((3, 3), dtype=bool)
HOLE_WAYS = ("keyhole", "xor")
FINEST_SPACING_MM = 0.4  # of a CT's pixels; coordinates are written to 0.01 mm


def area_of(points: np.ndarray) -> float:
    x, y = points.T
    return 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def points_of(found: RoiContours) -> list[np.ndarray]:
    return [contour.points for contour in found]


def contours_of(mask: np.ndarray, **options) -> RoiContours:
    return roi_contours(VoxelMask.cropped(mask[None]), ContourOptions(**options))


def plane_contours(mask: np.ndarray, **options) -> list[np.ndarray]:
    """The points of all contours of a plane."""
    return [contour.points for contour in contours_of(mask, **options).contours]


def rounded(contours: list[np.ndarray]) -> list[np.ndarray]:
    return [np.round(points * FINEST_SPACING_MM, 2) / FINEST_SPACING_MM for points in contours]


def pieces_and_holes(mask: np.ndarray) -> tuple[int, int]:
    """Pieces connected by edges, and holes connected by corners too; both counted by scipy."""
    pieces = ndimage.label(mask)[1]
    around = ndimage.label(~np.pad(mask, 1), CORNERS_TOO)[1]
    return pieces, around - 1


def crossing_edges(contours: list[np.ndarray]) -> int:
    """Pairs of edges that cross each other; edges that only touch or coincide are none."""
    start = np.concatenate(contours)
    end = np.concatenate([np.roll(points, -1, axis=0) for points in contours])
    a, b, c, d = start[:, None], end[:, None], start[None], end[None]

    def side(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
        return (q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1]) - (q[..., 1] - p[..., 1]) * (r[..., 0] - p[..., 0])

    crosses = (side(a, b, c) * side(a, b, d) < -1e-12) & (side(c, d, a) * side(c, d, b) < -1e-12)
    return int(np.count_nonzero(crosses)) // 2


def assert_well_formed(found: RoiContours) -> None:
    for contour in found:
        points = contour.points
        assert points.dtype == np.float64 and points.ndim == 2
        assert len(np.unique(points, axis=0)) >= 3
        assert (points != np.roll(points, 1, axis=0)).any(axis=1).all(), "two equal points follow each other"
        assert (area_of(points) < 0) == contour.is_hole


def random_masks() -> list[np.ndarray]:
    """Noise of every density, blobs, and patterns in which pixels touch by corners only."""
    random = np.random.default_rng(20)
    masks = []
    for number in range(80):
        noise = random.random(random.integers(1, 26, 2))
        if number % 2:
            noise = ndimage.gaussian_filter(noise, random.uniform(0.5, 2))
            masks.append(noise > np.quantile(noise, random.random()))
        else:
            masks.append(noise < random.random())
    for shape in ((1, 1), (1, 7), (6, 6), (9, 12)):
        checkers = np.indices(shape).sum(axis=0) % 2 == 0
        masks += [checkers, ~checkers, np.ones(shape, bool), np.pad(~checkers, 1, constant_values=True)]
    return masks


def nested_rings(size: int = 41) -> np.ndarray:
    away = np.abs(np.indices((size, size)) - size // 2).max(axis=0)
    return away % 4 < 2


def holes_in_a_line() -> np.ndarray:
    """Holes below and beside each other, so that channels meet other holes' channels at their very start."""
    mask = np.ones((24, 11), dtype=bool)
    mask[2:-2:3, 3] = mask[3:-2:4, 6:8] = mask[2:-2:2, 9] = False
    return mask


def touching_blocks() -> np.ndarray:
    """Two blocks that touch by a corner, with blocks beside them behind gaps that blurring would close."""
    mask = np.zeros((20, 20), dtype=bool)
    mask[:10, :10] = mask[10:, 10:] = mask[:9, 11:] = mask[11:, :9] = True
    return mask


SHAPES = {
    "nested rings": nested_rings(),
    "nested holes": ~nested_rings(39),
    "holes in a line": holes_in_a_line(),
    "touching blocks": touching_blocks(),
}


def midway(points: np.ndarray) -> np.ndarray:
    """The points half-way between pixels (or at their corners) to which these belong, 0.02 pixels from them."""
    exact = np.round(points * 2) / 2
    assert np.abs(points - exact).max() == pytest.approx(0.02)
    return exact


# -- back to the pixels ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("holes", HOLE_WAYS)
def test_filling_gives_the_mask_back(holes: str):
    for mask in [*random_masks(), *SHAPES.values()]:
        found = contours_of(mask, holes=holes)
        assert_well_formed(found)
        for contours in (points_of(found), rounded(points_of(found))):
            for rule in ("even-odd", "non-zero"):
                np.testing.assert_array_equal(fill_contours(contours, mask.shape, rule), mask)


@pytest.mark.parametrize("holes", HOLE_WAYS)
def test_one_contour_for_each_piece_and_none_crosses_another(holes: str):
    for mask in [*random_masks()[:40], *SHAPES.values()]:
        found = contours_of(mask, holes=holes)
        pieces, hole_count = pieces_and_holes(mask)
        assert sum(not contour.is_hole for contour in found) == pieces
        assert sum(contour.is_hole for contour in found) == (hole_count if holes == "xor" else 0)
        assert not len(found) or crossing_edges(points_of(found)) == 0


def test_a_large_noisy_plane_with_hundreds_of_holes():
    """They hang below each other."""
    mask = np.random.default_rng(3).random((200, 200)) < 0.62
    assert pieces_and_holes(mask)[1] > 700
    np.testing.assert_array_equal(fill_contours(plane_contours(mask), mask.shape), mask)


def test_channels_run_between_pixel_columns_and_are_passed_twice():
    mask = np.ones((12, 12), dtype=bool)
    mask[4, 5] = mask[7:9, 3:5] = mask[7, 8] = False
    (points,) = plane_contours(mask)
    points = midway(points)
    edges = [tuple(map(tuple, edge)) for edge in zip(points, np.roll(points, -1, axis=0), strict=True)]
    channels = [edge for edge in edges if edge[::-1] in edges]
    assert len(channels) == 2 * 3
    for (i, _j), (i_too, _j_too) in channels:
        assert i == i_too and i % 1 == 0.5
    both_ways = {frozenset(edge) for edge in channels}
    assert frozenset({(5.5, 4.0), (5.5, -0.5)}) in both_ways
    assert frozenset({(8.5, 7.0), (8.5, -0.5)}) in both_ways
    assert frozenset({(4.5, 7.0), (4.5, 4.0)}) in both_ways, "to the hole above"


# -- the points --------------------------------------------------------------------------------------------------------


def test_points_of_small_shapes():
    def corners(*rows: str) -> set[tuple[float, float]]:
        (points,) = plane_contours(np.array([[letter == "x" for letter in row] for row in rows]))
        points = midway(points)
        assert len(points) == len({tuple(point) for point in points})
        return {tuple(point) for point in points.tolist()}

    assert corners("x") == {(-0.5, 0), (0, -0.5), (0.5, 0), (0, 0.5)}
    assert corners("xxx", "xxx") == {(-0.5, -0.5), (2.5, -0.5), (2.5, 1.5), (-0.5, 1.5)}
    # a step of one pixel is a diagonal, a step of two has corners
    low = corners("xxx...", "xxxxxx", "xxxxxx")
    assert low == {(-0.5, -0.5), (2, -0.5), (3, 0.5), (5.5, 0.5), (5.5, 2.5), (-0.5, 2.5)}
    high = corners("xxx...", "xxx...", "xxxxxx", "xxxxxx")
    assert high == {(-0.5, -0.5), (2.5, -0.5), (2.5, 1.5), (5.5, 1.5), (5.5, 3.5), (-0.5, 3.5)}


def test_no_point_lies_within_a_straight_line():
    for mask in random_masks():
        for points in points_of(contours_of(mask, holes="xor")):
            to_here, to_next = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
            assert (to_here[:, 0] * to_next[:, 1] != to_here[:, 1] * to_next[:, 0]).all()


def test_boundaries_do_not_touch_each_other():
    for mask in [*random_masks(), *SHAPES.values()]:
        points = points_of(contours_of(mask, holes="xor"))
        assert not points or len(np.unique(np.concatenate(points), axis=0)) == sum(map(len, points))


def test_boundary_stays_away_from_pixel_centres():
    """The distance that rounding and other systems' arithmetic may use up: a third of a pixel."""
    for mask in [*random_masks()[:40], *SHAPES.values()]:
        centres = np.argwhere(np.ones(np.add(mask.shape, 2), bool))[:, ::-1] - 1.0
        for points in plane_contours(mask):
            start, edge = points[:, None], (np.roll(points, -1, axis=0) - points)[:, None]
            along = np.clip(((centres - start) * edge).sum(-1) / (edge**2).sum(-1), 0, 1)
            assert np.hypot(*np.moveaxis(start + along[..., None] * edge - centres, -1, 0)).min() > 0.33


def test_contours_lie_on_their_planes_of_the_grid():
    voxels = np.zeros((5, 20, 30), dtype=bool)
    voxels[1, 4:9, 20:30] = voxels[3, 0, 0] = True
    found = roi_contours(VoxelMask.cropped(voxels))
    assert [contour.plane for contour in found] == [1, 3]
    points = midway(found.contours[0].points)
    assert points.min(axis=0).tolist() == [19.5, 3.5]
    assert points.max(axis=0).tolist() == [29.5, 8.5], "half a pixel beyond the last column"
    assert found.contours[1].points.mean(axis=0).tolist() == [0, 0]
    assert len(roi_contours(VoxelMask.cropped(np.zeros((2, 3, 4))))) == 0


def test_planes_that_are_made_together_do_not_mix():
    """Enough pixels that several images of planes are needed; two planes without any lie in between."""
    random = np.random.default_rng(5)
    voxels = random.random((9, 500, 400)) < 0.02
    voxels[:, 100:400, 50:350] = True
    voxels[[2, 6]] = False
    found = roi_contours(VoxelMask.cropped(voxels))
    planes = [contour.plane for contour in found]
    assert planes == sorted(planes)
    for k, plane in enumerate(voxels):
        contours = [contour.points for contour in found if contour.plane == k]
        np.testing.assert_array_equal(fill_contours(contours, plane.shape), plane)


@pytest.mark.parametrize("bad", [{"holes": "none"}, {"smoothing": -1.0}, {"smallest_island_mm2": float("nan")}])
def test_options_that_mean_nothing_are_refused(bad: dict):
    with pytest.raises(ValueError, match=next(iter(bad))):
        ContourOptions(**bad)


# -- islands -----------------------------------------------------------------------------------------------------------


def test_islands_below_the_floor_are_left_out_and_counted():
    mask = np.zeros((20, 30), dtype=bool)
    mask[2:12, 2:12] = True
    mask[5:9, 5:9] = False  # the ring encloses 100 pixels
    mask[6, 6] = True
    mask[2:4, 20:23] = mask[10:13, 20:23] = True
    spacing = (2.0, 0.5)  # a pixel has 1 mm²
    for holes in HOLE_WAYS:
        options = ContourOptions(holes=holes, smallest_island_mm2=8.0)
        found = roi_contours(VoxelMask.cropped(mask[None]), options, spacing)
        assert (found.islands, found.island_pixels) == (2, 7)
        expected = mask.copy()
        expected[6, 6] = expected[2:4, 20:23] = False
        np.testing.assert_array_equal(fill_contours(points_of(found), mask.shape), expected)
    none = roi_contours(VoxelMask.cropped(mask[None]), ContourOptions(smallest_island_mm2=1.0), spacing)
    assert (none.islands, none.island_pixels) == (0, 0), "a piece of exactly the floor stays"


def test_the_floor_counts_what_a_contour_encloses():
    """Against scipy's count of pixels, for pieces of every shape."""
    for mask in random_masks()[:30]:
        labels, count = ndimage.label(mask)
        for floor in (3, 10):
            sizes = [np.count_nonzero(_holes_filled(labels == piece)) for piece in range(1, count + 1)]
            small = [piece for piece, size in enumerate(sizes, start=1) if size < floor]
            found = contours_of(mask, smallest_island_mm2=floor)
            assert found.islands == len(small)
            assert found.island_pixels == np.count_nonzero(np.isin(labels, small))


def _holes_filled(piece: np.ndarray) -> np.ndarray:
    return ndimage.binary_fill_holes(piece, CORNERS_TOO)


# -- smoothing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("holes", HOLE_WAYS)
@pytest.mark.parametrize("strength", [0.4, 1.5, 4.0])
def test_smoothing_keeps_pieces_and_holes_and_counts_what_it_changed(holes: str, strength: float):
    for mask in [*random_masks()[:40], *SHAPES.values()]:
        found = contours_of(mask, holes=holes, smoothing=strength)
        assert_well_formed(found)
        filled = fill_contours(points_of(found), mask.shape)
        np.testing.assert_array_equal(fill_contours(rounded(points_of(found)), mask.shape), filled)
        assert pieces_and_holes(filled) == pieces_and_holes(mask)
        assert found.changed_pixels == np.count_nonzero(filled != mask)
        assert not len(found) or crossing_edges(points_of(found)) == 0


def coarse_disc(radius: float = 40.0, step: int = 3) -> np.ndarray:
    """A disc in pixels of 1 mm whose boundary has steps of 3 mm, as labels of a 3 mm model have them."""
    size = 34
    j, i = np.indices((size, size)) - (size - 1) / 2
    return np.kron(np.hypot(j, i) < radius / step, np.ones((step, step))) > 0


def test_smoothing_levels_steps_and_keeps_the_size():
    mask = coarse_disc()
    steps, smooth = plane_contours(mask)[0], plane_contours(mask, smoothing=True)[0]
    middle = (mask.shape[0] - 1) / 2
    before, after = (np.hypot(*(points - middle).T) for points in (steps, smooth))
    assert np.ptp(after) < 0.6 * np.ptp(before)
    assert area_of(smooth) == pytest.approx(np.count_nonzero(mask), rel=0.01)


def test_smoothing_leaves_thin_pieces_as_they_are():
    mask = np.zeros((40, 60), dtype=bool)
    mask[5, 5:30] = mask[10:12, 10:40] = mask[20:23, 10:13] = True
    found = contours_of(mask, smoothing=3.0)
    assert found.changed_pixels == 0
    np.testing.assert_array_equal(fill_contours(points_of(found), mask.shape), mask)


def test_smoothing_does_not_round_what_the_ct_cuts():
    mask = np.zeros((60, 60), dtype=bool)
    mask[:30, 20:] = True
    found = contours_of(mask, smoothing=3.0)
    filled = fill_contours(points_of(found), mask.shape)
    assert filled[0, -1] and filled[0, 30:].all() and filled[:28, -1].all()
    assert not (filled != mask)[5:, 45:].any(), "only the one free corner is rounded"
    (points,) = points_of(found)
    assert points.max() == pytest.approx(59.5, abs=0.1) and points.min() == pytest.approx(-0.5, abs=0.1)


def test_smoothing_is_measured_in_millimetres():
    mask = VoxelMask.cropped(coarse_disc()[None])
    fine = roi_contours(mask, ContourOptions(smoothing=2.0), (1.0, 1.0))
    scaled = roi_contours(mask, ContourOptions(smoothing=1.0), (0.5, 0.5))
    assert fine.changed_pixels > 0
    np.testing.assert_allclose(points_of(fine)[0], points_of(scaled)[0])
    assert roi_contours(mask, ContourOptions(smoothing=False)).changed_pixels == 0


# -- real structures ---------------------------------------------------------------------------------------------------


def real_structures(shared: Path, name: str) -> np.ndarray:
    image = nibabel.load(shared / "data" / name)
    return np.asarray(image.dataobj).transpose(2, 1, 0).astype(np.uint8)


@pytest.mark.shared
@pytest.mark.parametrize(
    "name",
    [
        "sts_001/nifti/CT_mask.nii.gz",
        "example_ct/reference_104_1.5mm.nii.gz",
        "example_ct/reference_117_3mm.nii.gz",
    ],
)
def test_real_structures_come_back_and_need_few_points(shared: Path, name: str):
    """Voxel for voxel; points a contour against OpenCV's simple chains, whose points are whole pixels."""
    cv2 = pytest.importorskip("cv2", reason="the reference for the number of points is OpenCV")
    labels = real_structures(shared, name)
    ours, theirs = [], []
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        voxels = labels[box] == label
        found = roi_contours(VoxelMask.cropped(voxels))
        for k, plane in enumerate(voxels):
            contours = [contour.points for contour in found if contour.plane == k]
            np.testing.assert_array_equal(fill_contours(rounded(contours), plane.shape), plane)
            chains, _tree = cv2.findContours(plane.astype(np.uint8), cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
            theirs += [len(chain) for chain in chains]
        ours += [len(contour.points) for contour in found]
    print("{}: {:.1f} points a contour, OpenCV {:.1f}".format(name, np.mean(ours), np.mean(theirs)))
    assert np.mean(ours) <= 1.2 * np.mean(theirs)
