"""Comparing two segmentations: measures against cases worked out by hand and against SimpleITK, and the table."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
import SimpleITK
from scipy import ndimage
from TotalSegmentatorEngine.export.compare.comparison import ComparisonRow, compare, surface_voxels, worst_first
from TotalSegmentatorEngine.export.compare.pairing import NamePair
from TotalSegmentatorEngine.export.compare.table import CSV_COLUMNS, comparison_csv, comparison_page, write_comparison
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorWire.errors.problem import SegmentationError

SHAPE = (14, 16, 18)
SPACING = (1.5, 1.0, 3.0)  # i, j, k


def grid_of(spacing: tuple[float, float, float] = SPACING, shape: tuple[int, int, int] = SHAPE) -> Geometry:
    return Geometry(shape, np.diag([*spacing, 1.0]))


def box(k: slice, j: slice, i: slice, shape: tuple[int, int, int] = SHAPE) -> VoxelMask:
    array = np.zeros(shape, bool)
    array[k, j, i] = True
    return VoxelMask.cropped(array)


EMPTY = VoxelMask.cropped(np.zeros(SHAPE, bool))


def row_of(first: VoxelMask, second: VoxelMask, grid: Geometry | None = None, **options) -> ComparisonRow:
    (row,) = compare([("liver", first)], [("liver", second)], grid or grid_of(), **options)
    return row


# -- measures ----------------------------------------------------------------------------------------------------------


def test_equal_structures_agree_fully():
    cube = box(slice(2, 8), slice(2, 8), slice(2, 8))
    row = row_of(cube, cube)
    assert (row.dice, row.hausdorff95_mm, row.mean_distance_mm) == (1.0, 0.0, 0.0)
    assert row.our_ml == row.their_ml == pytest.approx(216 * 4.5 / 1000)
    assert (row.difference_ml, row.difference_percent) == (0.0, 0.0)


def test_shifted_cube_by_hand():
    """Two cubes of ten voxels a side, two voxels (3 mm) apart along i: 8/10 are common. The face that was moved, a
    fifth of the surface, lies 3 mm from the other cube."""
    first = box(slice(2, 12), slice(3, 13), slice(2, 12))
    second = box(slice(2, 12), slice(3, 13), slice(4, 14))
    row = row_of(first, second)
    assert row.dice == pytest.approx(0.8)
    assert row.hausdorff95_mm == pytest.approx(3.0)
    assert row.difference_ml == 0.0


def test_surface_dice_and_added_path_by_hand():
    """Ours is a block of ten voxels a side, 15 x 10 x 30 mm, theirs has one plane more, of 3 mm.

    Within less than a voxel lie all faces but those of our top plane without its border, 8 x 8 of 1.5 mm², and those of
    their additional plane: 100 of 1.5 mm², 20 of 3 mm² and 20 of 4.5 mm². The blocks have 1800 mm² and 1950 mm². The
    contour of the additional plane has 36 pixels, whose sides are 1.25 mm on average.
    """
    ours, theirs = (box(slice(2, end), slice(3, 13), slice(2, 12)) for end in (12, 13))
    row = row_of(ours, theirs, tolerance_mm=0.5)
    assert row.surface_dice == pytest.approx(1.0 - (64 * 1.5 + 150.0 + 60.0 + 90.0) / (1800.0 + 1950.0))
    assert row.added_path_mm == pytest.approx(36 * 1.25)
    exchanged = row_of(theirs, ours, tolerance_mm=0.5)
    assert (exchanged.surface_dice, exchanged.added_path_mm) == (pytest.approx(row.surface_dice), 0.0)
    assert row_of(ours, theirs, tolerance_mm=3.0).surface_dice == 1.0, "what lies at the tolerance is within"
    assert row_of(ours, theirs).surface_dice == row_of(ours, theirs, tolerance_mm=2.0).surface_dice < 1.0


@pytest.mark.parametrize(("axis", "millimetres"), [(0, 12.0), (1, 4.0), (2, 6.0)])
def test_distance_of_two_sheets_counts_the_spacing_of_their_axis(axis: int, millimetres: float):
    """All voxels of a sheet are surface; four steps along k, j, i are 12, 4, 6 mm."""
    sheets = []
    for position in (5, 9):
        cut = [slice(None)] * 3
        cut[axis] = slice(position, position + 1)
        sheets.append(box(*cut))
    row = row_of(*sheets)
    assert row.dice == 0.0
    assert row.hausdorff95_mm == pytest.approx(millimetres)
    assert row.mean_distance_mm == pytest.approx(millimetres)


def test_percentile_is_the_larger_of_both_directions():
    """Ours is a row of ten voxels, theirs the first nine of it and one 4 mm beside: only the way back sees that one.

    Sorted distances back: nine of 0 and one of 4 mm; rank 0.95 * 9 = 8.55 lies 0.55 of the way from 0 to 4 mm: 2.2 mm.
    There: the tenth voxel is 1.5 mm from the ninth: 0.55 * 1.5 mm.
    """
    ours = box(slice(5, 6), slice(3, 4), slice(0, 10))
    array = np.zeros(SHAPE, bool)
    array[5, 3, :9] = True
    array[5, 7, 4] = True
    theirs = VoxelMask.cropped(array)
    row = row_of(ours, theirs)
    assert row.hausdorff95_mm == pytest.approx(2.2)
    assert row.mean_distance_mm == pytest.approx((1.5 + 4.0) / 20)
    exchanged = row_of(theirs, ours)
    assert (exchanged.hausdorff95_mm, exchanged.dice) == (row.hausdorff95_mm, row.dice)


def test_volume_difference_is_ours_minus_theirs():
    row = row_of(box(slice(0, 3), slice(0, 4), slice(0, 5)), box(slice(0, 3), slice(0, 4), slice(0, 10)))
    assert row.difference_ml == pytest.approx(-60 * 4.5 / 1000)
    assert row.difference_percent == pytest.approx(-50.0)


def test_empty_sides_have_no_distances():
    cube = box(slice(2, 4), slice(2, 4), slice(2, 4))
    one, both = row_of(cube, EMPTY), row_of(EMPTY, EMPTY)
    assert (one.dice, one.hausdorff95_mm, one.mean_distance_mm, one.difference_percent) == (0.0, None, None, None)
    assert (one.surface_dice, one.added_path_mm) == (None, 0.0), "nothing of theirs has to be drawn"
    assert one.difference_ml == pytest.approx(8 * 4.5 / 1000)
    assert (both.dice, both.hausdorff95_mm, both.their_ml) == (None, None, 0.0)


def test_uneven_planes_count_with_their_own_positions():
    """Planes at 0, 2, 4, 10, 16 mm: the plane at 4 mm is (2 + 6) / 2 = 4 mm thick, and 6 mm from the next."""
    shape = (5, 6, 6)
    positions = np.array([0.0, 2.0, 4.0, 10.0, 16.0])
    grid = grid_of((1.0, 1.0, 4.0), shape)
    middle, upper = (box(slice(k, k + 1), slice(1, 5), slice(1, 5), shape) for k in (2, 3))
    row = row_of(middle, upper, grid, plane_positions=positions)
    assert row.our_ml == pytest.approx(16 * 4 / 1000)
    assert row.their_ml == pytest.approx(16 * 6 / 1000)
    assert row.hausdorff95_mm == pytest.approx(6.0)
    assert row_of(middle, upper, grid, plane_positions=positions, tolerance_mm=5.9).surface_dice == 0.0


def blobs(seed: int) -> np.ndarray:
    """Smooth random structure with several components and holes, away from the border, which SimpleITK treats in
    another way."""
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(24, 30, 36)), 2.0)
    field[[0, -1]] = field[:, [0, -1]] = field[:, :, [0, -1]] = -1.0
    return field > 0.02


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_measures_are_those_of_simpleitk(seed: int):
    first, second = blobs(seed), np.roll(blobs(seed), 1, axis=2) & blobs(seed + 10) | blobs(seed)
    second[[0, -1]] = second[:, [0, -1]] = second[:, :, [0, -1]] = False
    row = row_of(VoxelMask.cropped(first), VoxelMask.cropped(second), grid_of(shape=first.shape))
    images = []
    for array in (first, second):
        images.append(SimpleITK.GetImageFromArray(array.astype(np.uint8)))
        images[-1].SetSpacing(SPACING)
    overlap = SimpleITK.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*images)
    assert row.dice == pytest.approx(overlap.GetDiceCoefficient())
    there, back = distances_by_simpleitk(*images), distances_by_simpleitk(*reversed(images))
    assert row.hausdorff95_mm == pytest.approx(max(np.percentile(there, 95), np.percentile(back, 95)), rel=1e-5)
    assert row.mean_distance_mm == pytest.approx(np.concatenate([there, back]).mean(), rel=1e-5)


def distances_by_simpleitk(origin: SimpleITK.Image, target: SimpleITK.Image) -> np.ndarray:
    """From the surface voxels of ``origin`` to those of ``target``, by a distance map."""
    surface = SimpleITK.LabelContour(target, fullyConnected=False)
    distance = SimpleITK.SignedMaurerDistanceMap(surface, squaredDistance=False, useImageSpacing=True)
    chosen = SimpleITK.GetArrayFromImage(SimpleITK.LabelContour(origin, fullyConnected=False)) > 0
    return np.abs(SimpleITK.GetArrayFromImage(distance))[chosen]


def test_distances_do_not_depend_on_the_orientation_of_the_grid():
    first, second = (VoxelMask.cropped(blobs(seed)) for seed in (4, 5))
    straight = row_of(first, second, grid_of(shape=first.shape))
    angle = np.radians(20.0)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    turned = row_of(first, second, Geometry(first.shape, turn @ np.diag([-1.5, -1.0, 3.0, 1.0])))
    assert turned.hausdorff95_mm == pytest.approx(straight.hausdorff95_mm)
    assert turned.our_ml == pytest.approx(straight.our_ml)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 5, 5), (3, 3, 3), (5, 6, 7)])
def test_surface_is_what_erosion_takes_away(shape: tuple[int, int, int]):
    rng = np.random.default_rng(sum(shape))
    for share in (0.5, 0.95, 1.0):
        inside = rng.random(shape) <= share
        surface = np.flatnonzero(inside & ~ndimage.binary_erosion(inside))
        np.testing.assert_array_equal(surface_voxels(VoxelMask.cropped(inside)), surface)


def test_masks_of_different_grids_are_not_compared():
    with pytest.raises(ValueError, match="different grids"):
        row_of(EMPTY, VoxelMask.cropped(np.ones((2, 2, 2), bool)))


def test_masks_are_made_one_pair_at_a_time():
    events = []

    def lazy(name: str):
        return name, lambda: events.append(name) or box(slice(1, 3), slice(1, 3), slice(1, 3))

    compare(
        [lazy("liver"), lazy("spleen")],
        [lazy("spleen"), lazy("liver")],
        grid_of(),
        progress=lambda done, count, name: events.append((done, count, name)),
    )
    assert events == [(0, 2, "liver"), "liver", "liver", (1, 2, "spleen"), "spleen", "spleen"]


def test_joined_structures_are_compared_as_one():
    halves = [("a", box(slice(2, 4), slice(2, 6), slice(2, 6))), ("b", box(slice(4, 6), slice(2, 6), slice(2, 6)))]
    whole = [("whole", box(slice(2, 6), slice(2, 6), slice(2, 6)))]
    (row,) = compare(halves, whole, grid_of(), [NamePair(("a", "b"), ("whole",))])
    assert (row.ours, row.theirs, row.dice) == ("a + b", "whole", 1.0)


def test_nothing_in_common_is_an_error():
    with pytest.raises(SegmentationError) as failure:
        compare([("liver", EMPTY)], [("spleen", EMPTY)], grid_of())
    assert failure.value.code == "COMPARISON_NOTHING_IN_COMMON"


# -- the table ---------------------------------------------------------------------------------------------------------

ROWS = [
    ComparisonRow("liver", "Liver", 1500.0, 1600.0, 0.9375, 4.04, 1.236, 0.8125, 1210.0),
    ComparisonRow("spleen", "Milz, groß", 150.0, 0.0, 0.0),
    ComparisonRow("pancreas", "", our_ml=80.0),
    ComparisonRow("", "PTV", their_ml=300.0),
]


def test_csv_holds_every_value_and_leaves_out_what_there_is_not():
    read = list(csv.DictReader(io.StringIO(comparison_csv(ROWS))))
    assert list(read[0]) == list(CSV_COLUMNS)
    assert [float(read[0][column]) for column in list(CSV_COLUMNS)[2:]] == [
        0.9375, 4.04, 1.236, 1500.0, 1600.0, -100.0, -6.25, 0.8125, 1210.0,
    ]  # fmt: skip
    assert (read[1]["theirs"], read[1]["dice"], read[1]["hausdorff95_mm"]) == ("Milz, groß", "0.0000", "")
    assert read[1]["volume_difference_percent"] == ""
    assert (read[2]["theirs"], read[2]["our_volume_ml"], read[2]["dice"]) == ("", "80.0000", "")
    assert (read[3]["ours"], read[3]["their_volume_ml"]) == ("", "300.0000")


def test_page_shows_pairs_a_summary_and_what_one_side_lacks():
    lines = comparison_page(ROWS).splitlines()
    assert lines[1].split() == [
        "liver",
        "Liver",
        "0.938",
        "4.0",
        "1.2",
        "0.812",
        "1210",
        "1500",
        "1600",
        "-100",
        "-6.2",
    ]
    assert lines[2].split()[-6:] == ["-", "-", "150", "0", "+150", "-"]
    assert len({line.find(".") for line in lines[1:3]}) == 1, "numbers stand below each other"
    assert "Structures compared: 2; Dice: mean 0.469, lowest 0.000; HD95: mean 4.0 mm, highest 4.0 mm." in lines
    assert lines[-3] == "Only ours (1): pancreas"
    assert lines[-1] == "Only theirs (1): PTV"


@pytest.mark.parametrize(
    ("our_ml", "their_ml", "shown"),
    [
        (1500.04, 1499.0, ["1500", "1499", "+1"]),
        (15.04, 9.0, ["15.0", "9.00", "+6.0"]),
        (0.1234, 0.1, ["0.123", "0.100", "+0.023"]),
    ],
)
def test_page_shows_volumes_with_three_significant_digits(our_ml: float, their_ml: float, shown: list[str]):
    row = ComparisonRow("a", "b", our_ml, their_ml, 1.0, 0.0, 0.0)
    assert comparison_page([row]).splitlines()[1].split()[7:10] == shown


def test_worst_pairs_come_first_and_what_one_side_lacks_last():
    near, far, lower, without, empty = (
        ComparisonRow(name, name, 1.0, 1.0, dice, distance)
        for name, dice, distance in (
            ("near", 0.9, 2.0),
            ("far", 0.9, 9.0),
            ("lower", 0.5, 1.0),
            ("without", 0.0, None),
            ("empty", None, None),
        )
    )
    alone = ComparisonRow("alone", "", 1.0), ComparisonRow("", "theirs alone", None, 1.0)
    rows = [alone[0], near, empty, far, alone[1], without, lower]
    assert worst_first(rows) == [without, lower, far, near, empty, *alone]


def test_page_cuts_long_names_of_others():
    row = ComparisonRow("liver", "x" * 64, 1.0, 1.0, 1.0, 0.0, 0.0)
    assert max(map(len, comparison_page([row]).splitlines()[:2])) <= 120


def test_csv_file_replaces_the_old_one_and_leaves_nothing_beside(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old", encoding="ascii")
    write_comparison(path, ROWS)
    assert path.read_bytes().decode("utf-8") == comparison_csv(ROWS)
    assert list(tmp_path.iterdir()) == [path]


def test_csv_file_that_cannot_be_written_is_reported(tmp_path):
    with pytest.raises(SegmentationError) as failure:
        write_comparison(tmp_path / "absent" / "table.csv", ROWS)
    assert failure.value.code == "OUTPUT_NOT_WRITABLE"
    (tmp_path / "table.csv").mkdir()
    with pytest.raises(SegmentationError) as failure:
        write_comparison(tmp_path / "table.csv", ROWS)
    assert failure.value.code == "OUTPUT_NOT_WRITABLE"
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"], "no draft is left"
