"""What a segmentation is compared with: another one of the scene, and objects of Slicer's DICOM database."""

from __future__ import annotations

import os
import sys

import numpy as np
import pydicom
import pytest
import slicer
from export_support import write_ct_series
from export_user import SHAPE, add_segment, blocks
from job_support import MARK
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage, SegmentationStorage, generate_uid
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorModuleLib.background.engine_environment import EngineEnvironment


def add_drawn(name: str = "drawn"):
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)


def hint(comparer) -> str:
    label = comparer.task_ui.hintLabel
    return label.text if label.visible else ""


def use_real_engine(comparer, monkeypatch) -> None:
    from TotalSegmentatorModuleLib.background import installed_engine

    environment = EngineEnvironment(sys.executable, {**os.environ, MARK: comparer.user.mark})
    monkeypatch.setattr(installed_engine, "engine_environment", lambda: environment)


# -- a segmentation of the scene ---------------------------------------------------------------------------------------


def test_section_says_what_a_segmentation_of_the_scene_lacks(comparer):
    ui = comparer.ui.compare
    ct = comparer.user.add_ct()
    node = comparer.add_result(ct)
    comparer.open_section()
    comparer.choose_kind("scene")
    assert ui.otherSelector.visible
    assert not ui.filePathLineEdit.visible and not ui.databaseComboBox.visible
    assert ui.otherNoteLabel.text.startswith("Any CT will do.")
    assert hint(comparer) == "Choose the segmentation to compare with."
    ui.otherSelector.setCurrentNode(node)
    assert hint(comparer) == "Choose two different segmentations."
    drawn = add_drawn()
    ui.otherSelector.setCurrentNode(drawn)
    assert hint(comparer) == "The segmentation to compare with is empty."
    assert not comparer.task_ui.startButton.enabled
    add_segment(drawn, "spleen", (blocks() == 1).astype(np.uint8), ct)
    comparer.ui.compare.collapsibleButton.collapsed = True
    comparer.open_section()
    assert hint(comparer) == ""
    assert comparer.task_ui.startButton.enabled
    assert comparer.user.widget.logic.getParameterNode().compareOther is drawn


def test_both_segmentations_are_handed_over(comparer):
    ct = comparer.user.add_ct()
    node = comparer.add_result(ct)
    drawn = add_drawn("drawn by hand")
    add_segment(drawn, "spleen", (blocks() == 1).astype(np.uint8), ct)
    add_segment(drawn, "PTV", (blocks() > 0).astype(np.uint8), ct)
    comparer.open_section()
    comparer.choose_kind("scene")
    comparer.ui.compare.otherSelector.setCurrentNode(drawn)
    comparer.app.reset_block_clock()
    comparer.compare()

    assert comparer.error_code == "", comparer.describe()
    ours, theirs = comparer.header("transferred"), comparer.header("transferred/other")
    assert len(ours.layers) == 1 and len(theirs.layers) == 2  # the drawn ones overlap
    assert [segment.name for segment in theirs.segments] == ["spleen", "PTV"]
    assert (ours.ct_shape, ours.ct_ijk_to_ras) == (theirs.ct_shape, theirs.ct_ijk_to_ras)
    assert [table.GetName() for table in comparer.tables] == [f"{node.GetName()} compared with drawn by hand"]
    again = comparer.app.reload_module().ui
    assert again.compare.otherKindComboBox.currentText == "A segmentation in the scene"


def test_segmentation_that_is_removed_before_it_was_read_is_reported(comparer, monkeypatch):
    from TotalSegmentatorModuleLib.tasks import program_run

    ct = comparer.user.add_ct()
    comparer.add_result(ct)
    drawn = add_drawn()
    add_segment(drawn, "spleen", (blocks() == 1).astype(np.uint8), ct)
    comparer.open_section()
    comparer.choose_kind("scene")
    comparer.ui.compare.otherSelector.setCurrentNode(drawn)
    make = program_run.SegmentationTransfer

    def slow_transfer(node, *arguments):
        if node is drawn:
            slicer.mrmlScene.RemoveNode(drawn)
        return make(node, *arguments)

    monkeypatch.setattr(program_run, "SegmentationTransfer", slow_transfer)
    comparer.compare()

    assert comparer.error_code == "EXPORT_INPUT_REMOVED"
    assert comparer.calls == []
    assert hint(comparer) == "Choose the segmentation to compare with."


