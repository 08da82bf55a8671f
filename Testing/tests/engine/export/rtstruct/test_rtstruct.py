"""Structure sets give back every voxel, on every CT that DICOM can hold, and their contours are well-formed."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from ct_variants import turned, write_dicom_series
from export_support import ORDER_OF_POSITION, in_position
from phantom import Phantom, PhantomParameters, make_phantom
from pydicom import Dataset
from rtstruct_support import (
    AXIAL,
    ball,
    contours_of,
    differing,
    make_roi,
    read,
    reference_on,
    written,
)
from scipy.ndimage import find_objects
from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries, read_reference
from TotalSegmentatorEngine.export.dicom.text import decimal_string
from TotalSegmentatorEngine.export.rtstruct.contours import ContourOptions
from TotalSegmentatorEngine.export.rtstruct.reader import read_rtstruct
from TotalSegmentatorEngine.export.rtstruct.writer import StructureSetOptions, write_rtstruct
from TotalSegmentatorEngine.imaging.geometry import Geometry, geometry_from_lps
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.structures import structure_table

XOR = StructureSetOptions(contours=ContourOptions(holes="xor"))


def label_rois(labels: np.ndarray) -> list[Roi]:
    """A structure per label of the 104-class table that occurs in ``labels`` (k, j, i)."""
    boxes = dict(enumerate(find_objects(labels), start=1))
    return [
        make_roi(
            structure.label,
            structure.tg263_name or structure.name[:16],
            VoxelMask.cropped(labels[box] == structure.label, tuple(part.start for part in box), labels.shape),
        )
        for structure in structure_table("structures_104")
        if (box := boxes.get(structure.label)) is not None
    ]


# -- voxel for voxel ---------------------------------------------------------------------------------------------------


def test_real_structure_comes_back_voxel_for_voxel(tmp_path: Path, shared: Path):
    case = shared / "data" / "sts_001"
    reference = read_reference(case / "dicom")
    mask = np.asarray(nibabel.load(case / "nifti" / "CT_mask.nii.gz").dataobj).transpose(2, 1, 0) > 0
    rois = [make_roi(1, "GTV", mask)]
    for options in (StructureSetOptions(), XOR):
        write_rtstruct(tmp_path / "rs.dcm", rois, reference, options)
        assert not differing(rois, tmp_path / "rs.dcm", reference)


@pytest.fixture(scope="module")
def whole_body() -> Phantom:
    return make_phantom(PhantomParameters(seed=2, spacing_mm=(8.0, 7.0, 12.0)))


@pytest.mark.parametrize("position", ORDER_OF_POSITION)
def test_all_structures_come_back_in_every_patient_position(tmp_path: Path, whole_body: Phantom, position: str):
    labels, geometry = in_position(
        whole_body.labels, Geometry(whole_body.labels.shape, whole_body.ijk_to_ras), position
    )
    reference = reference_on(tmp_path / "ct", geometry, position=position)
    rois = label_rois(labels)
    assert len(rois) == 104
    write_rtstruct(tmp_path / "rs.dcm", rois, reference)
    assert not differing(rois, tmp_path / "rs.dcm", reference)


@pytest.mark.parametrize("position", ORDER_OF_POSITION)
def test_real_ct_comes_back_voxel_for_voxel_in_every_patient_position(tmp_path: Path, shared: Path, position: str):
    image = nibabel.load(shared / "data" / "example_ct" / "reference_104_1.5mm.nii.gz")
    labels = np.asarray(image.dataobj).transpose(2, 1, 0).astype(np.uint8)
    labels, geometry = in_position(labels, Geometry(labels.shape, image.affine), position)
    reference = reference_on(tmp_path / "ct", geometry, position=position)
    rois = label_rois(labels)
    write_rtstruct(tmp_path / "rs.dcm", rois, reference)
    assert len(rois) == 59
    assert not differing(rois, tmp_path / "rs.dcm", reference)


@pytest.mark.parametrize("spacing", [(0.9, 1.1, 2.5), (0.05, 0.07, 0.1)], ids=["usual", "tiny"])
@pytest.mark.parametrize("degrees", [0.0, 16.5, -40.0])
def test_oblique_planes_and_tiny_pixels(tmp_path: Path, shell: np.ndarray, spacing: tuple, degrees: float):
    straight = geometry_from_lps(AXIAL.shape, spacing, (1, 0, 0, 0, 1, 0, 0, 0, 1), (-170.123, 30.5, -881.325))
    reference = reference_on(tmp_path / "ct", Geometry(AXIAL.shape, turned(straight.ijk_to_ras, degrees)))
    rois = [make_roi(1, "Shell", shell)]
    write_rtstruct(tmp_path / "rs.dcm", rois, reference)
    assert not differing(rois, tmp_path / "rs.dcm", reference)


def irregular_steps(dataset: Dataset, number: int) -> None:
    dataset.ImagePositionPatient = ["-17.123", "30.5", decimal_string(-881.325 + 2.5 * number + 0.5 * number**1.5)]


def test_contours_lie_on_the_true_planes_of_an_irregular_series(tmp_path: Path, shell: np.ndarray):
    folder = write_dicom_series(tmp_path / "ct", np.zeros(AXIAL.shape, np.int16), AXIAL.ijk_to_ras, irregular_steps)
    reference = read_reference(folder)
    assert not reference.is_regular
    rois = [make_roi(1, "Shell", shell)]
    dataset = written(tmp_path / "rs.dcm", rois, reference)
    assert not differing(rois, tmp_path / "rs.dcm", reference)
    heights = {round(float(points[0, 2]), 6) for _contour, points in contours_of(dataset)}
    assert heights <= {round(float(plane.position[2]), 6) for plane in reference.planes}


def test_overlapping_structures_keep_all_their_voxels(tmp_path: Path, reference: ReferenceSeries):
    masks = [ball(AXIAL.shape, (4, 14, 15 + 3 * number), 9) for number in range(4)]
    rois = [make_roi(number, f"Ball{number}", mask) for number, mask in enumerate(masks, start=1)]
    write_rtstruct(tmp_path / "rs.dcm", rois, reference)
    assert not differing(rois, tmp_path / "rs.dcm", reference)


def test_structure_may_fill_the_whole_image(tmp_path: Path, reference: ReferenceSeries):
    rois = [make_roi(1, "All", np.ones(AXIAL.shape, bool))]
    report = write_rtstruct(tmp_path / "rs.dcm", rois, reference)
    assert report.contours == AXIAL.shape[0]
    assert not differing(rois, tmp_path / "rs.dcm", reference)


# -- contours ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [StructureSetOptions(), XOR], ids=["keyhole", "xor"])
def test_contours_are_as_planning_systems_expect_them(
    tmp_path: Path, reference: ReferenceSeries, shell: np.ndarray, options: StructureSetOptions
):
    dataset = written(tmp_path / "rs.dcm", [make_roi(1, "Shell", shell)], reference, options)
    planes = {plane.sop_instance_uid: plane for plane in reference.planes}
    for contour, points in contours_of(dataset):
        assert len(points) == int(contour.NumberOfContourPoints) >= 3
        assert (points != np.roll(points, 1, axis=0)).any(axis=1).all(), "two consecutive points are equal"
        (image,) = contour.ContourImageSequence
        assert np.all(points[:, 2] == planes[image.ReferencedSOPInstanceUID].position[2])
        assert image.ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    numbers = [int(contour.ContourNumber) for contour, _points in contours_of(dataset)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_outer_rings_run_counter_clockwise_about_the_normal_and_holes_the_other_way(
    tmp_path: Path, reference: ReferenceSeries, shell: np.ndarray
):
    dataset = written(tmp_path / "rs.dcm", [make_roi(1, "Shell", shell)], reference, XOR)
    middle = [
        np.sum(np.cross(points, np.roll(points, -1, axis=0)) @ reference.normal) / 2
        for _contour, points in contours_of(dataset)
        if points[0, 2] == reference.planes[4].position[2]
    ]
    assert sorted(np.sign(middle)) == [-1, 1, 1]
    assert sum(middle) == pytest.approx(np.count_nonzero(shell[4]) * 0.99, rel=0.05)


def test_holes_make_every_contour_of_their_structure_exclusive(
    tmp_path: Path, reference: ReferenceSeries, shell: np.ndarray
):
    rois = [make_roi(1, "Shell", shell), make_roi(2, "Ball", ball(AXIAL.shape, (4, 14, 19), 5))]
    dataset = written(tmp_path / "rs.dcm", rois, reference, XOR)
    kinds = [{item.ContourGeometricType for item in roi.ContourSequence} for roi in dataset.ROIContourSequence]
    assert kinds == [{"CLOSEDPLANAR_XOR"}, {"CLOSED_PLANAR"}]
    dataset = written(tmp_path / "rs.dcm", rois, reference)
    assert {contour.ContourGeometricType for contour, _points in contours_of(dataset)} == {"CLOSED_PLANAR"}


def test_coordinates_are_short_and_the_height_keeps_the_planes_digits(
    tmp_path: Path, reference: ReferenceSeries, shell: np.ndarray
):
    dataset = written(tmp_path / "rs.dcm", [make_roi(1, "Shell", shell)], reference)
    texts = [
        (item.get_item("ContourData").value.decode().rstrip().split("\\"))
        for roi in dataset.ROIContourSequence
        for item in roi.ContourSequence
    ]
    assert max(len(text) for contour in texts for text in contour) <= 16
    assert max(len(text.partition(".")[2]) for contour in texts for text in contour[0::3] + contour[1::3]) <= 2
    heights = {f"{-881.325 + 2.5 * number:.3f}" for number in range(AXIAL.shape[0])}
    assert {text for contour in texts for text in contour[2::3]} <= heights


def test_islands_below_the_floor_are_left_out_and_counted(tmp_path: Path, reference: ReferenceSeries):
    mask = ball(AXIAL.shape, (4, 14, 10), 6)
    mask[2, 5, 33:36] = True  # 3 pixels of 0.9 x 1.1 mm
    speck = np.zeros(AXIAL.shape, bool)
    speck[7, 3, 3] = True
    options = StructureSetOptions(contours=ContourOptions(smallest_island_mm2=5.0))
    rois = [make_roi(1, "Ball", mask), make_roi(2, "Speck", speck)]
    report = write_rtstruct(tmp_path / "rs.dcm", rois, reference, options)
    assert (report.islands, report.structures, report.without_islands) == (1, 1, ["Ball"])
    assert report.left_out == rois[1:]
    assert report.islands_ml == pytest.approx(3 * 0.9 * 1.1 * 2.5 / 1000)
    dataset = read(tmp_path / "rs.dcm")
    assert [item.ROIName for item in dataset.StructureSetROISequence] == ["Ball"]
    assert len(dataset.ROIContourSequence) == len(dataset.RTROIObservationsSequence) == 1
    with pytest.raises(SegmentationError) as caught:
        write_rtstruct(tmp_path / "specks.dcm", rois[1:], reference, options)
    assert caught.value.code == "EXPORT_NO_CONTOURS" and "Speck" in str(caught.value)
    assert not (tmp_path / "specks.dcm").exists()


def test_smoothing_says_how_many_pixels_it_changes(tmp_path: Path, reference: ReferenceSeries):
    blocks = np.kron(ball((9, 6, 8), (4, 3, 4), 2.6), np.ones((1, 5, 5))).astype(bool)
    options = StructureSetOptions(contours=ContourOptions(smoothing=True))
    report = write_rtstruct(tmp_path / "rs.dcm", [make_roi(1, "Blocks", blocks)], reference, options)
    (structure,) = read_rtstruct(tmp_path / "rs.dcm", reference)
    assert report.changed_pixels == np.count_nonzero(structure.mask.whole() != blocks) > 0
    assert report.changed_percent == pytest.approx(100 * report.changed_pixels / np.count_nonzero(blocks))
