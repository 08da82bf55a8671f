"""The panel's Compare section, with a program that does what a test asks (fake_export.py), and with the real one."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import fake_export
import slicer
from job_support import MARK, marked_processes, needs_signals
from panel_support import folders_of, wait_for
from time_bounds import BLOCK_SECONDS, READY_SECONDS
from TotalSegmentatorModuleLib.background.engine_environment import EngineEnvironment
from TotalSegmentatorWire.errors.problem import ERRORS

SUMMARY = "2 structures compared: mean Dice 0.881, lowest 0.810 (kidney_right). Without a counterpart: 2."


# -- a comparison ------------------------------------------------------------------------------------------------------


def test_table_comes_into_the_scene_as_it_is_to_be_read(ready):
    ready.app.reset_block_clock()
    ready.compare()

    assert ready.error_code == "", ready.describe()
    (node,) = ready.tables
    assert node.GetName() == "{} compared with RS of the department.dcm".format(ready.node.GetName())
    table = node.GetTable()
    columns = [table.GetColumnName(index) for index in range(table.GetNumberOfColumns())]
    assert sorted(columns) == sorted([*fake_export.TABLE.splitlines()[0].split(","), "note"])
    assert columns[5:7] == ["surface_dice", "added_path_mm"]  # beside the other distances, and before the volumes
    shown = [[table.GetColumn(column).GetValue(row) for column in range(len(columns))] for row in range(4)]
    assert shown == [
        ["kidney_right", "Kidney_R", "0.810", "7.5", "1.2", "0.654", "812", "150", "120", "+30", "+25.0", ""],
        ["spleen", "Spleen", "0.951", "2.5", "0.4", "0.987", "96", "180", "190", "−10", "−5.2", ""],
        ["kidney_left", "–", "–", "–", "–", "–", "–", "140", "–", "–", "–", "only in the segmentation"],
        ["–", "PTV, boost", "–", "–", "–", "–", "–", "–", "55.5", "–", "–", "only in the other"],
    ]
    assert node.GetColumnTitle("hausdorff95_mm") == "95 % Hausdorff distance (mm)"
    assert node.GetLocked()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    study, same_study = (hierarchy.GetItemParent(hierarchy.GetItemByDataNode(each)) for each in (node, ready.ct))
    assert study == same_study
    assert ready.ui.compare_task.resultLabel.text == SUMMARY
    assert "department" not in ready.ui.log.textEdit.toPlainText()  # the file's name may be the patient's
    assert ready.app.longest_block_ms() < BLOCK_SECONDS * 1000, ready.app.longest_block_name()
    assert ready.app.wait_until(lambda: len(folders_of("jobs")) == 0, READY_SECONDS)


def test_program_gets_segmentation_file_and_pairs(ready, tmp_path):
    pairs = tmp_path / "names.csv"
    ready.ui.compare.pairsPathLineEdit.currentPath = str(pairs)
    ready.app.process_events()
    ready.compare()

    call = ready.calls[0]
    assert call[0] == "compare"
    assert call[call.index("--events") - 1] == str(ready.theirs)
    assert ready.argument("--pairs") == str(pairs)
    assert ready.theirs.read_bytes() == b"theirs"
    assert len(list((ready.folder / "transferred").glob("layer-*.raw"))) == 1
    again = ready.app.reload_module().ui
    assert again.compare.pairsPathLineEdit.currentPath == str(pairs)
    assert again.compare.filePathLineEdit.currentPath == ""  # of one patient


def test_second_comparison_has_a_table_of_its_own(ready):
    ready.compare()
    ready.compare()

    assert len({node.GetName() for node in ready.tables}) == 2


def test_table_is_shown_on_demand_and_the_layout_comes_back(ready):
    manager = slicer.app.layoutManager()
    selection = slicer.app.applicationLogic().GetSelectionNode()
    conventional = int(slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView)
    manager.setLayout(conventional)
    ready.compare()
    assert manager.layout == conventional

    ready.app.click(ready.ui.compare_table.fullButton)
    assert manager.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpTableView
    assert selection.GetActiveTableID() == ready.tables[0].GetID()

    ready.app.click(ready.ui.compare_table.fullButton)
    assert manager.layout == conventional

    slicer.mrmlScene.RemoveNode(ready.tables[0])
    ready.app.click(ready.ui.compare_table.fullButton)
    assert not ready.ui.compare_table.fullButton.enabled
    assert manager.layout == conventional


def test_layout_that_has_a_table_stays(ready):
    manager = slicer.app.layoutManager()
    layout = int(slicer.vtkMRMLLayoutNode.SlicerLayout3DTableView)
    manager.setLayout(layout)
    ready.compare()
    for _click in range(2):
        ready.app.click(ready.ui.compare_table.fullButton)
        assert manager.layout == layout


def test_segmentation_may_be_removed_after_it_was_handed_over(ready):
    name = ready.node.GetName()
    ready.acts("slow")
    ready.click()
    ready.wait_for_half()
    slicer.mrmlScene.RemoveNode(ready.node)
    ready.finish()
    ready.wait_until_ready()

    assert [node.GetName() for node in ready.tables] == [name + " compared with RS of the department.dcm"]


# -- before it begins --------------------------------------------------------------------------------------------------


def test_section_says_what_is_missing(comparer, tmp_path):
    hint = comparer.ui.compare_task.hintLabel
    comparer.open_section()
    assert hint.text == "Choose the segmentation to compare."
    ct = comparer.user.add_ct()
    comparer.add_result(ct)
    assert comparer.ui.compare.ctSelector.currentNode() is ct
    assert hint.text == "Choose the file to compare with."
    assert not comparer.ui.compare_task.startButton.enabled

    comparer.choose_file(tmp_path / "others.seg.nrrd")
    assert hint.text == "The chosen file does not exist."
    (tmp_path / "others.seg.nrrd").write_bytes(b"NRRD0004")
    comparer.ui.compare.collapsibleButton.collapsed = True
    comparer.open_section()
    assert not hint.visible
    assert comparer.ui.compare_task.startButton.enabled


@pytest.mark.parametrize(("name", "content"), [("RS.dcm", b""), ("no ending", b"\0" * 128 + b"DICM")])
def test_dicom_file_needs_a_ct_from_dicom_beforehand(comparer, tmp_path, name, content):
    comparer.add_result(comparer.user.add_ct())
    comparer.open_section()
    (tmp_path / name).write_bytes(content)
    comparer.choose_file(tmp_path / name)
    assert comparer.ui.compare.otherNoteLabel.text.startswith("A segmentation or label image (.seg.nrrd, .nii.gz) goes")
    assert comparer.ui.compare_task.hintLabel.text.startswith("The file is DICOM, but the CT does not come from DICOM.")
    assert not comparer.ui.compare_task.startButton.enabled
    assert comparer.calls == []


def test_ct_without_dicom_is_handed_over_without_a_series(comparer, tmp_path):
    comparer.add_result(comparer.user.add_ct())
    comparer.open_section()
    (tmp_path / "others.seg.nrrd").write_bytes(b"NRRD0004")
    comparer.choose_file(tmp_path / "others.seg.nrrd")
    comparer.compare()

    assert comparer.error_code == "", comparer.describe()
    assert comparer.header("transferred").ct_instance_uids == []
    assert len(comparer.tables) == 1


def test_lost_dicom_files_matter_only_to_dicom_structures(ready, tmp_path):
    ready.ct.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    (tmp_path / "others.seg.nrrd").write_bytes(b"NRRD0004")
    ready.choose_file(tmp_path / "others.seg.nrrd")
    ready.compare()

    assert ready.error_code == "", ready.describe()
    assert ready.header("transferred").ct_instance_uids == []


def test_missing_dicom_files_are_reported(ready):
    ready.ct.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    ready.compare()

    assert ready.error_code == "EXPORT_FILES_MISSING"
    assert ready.calls == []


# -- ends --------------------------------------------------------------------------------------------------------------


def assert_nothing_is_left(comparer) -> None:
    assert comparer.tables == []
    assert wait_for(lambda: not marked_processes(comparer.user.mark))
    assert comparer.app.wait_until(lambda: len(folders_of("jobs")) == 0, READY_SECONDS)


@pytest.mark.parametrize("act", ["slow", pytest.param("deaf", marks=needs_signals)])
def test_cancelled_comparison_leaves_nothing(ready, act, monkeypatch):
    from TotalSegmentatorModuleLib.tasks import program_run

    monkeypatch.setattr(program_run, "CANCEL_SECONDS", 0.5)  # how long a deaf one is waited for
    ready.acts(act)
    ready.click()
    ready.wait_for_half()
    assert not ready.ui.setup.repairButton.enabled
    assert ready.ui.export.formatComboBox.enabled
    ready.click()
    ready.wait_until_ready()

    assert ready.ui.compare_task.resultLabel.text == "Cancelled. Nothing was compared."
    assert not ready.ui.compare_table.comparisonWidget.visible
    assert_nothing_is_left(ready)


@pytest.mark.parametrize(
    ("act", "code", "values"),
    [("fail", "EXPORT_SEGMENT_EMPTY", {"names": "Liver, Spleen"}), ("die", "EXPORT_DIED", {"status": 3})],
)
def test_failure_is_reported_and_leaves_nothing(ready, act, code, values):
    ready.acts(act)
    ready.compare()

    assert ready.error_code == code
    assert ready.ui.compare_task.errorWhatLabel.text == ERRORS[code].what.format(**values)
    assert "export begins" in ready.ui.log.textEdit.toPlainText()  # what the program wrote to its own
    assert not ready.ui.export_task.errorFrame.visible
    assert_nothing_is_left(ready)


def test_table_that_cannot_be_understood_is_reported(ready):
    (ready.folder / "table.csv").write_text("something,else\n1,2\n", encoding="utf-8")
    ready.compare()

    assert ready.error_code == "INTERNAL_ERROR"
    assert_nothing_is_left(ready)


@pytest.mark.parametrize("is_quicker", [False, True])
def test_closing_the_scene_ends_a_comparison(ready, is_quicker):
    """Also where the program has finished before it hears of it: its table has no place in another scene."""
    ready.acts("slow")
    ready.click()
    ready.wait_for_half()
    if is_quicker:
        ready.finish()
        assert wait_for(lambda: not marked_processes(ready.user.mark))  # not a turn of the event loop
    ready.app.close_scene()
    ready.wait_until_ready()

    assert ready.error_code == ""
    assert ready.ui.compare.filePathLineEdit.currentPath == ""
    assert_nothing_is_left(ready)


def test_closing_the_scene_takes_the_table_and_its_sentence_away(ready):
    ready.compare()
    ready.app.close_scene()

    assert ready.tables == []
    assert not ready.ui.compare_task.resultFrame.visible
    assert not ready.ui.compare_table.comparisonWidget.visible


def test_quitting_stops_the_comparison(ready):
    ready.acts("slow")
    ready.click()
    ready.wait_for_half()
    ready.app.quit()

    assert wait_for(lambda: not marked_processes(ready.user.mark))


def test_export_and_comparison_can_run_at_once(ready, monkeypatch):
    from export_user import ExportUser

    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda *_, **__: True)
    ready.acts("slow")
    ready.click()
    ready.wait_for_half()
    ready.ui.export.collapsibleButton.collapsed = False
    ready.ui.export.folderPathLineEdit.currentPath = str(ready.target)
    ready.choose(ready.ui.export.formatComboBox, "volumes")
    ready.app.click(ready.ui.export_task.startButton)
    ready.wait(lambda: ready.ui.export_task.progressBar.value >= 500)
    ready.finish()
    ready.wait(
        lambda: (
            ready.ui.export_task.startButton.text == ExportUser.title
            and ready.ui.compare_task.startButton.text == "Compare"
        )
    )

    assert len(ready.tables) == 1
    assert len(ready.written) == 1
    assert ready.ui.setup.repairButton.enabled


# -- the real program --------------------------------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.slow  # two processes that import NumPy, SciPy and pydicom and read a real CT
@pytest.mark.parametrize("format_id", ["rtstruct", "seg-binary", "nrrd"])
def test_edited_structure_is_found_on_a_real_ct(comparer, shared, tmp_path, monkeypatch, format_id):
    from export_support import labels_on, with_identifiers
    from TotalSegmentatorModuleLib.background import installed_engine
    from TotalSegmentatorModuleLib.compare.texts import column_titles

    environment = EngineEnvironment(sys.executable, {**os.environ, MARK: comparer.user.mark})
    monkeypatch.setattr(installed_engine, "engine_environment", lambda: environment)
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda *_, **__: True)
    ct = comparer.app.load_dicom_series(with_identifiers(shared / "data" / "cip_ct64", tmp_path / "series"))
    labels = labels_on(slicer.util.arrayFromVolume(ct).shape)
    comparer.add_result(ct, labels, digest="")
    comparer.ui.export.collapsibleButton.collapsed = False
    comparer.ui.export.folderPathLineEdit.currentPath = str(comparer.target)
    comparer.choose(comparer.ui.export.formatComboBox, format_id)
    comparer.app.click(comparer.ui.export_task.startButton)
    comparer.wait(lambda: comparer.ui.export_task.startButton.text == "Export", 240.0)
    (name,) = (each for each in comparer.written if not each.endswith(".csv"))  # a NRRD file has a table beside it

    planes = np.flatnonzero((labels == 2).any((1, 2)))
    edited = labels.copy()
    edited[planes[len(planes) // 2] :][edited[planes[len(planes) // 2] :] == 2] = 0
    comparer.add_result(ct, edited, digest="")
    comparer.open_section()
    comparer.choose_file(comparer.target / name)
    comparer.compare(240.0)

    assert comparer.error_code == "", comparer.describe()
    (node,) = comparer.tables
    table = node.GetTable()
    columns = [table.GetColumnName(index) for index in range(table.GetNumberOfColumns())]
    assert columns == list(column_titles())
    cut, untouched = (table.GetColumnByName("dice").GetValue(row) for row in range(2))
    ours, theirs = (int(np.count_nonzero(array == 2)) for array in (edited, labels))
    assert table.GetNumberOfRows() == 2
    assert untouched == "1.000"
    assert float(cut) == pytest.approx(2 * ours / (ours + theirs), abs=1e-3)
    lowest = "lowest {} ({})".format(cut, table.GetColumnByName("ours").GetValue(0))
    assert lowest in comparer.ui.compare_task.resultLabel.text
