"""The command ``repair`` on planted faults of a phantom, as the panel runs it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from phantom import PhantomParameters, make_phantom
from phantom.phantom import read_label_table
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorWire.errors.problem import ERRORS
from TotalSegmentatorWire.messages.export import (
    SEGMENTATION_HEADER,
    SegmentationHeader,
    TransferredLayer,
    TransferredSegment,
    segmentation_header_to_json,
)
from TotalSegmentatorWire.messages.repair import REPAIR_HEADER, repair_header_from_json

TABLE = read_label_table()
NAMES = ("liver", "aorta", "stomach", "vertebrae_T9", "vertebrae_T10", "inferior_vena_cava", "autochthon_left")
SPACING = 3.0
VOXEL_ML = SPACING**3 / 1000
ABDOMEN = ((-170.0, 170.0), (-130.0, 120.0), (80.0, 260.0))


class Bench:
    """A phantom's abdomen as Slicer hands it over: each structure has a layer of its own, so that all can overlap."""

    def __init__(self, folder: Path) -> None:
        parameters = PhantomParameters(spacing_mm=(SPACING,) * 3, orientation="LPS", field_of_view_mm=ABDOMEN)
        self.phantom = make_phantom(parameters)
        self.folder = folder
        self.ct = self.phantom.ct.copy()
        self.masks = {name: self.phantom.labels == TABLE[name] for name in NAMES}

    def ras(self, index: np.ndarray) -> str:
        return ",".join(f"{x:.2f}" for x in (self.phantom.ijk_to_ras @ [*index[::-1], 1.0])[:3])

    def repair(self, kind: str, *arguments: str, sends_ct: bool = False) -> int:
        work = self.folder / "transferred"
        work.mkdir()
        shape, matrix = self.ct.shape, [float(x) for x in self.phantom.ijk_to_ras.ravel()]
        layers = []
        for name, mask in self.masks.items():
            mask.astype(np.uint8).tofile(work / f"{name}.raw")
            layers.append(TransferredLayer(f"{name}.raw", list(shape), "uint8", matrix))
        segments = [TransferredSegment(name, name, [0, 0, 0], n, 1) for n, name in enumerate(self.masks)]
        if sends_ct:
            self.ct.tofile(work / "ct.raw")
        sent = {"ct_voxels": "ct.raw", "ct_dtype": self.ct.dtype.name} if sends_ct else {}
        header = SegmentationHeader(layers, segments, list(shape), matrix, **sent)
        (work / SEGMENTATION_HEADER).write_text(segmentation_header_to_json(header))
        return main(["repair", kind, "--transferred", str(work), "--output", str(self.folder / "out"), *arguments])

    def results(self) -> dict[str, np.ndarray]:
        """What the repair gave, as whole arrays."""
        folder = self.folder / "out"
        found = {}
        for segment in repair_header_from_json((folder / REPAIR_HEADER).read_text()).segments:
            whole = np.zeros(self.ct.shape, bool)
            box = tuple(slice(first, first + size) for first, size in zip(segment.start, segment.shape, strict=True))
            whole[box] = np.fromfile(folder / segment.file, np.uint8).reshape(segment.shape)
            before = self.masks[segment.id]
            assert segment.added_ml == pytest.approx((whole & ~before).sum() * VOXEL_ML, abs=0.01)
            assert segment.removed_ml == pytest.approx((before & ~whole).sum() * VOXEL_ML, abs=0.01)
            found[segment.id] = whole
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def deepest(mask: np.ndarray) -> np.ndarray:
    """An index well inside a mask."""
    from scipy.ndimage import distance_transform_edt

    return np.array(np.unravel_index(np.argmax(distance_transform_edt(mask)), mask.shape))


def compact(bench: Bench, name: str) -> np.ndarray:
    """The structure without islands of the phantom's own."""
    from scipy.ndimage import label

    numbers, _count = label(bench.masks[name], np.ones((3, 3, 3)))
    return numbers == np.argmax(np.bincount(numbers.ravel())[1:]) + 1


def ball(shape: tuple[int, ...], centre: np.ndarray, radius_mm: float) -> np.ndarray:
    grids = np.ogrid[tuple(slice(0, size) for size in shape)]
    return sum((SPACING * (grid - middle)) ** 2 for grid, middle in zip(grids, centre, strict=True)) <= radius_mm**2


def test_only_the_largest_piece_stays(bench: Bench):
    liver = compact(bench, "liver")
    bench.masks["liver"] = liver | ball(liver.shape, np.array([8, 8, 8]), 8)
    assert bench.repair("largest_piece", "--segment", "liver") == 0
    assert np.array_equal(bench.results()["liver"], liver)


def test_the_place_of_a_repair_lies_in_the_largest_of_its_pieces(bench: Bench):
    liver = compact(bench, "liver")
    pieces = [ball(liver.shape, np.array(middle), radius) for middle, radius in (((8, 8, 8), 8), ((30, 5, 5), 5))]
    bench.masks["liver"] = liver | pieces[0] | pieces[1]
    assert bench.repair("largest_piece", "--segment", "liver") == 0
    (segment,) = repair_header_from_json((bench.folder / "out" / REPAIR_HEADER).read_text()).segments
    place = np.linalg.solve(bench.phantom.ijk_to_ras, [*segment.place_ras_mm, 1.0])[:3]
    assert pieces[0][tuple(np.round(place[::-1]).astype(int))]


def test_small_islands_go_and_large_ones_stay(bench: Bench):
    liver = compact(bench, "liver")
    large = liver | ball(liver.shape, np.array([8, 8, 8]), 11)
    bench.masks["liver"] = large | ball(liver.shape, np.array([30, 5, 5]), 5)
    assert bench.repair("remove_islands", "--segment", "liver", "--smallest", "2.5") == 0
    assert np.array_equal(bench.results()["liver"], large)


