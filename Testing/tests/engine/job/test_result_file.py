"""What the engine writes opens in Slicer with every segment in its place, and nothing half-written is left behind."""

from __future__ import annotations

import dataclasses
import errno
import shutil
from pathlib import Path
from types import SimpleNamespace

import ct_variants
import nibabel
import numpy as np
import pytest
import SimpleITK
import slicer
import vtk
from one_model import model_result
from TotalSegmentatorEngine.ct_input.reading import read_input
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.job import result_file
from TotalSegmentatorEngine.job.result_file import check_output, write_result
from TotalSegmentatorEngine.job.task import SegmentationResult
from TotalSegmentatorWire import ALGORITHM_NAME, ENGINE_VERSION
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.segment import FoundStructure
from TotalSegmentatorWire.tables.structures import structure_table
from vtk.util.numpy_support import vtk_to_numpy

SHAPE = (7, 8, 10)  # k, j, i
RAS_GRID = np.array([[0.9, 0, 0, -20.0], [0, 1.1, 0, 35.5], [0, 0, 2.5, 710.25], [0, 0, 0, 1.0]])
FOUND = {"spleen": (slice(0, 3), slice(1, 3), slice(2, 5)), "kidney_left": (slice(2, 4), slice(4, 8), slice(6, 10))}
GRIDS = {
    codes + (" oblique" if degrees else ""): ct_variants.turned(
        ct_variants.reordered(np.zeros(SHAPE), RAS_GRID, codes)[1], degrees
    )
    for codes in (*ct_variants.RIGHT_HANDED, *ct_variants.LEFT_HANDED)
    for degrees in (0, 20)
}


def a_result(found: dict[str, tuple[slice, ...]] = FOUND, shape: tuple[int, int, int] = SHAPE) -> SegmentationResult:
    """A spleen and a left kidney as boxes; the other structures of the table are absent."""
    structures = structure_table("structures_104")
    labels = np.zeros(shape, np.uint8)
    rows = []
    for structure in structures:
        if structure.name in found:
            box = found[structure.name]
            labels[box] = structure.label
            k, j, i = np.nonzero(labels == structure.label)
            extent = [int(v) for axis in (i, j, k) for v in (axis.min(), axis.max())]
            rows.append(FoundStructure(structure.label, structure.name, len(k), extent))
    absent = [structure.name for structure in structures if structure.name not in found]
    return model_result(labels, structures, rows, absent, "104-3mm", "totalsegmentator-1.5", seconds=12.5)


@pytest.fixture(scope="module")
def segmentations():
    """Slicer's segmentations logic with a scene, from the slicer-core wheel."""
    scene = slicer.vtkMRMLScene()
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(scene)
    logics = [slicer.vtkSlicerTerminologiesModuleLogic(), slicer.vtkSlicerSegmentationsModuleLogic()]
    for name, logic in zip(("Terminologies", "Segmentations"), logics, strict=True):
        logic.SetMRMLScene(scene)
        logic.SetMRMLApplicationLogic(application)
        application.SetModuleLogic(name, logic)
    yield logics[1]
    scene.Clear(True)


def opened(segmentations, path: Path):
    node = segmentations.LoadSegmentationFromFile(str(path))
    assert node is not None
    return node


def voxels_on(image, geometry: Geometry) -> np.ndarray:
    """Values of a vtkOrientedImageData on a grid (k, j, i), by position in space; 0 outside the image."""
    matrix = vtk.vtkMatrix4x4()
    image.GetWorldToImageMatrix(matrix)
    to_index = np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)]) @ geometry.ijk_to_ras
    extent = image.GetExtent()
    sizes = [extent[n + 1] - extent[n] + 1 for n in (0, 2, 4)]
    values = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(sizes[::-1])
    k, j, i = np.indices(geometry.shape)
    exact = (np.stack([i, j, k, np.ones_like(i)], axis=-1) @ to_index.T)[..., :3]
    index = np.round(exact).astype(int)
    np.testing.assert_allclose(exact, index, atol=1e-4)  # voxel centres lie on voxel centres
    index -= np.array([extent[0], extent[2], extent[4]])
    inside = ((index >= 0) & (index < sizes)).all(axis=-1)
    result = np.zeros(geometry.shape, np.uint8)
    result[inside] = values[tuple(index[inside][:, n] for n in (2, 1, 0))]
    return result


