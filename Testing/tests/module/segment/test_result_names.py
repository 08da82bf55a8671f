"""What several results of one CT are called, and which of them is shown."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer

CREATED = datetime(2026, 11, 29, 14, 32).astimezone()


def header_of(count: int, model: str):
    from TotalSegmentatorModuleLib.self_test import synthetic_header
    from TotalSegmentatorWire.tables.structures import structure_table

    structures = structure_table("structures_104")[4 : 4 + count]
    header = synthetic_header((4, 5, 6), np.eye(4), structures)
    return dataclasses.replace(header, models=[model], created=CREATED.isoformat())


@pytest.mark.parametrize(
    ("count", "model", "name"),
    [
        (100, "104-1.5mm", "CT \u2013 100 structures, 1.5 mm \u2013 14:32"),
        (3, "117-6mm", "CT \u2013 3 structures, 6 mm \u2013 14:32"),
        (1, "104-3mm", "CT \u2013 liver, 3 mm \u2013 14:32"),
        (0, "104-3mm", "CT \u2013 no structures, 3 mm \u2013 14:32"),
        (5, "Dataset900_Own", "CT \u2013 5 structures, Dataset900_Own \u2013 14:32"),
    ],
)
def test_name_tells_ct_contents_model_and_time(app, count, model, name):
    from TotalSegmentatorModuleLib.segment.result_name import result_name

    assert result_name("CT", header_of(count, model)) == name


def test_name_tells_each_voxel_spacing_once(app):
    from TotalSegmentatorModuleLib.segment.result_name import result_name

    header = dataclasses.replace(
        header_of(40, "104-1.5mm"), models=["104-1.5mm", "117-1.5mm", "Dataset900_Own", "117-6mm"]
    )
    assert result_name("CT", header) == "CT \u2013 40 structures, 1.5 mm, Dataset900_Own, 6 mm \u2013 14:32"


def test_name_without_a_ct_and_without_a_time(app):
    from TotalSegmentatorModuleLib.segment.result_name import result_name

    header = dataclasses.replace(header_of(3, "104-3mm"), created="long ago")

    assert re.fullmatch(r"CT \u2013 3 structures, 3 mm \u2013 \d\d:\d\d", result_name("", header))


def test_results_of_one_ct_have_names_of_their_own_and_the_last_is_shown(user, app):
    user.add_ct(name="CT abdomen")
    user.plan()
    for _ in range(4):
        user.run_job()

    nodes = user.segmentations
    assert len({node.GetName() for node in nodes}) == 4
    assert all(node.GetName().startswith("CT abdomen \u2013 ") for node in nodes)
    assert app.wait_until(lambda: _visible(nodes) == [False, False, False, True])
    tree = slicer.mrmlScene.GetSubjectHierarchyNode()
    assert not any(tree.GetItemExpanded(tree.GetItemByDataNode(node)) for node in nodes)


def _visible(nodes) -> list[bool]:
    return [bool(node.GetDisplayNode().GetVisibility()) for node in nodes]


@pytest.mark.parametrize("own_name", ["", "For the tumour board"])
def test_result_that_is_replaced_is_renamed_unless_the_user_named_it(user, app, own_name):
    """The name says what was segmented when, which is wrong after a replacement."""
    import qt

    ct = user.add_ct(name="CT first")
    user.plan()
    user.run_job()
    (node,) = user.segmentations
    if own_name:
        node.SetName(own_name)
    ct.SetName("CT renamed")
    user.parameters.outputSegmentation = node
    with app.everyday_mode(lambda box: qt.QMessageBox.Ok):
        user.run_job()

    assert user.segmentations == [node]
    assert node.GetName() == own_name if own_name else node.GetName().startswith("CT renamed \u2013 ")


def test_what_was_drawn_and_results_of_other_cts_stay_visible(user):
    first, second = user.add_ct(name="CT first"), user.add_ct(name="CT second")
    drawn = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "drawn by hand")
    drawn.CreateDefaultDisplayNodes()
    drawn.SetReferenceImageGeometryParameterFromVolumeNode(second)
    user.plan()
    for ct in (first, second):
        user.parameters.inputVolume = ct
        user.run_job()

    assert all(node.GetDisplayNode().GetVisibility() for node in user.segmentations)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("CT \u2013 104 structures, 1.5 mm \u2013 14:32", "CT - 104 structures 1.5 mm - 14.32"),
        ("liver/spleen", "liver_spleen"),
        (
            "ct \u2013 spleen, liver, Dataset256_TotalSegmentator_example_3mm \u2013 06:06",
            "ct - spleen liver Dataset256_TotalSegmentator_example_3mm",
        ),
    ],
)
def test_names_of_files_stay_readable(app, name, file):
    from TotalSegmentatorModuleLib.export.destination import file_name

    assert file_name(name) == file


def test_a_result_that_is_open_in_the_segment_editor_stays_visible(user):
    user.add_ct(name="CT abdomen")
    user.plan()
    user.run_job()
    edited = user.segmentations[0]
    editor = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
    editor.SetAndObserveSegmentationNode(edited)

    user.run_job()

    assert edited.GetDisplayNode().GetVisibility()
