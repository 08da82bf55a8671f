"""Exports that a script asks for through the module's logic, with an export program that does what a test asks."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from TotalSegmentatorWire.errors.problem import SegmentationError


@pytest.fixture
def script(exporter):
    """With a result on a CT; ``export`` of the logic."""
    exporter.ct = exporter.user.add_ct()
    exporter.node = exporter.add_result(exporter.ct)
    exporter.export = slicer.util.getModuleLogic("TotalSegmentatorModule").export
    return exporter


@pytest.mark.parametrize("kind", [str, Path])
def test_file_gets_the_name_that_was_asked_for(script, kind):
    target = script.target / "organs.seg.nrrd"

    assert script.export(script.node, "nrrd", kind(target)) == [target]
    assert target.is_file()


def test_file_in_a_folder_is_named_after_the_segmentation(script):
    (path,) = script.export(script.node, "volumes", script.target)

    assert path.parent == script.target and path.suffix == ".csv"
    assert script.node.GetName().split()[0] in path.name


def test_nothing_is_replaced(script):
    first = script.export(script.node, "nifti", script.target / "labels.nii.gz")
    second = script.export(script.node, "nifti", script.target / "labels.nii.gz")

    assert [path.name for path in first + second] == ["labels.nii.gz", "labels 2.nii.gz"]


def test_options_are_those_of_the_command_line(script, tmp_path):
    template = tmp_path / "own.json"
    template.write_text("{}", encoding="utf-8")
    script.export(
        script.node,
        "nrrd",
        script.target,
        structures=["spleen"],
        states=["approved", "edited"],
        template=template,
        names="own",
        external=True,
    )

    assert script.argument("--to") == "nrrd"
    assert script.argument("--states") == "approved,edited"
    assert script.argument("--template") == str(template)
    assert script.argument("--names") == "own"
    assert "--external" in script.calls[-1]


def test_report_names_a_person_and_a_segmentation_that_exists(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the program runs elsewhere
    script.export(script.node, "sr", script.target, observer="Bauer^Anna", seg="seg.dcm")

    assert script.argument("--observer") == "Bauer^Anna"
    assert script.argument("--seg") == str(tmp_path / "seg.dcm")


def test_template_of_the_product_goes_by_its_name(script):
    script.export(script.node, "nrrd", script.target, template="thorax")

    assert script.argument("--template") == "thorax"


def test_failure_of_the_program_is_raised(script):
    script.acts("fail")

    with pytest.raises(SegmentationError) as caught:
        script.export(script.node, "nrrd", script.target)

    assert caught.value.code == "EXPORT_SEGMENT_EMPTY"
    assert list(script.target.iterdir()) == []


def test_structure_that_is_not_there_is_refused(script):
    with pytest.raises(SegmentationError, match="spleen") as caught:
        script.export(script.node, "nrrd", script.target, structures=["splen"])

    assert caught.value.code == "EXPORT_STRUCTURE_UNKNOWN"


@pytest.mark.parametrize("wrong", [{"to": "docx"}, {"to": "seg", "encoding": "dense"}, {"states": ["finished"]}])
def test_choice_that_does_not_exist_is_a_value_error(script, wrong):
    arguments = {"to": "nrrd", "path": script.target} | wrong
    with pytest.raises(ValueError, match=r"dense|docx|finished"):
        script.export(script.node, **arguments)


def test_segmentation_without_a_ct_needs_one(script):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "drawn by hand")
    node.GetSegmentation().AddEmptySegment("liver", "liver")

    with pytest.raises(ValueError, match="pass ct"):
        script.export(node, "nrrd", script.target)
