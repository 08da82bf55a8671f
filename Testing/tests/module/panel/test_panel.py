"""The panel in the stand-in desktop: the real module, its real buttons, and an engine that does what a test asks."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
import vtk
from job_support import expected_labels, soft_tissue_with_air
from panel_support import MODULE
from time_bounds import BLOCK_SECONDS, READY_SECONDS
from TotalSegmentatorWire.errors.problem import ERRORS, SegmentationError

# -- a job -------------------------------------------------------------------------------------------------------------


def test_click_makes_a_segmentation(user, app):
    ct = user.add_ct()
    user.plan()
    app.reset_block_clock()

    user.run_job()

    assert user.error_code == ""
    (node,) = user.segmentations
    assert node.GetName().startswith("CT abdomen \u2013 spleen, kidney right, ")
    expected = expected_labels(slicer.util.arrayFromVolume(ct))
    spleen = slicer.util.arrayFromSegmentBinaryLabelmap(node, "spleen", ct)
    assert np.array_equal(spleen != 0, expected == 1)
    assert user.ui.messages.resultLabel.visible
    assert user.ui.messages.resultLabel.text.startswith("2 structures found")
    assert user.ui.messages.absentLabel.text == "kidney left"  # the third one
    assert not user.ui.progress.progressFrame.visible
    assert app.longest_block_ms() < BLOCK_SECONDS * 1000, app.longest_block_name()


@pytest.mark.slow  # a CT of 512 x 512 x 400 goes to the engine and its labels come back
def test_user_interface_stays_responsive_with_a_large_ct(user, app):
    user.add_ct(soft_tissue_with_air((400, 512, 512)))
    user.plan()
    app.reset_block_clock()

    user.run_job()

    assert len(user.segmentations) == 1
    assert app.longest_block_ms() < BLOCK_SECONDS * 1000, app.longest_block_name()


def test_button_cancels_while_the_job_runs(user):
    user.add_ct()
    user.plan("predicting", "slow")
    user.click_apply()
    assert user.ui.progress.applyButton.text == "Cancel"
    user.wait_for_stage("Segmenting")
    assert user.ui.progress.progressBar.value > 0
    assert not user.ui.inputs.inputSelector.enabled

    begun = time.monotonic()
    user.click_apply()
    user.wait_until_ready(READY_SECONDS)

    assert time.monotonic() - begun < READY_SECONDS
    assert user.segmentations == []
    assert "Cancelled" in user.ui.messages.resultLabel.text
    assert user.ui.inputs.inputSelector.enabled
    assert not user.ui.messages.errorFrame.visible


def test_engine_that_does_not_listen_is_stopped(user):
    user.add_ct()
    user.plan("predicting", "deaf")
    user.click_apply()
    user.wait_for_stage("Segmenting")

    begun = time.monotonic()
    user.click_apply()
    assert user.ui.progress.applyButton.text == "Cancelling..."
    user.wait_until_ready(READY_SECONDS)
    assert time.monotonic() - begun < READY_SECONDS


@pytest.mark.parametrize(
    ("act", "code"), [("refuse", "MEMORY_SHORT"), ("crash", "INTERNAL_ERROR"), ("exit", "ENGINE_DIED")]
)
def test_failure_is_explained_and_the_next_job_works(user, act, code):
    user.add_ct()
    user.plan("resampling", act)

    user.run_job()

    assert user.error_code == code
    assert user.ui.messages.errorWhatLabel.text
    assert user.ui.messages.errorTodoLabel.text == ERRORS[code].todo.format(needed_gb=12.0, free_gb=1.5)
    user.app.click(user.ui.messages.errorDismissButton)
    assert not user.ui.messages.errorFrame.visible
    user.plan()
    user.run_job()
    assert len(user.segmentations) == 1


def test_an_unlikely_size_is_segmented_only_after_a_second_click(user):
    user.add_ct(matrix=np.diag([0.0008, 0.0008, 0.002, 1.0]))
    user.plan()

    user.run_job()

    assert user.error_code == "INPUT_SIZE_UNLIKELY"
    assert "metres" in user.ui.messages.errorWhatLabel.text
    assert user.segmentations == []
    assert user.ui.messages.errorAnywayButton.visible
    todo = user.ui.messages.errorTodoLabel.text
    assert user.ui.messages.errorAnywayButton.text in todo and "--" not in todo
    user.app.click(user.ui.messages.errorAnywayButton)
    user.wait_until_ready(READY_SECONDS)
    assert len(user.segmentations) == 1
    assert not user.ui.messages.errorFrame.visible


def test_a_refused_script_offers_no_second_click(user):
    """Which would repeat what was last asked for in the panel."""
    ct = user.add_ct(matrix=np.diag([0.0008, 0.0008, 0.002, 1.0]))
    user.widget.logic.process(ct, model="{}", wait=False)
    user.wait_until_ready()
    assert user.error_code == "INPUT_SIZE_UNLIKELY"
    assert not user.ui.messages.errorAnywayButton.visible


def test_other_errors_offer_no_second_click(user):
    user.add_ct()
    user.plan("resampling", "refuse")
    user.run_job()
    assert not user.ui.messages.errorAnywayButton.visible


def test_warning_is_shown_beside_the_result(user):
    array = soft_tissue_with_air()
    array[0, 0, 0] = 9000
    user.add_ct(array)
    user.plan()

    user.run_job()

    assert user.ui.messages.warningFrame.visible
    assert "9000" in user.ui.messages.warningLabel.text
    assert len(user.segmentations) == 1


def test_second_job_while_one_runs_is_refused_clearly(user):
    ct = user.add_ct()
    user.plan("predicting", "slow")
    user.click_apply()

    with pytest.raises(SegmentationError, match="already running"):
        user.widget.logic.process(ct, model="104-3mm", models_folder=Path())


def test_log_can_be_copied(user, app):
    user.add_ct()
    user.plan("resampling", "refuse")
    user.run_job()
    app.click(user.ui.messages.errorLogButton)
    assert not user.ui.log.collapsibleButton.collapsed

    app.click(user.ui.log.copyButton)

    assert "MEMORY_SHORT" in slicer.app.clipboard().text()


# -- the output --------------------------------------------------------------------------------------------------------


def edited_segmentation(user, ct):
    """A segmentation with one segment, chosen as the output."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "tumour")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    node.GetSegmentation().AddEmptySegment("tumour", "tumour")
    user.ui.inputs.outputSelector.setCurrentNode(node)
    user.app.process_events()
    return node