# -- .seg.nrrd in Slicer -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grid", GRIDS)
def test_slicer_opens_the_segmentation_in_its_place(tmp_path: Path, segmentations, grid: str) -> None:
    result, geometry = a_result(), Geometry(SHAPE, GRIDS[grid])
    write_result(tmp_path / "liver and more.seg.nrrd", result, geometry)
    segmentation = opened(segmentations, tmp_path / "liver and more.seg.nrrd").GetSegmentation()
    assert list(segmentation.GetSegmentIDs()) == ["spleen", "kidney_left"]
    for found in result.found:
        segment = segmentation.GetSegment(found.name)
        image = segment.GetRepresentation("Binary labelmap")
        mask = voxels_on(image, geometry) == segment.GetLabelValue()
        np.testing.assert_array_equal(mask, result.layers[0] == found.label)


def test_slicer_shows_names_colours_and_terminology(tmp_path: Path, segmentations) -> None:
    result = a_result()
    write_result(tmp_path / "ct.seg.nrrd", result, Geometry(SHAPE, GRIDS["LAS"]))
    segmentation = opened(segmentations, tmp_path / "ct.seg.nrrd").GetSegmentation()
    structures = {structure.name: structure for structure in result.structures}
    assert segmentation.GetNumberOfSegments() == 2  # absent structures are not made into empty segments
    assert segmentation.GetNumberOfLayers() == 1
    for segment_id in segmentation.GetSegmentIDs():
        segment, structure = segmentation.GetSegment(segment_id), structures[segment_id]
        assert segment.GetName() == structure.display_name
        assert segment.GetLabelValue() == structure.label
        np.testing.assert_allclose(segment.GetColor(), np.array(structure.colour) / 255, atol=1e-6)
        assert not segment.GetNameAutoGenerated() and not segment.GetColorAutoGenerated()
        assert tag(segment, "TerminologyEntry") == structure.terminology
        assert tag(segment, "DICOM.SegmentAlgorithmType") == "AUTOMATIC"
        assert tag(segment, "DICOM.SegmentAlgorithmName") == ALGORITHM_NAME
        assert tag(segment, "TotalSegmentatorModule.Model") == "104-3mm"
        assert tag(segment, "TotalSegmentatorModule.Profile") == "totalsegmentator-1.5"
        assert tag(segment, "TotalSegmentatorModule.Version") == ENGINE_VERSION
    assert tag(segmentation.GetSegment("kidney_left"), "TerminologyEntry").split("~")[3] == "SCT^7771000^Left"


def tag(segment, name: str) -> str:
    value = vtk.reference("")
    assert segment.GetTag(name, value), f"no tag {name}"
    return str(value)