def test_holes_are_filled_but_not_those_that_another_structure_fills(bench: Bench):
    liver = bench.masks["liver"]
    middle = deepest(liver)
    tumour = ball(liver.shape, middle, 7)
    bench.masks["liver"] = liver & ~ball(liver.shape, middle, 13)
    bench.masks["stomach"] = tumour
    assert bench.repair("fill_holes", "--segment", "liver") == 0
    assert np.array_equal(bench.results()["liver"], liver & ~tumour)


def with_a_gap(bench: Bench, length_mm: float = 24.0) -> tuple[np.ndarray, np.ndarray]:
    """Cuts the aorta; returns its voxels in the gap, and the middle of the gap."""
    aorta = bench.masks["aorta"]
    planes = np.flatnonzero(aorta.any(axis=(1, 2)))
    middle, half = planes[len(planes) // 2], round(length_mm / SPACING / 2)
    missing = aorta.copy()
    missing[: middle - half], missing[middle + half :] = False, False
    bench.masks["aorta"] = aorta & ~missing
    return missing, np.argwhere(missing).mean(axis=0)


def test_a_gap_of_the_aorta_is_bridged_through_its_own_blood(bench: Bench):
    missing, middle = with_a_gap(bench)
    before = bench.masks["aorta"]
    assert bench.repair("bridge_gap", "--segment", "aorta", "--place=" + bench.ras(middle), sends_ct=True) == 0
    added = bench.results()["aorta"] & ~before
    overlap = 2 * (added & missing).sum() / (added.sum() + missing.sum())
    assert overlap > 0.85
    others = np.logical_or.reduce([mask for name, mask in bench.masks.items() if name != "aorta"])
    assert not (added & others).any()


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        ("air", "REPAIR_NO_BRIDGE"),
        ("long", "REPAIR_GAP_LONG"),
        ("one piece", "REPAIR_NO_GAP"),
        ("no ct", "REPAIR_NEEDS_CT"),
    ],
)
def test_a_gap_that_cannot_be_bridged_is_refused(bench: Bench, spoil: str, code: str):
    if spoil != "one piece":
        missing, middle = with_a_gap(bench, 100.0 if spoil == "long" else 24.0)
    else:
        middle = deepest(bench.masks["aorta"])
    if spoil == "air":
        bench.ct[missing.any(axis=(1, 2))] = -1000
    arguments = ("--segment", "aorta", "--place=" + bench.ras(np.asarray(middle)))
    assert bench.repair("bridge_gap", *arguments, sends_ct=spoil != "no ct") == ERRORS[code].exit_code
    assert not (bench.folder / "out" / REPAIR_HEADER).exists()


@pytest.mark.parametrize("other", ["vertebrae_T10", ""])
def test_a_piece_moves_to_its_neighbour_or_to_the_background(bench: Bench, other: str):
    ninth, tenth = bench.masks["vertebrae_T9"], bench.masks["vertebrae_T10"]
    piece = tenth & ball(tenth.shape, np.argwhere(tenth)[0], 9)
    bench.masks["vertebrae_T9"] = ninth | piece
    bench.masks["vertebrae_T10"] = tenth & ~piece
    if (ninth & ball(tenth.shape, np.argwhere(tenth)[0], 13)).any():
        pytest.fail("the phantom's vertebrae touch: choose another piece")
    place = bench.ras(np.argwhere(piece).mean(axis=0))
    arguments = ("--segment", "vertebrae_T9", "--place=" + place, *(("--other", other) if other else ()))
    assert bench.repair("move_piece", *arguments) == 0
    results = bench.results()
    assert np.array_equal(results["vertebrae_T9"], ninth)
    assert set(results) == {"vertebrae_T9", other} - {""}
    if other:
        assert np.array_equal(results[other], tenth)


def test_a_piece_becomes_a_segment_that_is_not_there_yet(bench: Bench):
    ninth, tenth = compact(bench, "vertebrae_T9"), bench.masks.pop("vertebrae_T10")
    piece = tenth & ball(tenth.shape, np.argwhere(tenth)[-1], 9)
    bench.masks["vertebrae_T9"] = ninth | piece
    place = bench.ras(np.argwhere(piece).mean(axis=0))
    arguments = ("--segment", "vertebrae_T9", "--place=" + place, "--other", "vertebrae_T10")
    assert bench.repair("move_piece", *arguments, "--new") == 0
    bench.masks["vertebrae_T10"] = np.zeros_like(piece)  # what it had before
    results = bench.results()
    assert np.array_equal(results["vertebrae_T9"], ninth) and np.array_equal(results["vertebrae_T10"], piece)


def test_a_structure_is_merged_into_another_one(bench: Bench):
    both = bench.masks["vertebrae_T9"] | bench.masks["vertebrae_T10"]
    assert bench.repair("merge_into", "--segment", "vertebrae_T9", "--other", "vertebrae_T10") == 0
    results = bench.results()
    assert np.array_equal(results["vertebrae_T10"], both) and not results["vertebrae_T9"].any()


def test_what_needs_no_repair_stays_as_it_is(bench: Bench):
    assert bench.repair("largest_piece", "--segment", "stomach") == 0
    assert json.loads((bench.folder / "out" / REPAIR_HEADER).read_text())["segments"] == []
    assert (
        main(
            [
                "repair",
                "fill_holes",
                "--transferred",
                str(bench.folder / "transferred"),
                "--segment",
                "gone",
                "--output",
                str(bench.folder / "again"),
            ]
        )
        == ERRORS["REPAIR_NO_SEGMENT"].exit_code
    )
