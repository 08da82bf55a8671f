"""What a scene, a bundle and a .seg.nrrd file keep of the review; what becomes of damaged values."""

from __future__ import annotations

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import dataclasses
import json

import slicer
import vtk
from review_support import FLAGS, ReviewUser
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.tables.review_state import ReviewState

HEADINGS = ["Wrong? (1), done", "Check (2), 1 open", "Cut by the scan (1; 1 more above)", "No remarks (3), done"]


def reviewed(ready, answers) -> ReviewUser:
    """Some judged one by one, among them the missing one, the others together."""
    answers.append(True)
    ready.click_row("kidney right")
    ready.app.click(ready.ui.rejectButton)
    ready.click_row("missing: aorta")
    ready.app.click(ready.ui.approveButton)
    ready.app.click(ready.ui.approveAllButton)
    ready.press("H")
    return ready


def check(ready, node) -> None:
    """The same review is shown of ``node``."""
    ready.node = node
    ready.ui.segmentationSelector.setCurrentNode(node)
    ready.ui.collapsibleButton.collapsed = False
    ready.settle()
    assert ready.groups() == HEADINGS
    assert ready.ui.headlineLabel.text == "1 wrong?, 2 to check, 2 cut by the scan"
    assert ready.ui.progressLabel.text == "5 of 7 judged, 3 of them approved together, 1 rejected"
    assert ready.state("kidney_right") is ReviewState.REJECTED
    ready.click_row("kidney right")
    assert ready.remarks()[0].startswith("A coarser model finds another shape of kidney right: 9 ml")
    assert ready.cells("kidney right")[3:] == ["108", "40", "0.94"]


def only_segmentation():
    (node,) = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    return node


def test_a_scene_keeps_the_review(ready, answers, tmp_path):
    scene = reviewed(ready, answers).app.save_scene(tmp_path / "saved")
    ready.app.load_scene(scene, clear=True)
    check(ready, only_segmentation())


def test_a_bundle_keeps_the_review(ready, answers, tmp_path):
    reviewed(ready, answers)
    bundle = tmp_path / "scene.mrb"
    assert slicer.mrmlScene.WriteToMRB(str(bundle))
    ready.app.close_scene()
    (tmp_path / "unpacked").mkdir()
    ready.app.load_scene(slicer.mrmlScene.UnpackSlicerDataBundle(str(bundle), str(tmp_path / "unpacked")))
    check(ready, only_segmentation())


def test_a_seg_nrrd_file_keeps_the_review(ready, answers, tmp_path):
    node = reviewed(ready, answers).node
    path = str(tmp_path / "result.seg.nrrd")
    node.AddDefaultStorageNode()
    node.GetStorageNode().SetFileName(path)
    assert node.GetStorageNode().WriteData(node)
    slicer.mrmlScene.RemoveNode(node)
    again = slicer.modules.segmentations.logic().LoadSegmentationFromFile(path, True)
    check(ready, again)


def test_the_order_of_segments_does_not_matter(ready, tmp_path):
    node = ready.node
    node.GetSegmentation().SetSegmentIndex("spleen", 5)
    path = str(tmp_path / "result.seg.nrrd")
    node.AddDefaultStorageNode()
    node.GetStorageNode().SetFileName(path)
    assert node.GetStorageNode().WriteData(node)
    again = slicer.modules.segmentations.logic().LoadSegmentationFromFile(path, True)
    ready.ui.segmentationSelector.setCurrentNode(again)
    ready.settle()
    assert "missing: aorta" in ready.rows()


