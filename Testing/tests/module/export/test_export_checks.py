"""What the panel's Export section checks and asks before anything goes out."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from export_user import add_segment, approve, blocks, result_of

# -- before it goes out ------------------------------------------------------------------------------------------------


def test_unreviewed_structures_are_asked_for_once(ready, answers):
    answers[:] = [False]
    ready.click()
    assert ready.calls == []
    assert ready.ui.export_task.startButton.text == "Export"

    answers[:] = [True]
    ready.export()
    ready.export()
    assert len(ready.calls) == 2

    answers[:] = [False]
    ready.user.widget.panel.result_arrived(ready.node, result_of(blocks(), ready.ct)[1])  # a new one in its place
    for _event in range(3):  # the sections hear of it one after the other
        ready.app.process_events()
    ready.click()
    assert len(ready.calls) == 2


def test_question_names_what_is_not_approved(ready, monkeypatch):
    asked = []
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, **_: asked.append(text))
    first, second = (ready.node.GetSegmentation().GetNthSegment(index) for index in (0, 1))
    approve(ready.node, ready.node.GetSegmentation().GetNthSegmentID(0))
    ready.click()
    assert asked[0].startswith("1 of 2 structures has not been approved in a review: {}.".format(second.GetName()))
    assert first.GetName() not in asked[0]

    for number in range(7):
        add_segment(ready.node, "drawn {}".format(number), blocks(), ready.ct)
    ready.click()
    assert "8 of 9 structures" in asked[1] and "drawn 4 and 2 more." in asked[1]


def test_nothing_is_asked_for_other_formats(ready, never_asked):
    ready.choose(ready.ui.export.formatComboBox, "stl")
    ready.export()
    assert len(ready.calls) == 1


def test_nothing_is_asked_when_all_are_approved(ready, never_asked):
    approve(ready.node, *(ready.node.GetSegmentation().GetNthSegmentID(index) for index in (0, 1)))
    ready.export()
    assert len(ready.calls) == 1


def test_section_says_what_is_missing(exporter):
    exporter.ui.export.collapsibleButton.collapsed = False
    exporter.app.process_events()
    hint = exporter.ui.export_task.hintLabel
    assert hint.text == "Choose the segmentation to export."
    assert not exporter.ui.export_task.startButton.enabled

    ct = exporter.user.add_ct()
    exporter.add_result(ct)
    assert exporter.ui.export.ctSelector.currentNode() is ct
    assert hint.text == "Choose the export folder."

    exporter.ui.export.folderPathLineEdit.currentPath = str(exporter.target)
    exporter.app.process_events()
    assert "does not come from DICOM" in hint.text
    assert exporter.ui.export_task.startButton.enabled
    exporter.ui.export.ctSelector.setCurrentNode(None)
    exporter.app.process_events()
    assert not exporter.ui.export_task.startButton.enabled


def test_only_segmentation_of_the_scene_is_chosen_with_its_ct(exporter):
    exporter.user.add_ct(name="another CT")
    ct = exporter.user.add_ct()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "by hand")
    node.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    add_segment(node, "tumour", blocks(), ct)
    exporter.open_section()

    assert exporter.ui.export.segmentationSelector.currentNode() is node
    assert exporter.ui.export.ctSelector.currentNode() is ct


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
    ready.ui.setup.collapsibleButton.collapsed = False
    ready.app.process_events()
    ready.app.click(ready.ui.setup.repairButton)
    ready.wait(lambda: not ready.ui.export_task.startButton.enabled)
    assert "set-up" in ready.ui.export_task.hintLabel.text

    ready.app.click(ready.ui.install_page.cancelButton)
    ready.wait(lambda: ready.ui.export_task.startButton.enabled)


def test_missing_dicom_files_are_reported_for_dicom_formats_alone(ready):
    ready.ct.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    ready.export()
    assert ready.error_code == "EXPORT_FILES_MISSING"
    assert "from the disk: 2." in ready.ui.export_task.errorWhatLabel.text
    assert ready.calls == []

    ready.choose(ready.ui.export.formatComboBox, "nifti")
    ready.export()
    assert ready.error_code == ""
