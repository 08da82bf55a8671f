"""Label images of structures: Slicer opens them with every segment, others with their table; no overlap is lost."""

from __future__ import annotations

import csv
import errno
from pathlib import Path

import ct_variants
import nibabel
import numpy as np
import pytest
import SimpleITK
import slicer
from roi_support import LEFT_KIDNEY, RAS_GRID, SHAPE, a_roi, code_of, kidney, tumour, two_rois, whole_masks
from TotalSegmentatorEngine.export.core.segmentation import Segmentation
from TotalSegmentatorEngine.export.files import label_image
from TotalSegmentatorEngine.export.files.label_image import write_label_image
from TotalSegmentatorEngine.export.sources.segmentation_files import read_segmentation
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorWire.errors.problem import SegmentationError

SINGLE = (".nrrd", ".nii.gz")
GRIDS = {
    "RAS": Geometry(SHAPE, RAS_GRID),
    "left-handed": Geometry(SHAPE, RAS_GRID @ np.diag([1.0, -1.0, 1.0, 1.0])),
    "oblique": Geometry(SHAPE, ct_variants.turned(RAS_GRID, 20)),
}


def three_rois() -> list:
    """The kidney and the tumour overlap; the third, a union of both, overlaps each."""
    return [*two_rois(), a_roi(3, "Both", kidney() | tumour(), sources=("kidney_l", "Segment_1"))]


def masks_of(segmentation: Segmentation) -> dict[str, np.ndarray]:
    return {segment.id: segmentation.layers[segment.layer].array == segment.label for segment in segmentation.segments}


@pytest.mark.parametrize("grid", GRIDS)
def test_overlapping_structures_keep_every_voxel_in_layers(tmp_path: Path, grid: str) -> None:
    rois = three_rois()
    assert write_label_image(tmp_path / "out.seg.nrrd", rois, GRIDS[grid]) == 3
    read = read_segmentation(tmp_path / "out.seg.nrrd")
    masks = masks_of(read)
    assert list(masks) == ["kidney_l", "Segment_1", "Both"]  # segments keep their ids, the union has a new one
    for mask, expected in zip(masks.values(), whole_masks(rois), strict=True):
        np.testing.assert_array_equal(mask, expected)
    assert all(layer.geometry.matches(GRIDS[grid]) for layer in read.layers)


def test_structures_without_overlap_share_a_layer(tmp_path: Path) -> None:
    assert write_label_image(tmp_path / "out.seg.nrrd", two_rois(overlapping=False), GRIDS["RAS"]) == 1
    assert SimpleITK.ReadImage(str(tmp_path / "out.seg.nrrd")).GetNumberOfComponentsPerPixel() == 1


@pytest.mark.parametrize("suffix", SINGLE)
@pytest.mark.parametrize("grid", GRIDS)
def test_plain_images_hold_the_roi_numbers_on_the_grid(tmp_path: Path, grid: str, suffix: str) -> None:
    rois = two_rois(overlapping=False)
    path = tmp_path / ("labels" + suffix)
    write_label_image(path, rois, GRIDS[grid], tmp_path / "labels.csv")
    if suffix == ".nrrd":
        image = SimpleITK.ReadImage(str(path))
        labels = SimpleITK.GetArrayFromImage(image)
        np.testing.assert_allclose(image.GetOrigin(), GRIDS[grid].ijk_to_lps[:3, 3])
        assert image.GetPixelIDTypeAsString() == "8-bit unsigned integer"
    else:
        image = nibabel.load(path)
        labels = np.asarray(image.dataobj).T
        np.testing.assert_allclose(image.affine, GRIDS[grid].ijk_to_ras, atol=1e-4)
    for roi, mask in zip(rois, whole_masks(rois), strict=True):
        np.testing.assert_array_equal(labels == roi.number, mask)


@pytest.mark.parametrize("suffix", [*SINGLE, ".seg.nrrd"])
def test_more_than_255_structures(tmp_path: Path, suffix: str) -> None:
    rois = []
    for number in range(1, 301):
        mask = np.zeros(SHAPE, bool)
        mask.flat[number] = True
        rois.append(a_roi(number, f"Rib_{number}", mask))
    path = tmp_path / ("labels" + suffix)
    write_label_image(path, rois, GRIDS["RAS"])
    labels = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    np.testing.assert_array_equal(labels.ravel()[:302], [0, *range(1, 301), 0])


# -- the table and Slicer ----------------------------------------------------------------------------------------------