def test_signs_with_a_meaning_in_the_file_survive(reviewer, tmp_path):
    odd = Flag("rule|of:tomorrow", Level.CHECK, "liver", (), None, {"text": "a|b:c\nd é 患"})
    node = reviewer.add_result(flags=[odd])
    path = str(tmp_path / "result.seg.nrrd")
    node.AddDefaultStorageNode()
    node.GetStorageNode().SetFileName(path)
    assert node.GetStorageNode().WriteData(node)
    again = slicer.modules.segmentations.logic().LoadSegmentationFromFile(path, True)
    from TotalSegmentatorModuleLib.tags.review_flags import read_review

    (shown,) = read_review(again).by_segment["liver"]
    assert shown.flag == odd
    assert shown.sentence == "Remark on liver."


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '[{"rule": "x"}]', '{"a": 1}'])
def test_a_tag_that_cannot_be_read_is_passed_over(ready, text):
    ready.segment("kidney_right").SetTag("TotalSegmentatorModule.Flags", text)
    ready.segment("kidney_right").SetTag("TotalSegmentatorModule.Measures", text)
    ready.settle()
    ready.choose(ready.ui.levelComboBox, "Any remark")
    ready.ui.filterLineEdit.setText("kidney right")
    ready.settle()
    assert ready.rows() == ["kidney right"]
    assert ready.cells("kidney right")[3] == ""
    ready.click_row("kidney right")
    assert not ready.app.errors


def test_flags_that_cannot_be_read_do_not_keep_a_result_from_the_user(reviewer):
    from review_support import result_of
    from TotalSegmentatorModuleLib.scene.segmentation_import import ImportTarget, import_result

    reviewer.add_result()
    image, header = result_of([-4, 0, 0, 0, 0, -4, 0, 0, 0, 0, 2.5, 0, 0, 0, 0, 1], 3, None)
    review = {"version": 1, "flags": [{"rule": "x"}, FLAGS[2].to_json("Cut."), 7]}
    node = import_result([image], dataclasses.replace(header, review=review), ImportTarget())
    reviewer.panel.result_arrived(node, header)
    reviewer.wait(lambda: reviewer.ui.segmentationSelector.currentNode() is node)
    assert reviewer.ui.headlineLabel.text == "1 cut by the scan"


def test_a_new_result_in_the_same_segmentation_brings_its_own_review(ready, answers):
    from review_support import result_of
    from TotalSegmentatorModuleLib.scene.segmentation_import import ImportTarget, import_result
    from TotalSegmentatorModuleLib.scene.volumes import ijk_to_ras

    reviewed(ready, answers)
    image, header = result_of(ijk_to_ras(ready.ct), 6, {"version": 1, "flags": []})
    import_result([image], header, ImportTarget(ready.ct, ready.node))
    ready.settle()
    assert ready.groups() == ["No remarks (6)"]
    assert ready.ui.progressLabel.text == "0 of 6 judged"


def test_the_node_carries_the_whole_review(ready):
    content = json.loads(ready.node.GetAttribute("TotalSegmentatorModule.Review"))
    assert content["version"] == 1
    assert [Flag.from_json(row) for row in content["flags"]] == list(FLAGS)
    value = vtk.reference("")
    ready.segment("spleen").GetTag("TotalSegmentatorModule.Flags", value)
    assert [Flag.from_json(row) for row in json.loads(str(value))] == [FLAGS[2]]


def test_one_segment_holds_the_missing_structures_and_none_when_all_are_there(ready):
    from TotalSegmentatorModuleLib.tags.review_flags import replace_absent_flags, set_absent_state
    from TotalSegmentatorModuleLib.tags.segment_tags import read_tag
    from TotalSegmentatorWire.tables.review_state import ABSENT_TAG

    segmentation = ready.node.GetSegmentation()

    def holders() -> list[str]:
        return [each for each in segmentation.GetSegmentIDs() if read_tag(ready.segment(each), ABSENT_TAG)]

    (former,) = holders()
    segmentation.SetSegmentIndex(former, segmentation.GetNumberOfSegments() - 1)
    flag = Flag("missing_partner", Level.WRONG, "aorta", ("spleen",), None, {})
    replace_absent_flags(ready.node, [flag])
    assert holders() == [segmentation.GetNthSegmentID(0)] != [former]
    heard = []
    ready.node.AddObserver(vtk.vtkCommand.AnyEvent, lambda _node, event: heard.append(event))
    replace_absent_flags(ready.node, [flag])
    assert heard == []
    replace_absent_flags(ready.node, [])
    assert holders() == []
    set_absent_state(ready.node, "aorta", ReviewState.APPROVED)
    assert holders() == [segmentation.GetNthSegmentID(0)]
