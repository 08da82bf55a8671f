"""The panel's Export section, with an export program that does what a test asks (fake_export.py)."""

from __future__ import annotations

import pytest
from TotalSegmentatorWire.resources import TEMPLATES_FOLDER

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

from export_user import approve, blocks, result_of, state_tag
from panel_support import folders_of
from time_bounds import BLOCK_SECONDS, READY_SECONDS
from TotalSegmentatorWire.tables.review_state import REVIEW_STATE_TAG, ReviewState

WRITTEN = ["CT abdomen segmentation_RTSTRUCT", "CT abdomen segmentation_RTSTRUCT/structures.dcm"]
"""By the made-up program: a folder, since the CT is no DICOM."""

# -- an export ---------------------------------------------------------------------------------------------------------


def test_result_goes_out_with_one_click(ready, monkeypatch):
    import qt

    ready.app.reset_block_clock()
    ready.export()

    assert ready.written == WRITTEN, ready.describe()
    assert ready.ui.export_task.resultLabel.text == "2 structures written to CT abdomen segmentation_RTSTRUCT in 2 s."
    assert "Not reviewed: 2" in ready.ui.export_task.warningLabel.text
    assert ready.calls[0][0] == "export"
    assert (ready.argument("--to"), ready.argument("--names"), ready.argument("--holes")) == (
        "rtstruct",
        "tg263",
        "keyhole",
    )
    assert ready.app.longest_block_ms() < BLOCK_SECONDS * 1000, ready.app.longest_block_name()
    assert ready.app.wait_until(lambda: len(folders_of("jobs")) == 0, READY_SECONDS)
    opened = []
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: not opened.append(url))
    ready.app.click(ready.ui.export_task.resultButton)
    assert opened[0].toLocalFile() == str(ready.target)
    assert "could not open" not in ready.ui.export_task.resultLabel.text


def test_folder_that_cannot_be_opened_is_reported(ready, monkeypatch):
    import qt

    ready.export()
    said = ready.ui.export_task.resultLabel.text
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda _url: False)
    for _click in range(2):
        ready.app.click(ready.ui.export_task.resultButton)
        shown = ready.ui.export_task.resultLabel.text.replace("\u200b", "")
        assert shown == f"{said} The system could not open the folder {ready.target}."
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda _url: True)
    ready.app.click(ready.ui.export_task.resultButton)
    assert ready.ui.export_task.resultLabel.text == said
    ready.target.rename(ready.target.with_name("elsewhere"))
    ready.app.click(ready.ui.export_task.resultButton)
    assert "does not exist any more" in ready.ui.export_task.resultLabel.text


def test_database_that_opens_while_the_panel_is_shown_can_be_chosen(ready):
    box, database = ready.ui.export.databaseCheckBox, ready.app.dicom_database
    assert box.enabled
    database.closeDatabase()
    assert not box.enabled
    database.openDatabase("ctkDICOM.sql")
    assert box.enabled
    again = ready.app.reload_module()
    database.closeDatabase()  # the panel before the reload hears no more of it
    assert not again.ui.export.databaseCheckBox.enabled
    assert ready.app.errors == []


def test_progress_is_shown(ready):
    ready.acts("slow")
    ready.click()
    ready.wait_for_half()

    assert ready.ui.export_task.stepLabel.text == "Drawing contours: liver"
    assert not ready.ui.export.formatComboBox.enabled
    assert ready.ui.progress.applyButton.enabled  # a segmentation may run meanwhile
    assert not ready.ui.setup.repairButton.enabled  # but its packages must stay

    ready.click()
    ready.wait_until_ready()
    assert ready.ui.setup.repairButton.enabled


def test_file_that_the_database_refuses_is_reported(ready):
    """What the made-up program writes is no DICOM."""
    ready.ui.export.databaseCheckBox.checked = True
    ready.export()

    assert ready.written == WRITTEN
    assert "could not be added to Slicer's DICOM database" in ready.ui.export_task.resultLabel.text