@pytest.mark.slow  # a process that imports NumPy and SciPy
@pytest.mark.parametrize("is_dicom", [False, True])
def test_edited_overlapping_segmentation_on_another_grid(comparer, tmp_path, monkeypatch, is_dicom):
    """With the real program: half of the spleen, a kidney on a grid twice as fine, and a structure over both."""
    use_real_engine(comparer, monkeypatch)
    labels = blocks()
    if is_dicom:
        geometry = Geometry(SHAPE, np.diag([-0.8, -0.8, 2.5, 1.0]))
        folder = write_ct_series(tmp_path / "series", np.zeros(SHAPE, np.int16), geometry)
        ct = comparer.app.load_dicom_series(folder)
    else:
        ct = comparer.app.add_volume(np.zeros(SHAPE, np.int16), np.diag([-0.8, -0.8, 2.5, 1.0]), "CT")
    comparer.add_result(ct)
    names = [comparer_name(comparer, number) for number in range(2)]
    spleen = labels == 1
    spleen[5:] = False
    drawn = add_drawn()
    fine = comparer.app.add_volume(
        np.zeros([2 * size for size in SHAPE], np.int16),
        ijk_to_ras(ct) @ np.array([[0.5, 0, 0, -0.25], [0, 0.5, 0, -0.25], [0, 0, 0.5, -0.25], [0, 0, 0, 1]]),
        "finer",
    )
    add_segment(drawn, names[0], spleen.astype(np.uint8), ct)
    add_segment(drawn, names[1], np.kron(labels == 2, np.ones((2, 2, 2), bool)).astype(np.uint8), fine)
    add_segment(drawn, "PTV", (labels > 0).astype(np.uint8), ct)
    comparer.ui.compare.ctSelector.setCurrentNode(ct)
    comparer.open_section()
    comparer.choose_kind("scene")
    comparer.ui.compare.otherSelector.setCurrentNode(drawn)
    comparer.compare(240.0)

    assert comparer.error_code == "", comparer.describe()
    whole, half = np.count_nonzero(labels == 1), np.count_nonzero(spleen)
    table = comparer.ui.compare_table.resultTable
    first, second, alone = ([table.item(row, column).text() for column in (0, 1)] for row in range(3))
    assert first == [names[0], "{:.3f}".format(2 * half / (whole + half))]
    assert second[0] == names[1] and float(second[1]) > 0.95
    assert alone == ["PTV", "only in the other"]
    assert names[1] in comparer.task_ui.warningLabel.text  # it was resampled


def comparer_name(comparer, number: int) -> str:
    return comparer.ui.compare.segmentationSelector.currentNode().GetSegmentation().GetNthSegment(number).GetName()


def ijk_to_ras(ct) -> np.ndarray:
    from TotalSegmentatorModuleLib.scene import volumes

    return volumes.ijk_to_ras(ct)


# -- Slicer's DICOM database -------------------------------------------------------------------------------------------


