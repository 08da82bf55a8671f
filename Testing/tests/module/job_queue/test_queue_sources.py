"""Where the CTs of the queue come from: the DICOM database and files."""

from __future__ import annotations

import shutil

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import SimpleITK as sitk  # noqa: N813 - the usual name
import slicer
from queue_support import distinct_ct
from series_support import chest, write_series


@pytest.fixture
def database(app, tmp_path):
    """A patient with two CT series in one study, and an MR series."""
    for number, (modality, description) in enumerate((("CT", "Thorax"), ("CT", "Abdomen"), ("MR", "Head")), start=1):
        folder = tmp_path / description
        folder.mkdir()
        study = {"StudyInstanceUID": "1.2.3", "StudyDescription": "Staging", "SeriesDate": "20261130"}
        texts = {"Modality": modality, "SeriesNumber": number, "SeriesDescription": description}
        write_series(folder, chest(number), PatientName="Phantom", PatientID="P1", **study, **texts)
        app.dicom_database.add_folder(folder)
    return tmp_path


def backgrounds() -> set[str]:
    nodes = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    return {slicer.mrmlScene.GetNodeByID(each.GetBackgroundVolumeID()).GetName() for each in nodes}


def test_series_of_the_database_are_loaded_in_their_turn(queue_user, app, database):
    user = queue_user()
    (mine,) = user.add_cts("CT that is worked on")
    slicer.util.setSliceViewerLayers(background=mine)
    user.plan()
    user.tick()
    user.expand("DICOM database")
    user.expand("Phantom")
    titles = user.choices()
    assert titles[titles.index("Phantom") + 1 :] == [
        "2026-11-30 Staging",
        "1: Thorax (8 images)",
        "2: Abdomen (8 images)",
    ]
    user.tick("Phantom")  # all of the patient's
    (later,) = user.add_cts("CT that is loaded meanwhile")
    assert "CT that is loaded meanwhile" in user.choices()
    assert user.queue_ui.addButton.text == "Add 2 CTs to the queue"
    user.add()
    assert slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") == [mine, later]

    shutil.rmtree(database / "Thorax")
    user.start()
    user.wait_for_states(["Not loaded", "Finished"])
    (node,) = user.segmentations
    assert node.GetName().startswith("2: Abdomen \u2013 ")
    user.select(0)
    assert user.queue_ui.explanationLabel.text.startswith("The DICOM series is not in Slicer's DICOM database any more")
    assert backgrounds() == {"CT that is worked on"}
    assert not node.GetDisplayNode().GetVisibility()


def test_a_closed_scene_leaves_what_can_be_loaded_again(queue_user, app, tmp_path):
    """One file is as it was, one has changed, and one CT was in memory alone."""
    image = sitk.GetImageFromArray(distinct_ct(1))
    image.SetSpacing((4.0, 4.0, 2.5))
    for name in ("same", "changed"):
        sitk.WriteImage(image, str(tmp_path / f"{name}.nrrd"))
    user = queue_user()
    for name in ("same", "changed"):
        slicer.util.loadVolume(str(tmp_path / f"{name}.nrrd"))
    user.add_ct(distinct_ct(2), "unsaved")
    user.plan("predicting", "slow")
    user.add("unsaved")
    user.plan()
    user.add("same", "changed")
    user.start()
    user.wait_for_running(0)
    app.close_scene()
    user.wait_until_ready()
    assert user.states() == ["Not loaded"] * 3
    assert user.queue_ui.startButton.text == "Start" and user.segmentations == []
    sitk.WriteImage(image[:, :, 1:], str(tmp_path / "changed.nrrd"))
    user.select(0)
    app.press("Ctrl+A")
    app.click(user.queue_ui.againButton)
    user.start()
    user.wait_for_states(["Not loaded", "Finished", "Not loaded"])
    user.select(0)
    assert user.queue_ui.explanationLabel.text.startswith("The CT is not loaded any more, and it is not known")
    user.select(2)
    assert user.queue_ui.explanationLabel.text.startswith("The file of the CT is not there any more, or it has changed")


def test_a_sequence_is_loaded_again_from_its_file(queue_user, app, tmp_path):
    user = queue_user()
    sequence, _browser = user.add_sequence("Breathing", 2)
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeSequenceStorageNode")
    storage.SetFileName(str(tmp_path / "Breathing.seq.nrrd"))
    assert storage.WriteData(sequence)
    app.close_scene()

    slicer.util.loadSequence(str(tmp_path / "Breathing.seq.nrrd"))
    user.plan()
    user.add("Loaded sequences")
    app.close_scene()
    user.select(0)
    app.click(user.queue_ui.againButton)
    user.start()
    user.wait_for_states(["Finished"])
    assert len(slicer.util.getNodesByClass("vtkMRMLSequenceNode")) == 2
