"""Filling of contours, against the same rule computed exactly, point by point."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from TotalSegmentatorEngine.export.rtstruct.rasterising import fill_box, fill_contours

SHAPE = (17, 23)


def winding_at(contours: list[np.ndarray], i: int, j: int) -> tuple[int, int]:
    """How many edges lie left of a pixel's centre or on it, and the sum of their directions, in exact arithmetic."""
    count, winding = 0, 0
    for contour in contours:
        points = [(Fraction(x), Fraction(y)) for x, y in contour.tolist()]
        for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
            if (y0 <= j) == (y1 <= j):
                continue
            if x0 + (j - y0) * (x1 - x0) / (y1 - y0) <= i:
                count += 1
                winding += 1 if y1 > y0 else -1
    return count, winding


def exactly_filled(contours: list[np.ndarray], rule: str) -> np.ndarray:
    filled = np.zeros(SHAPE, dtype=bool)
    for j, i in np.ndindex(SHAPE):
        count, winding = winding_at(contours, i, j)
        filled[j, i] = count % 2 == 1 if rule == "even-odd" else winding != 0
    return filled


def random_polygons(whole_numbers: bool) -> list[np.ndarray]:
    """Self-crossing polygons, partly outside of the plane. On quarters of a pixel, centres and edges meet often."""
    random = np.random.default_rng(7)
    polygons = [random.uniform(-6, 28, (random.integers(3, 12), 2)) for _number in range(8)]
    return [np.round(polygon * 4) / 4 for polygon in polygons] if whole_numbers else polygons


@pytest.mark.parametrize("rule", ["even-odd", "non-zero"])
@pytest.mark.parametrize("whole_numbers", [False, True])
def test_pixels_are_inside_where_the_exact_rule_says_so(rule: str, whole_numbers: bool):
    polygons = random_polygons(whole_numbers)
    for contours in [[polygon] for polygon in polygons] + [polygons[:3], polygons[3:6]]:
        np.testing.assert_array_equal(fill_contours(contours, SHAPE, rule), exactly_filled(contours, rule))


def test_a_star_has_a_hole_by_one_rule_and_none_by_the_other():
    turns = np.arange(5) * 2 * 2 * np.pi / 5
    star = np.stack([11 + 8 * np.sin(turns), 8 - 8 * np.cos(turns)], axis=1)
    assert not fill_contours([star], SHAPE)[8, 11]
    assert fill_contours([star], SHAPE, "non-zero")[8, 11]


def test_contours_of_a_plane_exclude_each_other():
    outer = np.array([[1.5, 1.5], [12.5, 1.5], [12.5, 12.5], [1.5, 12.5]])
    hole, island = (outer - 7) * 0.6 + 7, (outer - 7) * 0.2 + 7
    for inner in (hole, hole[::-1]):
        filled = fill_contours([outer, inner, island], SHAPE)
        assert filled[7, 7] and not filled[7, 5] and filled[7, 2] and not filled[7, 14]


def test_neighbours_share_no_pixel_and_leave_none_out():
    """Their common edges go through pixel centres."""
    random = np.random.default_rng(8)
    corners = [np.array(point, float) for point in ((0, 0), (22, 0), (22, 16), (0, 16))]
    for _number in range(20):
        middle = random.integers((1, 1), (22, 16)).astype(float)
        triangles = [np.stack([corners[n], corners[(n + 1) % 4], middle]) for n in range(4)]
        times = sum(fill_contours([triangle], SHAPE).astype(int) for triangle in triangles)
        whole = fill_contours([np.stack(corners)], SHAPE)
        np.testing.assert_array_equal(times, whole.astype(int))
        assert whole.sum() == 22 * 16


def test_an_edge_that_is_passed_there_and_back_turns_no_pixel():
    """A channel on a slant, whose crossings cannot be written exactly."""
    random = np.random.default_rng(9)
    for _number in range(50):
        square = np.array([[2.3, 2.1], [20.2, 2.1], [20.2, 14.7], [2.3, 14.7]])
        there = random.uniform((2.3, 2.1), (20.2, 14.7))
        with_channel = np.insert(square, 1, [there, square[0]], axis=0)
        for rule in ("even-odd", "non-zero"):
            np.testing.assert_array_equal(
                fill_contours([with_channel], SHAPE, rule), fill_contours([square], SHAPE, rule)
            )


def test_the_direction_does_not_matter():
    for polygon in random_polygons(whole_numbers=True):
        for rule in ("even-odd", "non-zero"):
            np.testing.assert_array_equal(
                fill_contours([polygon], SHAPE, rule), fill_contours([polygon[::-1]], SHAPE, rule)
            )


def test_only_the_part_on_the_plane_is_filled():
    around = np.array([[-1e9, -1e9], [1e9, -1e9], [1e9, 1e9], [-1e9, 1e9]])
    assert fill_contours([around], SHAPE).all()
    for away in ((-100, 0), (100, 0), (0, -100), (0, 100)):
        moved = np.array([[1.0, 1.0], [5.0, 1.0], [5.0, 9.0]]) + away
        assert not fill_contours([moved], SHAPE).any()
    assert not fill_contours([], SHAPE).any()
    assert not fill_contours([np.zeros((0, 2)), np.array([[3.0, 4.0]])], SHAPE).any()


def test_the_box_holds_what_is_filled():
    for polygon in random_polygons(whole_numbers=False):
        inside, box = fill_box([polygon], SHAPE)
        whole = np.zeros(SHAPE, dtype=bool)
        whole[box] = inside
        np.testing.assert_array_equal(whole, fill_contours([polygon], SHAPE))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_points_that_are_no_numbers_are_refused(bad: float):
    with pytest.raises(ValueError, match="finite"):
        fill_contours([np.array([[1.0, 1.0], [5.0, bad], [5.0, 9.0]])], SHAPE)
