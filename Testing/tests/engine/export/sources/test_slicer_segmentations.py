"""Slicer's .seg.nrrd files in which something is wrong: what is good is read, what was asked for and is not fails."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from export_case import GRID, SHAPE, Case
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.imaging.label_files import FileSegment, write_nrrd
from TotalSegmentatorWire.errors.problem import ERRORS


def segment(name: str, label: int, layer: int = 0, segment_id: str = "") -> FileSegment:
    return FileSegment(segment_id or name, name, (1, 2, 3), label, (0,) * 6, layer)


def write(path: Path, layers: list[np.ndarray], segments: list[FileSegment], grid: Geometry = GRID) -> Path:
    with path.open("wb") as stream:
        write_nrrd(stream, layers, grid, segments)
    return path


def volumes(*words: object) -> int:
    return main([str(word) for word in ("export", *words, "--to", "volumes", "--names", "own")])


def voxels_in(path: Path) -> dict[str, int]:
    with path.open(encoding="utf-8", newline="") as stream:
        return {row["name"]: int(row["voxels"]) for row in csv.DictReader(stream)}


@pytest.fixture
def labels() -> np.ndarray:
    """1, 2 and 3 in blocks of 4, 8 and 12 voxels."""
    array = np.zeros(SHAPE, np.uint8)
    for value in (1, 2, 3):
        array[4, 10 * value, 10 : 10 + 4 * value] = value
    return array


def test_two_segments_of_one_value_are_left_out_by_name(labels: np.ndarray, tmp_path: Path, capsys):
    path = write(
        tmp_path / "s.seg.nrrd", [labels], [segment("a", 1), segment("b", 2), segment("c", 2), segment("d", 3)]
    )
    assert volumes(path, tmp_path / "v.csv") == 0
    assert voxels_in(tmp_path / "v.csv") == {"a": 4, "d": 12}
    assert "cannot be told apart and were left out: b, c." in capsys.readouterr().err
    status = volumes(path, tmp_path / "w.csv", "--structures", "a,c")
    assert status == ERRORS["EXPORT_STRUCTURE_LEFT_OUT"].exit_code
    both = write(tmp_path / "t.seg.nrrd", [labels], [segment("b", 2), segment("c", 2)])
    assert volumes(both, tmp_path / "w.csv") == ERRORS["EXPORT_NUMBERS_SHARED"].exit_code


def test_two_segments_of_one_id_keep_their_voxels(labels: np.ndarray, tmp_path: Path):
    segments = [segment("a", 1, segment_id="Segment_1"), segment("b", 2, segment_id="Segment_1"), segment("c", 3)]
    assert volumes(write(tmp_path / "s.seg.nrrd", [labels], segments), tmp_path / "v.csv") == 0
    assert voxels_in(tmp_path / "v.csv") == {"a": 4, "b": 8, "c": 12}


def test_a_segment_of_a_layer_that_is_missing_is_left_out_by_name(labels: np.ndarray, tmp_path: Path, capsys):
    path = write(tmp_path / "s.seg.nrrd", [labels], [segment("a", 1), segment("b", 2), segment("c", 3, layer=4)])
    assert volumes(path, tmp_path / "v.csv") == 0
    assert voxels_in(tmp_path / "v.csv") == {"a": 4, "b": 8}
    said = capsys.readouterr().err
    assert "STRUCTURES_DAMAGED" in said and "left out: c." in said
    assert "LABELS_LEFT_OUT: Label values without a name were left out: 3." in said


def test_a_segment_beyond_the_ct_fails_only_those_who_ask_for_it(case: Case, labels: np.ndarray, tmp_path: Path):
    around = np.pad(labels, ((0, 0), (0, 0), (0, 5)))
    around[6, 6, -3:] = 3
    wider = Geometry(around.shape, GRID.ijk_to_ras)
    path = write(tmp_path / "s.seg.nrrd", [around], [segment("a", 1), segment("b", 2), segment("couch", 3)], wider)
    words = (path, tmp_path / "v.csv", "--reference", case.ct)
    assert volumes(*words) == ERRORS["EXPORT_GEOMETRY_DIFFERS"].exit_code
    assert volumes(*words, "--structures", "a,couch") == ERRORS["EXPORT_GEOMETRY_DIFFERS"].exit_code
    assert volumes(*words, "--structures", "a,b") == 0
    assert voxels_in(tmp_path / "v.csv") == {"a": 4, "b": 8}


def test_a_table_that_contradicts_the_segments_is_refused(labels: np.ndarray, tmp_path: Path):
    path = write(tmp_path / "s.seg.nrrd", [labels], [segment("liver", 1), segment("spleen", 2), segment("x", 3)])
    status = volumes(path, tmp_path / "v.csv", "--labels", "structures_104")
    assert status == ERRORS["LABELS_CONTRADICT"].exit_code
    (tmp_path / "own.csv").write_text("label,name\n1,Liver\n2,spleen\n", encoding="utf-8")
    assert volumes(path, tmp_path / "v.csv", "--labels", tmp_path / "own.csv") == 0


def test_headers_in_another_encoding_are_read(labels: np.ndarray, tmp_path: Path):
    path = write(tmp_path / "s.seg.nrrd", [labels], [segment("Lasion", 1), segment("b", 2), segment("c", 3)])
    content = path.read_bytes().replace(b"Lasion", "L\u00e4sion".encode("latin-1"))
    content = content.replace(b"encoding: gzip", b"encoding: gzip\nnote\xe4:=x")
    path.write_bytes(content)
    assert volumes(path, tmp_path / "v.csv") == 0
    assert voxels_in(tmp_path / "v.csv") == {"L\u00e4sion": 4, "b": 8, "c": 12}