def test_cancel_ends_the_wait_for_the_database_but_keeps_the_file(ready, slow_database):
    ready.ui.export.databaseCheckBox.checked = True
    ready.click()
    ready.wait(lambda: slow_database)
    assert slow_database[0].backgroundImportEnabled
    ready.click()
    ready.wait_until_ready()

    assert ready.written == WRITTEN
    assert "could not be added" in ready.ui.export_task.resultLabel.text


def test_quitting_while_the_database_takes_a_file_keeps_the_file(ready, slow_database):
    ready.ui.export.databaseCheckBox.checked = True
    ready.click()
    ready.wait(lambda: slow_database)
    ready.app.reload_module()

    assert ready.written == WRITTEN
    assert folders_of("jobs") == []


def test_second_export_replaces_nothing(ready):
    ready.choose(ready.ui.export.formatComboBox, "nrrd")
    ready.export()
    ready.export()

    assert ready.written == ["CT abdomen segmentation 2.seg.nrrd", "CT abdomen segmentation.seg.nrrd"]


def test_name_of_a_file_has_no_signs_of_a_path(ready):
    ready.node.SetName("5: thorax/abdomen <B30f>")
    ready.choose(ready.ui.export.formatComboBox, "volumes")
    ready.export()

    assert ready.written == ["5_ thorax_abdomen _B30f_.csv"] or ready.written == ["5_ thorax_abdomen _B30f.csv"]


def test_choices_reach_the_program_and_survive(ready):
    ui = ready.ui
    ready.choose(ready.ui.export.namesComboBox, "own")
    ready.choose(ready.ui.export_options.holesComboBox, "xor")
    ui.export_options.smoothCheckBox.checked = True
    ui.export_options.islandSpinBox.setValue(20)
    ui.export.outlineCheckBox.checked = True
    ui.export.setLabelLineEdit.setText("AI lung SBRT of 2026")
    ready.export()

    call = ready.calls[-1]
    assert ready.argument("--names") == "own"
    assert ready.argument("--holes") == "xor"
    assert ready.argument("--smallest-island") == "20"
    assert ready.argument("--set-label") == "AI lung SBRT of "[:16].strip()
    assert {"--smooth-contours", "--external"} <= set(call)
    assert ui.export_options.collapsibleButton.text == "More options (3 changed)"

    again = ready.app.reload_module().ui
    assert again.export_options.islandSpinBox.value == 20
    assert again.export_options.holesComboBox.currentText == "Separate contours (XOR)"
    assert again.export.folderPathLineEdit.currentPath == str(ready.target)


@pytest.mark.parametrize(
    ("format_id", "kind", "suffix", "given", "absent"),
    [
        (
            "seg-binary",
            "seg",
            "_SEG",
            ["--names", "tg263", "--set-label", "planning", "--encoding", "binary"],
            ["--holes", "--space"],
        ),
        ("seg-labelmap", "seg", "_SEG", ["--encoding", "labelmap"], ["--holes", "--space"]),
        ("sr", "sr", "_SR", ["--set-label", "planning"], ["--holes", "--space", "--encoding", "--seg", "--observer"]),
        ("nifti", "nifti", ".nii.gz", [], ["--holes", "--space"]),
        ("stl", "stl", "", ["--space", "ras"], ["--holes"]),
        ("gltf", "gltf", ".glb", ["--space", "ras"], ["--holes"]),
    ],
)
def test_each_format_gets_only_its_own_choices(ready, format_id, kind, suffix, given, absent):
    ready.ui.export.setLabelLineEdit.setText("planning")
    ready.choose(ready.ui.export_options.spaceComboBox, "ras")
    ready.choose(ready.ui.export.formatComboBox, format_id)
    ready.export()

    call = ready.calls[-1]
    assert ready.argument("--to") == kind
    assert ready.ui.export_task.resultLabel.text.startswith("2 structures written to CT abdomen segmentation" + suffix)
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
    ready.choose(ready.ui.export.structuresComboBox, "visible")
    ready.export()

    assert exported_segments(ready) == [second]
    ready.node.GetDisplayNode().SetSegmentVisibility(second, False)
    ready.export()
    assert ready.error_code == "EXPORT_NOTHING_CHOSEN"


