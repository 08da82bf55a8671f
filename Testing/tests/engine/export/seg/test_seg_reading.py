"""DICOM SEG of others: every kind of frame and grid comes onto the CT, and what does not belong there is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ct_variants
import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGLSLossless, RLELossless
from roi_support import RAS_GRID, SHAPE, a_reference, a_roi, at_steps, code_of, differing, two_rois, whole_masks
from TotalSegmentatorEngine.export.dicom.reading_report import ReadingReport
from TotalSegmentatorEngine.export.dicom.reference_series import Plane, ReferenceSeries, read_reference
from TotalSegmentatorEngine.export.seg.reader import read_seg
from TotalSegmentatorEngine.export.seg.writer import write_seg
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorWire.errors.problem import Problem

# -- files of others ---------------------------------------------------------------------------------------------------


def changed(path: Path, edit: Callable[[pydicom.Dataset], None]) -> Path:
    dataset = pydicom.dcmread(path)
    edit(dataset)
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, ReferenceSeries]:
    reference = a_reference(tmp_path / "ct")
    write_seg(tmp_path / "seg.dcm", two_rois(), reference)
    return tmp_path / "seg.dcm", reference


def test_other_patients_and_scans_are_refused(tmp_path: Path, written) -> None:
    path, reference = written
    other = a_reference(tmp_path / "other")
    assert code_of(lambda: read_seg(path, other)) == "EXPORT_OTHER_CT"
    assert (
        code_of(lambda: read_seg(path, a_reference(tmp_path / "third", PatientID="somebody"))) == "EXPORT_OTHER_PATIENT"
    )
    same_frame = a_reference(tmp_path / "fourth", FrameOfReferenceUID=reference.frame_of_reference_uid)
    assert len(read_seg(path, same_frame)) == 2


def test_damaged_and_foreign_files(tmp_path: Path, written) -> None:
    path, reference = written
    (tmp_path / "text.dcm").write_text("no DICOM")
    assert code_of(lambda: read_seg(tmp_path / "text.dcm", reference)) == "SEGMENTATION_UNREADABLE"
    assert code_of(lambda: read_seg(reference.planes[0].path, reference)) == "SEGMENTATION_UNREADABLE"
    (tmp_path / "cut.dcm").write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    assert code_of(lambda: read_seg(tmp_path / "cut.dcm", reference)) == "SEGMENTATION_UNREADABLE"

    def no_positions(dataset: pydicom.Dataset) -> None:
        for frame in dataset.PerFrameFunctionalGroupsSequence:
            del frame.PlanePositionSequence

    assert code_of(lambda: read_seg(changed(path, no_positions), reference)) == "SEGMENTATION_UNREADABLE"


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, DeflatedExplicitVRLittleEndian])
def test_compressed_objects(tmp_path: Path, syntax: str) -> None:
    reference = a_reference(tmp_path / "ct")
    rois = two_rois(overlapping=False)
    write_seg(tmp_path / "seg.dcm", rois, reference, "labelmap")
    dataset = pydicom.dcmread(tmp_path / "seg.dcm")
    if syntax == DeflatedExplicitVRLittleEndian:
        dataset.file_meta.TransferSyntaxUID = syntax
    else:
        dataset.compress(syntax, generate_instance_uid=False)
    dataset.save_as(tmp_path / "seg.dcm", enforce_file_format=True)
    read = read_seg(tmp_path / "seg.dcm", reference)
    for structure, mask in zip(read, whole_masks(rois), strict=True):
        np.testing.assert_array_equal(structure.mask.whole(), mask)


def test_segments_without_voxels_are_reported_and_passed_over(written) -> None:
    path, reference = written

    def one_more(dataset: pydicom.Dataset) -> None:
        extra = pydicom.Dataset()
        extra.SegmentNumber, extra.SegmentLabel = 3, "Nothing"
        dataset.SegmentSequence.append(extra)

    report = ReadingReport()
    read = read_seg(changed(path, one_more), reference, report)
    assert [structure.name for structure in read] == ["Kidney_L", "GTV"]
    assert report.warnings() == [Problem("STRUCTURE_WITHOUT_VOXELS", {"names": "Nothing", "count": 1})]


def ball(centre: tuple[float, float, float], radius: float, grid: Geometry) -> np.ndarray:
    """bool (k, j, i): the voxels whose centres lie in a ball of patient space (RAS, mm)."""
    k, j, i = np.indices(grid.shape)
    points = np.stack([i, j, k, np.ones_like(i)], axis=-1) @ grid.ijk_to_ras.T
    return np.linalg.norm(points[..., :3] - centre, axis=-1) <= radius


OTHER_GRIDS = {
    "coarser in plane": np.array([[0.9, 0, 0, -21], [0, 1.0, 0, 35], [0, 0, 2.5, 110.25], [0, 0, 0, 1.0]]),
    "thinner slices": np.array([[0.7, 0, 0, -20], [0, 0.9, 0, 35.5], [0, 0, 1.5, 113.5], [0, 0, 0, 1.0]]),
    "turned": ct_variants.turned(RAS_GRID, 8),
    "sub-volume": RAS_GRID + np.array([[0, 0, 0, 0.7], [0, 0, 0, 0.9 * 2], [0, 0, 0, 2.5], [0, 0, 0, 0]]),
}


@pytest.mark.parametrize("kind", OTHER_GRIDS)
def test_other_grids_come_onto_the_ct(tmp_path: Path, kind: str) -> None:
    """The same ball in patient space, segmented on another reconstruction of the same frame of reference."""
    reference = a_reference(tmp_path / "ct")
    other = a_reference(
        tmp_path / "other", "HFS", OTHER_GRIDS[kind], FrameOfReferenceUID=reference.frame_of_reference_uid
    )
    centre, radius = (-12.5, 43.5, 118.0), 4.2
    write_seg(tmp_path / "seg.dcm", [a_roi(1, "Ball", ball(centre, radius, other.grid))], other)
    (read,) = read_seg(tmp_path / "seg.dcm", reference)
    found, expected = read.mask.whole(), ball(centre, radius, reference.grid)
    if kind == "sub-volume":
        np.testing.assert_array_equal(found, expected)
    else:
        dice = 2 * np.logical_and(found, expected).sum() / (found.sum() + expected.sum())
        assert dice > 0.85, dice
        uneven = at_steps(reference, [2.5, 2.5, 2.0, 3.0, 2.5, 2.5])
        assert code_of(lambda: read_seg(tmp_path / "seg.dcm", uneven)) == "INPUT_IRREGULAR_SLICES"


def test_a_segment_beyond_the_ct_is_not_cut_silently(tmp_path: Path) -> None:
    reference = a_reference(tmp_path / "ct")
    aside = RAS_GRID + np.array([[0, 0, 0, 7.0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    other = a_reference(tmp_path / "other", "HFS", aside, FrameOfReferenceUID=reference.frame_of_reference_uid)
    above = RAS_GRID + np.array([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 20.0], [0, 0, 0, 0]])
    third = a_reference(tmp_path / "third", "HFS", above, FrameOfReferenceUID=reference.frame_of_reference_uid)
    everything = [a_roi(1, "Body", np.ones(SHAPE, bool))]
    for number, series in enumerate((other, third)):
        path = tmp_path / f"{number}.dcm"
        write_seg(path, everything, series)
        assert code_of(lambda path=path: read_seg(path, reference)) == "EXPORT_GEOMETRY_DIFFERS"


# -- objects of other makers -------------------------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize(
    ("seg", "ct", "labels"),
    [
        ("liver.dcm", "ct-3slice", "liver_seg.nrrd"),
        ("23x38x3/seg/label.seg", "23x38x3/image", "23x38x3/nrrd/label.nrrd"),
        ("24x38x3/seg/label.seg", "24x38x3/multiframe", "24x38x3/nrrd/label.nrrd"),
        ("sparse-labelmap-noppv.dcm", "24x38x3/image", "sparse_labelmap_noppv_seg.nrrd"),
        ("sparse-labelmap-ppv5.dcm", "24x38x3/image", "sparse_labelmap_ppv5_seg.nrrd"),
    ],
)
def test_dcmqis_objects(shared: Path, seg: str, ct: str, labels: str) -> None:
    folder = shared / "data" / "dcmqi_ct3"
    (liver,) = read_seg(folder / seg, read_reference(folder / ct))
    expected = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(folder / labels))) == 1
    assert (liver.name, liver.colour) == ("Liver", (221, 130, 101))
    np.testing.assert_array_equal(liver.mask.whole(), expected)


@pytest.mark.shared
def test_dcmqis_overlapping_segments(shared: Path) -> None:
    folder = shared / "data" / "dcmqi_ct3"
    read = read_seg(folder / "partial_overlaps.dcm", read_reference(folder / "ct-3slice"))
    images = [SimpleITK.ReadImage(str(folder / f"partial_overlaps-{number}.nrrd")) for number in (1, 2, 3)]
    arrays = [SimpleITK.GetArrayFromImage(image) for image in images]
    assert len(read) == 5
    for structure in read:
        expected = np.any([array == structure.number for array in arrays], axis=0)
        np.testing.assert_array_equal(structure.mask.whole(), expected, structure.name)


@pytest.mark.shared
@pytest.mark.parametrize(
    "name", ["ct_binary", "ct_binary_overlap", "ct_binary_fractional", "ct_true_fractional", "ct_binary_single_frame"]
)
def test_highdicoms_objects(shared: Path, name: str) -> None:
    """Their CT is not here: the reference is made of the planes that they state, at irregular steps in one."""
    path = shared / "data" / "highdicom_seg" / f"seg_image_{name}.dcm"
    dataset = pydicom.dcmread(path)
    frames = dataset.PerFrameFunctionalGroupsSequence
    positions = [np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float) for frame in frames]
    heights = sorted({position[2] for position in positions})
    reference = reference_at(dataset, [np.array([*positions[0][:2], height]) for height in heights])
    read = read_seg(path, reference)
    assert read
    pixels = dataset.pixel_array.reshape(len(frames), dataset.Rows, dataset.Columns)
    least = 1 if dataset.SegmentationType == "BINARY" else dataset.MaximumFractionalValue / 2
    for structure in read:
        expected = np.zeros(reference.grid.shape, bool)
        for frame, position, image in zip(frames, positions, pixels, strict=True):
            groups = frame if "SegmentIdentificationSequence" in frame else dataset.SharedFunctionalGroupsSequence[0]
            if groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber == structure.number:
                expected[heights.index(position[2])] = image >= least
        np.testing.assert_array_equal(structure.mask.whole(), expected)


def reference_at(dataset: pydicom.Dataset, positions: list[np.ndarray]) -> ReferenceSeries:
    """A CT whose planes lie at ``positions`` (LPS, mm) and have the pixels of a segmentation."""
    shared = dataset.SharedFunctionalGroupsSequence[0]
    spacing = tuple(float(value) for value in shared.PixelMeasuresSequence[0].PixelSpacing)
    steps = np.diff([position[2] for position in positions])
    step = float(steps.mean()) if len(steps) else 1.0
    matrix = np.diag([-spacing[1], -spacing[0], step, 1.0])
    matrix[:3, 3] = positions[0] * (-1, -1, 1)
    planes = tuple(Plane("", f"1.2.{n}", position, Path("unused")) for n, position in enumerate(positions))
    return ReferenceSeries(
        planes=planes,
        rows=dataset.Rows,
        columns=dataset.Columns,
        pixel_spacing=spacing,
        orientation=np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float).reshape(2, 3),
        irregular=differing(steps.min(), steps.max()) if len(steps) and np.ptp(steps) > 0.01 else None,
        grid=Geometry((len(positions), dataset.Rows, dataset.Columns), matrix),
        dataset=dataset,
    )
