"""The scene, data and pictures of the stand-in desktop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from desktop_sample import run_desktop


@pytest.fixture
def app():
    yield from run_desktop()


def test_hierarchy_items_come_and_go_with_the_nodes(app):
    import slicer

    tree = slicer.mrmlScene.GetSubjectHierarchyNode()
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "organs")
    item = tree.GetItemByDataNode(segmentation)
    assert item and tree.GetItemName(item) == "organs"
    slicer.mrmlScene.RemoveNode(segmentation)
    assert not tree.GetItemByName("organs")


def _add_segment(node, segment_id):
    import slicer

    segment = slicer.vtkSegment()
    segment.SetName(segment_id)
    segment.AddRepresentation("Binary labelmap", slicer.vtkOrientedImageData())
    node.GetSegmentation().AddSegment(segment, segment_id)


def test_items_of_segments_follow_the_events_of_their_node(app):
    import slicer

    tree = slicer.mrmlScene.GetSubjectHierarchyNode()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "organs")
    parent = tree.GetItemByDataNode(node)
    _add_segment(node, "liver")
    was_modifying = node.StartModify()
    for segment_id in ("spleen", "colon"):
        _add_segment(node, segment_id)
    assert tree.GetNumberOfItemChildren(parent) == 1
    node.EndModify(was_modifying)
    assert tree.GetNumberOfItemChildren(parent) == 3
    assert app.world.segmentations_plugin.made_at_once == 2

    liver, spleen = (tree.GetItemByPositionUnderParent(parent, position) for position in (0, 1))
    node.GetSegmentation().GetSegment("liver").SetName("Leber")
    assert tree.GetItemName(liver) == "Leber"
    tree.SetItemName(liver, "Foie")
    assert node.GetSegmentation().GetSegment("liver").GetName() == "Foie"
    tree.RemoveItem(spleen)
    assert node.GetSegmentation().GetSegment("spleen") is None
    node.GetSegmentation().RemoveSegment("liver")
    assert tree.GetNumberOfItemChildren(parent) == 1


def test_segments_that_came_without_an_event_get_their_items_with_the_next_one(app):
    import slicer

    tree = slicer.mrmlScene.GetSubjectHierarchyNode()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "organs")
    node.CreateDefaultDisplayNodes()
    other = slicer.vtkMRMLSegmentationNode()
    for segment_id in ("liver", "spleen", "colon"):
        _add_segment(other, segment_id)
    node.SetAndObserveSegmentation(other.GetSegmentation())
    parent = tree.GetItemByDataNode(node)
    assert tree.GetNumberOfItemChildren(parent) == 0
    node.InvokeEvent(slicer.vtkSegmentation.SegmentAdded, "spleen")
    assert tree.GetNumberOfItemChildren(parent) == 1
    node.GetDisplayNode().SetVisibility(False)
    assert tree.GetNumberOfItemChildren(parent) == 3


def test_selector_follows_the_scene(app):
    import slicer

    selector, heard = slicer.qMRMLNodeComboBox(), []
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.showChildNodeTypes = False
    selector.addEnabled = False
    selector.removeEnabled = False
    selector.connect("currentNodeChanged(vtkMRMLNode*)", lambda node: heard.append(node and node.GetName()))
    selector.setMRMLScene(slicer.mrmlScene)
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "label map")
    assert selector.currentNode() is None
    ct = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "other CT")
    assert selector.currentNode() is ct and selector.nodeCount() == 2
    selector.setCurrentNode(other)
    assert selector.currentNodeID == other.GetID()
    slicer.mrmlScene.RemoveNode(other)
    assert selector.currentNode() is ct
    assert heard == ["CT", "other CT", "CT"]
    assert isinstance(selector.nodeTypes, tuple) and type(selector) is slicer.qMRMLNodeComboBox


def test_selector_with_actions_or_none_chooses_nothing_by_itself(app):
    import slicer

    plain, early = slicer.qMRMLNodeComboBox(), slicer.qMRMLNodeComboBox()
    for selector in (plain, early):
        selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    plain.setMRMLScene(slicer.mrmlScene)
    ct = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    assert plain.currentNode() is None
    early.setCurrentNode(ct)
    early.setMRMLScene(slicer.mrmlScene)
    assert early.currentNode() is ct, "chosen before there was a scene"


def test_selectors_list_a_scene_when_it_has_been_read(app, tmp_path):
    import slicer

    app.add_volume(np.zeros((4, 5, 6), np.int16), np.eye(4), "saved CT")
    path = app.save_scene(tmp_path)
    app.close_scene()
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes, selector.noneEnabled = ["vtkMRMLScalarVolumeNode"], True
    selector.setMRMLScene(slicer.mrmlScene)
    events, chosen = [], []

    def choose(name):
        events.append(name)
        node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
        selector.setCurrentNode(node)
        chosen.append(selector.currentNode() is node and node is not None)

    for name in ("StartCloseEvent", "NewSceneEvent", "EndImportEvent"):
        slicer.mrmlScene.AddObserver(getattr(slicer.mrmlScene, name), lambda *_, name=name: choose(name), -1.0)

    app.load_scene(path)

    assert events == ["NewSceneEvent", "EndImportEvent"], "an import closes nothing"
    assert chosen == [False, True], "the node is in the scene before it is in the list"


def test_segmentation_that_changes_without_its_item_is_an_error(app):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "organs")
    assert app.errors == []
    slicer.mrmlScene.GetSubjectHierarchyNode().RemoveItem(
        slicer.mrmlScene.GetSubjectHierarchyNode().GetItemByDataNode(node), False, False
    )

    _add_segment(node, "liver")

    assert [str(error).startswith("Unable to find subject hierarchy item") for error in app.errors] == [True]


def test_util_functions_of_slicer_work(app):
    import slicer

    assert slicer.util.mainWindow() is None
    assert "PATH" in slicer.util.startupEnvironment()
    with pytest.raises(ZeroDivisionError), slicer.util.tryWithErrorDisplay("Failed.", waitCursor=True):
        1 / 0  # noqa: B018 - the exception is the test
    assert Path(slicer.app.temporaryPath).is_dir() and Path(slicer.app.cachePath).is_dir()
    with slicer.util.RenderBlocker():
        pass
    assert slicer.modules.segmentations.logic().GetClassName() == "vtkSlicerSegmentationsModuleLogic"
    with pytest.raises(AttributeError):
        slicer.modules.totalSegmentator  # noqa: B018 - reading it is the test
    assert slicer.app.testingEnabled() and (slicer.app.majorVersion, slicer.app.minorVersion) >= (5, 10)


# -- data and pictures -------------------------------------------------------------------------------------------------
def _two_organs(slicer, np, ct):
    """Liver on the patient's right (red), spleen on the left (green), one shared label map."""
    import vtk
    from vtk.util import numpy_support

    labels = np.zeros((40, 40, 40), np.uint8)
    labels[22:32, 15:25, 4:14] = 1
    labels[24:30, 18:26, 28:34] = 2
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(40, 40, 40)
    scalars = numpy_support.numpy_to_vtk(labels.ravel(), deep=True, array_type=vtk.VTK_UNSIGNED_CHAR)
    scalars.SetName("ImageScalars")
    image.GetPointData().SetScalars(scalars)
    matrix = vtk.vtkMatrix4x4()
    ct.GetIJKToRASMatrix(matrix)
    image.SetGeometryFromImageToWorldMatrix(matrix)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "organs")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    node.GetSegmentation().SetSourceRepresentationName("Binary labelmap")
    for value, name, colour in ((1, "liver", (1.0, 0.0, 0.0)), (2, "spleen", (0.0, 1.0, 0.0))):
        segment = slicer.vtkSegment()
        segment.SetName(name)
        segment.SetColor(*colour)
        segment.SetLabelValue(value)
        segment.AddRepresentation("Binary labelmap", image)
        node.GetSegmentation().AddSegment(segment, name)
    return node


