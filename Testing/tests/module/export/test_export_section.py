"""The panel's Export section, with an export program that does what a test asks (fake_export.py)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from TotalSegmentatorWire.resources import TEMPLATES_FOLDER

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from export_user import ExportUser, add_segment, blocks, result_of
from job_support import marked_processes, needs_signals
from panel_support import folders_of, wait_for
from time_bounds import BLOCK_SECONDS, READY_SECONDS
from TotalSegmentatorWire.errors.problem import ERRORS
from TotalSegmentatorWire.tables.review_state import REVIEW_STATE_TAG, ReviewState


@pytest.fixture
def exporter(user, tmp_path, monkeypatch):
    from TotalSegmentatorModuleLib.background import installed_engine

    somebody = ExportUser(user, tmp_path)
    monkeypatch.setattr(installed_engine, "engine_environment", lambda: somebody.environment)
    return somebody


@pytest.fixture
def ready(exporter, monkeypatch):
    """With a result on a CT, and the section open; who is asked before something goes out agrees."""
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda *_, **__: True)
    exporter.ct = exporter.user.add_ct()
    exporter.node = exporter.add_result(exporter.ct)
    exporter.open_section()
    return exporter


@pytest.fixture
def never_asked(monkeypatch):
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda *_, **__: pytest.fail("a question was asked"))


def state_tag(node, segment_id: str) -> str:
    import vtk

    value = vtk.reference("")
    node.GetSegmentation().GetSegment(segment_id).GetTag(REVIEW_STATE_TAG, value)
    return str(value)


def approve(node, *segment_ids: str) -> None:
    for segment_id in segment_ids:
        node.GetSegmentation().GetSegment(segment_id).SetTag(REVIEW_STATE_TAG, ReviewState.APPROVED.value)


# -- an export ---------------------------------------------------------------------------------------------------------


def test_result_goes_out_with_one_click(ready, monkeypatch):
    import qt

    ready.app.reset_block_clock()
    ready.export()

    assert ready.written == ["CT abdomen segmentation", "CT abdomen segmentation/structures.dcm"], ready.describe()
    assert ready.ui.exportResultLabel.text == "2 structures written to CT abdomen segmentation in 2 s."
    assert "2 not reviewed" in ready.ui.exportWarningLabel.text
    assert ready.calls[0][0] == "export"
    assert (ready.argument("--to"), ready.argument("--names"), ready.argument("--holes")) == (
        "rtstruct",
        "tg263",
        "keyhole",
    )
    assert ready.app.longest_block_ms() < BLOCK_SECONDS * 1000, ready.app.longest_block_name()
    assert ready.app.wait_until(lambda: len(folders_of("jobs")) == 0, READY_SECONDS)
    opened = []
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", opened.append)
    ready.app.click(ready.ui.exportOpenFolderButton)
    assert opened[0].toLocalFile() == str(ready.target)


def test_progress_is_shown(ready):
    ready.acts("slow")
    ready.click()
    ready.wait_for_half()

    assert ready.ui.exportStepLabel.text == "Drawing contours: liver"
    assert not ready.ui.exportFormatComboBox.enabled
    assert ready.ui.applyButton.enabled  # a segmentation may run meanwhile
    assert not ready.ui.setupRepairButton.enabled  # but its packages must stay

    ready.click()
    ready.wait_until_ready()
    assert ready.ui.setupRepairButton.enabled


def test_file_that_the_database_refuses_is_reported(ready):
    """What the made-up program writes is no DICOM."""
    ready.ui.exportDatabaseCheckBox.checked = True
    ready.export()

    assert ready.written == ["CT abdomen segmentation", "CT abdomen segmentation/structures.dcm"]
    assert "could not be added to Slicer's DICOM database" in ready.ui.exportResultLabel.text


@pytest.fixture
def slow_database(monkeypatch):
    """Takes files for ever, until it is told to stop."""
    import ctk

    class Indexer:
        importing = False

        def addListOfFiles(self, database, files, copy):
            self.importing = True
            begun.append(self)

        def cancel(self):
            self.importing = False

    begun: list[Indexer] = []
    monkeypatch.setattr(ctk, "ctkDICOMIndexer", Indexer)
    return begun


def test_cancel_ends_the_wait_for_the_database_but_keeps_the_file(ready, slow_database):
    ready.ui.exportDatabaseCheckBox.checked = True
    ready.click()
    ready.wait(lambda: slow_database)
    assert slow_database[0].backgroundImportEnabled
    ready.click()
    ready.wait_until_ready()

    assert ready.written == ["CT abdomen segmentation", "CT abdomen segmentation/structures.dcm"]
    assert "could not be added" in ready.ui.exportResultLabel.text


def test_quitting_while_the_database_takes_a_file_keeps_the_file(ready, slow_database):
    ready.ui.exportDatabaseCheckBox.checked = True
    ready.click()
    ready.wait(lambda: slow_database)
    ready.app.reload_module()

    assert ready.written == ["CT abdomen segmentation", "CT abdomen segmentation/structures.dcm"]
    assert folders_of("jobs") == []


def test_second_export_replaces_nothing(ready):
    ready.choose("exportFormatComboBox", "nrrd")
    ready.export()
    ready.export()

    assert ready.written == ["CT abdomen segmentation 2.seg.nrrd", "CT abdomen segmentation.seg.nrrd"]


def test_name_of_a_file_has_no_signs_of_a_path(ready):
    ready.node.SetName("5: thorax/abdomen <B30f>")
    ready.choose("exportFormatComboBox", "volumes")
    ready.export()

    assert ready.written == ["5_ thorax_abdomen _B30f_.csv"] or ready.written == ["5_ thorax_abdomen _B30f.csv"]


def test_choices_reach_the_program_and_survive(ready):
    ui = ready.ui
    ready.choose("exportNamesComboBox", "own")
    ready.choose("exportHolesComboBox", "xor")
    ui.exportSmoothCheckBox.checked = True
    ui.exportIslandSpinBox.setValue(20)
    ui.exportOutlineCheckBox.checked = True
    ui.exportSetLabelLineEdit.setText("AI lung SBRT of 2026")
    ready.export()

    call = ready.calls[-1]
    assert ready.argument("--names") == "own"
    assert ready.argument("--holes") == "xor"
    assert ready.argument("--smallest-island") == "20"
    assert ready.argument("--set-label") == "AI lung SBRT of "[:16].strip()
    assert {"--smooth-contours", "--external"} <= set(call)
    assert ui.exportAdvancedCollapsibleButton.text == "More options (3 chosen)"

    again = ready.app.reload_module().ui
    assert again.exportIslandSpinBox.value == 20
    assert again.exportHolesComboBox.currentText == "Contours of their own (XOR)"
    assert again.exportFolderPathLineEdit.currentPath == str(ready.target)


@pytest.mark.parametrize(
    ("format_id", "kind", "suffix", "given", "absent"),
    [
        (
            "seg-binary",
            "seg",
            "",
            ["--encoding", "binary", "--names", "tg263", "--set-label", "planning"],
            ["--holes", "--space"],
        ),
        ("seg-labelmap", "seg", "", ["--encoding", "labelmap"], ["--holes", "--space"]),
        ("nifti", "nifti", ".nii.gz", [], ["--holes", "--space"]),
        ("stl", "stl", "", ["--space", "ras"], ["--holes"]),
        ("gltf", "gltf", ".glb", ["--space", "ras"], ["--holes"]),
    ],
)
def test_each_format_gets_only_its_own_choices(ready, format_id, kind, suffix, given, absent):
    ready.ui.exportSetLabelLineEdit.setText("planning")
    ready.choose("exportSpaceComboBox", "ras")
    ready.choose("exportFormatComboBox", format_id)
    ready.export()

    call = ready.calls[-1]
    assert ready.argument("--to") == kind
    assert ready.ui.exportResultLabel.text.startswith("2 structures written to CT abdomen segmentation" + suffix)
    assert " ".join(given) in " ".join(call)
    assert not set(absent) & set(call)


# -- what goes out -----------------------------------------------------------------------------------------------------


def exported_segments(exporter) -> list[str]:
    import json

    header = json.loads((exporter.folder / "transferred" / "segmentation.json").read_text(encoding="utf-8"))
    return [segment["id"] for segment in header["segments"]]


def test_visible_ones_go_out(ready):
    first, second = (ready.node.GetSegmentation().GetNthSegmentID(index) for index in (0, 1))
    ready.node.GetDisplayNode().SetSegmentVisibility(first, False)
    ready.choose("exportChoiceComboBox", "visible")
    ready.export()

    assert exported_segments(ready) == [second]
    ready.node.GetDisplayNode().SetSegmentVisibility(second, False)
    ready.export()
    assert ready.error_code == "EXPORT_NOTHING_CHOSEN"


def test_selected_ones_go_out_even_if_they_were_rejected(ready):
    second = ready.node.GetSegmentation().GetNthSegmentID(1)
    ready.node.GetSegmentation().GetSegment(second).SetTag(REVIEW_STATE_TAG, ReviewState.REJECTED.value)
    ready.choose("exportChoiceComboBox", "selected")
    assert ready.ui.exportSegmentsTable.visible
    assert not ready.ui.exportButton.enabled
    ready.ui.exportSegmentsTable.setSelectedSegmentIDs([second])
    ready.app.process_events()
    ready.export()

    assert exported_segments(ready) == [second]
    assert "rejected" in ready.argument("--states").split(",")


def test_approved_ones_go_out_without_a_question(ready, never_asked):
    ready.choose("exportChoiceComboBox", "approved")
    ready.click()
    assert ready.error_code == "EXPORT_NOTHING_CHOSEN"
    assert ready.calls == []

    approve(ready.node, ready.node.GetSegmentation().GetNthSegmentID(0))
    ready.export()
    assert ready.argument("--states") == "approved"
    assert ready.error_code == ""


def test_templates_of_the_product_and_of_the_user(ready, tmp_path):
    from TotalSegmentatorModuleLib.scene.segments import known_templates

    for known in known_templates():
        ready.choose("exportChoiceComboBox", known.path.stem)
        assert ready.ui.exportChoiceComboBox.currentText == "Template: " + known.title
    own = tmp_path / "lung.json"
    ready.choose("exportChoiceComboBox", "own template")
    assert "template" in ready.ui.exportHintLabel.text
    ready.ui.exportTemplatePathLineEdit.currentPath = str(own)
    ready.app.process_events()
    ready.export()

    assert ready.argument("--template") == str(own)


def test_every_template_of_the_product_is_offered(ready):

    names = {path.stem for path in TEMPLATES_FOLDER.glob("*.json")} - {"all"}
    combo = ready.ui.exportChoiceComboBox
    assert names <= {combo.itemData(index) for index in range(combo.count)}


# -- before it goes out ------------------------------------------------------------------------------------------------


def test_unreviewed_structures_are_asked_for_once(ready, answers):
    answers[:] = [False]
    ready.click()
    assert ready.calls == []
    assert ready.ui.exportButton.text == "Export"

    answers[:] = [True]
    ready.export()
    ready.export()
    assert len(ready.calls) == 2

    answers[:] = [False]
    ready.user.widget.panel.on_result(ready.node, result_of(blocks(), ready.ct)[1])  # a new one in its place
    for _event in range(3):  # the sections hear of it one after the other
        ready.app.process_events()
    ready.click()
    assert len(ready.calls) == 2


def test_nothing_is_asked_for_other_formats(ready, never_asked):
    ready.choose("exportFormatComboBox", "stl")
    ready.export()
    assert len(ready.calls) == 1


def test_nothing_is_asked_when_all_are_approved(ready, never_asked):
    approve(ready.node, *(ready.node.GetSegmentation().GetNthSegmentID(index) for index in (0, 1)))
    ready.export()
    assert len(ready.calls) == 1


def test_section_says_what_is_missing(exporter):
    exporter.ui.exportCollapsibleButton.collapsed = False
    exporter.app.process_events()
    hint = exporter.ui.exportHintLabel
    assert hint.text == "Choose the segmentation to export."
    assert not exporter.ui.exportButton.enabled

    ct = exporter.user.add_ct()
    exporter.add_result(ct)
    assert exporter.ui.exportCtSelector.currentNode() is ct
    assert hint.text == "Choose the folder to export to."

    exporter.ui.exportFolderPathLineEdit.currentPath = str(exporter.target)
    exporter.app.process_events()
    assert "did not come from DICOM" in hint.text
    assert exporter.ui.exportButton.enabled
    exporter.ui.exportCtSelector.setCurrentNode(None)
    exporter.app.process_events()
    assert not exporter.ui.exportButton.enabled


def test_only_segmentation_of_the_scene_is_chosen_with_its_ct(exporter):
    exporter.user.add_ct(name="another CT")
    ct = exporter.user.add_ct()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "by hand")
    node.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    add_segment(node, "tumour", blocks(), ct)
    exporter.open_section()

    assert exporter.ui.exportSegmentationSelector.currentNode() is node
    assert exporter.ui.exportCtSelector.currentNode() is ct


def test_other_transform_of_the_ct_is_reported_at_once(ready):
    import vtk

    bent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLGridTransformNode")
    bent.SetAndObserveTransformFromParent(vtk.vtkThinPlateSplineTransform())
    ready.ct.SetAndObserveTransformNodeID(bent.GetID())
    ready.click()

    assert ready.error_code == "EXPORT_NONLINEAR_TRANSFORM"
    assert ready.calls == []


def test_repair_of_the_engine_holds_exports_back(ready):
    (Path(slicer.app.temporaryPath) / "installation" / "act").write_text("slow", encoding="utf-8")
    ready.ui.setupCollapsibleButton.collapsed = False
    ready.app.process_events()
    ready.app.click(ready.ui.setupRepairButton)
    ready.wait(lambda: not ready.ui.exportButton.enabled)
    assert "set-up" in ready.ui.exportHintLabel.text

    ready.app.click(ready.ui.setupCancelButton)
    ready.wait(lambda: ready.ui.exportButton.enabled)


def test_missing_dicom_files_are_reported_for_dicom_formats_alone(ready):
    ready.ct.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    ready.export()
    assert ready.error_code == "EXPORT_FILES_MISSING"
    assert "on the disk: 2." in ready.ui.exportErrorWhatLabel.text
    assert ready.calls == []

    ready.choose("exportFormatComboBox", "nifti")
    ready.export()
    assert ready.error_code == ""


# -- ends --------------------------------------------------------------------------------------------------------------


def assert_nothing_is_left(exporter) -> None:
    assert exporter.written == []
    assert wait_for(lambda: not marked_processes(exporter.user.mark))
    assert exporter.app.wait_until(lambda: len(folders_of("jobs")) == 0, READY_SECONDS)


@pytest.mark.parametrize("act", ["slow", pytest.param("deaf", marks=needs_signals)])
def test_cancelled_export_leaves_nothing(ready, act, monkeypatch):
    from TotalSegmentatorModuleLib.tasks import session

    monkeypatch.setattr(session, "CANCEL_SECONDS", 0.5)  # how long a deaf one is waited for
    ready.acts(act)
    ready.click()
    ready.wait_for_half()
    ready.click()
    ready.wait_until_ready()

    assert ready.ui.exportResultLabel.text == "Cancelled. Nothing was written."
    assert not ready.ui.exportOpenFolderButton.visible
    assert_nothing_is_left(ready)


@pytest.mark.parametrize(
    ("act", "code", "values"),
    [
        ("fail", "EXPORT_SEGMENT_EMPTY", {"count": 2}),
        ("die", "EXPORT_DIED", {"status": 3}),
        ("mute", "EXPORT_DIED", {"status": 0}),
    ],
)
def test_failure_is_reported_and_leaves_nothing(ready, act, code, values):
    ready.acts(act)
    ready.export()

    assert ready.error_code == code
    assert ready.ui.exportErrorWhatLabel.text == ERRORS[code].what.format(**values)
    assert ready.ui.exportErrorTodoLabel.text == ERRORS[code].todo
    log = ready.ui.logTextEdit.toPlainText()
    assert code in log
    assert "export begins" in log  # what the program wrote to its own
    assert_nothing_is_left(ready)
    ready.app.click(ready.ui.exportErrorDismissButton)
    assert not ready.ui.exportErrorFrame.visible


@needs_signals
def test_killed_program_is_reported(ready):
    import os
    import signal

    ready.acts("slow")
    ready.click()
    ready.wait_for_half()
    for pid in marked_processes(ready.user.mark):
        os.kill(pid, signal.SIGKILL)
    ready.wait_until_ready()

    assert ready.error_code == "EXPORT_DIED"
    assert_nothing_is_left(ready)


def test_draft_of_a_crashed_application_is_removed(ready):
    import os

    old, fresh, other = (ready.target / (".totalsegmentator-export-" + name) for name in ("0" * 32, "1" * 32, "mine"))
    for folder in (old, fresh, other):
        folder.mkdir()
    for folder in (old, other):
        os.utime(folder, (0, 0))
    ready.choose("exportFormatComboBox", "volumes")
    ready.export()

    assert ready.written == [fresh.name, other.name, "CT abdomen segmentation.csv"]


def test_folder_that_cannot_be_written_is_reported(ready):
    file = ready.target / "a file"
    file.write_text("", encoding="utf-8")
    ready.ui.exportFolderPathLineEdit.currentPath = str(file / "folder")
    ready.app.process_events()
    ready.export()

    assert ready.error_code == "OUTPUT_NOT_WRITABLE"


@pytest.mark.parametrize("act", ["slow", pytest.param("deaf", marks=needs_signals)])
def test_quitting_stops_the_export_and_leaves_nothing(ready, act):
    ready.acts(act)
    ready.click()
    ready.wait_for_half()
    cache = Path(slicer.app.cachePath)
    begun = time.monotonic()
    ready.app.quit()

    assert time.monotonic() - begun < READY_SECONDS
    assert wait_for(lambda: not marked_processes(ready.user.mark))
    assert ready.written == []
    assert not list(cache.rglob("layer-*.raw"))


def test_closing_the_scene_lets_an_export_go_on(ready):
    ready.acts("slow")
    ready.choose("exportFormatComboBox", "nrrd")
    ready.click()
    ready.wait_for_half()
    ready.app.close_scene()
    assert ready.ui.exportButton.text == "Cancel"
    ready.finish()
    ready.wait(lambda: ready.ui.exportResultFrame.visible)

    assert ready.written == ["CT abdomen segmentation.seg.nrrd"]
    assert ready.error_code == ""


def test_segmentation_removed_before_it_was_handed_over_ends_the_export(ready):
    ready.click()
    slicer.mrmlScene.RemoveNode(ready.node)
    ready.wait_until_ready()

    assert ready.error_code == "EXPORT_INPUT_REMOVED"
    assert_nothing_is_left(ready)


# -- review states -----------------------------------------------------------------------------------------------------


def test_fresh_results_are_unreviewed_with_the_digest_of_their_voxels(ready):
    from TotalSegmentatorModuleLib.scene.review_tags import segment_tags
    from TotalSegmentatorWire.tables.review_state import VOXEL_DIGEST_TAG

    segmentation = ready.node.GetSegmentation()
    first = segmentation.GetNthSegmentID(0)
    tags = segment_tags(segmentation.GetSegment(first))

    assert tags[REVIEW_STATE_TAG] == "unreviewed"
    assert tags[VOXEL_DIGEST_TAG] == "0123" + first


def test_what_the_export_finds_edited_is_marked_unless_it_was_judged(ready):
    first, second = (ready.node.GetSegmentation().GetNthSegmentID(index) for index in (0, 1))
    approve(ready.node, second)
    ready.tells_edited(first, second, "a segment that was removed")
    ready.export()

    assert state_tag(ready.node, first) == "edited"
    assert state_tag(ready.node, second) == "approved"


def test_new_result_in_the_place_of_the_exported_one_is_not_marked(ready):
    from TotalSegmentatorModuleLib.scene.segmentation_import import ImportTarget, import_result

    first = ready.node.GetSegmentation().GetNthSegmentID(0)
    ready.tells_edited(first)
    ready.acts("slow")
    ready.choose("exportFormatComboBox", "volumes")
    ready.click()
    ready.wait_for_half()
    import_result(*result_of(blocks(), ready.ct, "4567"), ImportTarget(ready.ct, ready.node))
    ready.finish()
    ready.wait_until_ready()

    assert ready.written == ["CT abdomen segmentation.csv"]
    assert state_tag(ready.node, first) == "unreviewed"