def write_structures(path, ct: Dataset, series: str = "", sop_class: str = RTStructureSetStorage, **attributes):
    """A DICOM object of the CT's patient and study that names ``series``, and nothing else."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, generate_uid()
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    for name in ("PatientID", "PatientName", "PatientBirthDate", "StudyInstanceUID"):
        setattr(dataset, name, ct.get(name, ""))
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.SeriesInstanceUID = generate_uid()
    dataset.Modality = "RTSTRUCT" if sop_class == RTStructureSetStorage else "SEG"
    if series:
        reference = Dataset()
        reference.SeriesInstanceUID = series
        dataset.ReferencedSeriesSequence = [reference]
    for name, value in attributes.items():
        setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def archive(on_series, tmp_path):
    """``on_series`` with a function that adds an object to the database."""
    header = pydicom.dcmread(next((tmp_path / "series").iterdir()), stop_before_pixels=True)
    database = on_series.app.dicom_database

    def add(name: str, series: str = "", **attributes):
        path = write_structures(tmp_path / f"{name}.dcm", header, series, **attributes)
        database.add_files([path])
        return path

    on_series.add, on_series.database = add, database
    on_series.series = str(header.SeriesInstanceUID)
    return on_series


def entries(comparer) -> list[str]:
    combo = comparer.ui.compare.databaseComboBox
    return [combo.itemText(index) for index in range(combo.count)]


def test_objects_of_the_patient_are_listed_those_of_the_ct_first(archive):
    archive.add("1", archive.series, SeriesDate="20240501", SeriesDescription="Plan A")
    archive.add("2", archive.series, SeriesDate="20240601", StructureSetLabel="ORGANS")
    archive.add("3", archive.series + "9", SeriesDate="20240701", SeriesDescription="Plan of another CT")
    archive.add("4", archive.series, sop_class=SegmentationStorage, SeriesDescription="By a program, second version")
    archive.add("5", StudyInstanceUID="1.2.3", SeriesDate="20240801", SeriesDescription="Follow-up")
    archive.add("6", archive.series, PatientID="another", StudyInstanceUID="1.2.4", SeriesDescription="Of another")
    archive.choose_kind("database")

    assert entries(archive) == [
        "RS ORGANS 2024-06-01",
        "RS Plan A 2024-05-01",
        "SEG By a program, s…",
        "RS Plan of another… 2024-07-01",
        "RS Follow-up 2024-08-01",
    ]
    note = archive.ui.compare.otherNoteLabel
    assert note.text == "RT Structure Set 'ORGANS' of 2024-06-01. It was made on this CT."
    archive.ui.compare.databaseComboBox.setCurrentIndex(2)
    assert note.text == "DICOM Segmentation 'By a program, second version'. It was made on this CT."
    archive.ui.compare.databaseComboBox.setCurrentIndex(3)
    assert "It does not name this CT" in note.text
    assert archive.task_ui.startButton.enabled


def test_chosen_object_is_compared_from_its_file(archive):
    archive.add("1", archive.series, SeriesDate="20240601", SeriesDescription="Plan B")
    path = archive.add("2", archive.series, SeriesDate="20240501", SeriesDescription="Plan A")
    archive.choose_kind("database")
    archive.ui.compare.databaseComboBox.setCurrentIndex(1)
    archive.compare()

    assert archive.error_code == "", archive.describe()
    call = archive.calls[0]
    assert call[call.index("--events") - 1] == str(path)
    assert len(archive.header("transferred").ct_instance_uids) == SHAPE[0]
    assert [node.GetName() for node in archive.tables] == [
        f"{archive.node.GetName()} compared with RTSTRUCT Plan A 2024-05-01"
    ]


def test_structures_of_a_crop_meet_those_of_its_series_on_the_whole_ct(archive):
    """As Slicer's Crop Volume makes it: a clone with the attributes of the whole."""
    whole = slicer.util.arrayFromVolume(archive.ct)
    start = np.eye(4)
    start[:3, 3] = [3, 2, 1]
    crop = archive.app.add_volume(whole[1:11, 2:14, 3:18].copy(), ijk_to_ras(archive.ct) @ start, "crop")
    crop.SetAttribute("DICOM.instanceUIDs", archive.ct.GetAttribute("DICOM.instanceUIDs"))
    archive.add("1", archive.series, SeriesDescription="Plan A")
    archive.choose_kind("database")
    archive.ui.compare.ctSelector.setCurrentNode(crop)
    assert entries(archive) == ["RS Plan A"]
    archive.compare()

    assert archive.error_code == "", archive.describe()
    header = archive.header("transferred")
    assert header.ct_shape == list(SHAPE)
    assert np.allclose(np.reshape(header.ct_ijk_to_ras, (4, 4)), ijk_to_ras(archive.ct))


def test_choice_stays_when_the_database_grows(archive):
    archive.add("1", archive.series, SeriesDate="20240501", SeriesDescription="Plan A")
    archive.choose_kind("database")
    assert entries(archive) == ["RS Plan A 2024-05-01"]
    archive.add("2", archive.series, SeriesDate="20240601", SeriesDescription="Plan B")
    archive.wait(lambda: len(entries(archive)) == 2)

    assert archive.ui.compare.databaseComboBox.currentText == "RS Plan A 2024-05-01"


def test_section_says_why_the_database_offers_nothing(archive):
    archive.choose_kind("database")
    assert hint(archive) == "Slicer's DICOM database has no structure set or DICOM segmentation of this patient."
    assert not archive.ui.compare.databaseComboBox.enabled
    archive.database.closeDatabase()
    archive.wait(lambda: hint(archive) == "Slicer's DICOM database is not open. Open it in the DICOM module.")
    archive.add("1", archive.series, SeriesDescription="Plan A")
    archive.database.openDatabase("ctkDICOM.sql")
    archive.wait(lambda: entries(archive) == ["RS Plan A"])
    assert hint(archive) == ""
    assert archive.task_ui.startButton.enabled

    image = archive.user.add_ct()
    archive.ui.compare.ctSelector.setCurrentNode(image)
    assert hint(archive) == "The CT does not come from DICOM. Load its DICOM series and choose it."
    image.SetAttribute("DICOM.instanceUIDs", "1.2.3")
    archive.ui.compare.ctSelector.setCurrentNode(archive.ct)
    archive.ui.compare.ctSelector.setCurrentNode(image)
    assert hint(archive) == "The CT's series is not in Slicer's DICOM database. Import it in the DICOM module."
    assert entries(archive) == []