def test_all_104_structures_at_once(tmp_path: Path, segmentations) -> None:
    names = [structure.name for structure in structure_table("structures_104")]
    boxes = {
        name: (slice(n % 7, n % 7 + 1), slice(n // 7 % 8, n // 7 % 8 + 1), slice(n // 56, n // 56 + 1))
        for n, name in enumerate(names)
    }
    write_result(tmp_path / "ct.seg.nrrd", a_result(boxes), Geometry(SHAPE, RAS_GRID))
    segmentation = opened(segmentations, tmp_path / "ct.seg.nrrd").GetSegmentation()
    assert list(segmentation.GetSegmentIDs()) == names


def test_a_result_without_structures_opens_too(tmp_path: Path, segmentations) -> None:
    write_result(tmp_path / "ct.seg.nrrd", a_result({}), Geometry(SHAPE, RAS_GRID))
    assert opened(segmentations, tmp_path / "ct.seg.nrrd").GetSegmentation().GetNumberOfSegments() == 0


def test_names_of_foreign_models_cannot_break_the_header(tmp_path: Path, segmentations) -> None:
    result = a_result()
    rows = [dataclasses.replace(row, name=f"a|b:\\n\n{row.name} é", type=("1", "x|y:z")) for row in result.structures]
    model = "my|model: 1\nSegment0_Name:=evil"
    found = [dataclasses.replace(row, name=rows[row.label - 1].name, model=model) for row in result.found]
    result = dataclasses.replace(result, structures=rows, found=found, models=[model], profiles={model: "nnunet"})
    write_result(tmp_path / "ct.seg.nrrd", result, Geometry(SHAPE, RAS_GRID))
    segmentation = opened(segmentations, tmp_path / "ct.seg.nrrd").GetSegmentation()
    assert list(segmentation.GetSegmentIDs()) == ["a|b:/n spleen é", "a|b:/n kidney_left é"]
    segment = segmentation.GetNthSegment(0)
    assert tag(segment, "TotalSegmentatorModule.Model") == "my/model: 1 Segment0_Name:=evil"
    assert "x/y:z" in tag(segment, "TerminologyEntry")


# -- label images ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".seg.nrrd"])
@pytest.mark.parametrize("grid", GRIDS)
def test_label_images_lie_on_the_grid(tmp_path: Path, grid: str, suffix: str) -> None:
    result, geometry = a_result(), Geometry(SHAPE, GRIDS[grid])
    path = tmp_path / ("labels" + suffix)
    write_result(path, result, geometry)
    volume = read_input(path).volume
    assert volume.geometry.matches(geometry, tolerance_mm=1e-4)
    np.testing.assert_array_equal(volume.array, result.layers[0])
    image = SimpleITK.ReadImage(str(path))  # ITK reads it as well, in its own way
    assert image.GetPixelID() == SimpleITK.sitkUInt8
    np.testing.assert_allclose(image.GetOrigin(), geometry.ijk_to_lps[:3, 3], atol=1e-4)
    columns = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    np.testing.assert_allclose(columns, geometry.ijk_to_lps[:3, :3], atol=1e-4)


def test_nifti_states_one_grid_twice(tmp_path: Path) -> None:
    write_result(tmp_path / "labels.nii.gz", a_result(), Geometry(SHAPE, GRIDS["LAS oblique"]))
    header = nibabel.load(tmp_path / "labels.nii.gz").header
    assert header["sform_code"] == header["qform_code"] == 1
    np.testing.assert_allclose(header.get_sform(), header.get_qform(), atol=1e-4)
    assert header.get_xyzt_units()[0] == "mm"


def test_the_same_result_gives_the_same_bytes(tmp_path: Path) -> None:
    for suffix in (".seg.nrrd", ".nrrd", ".nii.gz"):
        paths = [tmp_path / (name + suffix) for name in ("one", "two")]
        for path in paths:
            write_result(path, a_result(), Geometry(SHAPE, RAS_GRID))
        assert paths[0].read_bytes() == paths[1].read_bytes()


# -- refusals ----------------------------------------------------------------------------------------------------------


def code_of(action) -> str:
    with pytest.raises(SegmentationError) as caught:
        action()
    return caught.value.code


@pytest.mark.parametrize("name", ["labels.png", "labels", "labels.seg.nrrd.txt", "labels.nii"])
def test_unknown_formats(tmp_path: Path, name: str) -> None:
    assert code_of(lambda: check_output(tmp_path / name)) == "OUTPUT_FORMAT"


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "folder.nii.gz").mkdir()
    assert code_of(lambda: check_output(tmp_path / "no such folder" / "a.nrrd")) == "OUTPUT_NOT_WRITABLE"
    assert code_of(lambda: check_output(tmp_path / "folder.nii.gz")) == "OUTPUT_NOT_WRITABLE"


def test_a_full_disk_is_noticed_before_and_while_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ct.seg.nrrd").write_text("an earlier result")
    geometry = Geometry(SHAPE, RAS_GRID)

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(result_file, "write_nrrd", full)
        assert code_of(lambda: write_result(tmp_path / "ct.seg.nrrd", a_result(), geometry)) == "DISK_FULL"
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=0))
        assert code_of(lambda: write_result(tmp_path / "ct.seg.nrrd", a_result(), geometry)) == "DISK_FULL"
    assert [path.name for path in tmp_path.iterdir()] == ["ct.seg.nrrd"]
    assert (tmp_path / "ct.seg.nrrd").read_text() == "an earlier result"


@pytest.mark.parametrize("stop", [SegmentationError("CANCELLED"), KeyboardInterrupt()])
def test_a_stopped_write_leaves_nothing(tmp_path: Path, stop: BaseException) -> None:
    def cancelled() -> None:
        raise stop

    with pytest.raises(type(stop)):
        write_result(tmp_path / "ct.seg.nrrd", a_result(), Geometry(SHAPE, RAS_GRID), cancelled)
    assert list(tmp_path.iterdir()) == []


def test_labels_of_another_shape_are_a_mistake_of_the_program(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        write_result(tmp_path / "ct.nrrd", a_result(), Geometry((7, 8, 9), RAS_GRID))