def test_replacing_segments_is_asked_first(user, answers):
    node = edited_segmentation(user, user.add_ct())
    user.plan()

    answers[:] = [False]
    user.click_apply()
    assert user.ui.progress.applyButton.text == "Apply"
    assert node.GetSegmentation().GetSegment("tumour") is not None

    answers[:] = [True]
    user.run_job()
    assert user.segmentations == [node]
    assert node.GetSegmentation().GetSegment("tumour") is None
    assert node.GetSegmentation().GetNumberOfSegments() == 2


def test_segments_edited_during_the_job_are_kept(user, answers):
    node = edited_segmentation(user, user.add_ct())
    user.plan()
    answers[:] = [True]
    user.click_apply()
    node.GetSegmentation().AddEmptySegment("margin", "margin")

    user.wait_until_ready()

    assert node.GetSegmentation().GetSegment("tumour") is not None
    assert len(user.segmentations) == 2
    assert "a new one was created" in user.ui.messages.warningLabel.text


# -- the CT is judged --------------------------------------------------------------------------------------------------


def test_bent_parent_transform_is_refused(user):
    ct = user.add_ct()
    bent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLGridTransformNode", "acquisition transform")
    grid = slicer.vtkOrientedGridTransform()
    displacement = vtk.vtkImageData()
    displacement.SetDimensions(2, 2, 2)
    displacement.AllocateScalars(11, 3)
    grid.SetDisplacementGridData(displacement)
    bent.SetAndObserveTransformToParent(grid)
    ct.SetAndObserveTransformNodeID(bent.GetID())
    user.plan()

    user.click_apply()

    assert user.error_code == "INPUT_NONLINEAR_TRANSFORM"


def test_linear_parent_transform_goes_along(user):
    ct = user.add_ct()
    shift = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "couch")
    ct.SetAndObserveTransformNodeID(shift.GetID())
    user.plan()
    user.run_job()

    assert user.segmentations[0].GetTransformNodeID() == shift.GetID()


def test_mr_of_the_dicom_database_is_refused(user):
    ct = user.add_ct(name="T2 sagittal")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    hierarchy.SetItemAttribute(hierarchy.GetItemByDataNode(ct), "DICOM.Modality", "MR")
    user.plan()

    user.click_apply()

    assert user.error_code == "INPUT_NOT_CT"


# -- the module's own test ---------------------------------------------------------------------------------------------


def test_self_test_of_the_module_passes(app):
    app.open_module(MODULE)

    sys.modules["TotalSegmentatorModule"].TotalSegmentatorModuleTest().runTest()
