"""The table of volumes: counted by hand on a small grid, by true plane positions where the steps differ."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from roi_support import RAS_GRID, SHAPE, a_roi, code_of, two_rois
from TotalSegmentatorEngine.export.files.volume_table import write_volumes
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.statistics.voxel_volumes import volume_ml
from TotalSegmentatorWire.errors.problem import SegmentationError

GRID = Geometry(SHAPE, RAS_GRID)  # 0.7 x 0.9 x 2.5 mm: 1.575 mm³ a voxel


def box() -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[1:4, 2:12, 3:13] = True  # 300 voxels in three planes
    return mask


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_volumes_and_densities(tmp_path: Path) -> None:
    hu = np.full(SHAPE, 40, np.int16)
    hu[1] = 100  # the first of the box's three planes
    hu[0] = -1000
    union = a_roi(1, "Lungs", box(), sources=("lung_left", "lung_right"), is_cut=True)
    write_volumes(tmp_path / "volumes.csv", [union, a_roi(2, "Niere, links", box())], GRID, Volume(hu, GRID))
    first, second = rows(tmp_path / "volumes.csv")
    assert first == {
        "number": "1",
        "name": "Lungs",
        "segments": "lung_left + lung_right",
        "description": "104-1.5mm, version 0.1.0",
        "review_state": "unreviewed",
        "cut": "yes",
        "constructed": "yes",
        "algorithm": "AUTOMATIC",
        "voxels": "300",
        "volume_ml": "0.472",  # 300 x 1.575 mm³
        "mean_hu": "60.0",
        "sd_hu": "28.3",  # square root of ((100 - 60)² + 2 (40 - 60)²) / 3
        "p5_hu": "40.0",
        "median_hu": "40.0",
        "p95_hu": "100.0",
        "usual_low_ml": "",
        "usual_high_ml": "",
        "volume_source": "",
        "usual_low_hu": "",
        "usual_high_hu": "",
        "hu_source": "",
    }
    assert (second["name"], second["constructed"], second["cut"]) == ("Niere, links", "no", "no")


def test_published_ranges_stand_beside_the_values_with_their_sources(tmp_path: Path) -> None:
    kidney, atrium = (
        a_roi(1, "Niere", box(), structure="kidney_left"),
        a_roi(2, "LA", box(), structure="heart_atrium_left"),
    )
    write_volumes(tmp_path / "volumes.csv", [kidney, atrium, a_roi(3, "Tumour", box())], GRID)
    first, second, third = rows(tmp_path / "volumes.csv")
    assert (first["usual_low_ml"], first["usual_high_ml"]) == ("52", "261")
    assert first["volume_source"].startswith("autopsy of 102 women") and "Buzug" in first["hu_source"]
    assert (second["usual_low_ml"], second["usual_high_ml"], second["usual_low_hu"]) == ("", "150", "-20")
    assert {third[name] for name in third if name.startswith("usual") or name.endswith("source")} == {""}


def test_without_a_ct_the_densities_stay_empty(tmp_path: Path) -> None:
    write_volumes(tmp_path / "volumes.csv", two_rois(), GRID)
    assert [(row["review_state"], row["mean_hu"], row["sd_hu"]) for row in rows(tmp_path / "volumes.csv")] == [
        ("unreviewed", "", ""),
        ("approved", "", ""),
    ]


def test_planes_count_by_their_true_distances(tmp_path: Path) -> None:
    distances = np.array([0.0, 2.0, 4.0, 10.0, 12.0, 14.0, 16.0])
    mask = a_roi(1, "Box", box())
    # 100 pixels of 0.63 mm² in planes 1 to 3, which reach over 2, 4 and 4 mm
    write_volumes(tmp_path / "volumes.csv", [mask], GRID, plane_distances=distances)
    assert rows(tmp_path / "volumes.csv")[0]["volume_ml"] == "0.630"
    assert volume_ml(mask.voxels(), GRID, np.arange(7) * 2.5) == pytest.approx(volume_ml(mask.voxels(), GRID))
    assert volume_ml(mask.voxels(), GRID, -distances) == pytest.approx(0.63)  # planes against the normal


def test_left_handed_and_oblique_grids_have_positive_volumes() -> None:
    turned = np.array([[0.7, 0, 0, 0], [0, 0.9, 0, 0], [0, 0, -2.5, 0], [0, 0, 0, 1.0]])
    assert volume_ml(a_roi(1, "Box", box()).voxels(), Geometry(SHAPE, turned)) == pytest.approx(0.4725)


def test_refusals_leave_nothing(tmp_path: Path) -> None:
    def stop(_index: int, _roi) -> None:
        raise SegmentationError("CANCELLED")

    assert code_of(lambda: write_volumes(tmp_path / "a.csv", two_rois(), GRID, progress=stop)) == "CANCELLED"
    assert code_of(lambda: write_volumes(tmp_path / "no" / "a.csv", two_rois(), GRID)) == "OUTPUT_NOT_WRITABLE"
    with pytest.raises(ValueError, match="differ in shape"):
        other = Geometry((3, 3, 3), RAS_GRID)
        write_volumes(tmp_path / "a.csv", two_rois(), GRID, Volume(np.zeros((3, 3, 3)), other))
    assert list(tmp_path.iterdir()) == []