def test_slicer_takes_the_table_for_a_colour_table(tmp_path: Path) -> None:
    rois = [
        a_roi(1, "Kidney_L", kidney(), codes=LEFT_KIDNEY),
        a_roi(2, 'tumour, "new"', tumour() & ~kidney(), colour=(0, 255, 0)),
    ]
    write_label_image(tmp_path / "labels.nii.gz", rois, GRIDS["RAS"], tmp_path / "labels.csv")
    scene = slicer.vtkMRMLScene()
    scene.RegisterNodeClass(slicer.vtkMRMLColorTableStorageNode())
    storage = scene.AddNewNodeByClass("vtkMRMLColorTableStorageNode")
    storage.SetFileName(str(tmp_path / "labels.csv"))
    table = scene.AddNewNodeByClass("vtkMRMLColorTableNode")
    assert storage.ReadData(table)
    assert [table.GetColorName(1), table.GetColorName(2)] == ["Kidney_L", "tumour, 'new'"]
    colour = [0.0] * 4
    table.GetColor(1, colour)
    np.testing.assert_allclose(colour, [200 / 255, 100 / 255, 50 / 255, 1], atol=0.003)
    assert "SCT^64033007^Kidney~SCT^7771000^Left" in table.GetTerminologyAsString(1)


def test_the_table_says_what_was_reviewed(tmp_path: Path) -> None:
    write_label_image(tmp_path / "labels.nrrd", two_rois(overlapping=False), GRIDS["RAS"], tmp_path / "labels.csv")
    with (tmp_path / "labels.csv").open(encoding="utf-8", newline="") as stream:
        first, second = csv.DictReader(stream)
    assert (first["LabelValue"], first["ReviewState"], first["Cut"]) == ("1", "unreviewed", "no")
    assert (second["Segments"], second["ReviewState"], second["Cut"]) == ("Segment_1", "approved", "yes")
    assert (second["Algorithm"], second["Type_CodeValue"]) == ("MANUAL", "")


def test_segments_carry_their_meaning_and_review_state(tmp_path: Path) -> None:
    write_label_image(tmp_path / "out.seg.nrrd", two_rois(), GRIDS["RAS"])
    found, drawn = read_segmentation(tmp_path / "out.seg.nrrd").segments
    assert found.tags["TerminologyEntry"].split("~")[1:4] == [
        "SCT^123037004^Anatomical Structure",
        "SCT^64033007^Kidney",
        "SCT^7771000^Left",
    ]
    assert found.tags["TotalSegmentatorModule.ReviewState"] == "unreviewed"
    assert drawn.tags["TotalSegmentatorModule.ReviewState"] == "approved"
    assert "DICOM.SegmentAlgorithmName" not in drawn.tags and "TerminologyEntry" not in drawn.tags
    assert (found.name, found.colour, drawn.colour) == ("Kidney_L", (200, 100, 50), (0, 255, 0))


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", SINGLE)
def test_plain_images_refuse_overlaps_by_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / ("labels" + suffix)
    with pytest.raises(SegmentationError) as caught:
        write_label_image(path, three_rois(), GRIDS["RAS"], tmp_path / "labels.csv")
    assert caught.value.code == "EXPORT_OVERLAP"
    assert (caught.value.problem.values["first"], caught.value.problem.values["second"]) == ("Kidney_L", "GTV")
    assert list(tmp_path.iterdir()) == []


def test_unknown_formats_and_places(tmp_path: Path) -> None:
    rois = two_rois()
    assert code_of(lambda: write_label_image(tmp_path / "labels.mha", rois, GRIDS["RAS"])) == "OUTPUT_FORMAT"
    missing = tmp_path / "no" / "labels.seg.nrrd"
    assert code_of(lambda: write_label_image(missing, rois, GRIDS["RAS"])) == "OUTPUT_NOT_WRITABLE"


def test_image_and_table_appear_together_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(label_image, "write_nrrd", full)
    action = lambda: write_label_image(  # noqa: E731
        tmp_path / "out.seg.nrrd", two_rois(), GRIDS["RAS"], tmp_path / "out.csv"
    )
    assert code_of(action) == "DISK_FULL"
    assert list(tmp_path.iterdir()) == []


def test_a_stopped_export_leaves_nothing(tmp_path: Path) -> None:
    def stop(index: int, _roi) -> None:
        if index == 1:
            raise SegmentationError("CANCELLED")

    for name in ("out.seg.nrrd", "out.nii.gz"):
        action = lambda name=name: write_label_image(tmp_path / name, two_rois(), GRIDS["RAS"], progress=stop)  # noqa: E731
        assert code_of(action) == "CANCELLED"
    assert list(tmp_path.iterdir()) == []