def test_section_works_without_slicers_dicom_module(comparer, monkeypatch):
    monkeypatch.delattr(slicer, "dicomDatabase")
    comparer.add_result(comparer.user.add_ct())
    comparer.open_section()
    comparer.choose_kind("database")
    assert hint(comparer) == "Slicer's DICOM database is not open. Open it in the DICOM module."
    assert not comparer.task_ui.startButton.enabled


def test_object_whose_file_is_gone_is_not_offered(archive):
    archive.add("1", archive.series, SeriesDescription="Plan A").unlink()
    archive.choose_kind("database")
    assert entries(archive) == []


@pytest.mark.slow  # two processes that import NumPy, SciPy and pydicom
def test_own_structure_set_comes_back_from_the_database(on_series, monkeypatch):
    """Exported and added to the database with the real program, then compared with what it was made of."""
    use_real_engine(on_series, monkeypatch)
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda *_, **__: True)
    export, task = on_series.ui.export, on_series.ui.export_task
    export.collapsibleButton.collapsed = False
    export.folderPathLineEdit.currentPath = str(on_series.target)
    export.databaseCheckBox.setChecked(True)
    on_series.app.process_events()
    on_series.app.click(task.startButton)
    on_series.wait(lambda: task.startButton.text == "Export", 240.0)
    on_series.choose_kind("database")
    assert on_series.ui.compare.otherNoteLabel.text.endswith("It was made on this CT.")
    on_series.compare(240.0)

    assert on_series.error_code == "", on_series.describe()
    assert on_series.task_ui.resultLabel.text.startswith("2 structures compared: mean Dice 1.000, lowest 1.000")


def test_panel_before_a_reload_hears_no_more_of_the_database(archive):
    archive.choose_kind("database")
    again = archive.app.reload_module().ui
    again.compare.collapsibleButton.collapsed = False
    archive.add("1", archive.series, SeriesDescription="Plan A")
    archive.wait(lambda: again.compare.databaseComboBox.count == 1)
    assert archive.app.errors == []


@pytest.mark.shared
@pytest.mark.slow  # a process that imports NumPy, SciPy and pydicom and reads a real CT
def test_structure_set_of_a_department_agrees_with_its_own_voxels(comparer, shared, monkeypatch):
    from TotalSegmentatorEngine.export.dicom.reference_series import read_reference
    from TotalSegmentatorEngine.export.sources.structures import read_structures

    use_real_engine(comparer, monkeypatch)
    case = shared / "data" / "sts_001"
    ct = comparer.app.load_dicom_series(case / "dicom")
    comparer.app.dicom_database.add_files([case / "rtstruct" / "RS.dcm"])
    reference = read_reference(case / "dicom")
    (structure,), _left_out = read_structures(case / "rtstruct" / "RS.dcm", reference, lambda _problem: None)
    node = add_drawn("the same voxels")
    voxels = structure.mask.whole().astype(np.uint8)
    add_segment(node, structure.name, voxels if on_volume(reference, ct) else voxels[::-1], ct)
    comparer.ui.compare.segmentationSelector.setCurrentNode(node)
    comparer.ui.compare.ctSelector.setCurrentNode(ct)
    comparer.open_section()
    comparer.choose_kind("database")
    note = comparer.ui.compare.otherNoteLabel.text.replace("\u200b", "")  # long words are broken
    assert note == "RT Structure Set 'IBSI_1_STS_001_CT_mask' of 2000-09-07. It was made on this CT."
    comparer.compare(240.0)

    assert comparer.error_code == "", comparer.describe()
    assert f"Dice 1.000 ({structure.name})" in comparer.task_ui.resultLabel.text


def on_volume(reference, ct) -> bool:
    """Whether the planes of the series come in the order of the volume's slices."""
    return reference.grid.ijk_to_ras[2, 2] * ijk_to_ras(ct)[2, 2] > 0
