"""What the panel's words are made of: names that the user types, lists of structures, times, DICOM files."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

from desktop import Desktop
from TotalSegmentatorWire.errors import SegmentationError

KNOWN = ["spleen", "kidney_left", "kidney_right", "Tumor-Core"]


@pytest.fixture(scope="module")
def lib():
    with Desktop():  # gives slicer.i18n
        from TotalSegmentatorModuleLib import dicom_files, name_lists, progress_text, structure_names

        class Lib:
            names, structures, progress, dicom = name_lists, structure_names, progress_text, dicom_files

        yield Lib


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", None),
        (" , ", None),
        ("spleen", ["spleen"]),
        ("Kidney left,kidney-right , spleen", ["kidney_left", "kidney_right", "spleen"]),
        ("spleen, spleen", ["spleen"]),
        ("tumor core", ["Tumor-Core"]),
    ],
)
def test_typed_names_become_the_models_names(lib, text, names):
    assert lib.structures.parse_names(text, KNOWN) == names


def test_names_are_taken_as_they_are_where_the_model_is_unknown(lib):
    assert lib.structures.parse_names("My Lesion", []) == ["My Lesion"]


def test_unknown_name_is_refused_with_the_nearest(lib):
    with pytest.raises(SegmentationError) as refused:
        lib.structures.parse_names("spleen, kidny left", KNOWN)

    assert refused.value.code == "STRUCTURE_UNKNOWN"
    assert "kidney_left" in refused.value.problem.values["nearest"]


def test_names_of_a_model_folder_come_from_its_dataset(lib, tmp_path):
    (tmp_path / "dataset.json").write_text('{"labels": {"background": 0, "liver": 1, "ignore": 2}}', encoding="utf-8")

    assert lib.structures.known_names("", str(tmp_path)) == ["liver"]
    assert lib.structures.known_names("", str(tmp_path.parent / "nothing")) == []


@pytest.mark.parametrize(
    ("names", "readable"),
    [
        (["kidney_left", "urinary_bladder"], ["kidney left", "urinary bladder"]),
        (["vertebrae_T3", "vertebrae_T2", "vertebrae_T1", "vertebrae_C7"], ["vertebrae T1-T3", "vertebrae C7"]),
        (["rib_left_1", "colon", "rib_left_2", "rib_left_5"], ["rib left 1-2, 5", "colon"]),
    ],
)
def test_numbered_structures_are_folded(lib, names, readable):
    assert lib.names.readable_names(names) == readable


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (3, "a few seconds left"),
        (43, "about 45 s left"),
        (61, "about 1 min 00 s left"),
        (95, "about 1 min 40 s left"),
        (1234, "about 21 min left"),
    ],
)
def test_time_left_is_coarse(lib, seconds, text):
    assert lib.progress.time_left_text(seconds) == text


class SlowDatabase:
    """A DICOM database in which each query takes 10 ms; the second slice of three was removed from it."""

    isOpen = True

    def __init__(self) -> None:
        self.now = 0.0

    def fileForInstance(self, uid: str) -> str:
        self.now += 0.010
        return "" if uid == "1.2" else "/dicom/{}.dcm".format(uid)


def test_dicom_files_are_looked_up_a_little_at_a_time(lib, monkeypatch):
    import slicer

    database = SlowDatabase()
    with Desktop() as app:
        monkeypatch.setattr(slicer, "dicomDatabase", database)
        ct = app.add_volume(np.zeros((3, 4, 5), np.int16), np.eye(4), "CT")
        ct.SetAttribute("DICOM.instanceUIDs", "1.1 1.2 1.3")
        search = lib.dicom.DicomFileSearch(ct, clock=lambda: database.now)

        search.step(0.015)
        assert not search.finished
        search.step(0.015)

        assert search.finished
        assert search.files == ["/dicom/1.1.dcm", "/dicom/1.3.dcm"]


def test_volume_that_is_no_dicom_needs_no_lookup(lib):
    with Desktop() as app:
        search = lib.dicom.DicomFileSearch(app.add_volume(np.zeros((3, 4, 5), np.int16), np.eye(4), "CT"))

    assert search.finished
    assert search.files == []