def _read_png(path):
    import vtk
    from vtk.util import numpy_support

    reader = vtk.vtkPNGReader()
    reader.SetFileName(str(path))
    reader.Update()
    columns, rows, _ = reader.GetOutput().GetDimensions()
    pixels = numpy_support.vtk_to_numpy(reader.GetOutput().GetPointData().GetScalars())
    return pixels.reshape(rows, columns, -1)[::-1].astype(int)


@pytest.fixture
def organs(app):
    import slicer

    lps = np.diag([-3.0, -3.0, 3.0, 1.0])
    lps[:3, 3] = (60, 60, -60)
    ct = app.add_volume(np.full((40, 40, 40), 50, np.int16), lps, "CT")
    return ct, _two_organs(slicer, np, ct)


def test_slices_show_right_on_the_left_side_and_the_ct_under_the_fill(app, organs, tmp_path):
    ct, segmentation = organs
    before = segmentation.GetDisplayNode().GetOpacity2DFill()
    picture = _read_png(app.slice_views_png(tmp_path / "slices.png", ct, segmentation))
    size = picture.shape[0]
    assert size >= 500 and picture.shape[1] >= 3 * size  # three views of a cube
    axial, sagittal = picture[:, :size], picture[:, -size:]
    red, green = axial[..., 0] - axial[..., 1] > 30, axial[..., 1] - axial[..., 0] > 30
    assert red.sum() > 500 and green.sum() > 200
    assert np.nonzero(red)[1].mean() < size / 2 < np.nonzero(green)[1].mean(), "the patient's right is at the left"
    under_fill = np.median(axial[..., 2][red])
    assert under_fill > 60, "the CT shines through the light fill"
    assert (np.abs(sagittal[..., 0] - sagittal[..., 1]) > 30).any()
    assert segmentation.GetDisplayNode().GetOpacity2DFill() == before
    again = app.slice_views_png(tmp_path / "ct.png", ct, segmentation, {"Axial": -50.0})
    assert not (np.abs(_read_png(again)[:, :size, 0] - _read_png(again)[:, :size, 1]) > 120).any(), "no organ there"