def test_selected_ones_go_out_even_if_they_were_rejected(ready):
    second = ready.node.GetSegmentation().GetNthSegmentID(1)
    ready.node.GetSegmentation().GetSegment(second).SetTag(REVIEW_STATE_TAG, ReviewState.REJECTED.value)
    ready.choose(ready.ui.export.structuresComboBox, "selected")
    assert ready.ui.export.segmentsTable.visible
    assert not ready.ui.export_task.startButton.enabled
    ready.ui.export.segmentsTable.setSelectedSegmentIDs([second])
    ready.app.process_events()
    ready.export()

    assert exported_segments(ready) == [second]
    assert "rejected" in ready.argument("--states").split(",")


def test_the_list_to_select_from_has_a_filter_and_other_lists_do_not_keep_it(ready):
    """Slicer shows it in all lists of a segmentation at once."""
    table = ready.ui.export.segmentsTable
    ready.node.SetSegmentListFilterOptions("")
    ready.choose(ready.ui.export.structuresComboBox, "selected")
    ready.app.process_events()
    assert table.filterBarVisible and ready.node.GetSegmentListFilterEnabled()
    ready.app.leave_module()
    assert not ready.node.GetSegmentListFilterEnabled()
    ready.app.enter_module()
    assert table.filterBarVisible
    ready.choose(ready.ui.export.structuresComboBox, "visible")
    assert not ready.node.GetSegmentListFilterEnabled()


def test_approved_ones_go_out_without_a_question(ready, never_asked):
    ready.choose(ready.ui.export.structuresComboBox, "approved")
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
        ready.choose(ready.ui.export.structuresComboBox, known.path.stem)
        assert ready.ui.export.structuresComboBox.currentText == "Template: " + known.title
    own = tmp_path / "lung.json"
    ready.choose(ready.ui.export.structuresComboBox, "own template")
    assert "template" in ready.ui.export_task.hintLabel.text
    ready.ui.export.templatePathLineEdit.currentPath = str(own)
    ready.app.process_events()
    ready.export()

    assert ready.argument("--template") == str(own)


def test_every_template_of_the_product_is_offered(ready):

    names = {path.stem for path in TEMPLATES_FOLDER.glob("*.json")} - {"all"}
    combo = ready.ui.export.structuresComboBox
    assert names <= {combo.itemData(index) for index in range(combo.count)}


def test_the_preset_of_a_new_result_is_its_template_until_the_user_chooses(ready):
    """Else the unions that the panel has promised would not be built."""
    combo, parameters = ready.ui.export.structuresComboBox, ready.user.parameters
    assert combo.currentText == "All"
    parameters.preset = "rt-abdomen"
    ready.add_result(ready.ct)
    assert combo.currentText == "Template: RT abdomen"
    ready.export()
    assert ready.argument("--template") == "rt-abdomen"
    parameters.preset = "rt-brain"  # of another CT: it would leave out what was found
    ready.add_result(ready.ct)
    assert combo.currentText == "All"
    ready.choose(combo, "visible")
    parameters.preset = "rt-abdomen"
    ready.add_result(ready.ct)
    assert combo.currentText == "Visible"


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
    ready.choose(ready.ui.export.formatComboBox, "volumes")
    ready.click()
    ready.wait_for_half()
    import_result(*result_of(blocks(), ready.ct, "4567"), ImportTarget(ready.ct, ready.node))
    ready.finish()
    ready.wait_until_ready()

    assert ready.written == ["CT abdomen segmentation.csv"]
    assert state_tag(ready.node, first) == "unreviewed"
