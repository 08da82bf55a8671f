"""Positions that headers round are taken for the regular grid they stand for; holes and uneven steps are found."""

from __future__ import annotations

from pathlib import Path

import ct_variants
import numpy as np
import pydicom
import pytest
from reading_support import changed, refusal
from TotalSegmentatorEngine.ct_input.reading import read_input

SIZE = (12, 14)


def grid(step: float, degrees: float = 0.0, first: float = -312.34) -> np.ndarray:
    matrix = np.array([[0.9, 0, 0, -20.0], [0, 1.1, 0, 35.5], [0, 0, step, first], [0, 0, 0, 1.0]])
    return ct_variants.turned(matrix, degrees)


def slices(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(-1000, 900, (count, *SIZE)).astype(np.int16)


def rounded_series(
    folder: Path,
    matrix: np.ndarray,
    places: list[int],
    decimals: int = 1,
    thickness: str | None = "1",
    edit=None,
) -> Path:
    """Slices at the grid's ``places``, their positions rounded to so many decimals."""

    def spoil(dataset: pydicom.Dataset, number: int) -> None:
        lps = ct_variants.LPS_FROM_RAS @ matrix @ [0, 0, places[number], 1]
        dataset.ImagePositionPatient = [f"{value:.{decimals}f}" for value in lps[:3]]
        dataset.SliceThickness = thickness
        if edit is not None:
            edit(dataset, number)

    return ct_variants.write_dicom_series(folder, slices(len(places)), matrix, spoil)


@pytest.mark.parametrize("step", [0.5, 0.625, 0.75, 1.25, 2.5, 3.27])
@pytest.mark.parametrize("count", [5, 60])
def test_steps_that_were_rounded(tmp_path: Path, step: float, count: int) -> None:
    folder = rounded_series(tmp_path / "ct", grid(step), list(range(count)))
    read = read_input(folder).volume.geometry
    assert read.spacing == pytest.approx((0.9, 1.1, step), abs=0.12 / count)
    true = grid(step)[:3, 3] + np.outer(range(count), grid(step)[:3, 2])
    found = read.ijk_to_ras[:3, 3] + np.outer(range(count), read.ijk_to_ras[:3, 2])
    assert np.abs(np.sort(found[:, 2]) - np.sort(true[:, 2])).max() <= 0.06


@pytest.mark.parametrize("thickness", ["0.625", "0.63", "5", "0"])
def test_the_stated_thickness_counts_only_where_the_positions_leave_it_open(tmp_path: Path, thickness: str) -> None:
    folder = rounded_series(tmp_path / "ct", grid(0.625, first=0.0), list(range(8)), thickness=thickness)
    step = read_input(folder).volume.geometry.spacing[2]
    assert step == pytest.approx(float(thickness) if thickness in ("0.625", "0.63") else 0.632, abs=5e-4)
    exact = rounded_series(tmp_path / "exact", grid(0.625), list(range(8)), decimals=4, thickness=thickness)
    assert read_input(exact).volume.geometry.spacing[2] == pytest.approx(0.625, abs=1e-6)


@pytest.mark.parametrize("degrees", [8.0, 31.0])
def test_an_oblique_series_that_was_rounded_is_no_tilted_one(tmp_path: Path, degrees: float) -> None:
    folder = rounded_series(tmp_path / "ct", grid(1.25, degrees), list(range(12)))
    read = read_input(folder).volume.geometry
    assert read.spacing == pytest.approx((0.9, 1.1, 1.25), abs=0.01)


def test_a_tilted_series_that_was_rounded_is_refused(tmp_path: Path) -> None:
    def tilt(dataset: pydicom.Dataset, number: int) -> None:
        x, y, z = (float(value) for value in dataset.ImagePositionPatient)
        dataset.ImagePositionPatient = [x, round(y + 2.5 * number * np.tan(np.radians(5)), 1), z]

    folder = rounded_series(tmp_path / "ct", grid(2.5), list(range(20)), edit=tilt)
    problem = refusal(folder).problem
    assert problem.code == "INPUT_GANTRY_TILT"
    assert problem.values["degrees"] == pytest.approx(5, abs=0.3)


@pytest.mark.parametrize(
    ("step", "places", "missing"),
    [
        (0.625, [0, 1, 2, 3, 5, 6, 7, 8], 1),
        (0.625, [0, 1, 2, 40, 41, 42, 43, 44], 37),
        (1.25, [*range(30), *range(33, 60)], 3),
        (0.75, [0, 2, 4, 6, 8, 9, 11], 5),
    ],
)
def test_holes_between_rounded_positions_are_found(
    tmp_path: Path, step: float, places: list[int], missing: int
) -> None:
    problem = refusal(rounded_series(tmp_path / "ct", grid(step), places)).problem
    assert problem.code == "INPUT_MISSING_SLICES"
    assert abs(problem.values["missing"] - missing) <= (1 if missing > 10 else 0)  # three steps leave it open by 3 %


@pytest.mark.parametrize(
    "positions",
    [
        [0, 0.3, 0.5, 0.8, 1.0, 1.3],  # farther than a tenth of a step of 0.26 mm from any grid
        [0, 1.0, 2.0, 3.1, 4.0, 5.0],
        [0, 1.0, 2.01, 3.03, 4.06, 5.1, 6.15, 7.21, 8.28, 9.36, 10.45],  # steps that grow, each by 0.01 mm
    ],
)
def test_uneven_positions_are_refused(tmp_path: Path, positions: list[float]) -> None:
    def place(dataset: pydicom.Dataset, number: int) -> None:
        dataset.ImagePositionPatient = ["20", "-35.5", f"{positions[number]:.2f}"]

    folder = rounded_series(tmp_path / "ct", grid(1.0), list(range(len(positions))), edit=place)
    assert refusal(folder).code == "INPUT_IRREGULAR_SLICES"


def test_a_spacing_that_differs_in_its_last_digit_does_not_move_the_grid(tmp_path: Path) -> None:
    whole = rounded_series(tmp_path / "whole", grid(2.5), list(range(6)), decimals=4)
    odd = rounded_series(
        tmp_path / "odd", grid(2.5), list(range(6)), decimals=4, edit=changed(0, PixelSpacing=["1.1009", "0.9"])
    )
    expected, found = read_input(whole).volume.geometry, read_input(odd).volume.geometry
    np.testing.assert_allclose(found.ijk_to_ras, expected.ijk_to_ras, rtol=0, atol=1e-9)