def test_surfaces_are_seen_from_the_front_and_leave_the_segmentation_alone(app, organs, tmp_path):
    import slicer

    ct, segmentation = organs
    nodes = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
    picture = _read_png(app.three_d_png(tmp_path / "surfaces.png", segmentation))
    red = (picture[..., 0] > 120) & (picture[..., 1] < 80)
    green = (picture[..., 1] > 120) & (picture[..., 0] < 80)
    assert red.sum() > 0.05 * red.size, "the organs fill a good part of the picture"
    assert np.nonzero(red)[1].mean() < np.nonzero(green)[1].mean()
    assert not segmentation.GetSegmentation().ContainsRepresentation("Closed surface")
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == nodes
    assert ct.GetDisplayVisibility() and not app.errors


def test_image_files_keep_their_place(app, tmp_path):
    import SimpleITK as sitk  # noqa: N813 - the usual name
    import slicer

    image = sitk.GetImageFromArray(np.arange(24, dtype=np.int16).reshape(2, 3, 4))
    image.SetSpacing((0.5, 1.5, 3.0))
    image.SetOrigin((10.0, 20.0, -30.0))
    sitk.WriteImage(image, str(tmp_path / "abdomen.nii.gz"))
    node = app.load_volume(tmp_path / "abdomen.nii.gz")
    assert node.GetName() == "abdomen"
    assert slicer.util.arrayFromVolume(node)[1, 2, 3] == 23
    assert np.allclose(node.GetOrigin(), (-10, -20, -30)) and np.allclose(node.GetSpacing(), (0.5, 1.5, 3.0))


@pytest.mark.shared
def test_dicom_series_comes_with_its_patient_and_its_files(app, shared):
    import slicer

    folder: Path = shared / "data" / "sts_001" / "dicom"
    node = app.load_dicom_series(folder)
    uids = node.GetAttribute("DICOM.instanceUIDs").split()
    assert len(uids) == len(list(folder.iterdir())) == slicer.util.arrayFromVolume(node).shape[0]
    tree = slicer.mrmlScene.GetSubjectHierarchyNode()
    item = tree.GetItemByDataNode(node)
    series = tree.GetItemUID(item, "DICOM")
    assert tree.GetItemLevel(tree.GetItemParent(item)) == "Study"
    assert tree.GetItemLevel(tree.GetItemParent(tree.GetItemParent(item))) == "Patient"
    database = slicer.dicomDatabase
    assert database.isOpen is True
    assert sorted(database.filesForSeries(series)) == sorted(str(path) for path in folder.iterdir())
    position = [float(x) for x in database.instanceValue(uids[0], "0020,0032").split("\\")]
    assert np.allclose(node.GetOrigin(), np.array(position) * (-1, -1, 1), atol=1e-3)
    assert database.fileValue(database.fileForInstance(uids[0]), "0008,0060") == "CT"


def test_dicom_database_knows_patients_studies_and_series(app, tmp_path, caplog):
    import pydicom
    import slicer
    from export_support import write_ct_series
    from TotalSegmentatorEngine.imaging.geometry import Geometry

    grid = Geometry((3, 8, 8), np.diag([-1.0, -1.0, 1.0, 1.0]))
    folder = write_ct_series(
        tmp_path / "ct", np.zeros(grid.shape, np.int16), grid, SeriesDate="20240501", SeriesDescription="Thorax"
    )
    header = pydicom.dcmread(next(folder.iterdir()))
    database, changes = slicer.dicomDatabase, []
    for signal in ("opened()", "closed()", "databaseChanged()"):
        database.connect(signal, lambda signal=signal: changes.append(signal))
    app.dicom_database.add_folder(folder)
    series = str(header.SeriesInstanceUID)
    study = database.studyForSeries(series)
    assert study == str(header.StudyInstanceUID)
    assert database.studiesForPatient(database.patientForStudy(study)) == (study,)
    assert database.seriesForStudy(study) == (series,)
    assert database.fieldForSeries("SeriesDate", series) == "2024-05-01"
    assert database.descriptionForSeries(series) == database.fieldForSeries("SeriesDescription", series) == "Thorax"
    assert len(database.instancesForSeries(series)) == 3
    assert len(database.filesForSeries(series, 1)) == 1
    assert database.fieldForSeries("StructureSetLabel", series) == ""
    assert "no such column" in caplog.text
    database.closeDatabase()
    assert not database.isOpen
    assert database.studyForSeries(series) == ""
    assert database.openDatabase("ctkDICOM.sql")
    assert database.studyForSeries(series) == study
    assert changes == ["databaseChanged()", "closed()", "opened()"]


@pytest.mark.shared
def test_anonymised_files_without_uids_load_but_are_not_in_the_database(app, shared):
    import slicer

    node = app.load_dicom_series(shared / "data" / "example_ct_dicom")
    assert slicer.util.arrayFromVolume(node).shape == (20, 512, 512)
    assert node.GetAttribute("DICOM.instanceUIDs") is None


@pytest.mark.shared
def test_acquisition_transform_is_not_linear(app, shared):
    node = app.load_dicom_series(shared / "data" / "example_ct_dicom", acquisition_transform=True)
    assert not node.GetParentTransformNode().IsLinear()
