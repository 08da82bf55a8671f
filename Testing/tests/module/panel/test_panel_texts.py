"""What the panel's words are made of: names that the user types, lists of structures, times, DICOM files."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

from desktop import Desktop
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.plan import LOCALIZATION, SEGMENTATION, SUMS_ON_DISK, Plan, PlannedPass

KNOWN = ["spleen", "kidney_left", "kidney_right", "Tumor-Core"]


@pytest.fixture(scope="module")
def lib():
    with Desktop():  # gives slicer.i18n
        from TotalSegmentatorModuleLib.scene.dicom import files as dicom_files
        from TotalSegmentatorModuleLib.segment import name_lists, plan_text, progress_text
        from TotalSegmentatorModuleLib.structure_tree import name_list
        from TotalSegmentatorModuleLib.texts import quantities

        class Lib:
            names, structures, progress, dicom = name_lists, name_list, progress_text, dicom_files
            plans, amounts = plan_text, quantities

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
        (7800, "about 2 h 10 min left"),
    ],
)
def test_time_left_is_coarse(lib, seconds, text):
    assert lib.amounts.time_left_text(seconds) == text


# -- plans and choices -------------------------------------------------------------------------------------------------


def five_networks(**changes) -> Plan:
    """Five part models of 27 tiles each, on a CPU."""
    passes = [
        PlannedPass(part, SEGMENTATION, [200, 300, 300], is_cropped=False, tiles=27, seconds=117.0)
        for part in ("organs", "vertebrae", "cardiac", "muscles", "ribs")
    ]
    plan = Plan(
        models=["117-1.5mm"],
        profiles={"117-1.5mm": "totalsegmentator-2.18"},
        device="cpu",
        runtime="openvino",
        precision="exact",
        passes=passes,
        seconds=600.0,
        peak_bytes=4_100_000_000,
        available_bytes=16_000_000_000,
    )
    return dataclasses.replace(plan, **changes)


def test_plan_is_one_line(lib):
    text = lib.plans.plan_text(five_networks())

    assert text == "135 steps in 5 networks, about 10 min, needs 4.1 GB of memory (16.0 GB free)"


def test_plan_says_only_what_is_known(lib):
    one = [PlannedPass("organs", SEGMENTATION, [90, 90, 90], is_cropped=True, tiles=1, seconds=None)]
    plan = five_networks(passes=one, seconds=None, available_bytes=None, is_preliminary=True)

    assert lib.plans.plan_text(plan) == "First estimate: 1 step in 1 network, needs 4.1 GB of memory"


def test_details_of_a_plan_name_each_network_and_what_was_done_about_memory(lib):
    localization = PlannedPass("localization", LOCALIZATION, [50, 80, 80], is_cropped=False, tiles=2, seconds=3.5)
    organs = PlannedPass("organs", SEGMENTATION, [90, 90, 90], is_cropped=True, tiles=8, seconds=28.0)
    plan = five_networks(passes=[localization, organs], sums=SUMS_ON_DISK, keeps_networks=False, sums_on_host=True)

    lines = lib.plans.plan_details(plan).splitlines()

    assert lines[0] == "Pipeline totalsegmentator-2.18; openvino on cpu, exact precision."
    assert lines[1] == "localization: 2 steps, coarse localization, about 5 s"
    assert lines[2] == "organs: 8 steps, part of the scan, about 30 s"
    assert len(lines) == 6
    assert "only one network" in lines[3]
    assert "disk" in lines[4]
    assert "GPU" in lines[5]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1, "about 5 s"), (43, "about 45 s"), (100, "about 2 min"), (7900, "about 2 h 10 min"), (10700, "about 3 h")],
)
def test_planned_time_is_coarse(lib, seconds, text):
    assert lib.plans.about_text(seconds) == text


def test_result_tells_the_choices_that_changed_its_labels(lib):
    chosen = JobOptions("openvino", "reduced", "body", smooth=True, largest_piece=True, smallest_island_mm3=250.0)

    assert lib.progress.options_text(chosen.to_json()) == (
        "reduced precision, cropped to the structures, smooth boundaries, largest island only, "
        "islands below 250 mm\u00b3 removed"
    )
    assert lib.progress.options_text(JobOptions(runtime="openvino", precision="exact").to_json()) == ""
    assert lib.progress.options_text({}) == ""  # a result of an earlier version waits


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
