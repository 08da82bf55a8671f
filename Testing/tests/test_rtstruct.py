"""Structure sets: what they say, and that their contours give the voxels back on every CT that DICOM can hold."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import nibabel
import numpy as np
import pytest
from ct_variants import turned, write_dicom_series, write_enhanced_dicom
from export_support import ORDER_OF_POSITION, in_position, write_ct_series
from phantom import Phantom, PhantomParameters, make_phantom
from pydicom import Dataset
from rtstruct_support import KIDNEY_RIGHT, ball, contours_of, make_roi, read
from scipy.ndimage import find_objects
from TotalSegmentatorEngine.geometry import Geometry, geometry_from_lps
from TotalSegmentatorExport.contours import ContourOptions
from TotalSegmentatorExport.dicom_text import decimal_string
from TotalSegmentatorExport.reference_series import ReferenceSeries, read_reference
from TotalSegmentatorExport.roi import Code, Roi, RoiCodes
from TotalSegmentatorExport.rtstruct_reader import is_structure_set, read_rtstruct
from TotalSegmentatorExport.rtstruct_writer import StructureSetOptions, write_rtstruct
from TotalSegmentatorExport.voxel_mask import VoxelMask
from TotalSegmentatorWire.errors import Problem, SegmentationError
from TotalSegmentatorWire.structures import structure_table

AXIAL = geometry_from_lps((9, 30, 40), (0.9, 1.1, 2.5), (1, 0, 0, 0, 1, 0, 0, 0, 1), (-17.123, 30.5, -881.325))
XOR = StructureSetOptions(contours=ContourOptions(holes="xor"))


def reference_on(folder: Path, geometry: Geometry = AXIAL, **attributes) -> ReferenceSeries:
    return read_reference(write_ct_series(folder, np.zeros(geometry.shape, np.int16), geometry, **attributes))


@pytest.fixture
def reference(tmp_path: Path) -> ReferenceSeries:
    return reference_on(tmp_path / "ct")


@pytest.fixture
def shell() -> np.ndarray:
    """A hollow ball: a structure with a hole on most of its planes, and an island in the hole."""
    outside = ball(AXIAL.shape, (4, 14, 19), 11)
    return outside & ~ball(AXIAL.shape, (4, 14, 19), 7) | ball(AXIAL.shape, (4, 14, 19), 2)


def written(path: Path, rois: list[Roi], reference: ReferenceSeries, options: StructureSetOptions | None = None):
    write_rtstruct(path, rois, reference, options)
    return read(path)


def differing(rois: list[Roi], path: Path, reference: ReferenceSeries) -> dict[str, int]:
    """Voxels by structure that are not the same when the file is read back."""
    back = {structure.number: structure for structure in read_rtstruct(path, reference)}
    assert [back[roi.number].name for roi in rois] == [roi.name for roi in rois]
    counts = {roi.name: _difference(roi.voxels(), back[roi.number].mask) for roi in rois}
    return {name: count for name, count in counts.items() if count}


def _difference(one: VoxelMask, other: VoxelMask) -> int:
    if one.start == other.start and one.voxels.shape == other.voxels.shape:
        return int(np.count_nonzero(one.voxels != other.voxels))
    return int(np.count_nonzero(one.whole() != other.whole()))


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


def test_another_makers_structure_set_equals_its_mask(shared: Path):
    case = shared / "data" / "sts_001"
    (structure,) = read_rtstruct(case / "rtstruct" / "RS.dcm", read_reference(case / "dicom"))
    mask = np.asarray(nibabel.load(case / "nifti" / "CT_mask.nii.gz").dataobj).transpose(2, 1, 0) > 0
    assert structure.mask.count == 117_145
    assert np.array_equal(structure.mask.whole(), mask)
    assert (structure.name, structure.colour, structure.interpreted_type) == ("GTV_Mass_CT", (255, 0, 0), "GTV")


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


def test_real_ct_comes_back_voxel_for_voxel(tmp_path: Path, shared: Path):
    image = nibabel.load(shared / "data" / "example_ct" / "reference_104_1.5mm.nii.gz")
    labels = np.asarray(image.dataobj).transpose(2, 1, 0).astype(np.uint8)
    labels, geometry = in_position(labels, Geometry(labels.shape, image.affine), "HFS")
    reference = reference_on(tmp_path / "ct", geometry)
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


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.0, "0"),
        (12.0, "12"),
        (-881.325, "-881.325"),
        (1e-17, "1e-17"),
        (-0.1234567890123456, "-0.1234567890123"),
        (1 / 3 * 1e-7, "3.3333333333e-08"),
        (-123456789012345678.0, "-1.234567890e+17"),
    ],
)
def test_decimal_strings_fit_into_sixteen_bytes(value: float, text: str):
    assert len(decimal_string(value)) <= 16
    assert float(decimal_string(value)) == pytest.approx(float(text), rel=1e-9)
    if len(text) < 16:
        assert decimal_string(value) == text


def test_islands_below_the_floor_are_left_out_and_counted(tmp_path: Path, reference: ReferenceSeries):
    mask = ball(AXIAL.shape, (4, 14, 10), 6)
    mask[2, 5, 33:36] = True  # 3 pixels of 0.9 x 1.1 mm
    speck = np.zeros(AXIAL.shape, bool)
    speck[7, 3, 3] = True
    options = StructureSetOptions(contours=ContourOptions(smallest_island_mm2=5.0))
    rois = [make_roi(1, "Ball", mask), make_roi(2, "Speck", speck)]
    report = write_rtstruct(tmp_path / "rs.dcm", rois, reference, options)
    assert (report.islands, report.structures, report.left_out) == (2, 1, 1)
    assert report.islands_ml == pytest.approx(4 * 0.9 * 1.1 * 2.5 / 1000)
    dataset = read(tmp_path / "rs.dcm")
    assert [item.ROIName for item in dataset.StructureSetROISequence] == ["Ball"]
    assert len(dataset.ROIContourSequence) == len(dataset.RTROIObservationsSequence) == 1
    with pytest.raises(SegmentationError) as caught:
        write_rtstruct(tmp_path / "specks.dcm", rois[1:], reference, options)
    assert caught.value.code == "EXPORT_SEGMENT_EMPTY"
    assert not (tmp_path / "specks.dcm").exists()


def test_smoothing_says_how_many_pixels_it_changes(tmp_path: Path, reference: ReferenceSeries):
    blocks = np.kron(ball((9, 6, 8), (4, 3, 4), 2.6), np.ones((1, 5, 5))).astype(bool)
    options = StructureSetOptions(contours=ContourOptions(smoothing=True))
    report = write_rtstruct(tmp_path / "rs.dcm", [make_roi(1, "Blocks", blocks)], reference, options)
    (structure,) = read_rtstruct(tmp_path / "rs.dcm", reference)
    assert report.changed_pixels == np.count_nonzero(structure.mask.whole() != blocks) > 0
    assert report.changed_percent == pytest.approx(100 * report.changed_pixels / np.count_nonzero(blocks))


# -- what it says ------------------------------------------------------------------------------------------------------


def test_refers_to_the_ct_and_all_of_its_images(tmp_path: Path, shared: Path):
    reference = read_reference(shared / "data" / "sts_001" / "dicom")
    mask = ball(reference.grid.shape, (30, 100, 100), 20)
    dataset = written(tmp_path / "rs.dcm", [make_roi(1, "Ball", mask)], reference)
    ct = reference.dataset
    for name in ("PatientName", "PatientID", "PatientSex", "PatientWeight", "StudyDate", "AccessionNumber", "StudyID"):
        assert dataset[name].value == ct[name].value, name
    assert dataset.StudyInstanceUID == ct.StudyInstanceUID
    assert dataset.SeriesInstanceUID not in (ct.SeriesInstanceUID, dataset.SOPInstanceUID)
    (frame,) = dataset.ReferencedFrameOfReferenceSequence
    (study,) = frame.RTReferencedStudySequence
    (series,) = study.RTReferencedSeriesSequence
    uids = {dataset.FrameOfReferenceUID, frame.FrameOfReferenceUID}
    uids |= {item.ReferencedFrameOfReferenceUID for item in dataset.StructureSetROISequence}
    assert uids == {ct.FrameOfReferenceUID}
    assert study.ReferencedSOPInstanceUID == ct.StudyInstanceUID
    assert series.SeriesInstanceUID == ct.SeriesInstanceUID
    files = (shared / "data" / "sts_001" / "dicom").iterdir()
    images = [image.ReferencedSOPInstanceUID for image in series.ContourImageSequence]
    assert sorted(images) == sorted(read(path).SOPInstanceUID for path in files)


def test_a_ct_whose_identifiers_were_emptied_is_known_by_its_meta_information(tmp_path: Path, shared: Path):
    folder = shared / "data" / "example_ct_dicom"
    reference = read_reference(folder)
    dataset = written(tmp_path / "rs.dcm", [make_roi(1, "Ball", ball((20, 512, 512), (9, 200, 200), 8))], reference)
    (study,) = dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence
    (series,) = study.RTReferencedSeriesSequence
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = {read(path).file_meta.MediaStorageSOPInstanceUID for path in folder.iterdir()}
    assert {image.ReferencedSOPInstanceUID for image in series.ContourImageSequence} == expected
    again = written(tmp_path / "again.dcm", [make_roi(1, "Ball", ball((20, 512, 512), (9, 200, 200), 8))], reference)
    assert dataset.StudyInstanceUID == again.StudyInstanceUID != ""


def test_a_multi_frame_ct_is_referred_to_by_frame(tmp_path: Path):
    order = [3, 1, 0, 2, 4, 5, 8, 7, 6]
    path = write_enhanced_dicom(tmp_path / "ct.dcm", np.zeros(AXIAL.shape, np.int16), AXIAL.ijk_to_ras, order)
    reference = read_reference(path)
    rois = [make_roi(1, "All", np.ones(AXIAL.shape, bool))]
    dataset = written(tmp_path / "rs.dcm", rois, reference)
    frames = [contour.ContourImageSequence[0].ReferencedFrameNumber for contour, _points in contours_of(dataset)]
    assert [order[frame - 1] for frame in frames] == list(range(9))
    assert not differing(rois, tmp_path / "rs.dcm", reference)


def test_says_what_each_structure_is(tmp_path: Path, reference: ReferenceSeries, shell: np.ndarray):
    tumour = RoiCodes(
        category=Code("SCT", "49755003", "Morphologically Altered Structure"),
        type=Code("SCT", "1234567890123456789", "Something with a long code"),
        region=Code("SCT", "10200004", "Liver"),
    )
    rois = [
        make_roi(1, "Kidney_R", shell),
        make_roi(4, "GTV", shell, algorithm="MANUAL", description="", interpreted_type="GTV", codes=tumour),
        make_roi(7, "BODY", shell, interpreted_type="EXTERNAL", codes=None, algorithm="SEMIAUTOMATIC"),
    ]
    dataset = written(tmp_path / "rs.dcm", rois, reference)
    kidney, gtv, body = dataset.RTROIObservationsSequence
    assert [item.ROINumber for item in dataset.StructureSetROISequence] == [1, 4, 7]
    assert [item.ReferencedROINumber for item in dataset.ROIContourSequence] == [1, 4, 7]
    assert [item.ReferencedROINumber for item in dataset.RTROIObservationsSequence] == [1, 4, 7]
    algorithms = [item.ROIGenerationAlgorithm for item in dataset.StructureSetROISequence]
    assert algorithms == ["AUTOMATIC", "MANUAL", "SEMIAUTOMATIC"]
    assert dataset.StructureSetROISequence[0].ROIGenerationDescription == "TotalSegmentator 104 3mm 0.1.0"
    assert [item.RTROIInterpretedType for item in (kidney, gtv, body)] == ["ORGAN", "GTV", "EXTERNAL"]
    (identification,) = kidney.RTROIIdentificationCodeSequence
    assert (identification.CodeValue, identification.CodingSchemeDesignator) == ("64033007", "SCT")
    assert identification.EquivalentCodeSequence[0].CodeValue == "7204"
    assert identification.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Right"
    assert kidney.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "123037004"
    assert gtv.RTROIIdentificationCodeSequence[0].LongCodeValue == "1234567890123456789"
    assert gtv.AnatomicRegionSequence[0].CodeMeaning == "Liver"
    assert "RTROIIdentificationCodeSequence" not in body
    assert dataset.ROIContourSequence[0].ROIDisplayColor == [200, 100, 50]
    assert (dataset.ApprovalStatus, dataset.StructureSetLabel) == ("UNAPPROVED", "AI contours")
    assert dataset.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2"


@pytest.mark.parametrize(
    ("character_set", "patient", "name", "expected"),
    [
        ("ISO_IR 100", "Müller^Jürgen", "Leber ä", "ISO_IR 100"),
        ("ISO_IR 100", "Müller^Jürgen", "Печень", "ISO_IR 192"),
        ("ISO_IR 144", "Люкceмбypг", "Печень", "ISO_IR 144"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう", "肝臓", ["", "ISO 2022 IR 87"]),
        ("ISO_IR 192", "王^小东", "肝", "ISO_IR 192"),
        (None, "Smith^John", "Leber ä", "ISO_IR 192"),
        (None, "Smith^John", "Liver", None),
    ],
)
def test_names_and_patients_of_all_scripts(tmp_path: Path, shell: np.ndarray, character_set, patient, name, expected):
    attributes = {"PatientName": patient}
    if character_set is not None:
        attributes = {"SpecificCharacterSet": character_set, **attributes}
    reference = reference_on(tmp_path / "ct", **attributes)
    dataset = written(tmp_path / "rs.dcm", [make_roi(1, name, shell)], reference)
    assert dataset.get("SpecificCharacterSet") == expected
    assert dataset.PatientName == patient
    assert dataset.StructureSetROISequence[0].ROIName == name
    assert read_rtstruct(tmp_path / "rs.dcm", reference)[0].name == name


@pytest.mark.parametrize("name", ["", "  ", "a" * 65, "left\\right", "two\nlines"])
def test_names_that_dicom_cannot_hold_are_refused(tmp_path: Path, reference: ReferenceSeries, shell, name: str):
    with pytest.raises(SegmentationError) as caught:
        write_rtstruct(tmp_path / "rs.dcm", [make_roi(1, name, shell)], reference)
    assert caught.value.code == "EXPORT_NAME_INVALID"


def test_a_label_of_more_than_sixteen_characters_is_refused(tmp_path: Path, reference: ReferenceSeries, shell):
    with pytest.raises(SegmentationError) as caught:
        options = StructureSetOptions(label="Seventeen letters")
        write_rtstruct(tmp_path / "rs.dcm", [make_roi(1, "Shell", shell)], reference, options)
    assert caught.value.code == "EXPORT_NAME_INVALID"


# -- ends --------------------------------------------------------------------------------------------------------------


def test_cancelling_leaves_the_file_of_before(tmp_path: Path, reference: ReferenceSeries, shell: np.ndarray):
    rois = [make_roi(1, "First", shell), make_roi(2, "Second", shell)]
    write_rtstruct(tmp_path / "rs.dcm", rois[:1], reference)
    before = (tmp_path / "rs.dcm").read_bytes()

    def cancel_at_second(index: int, roi: Roi) -> None:
        if index == 1:
            assert roi.name == "Second"
            raise SegmentationError("CANCELLED")

    with pytest.raises(SegmentationError, match="cancelled"):
        write_rtstruct(tmp_path / "rs.dcm", rois, reference, progress=cancel_at_second)
    assert (tmp_path / "rs.dcm").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ct", "rs.dcm"]


def test_a_folder_that_is_not_there_is_told_before_contouring(tmp_path: Path, reference: ReferenceSeries, shell):
    contoured: list[int] = []
    with pytest.raises(SegmentationError) as caught:
        write_rtstruct(
            tmp_path / "no" / "rs.dcm",
            [make_roi(1, "Shell", shell)],
            reference,
            progress=lambda index, _roi: contoured.append(index),
        )
    assert caught.value.code == "OUTPUT_NOT_WRITABLE"
    assert not contoured


# -- files of others ---------------------------------------------------------------------------------------------------

Change = Callable[[Dataset], None]


def set_patient(dataset: Dataset) -> None:
    dataset.PatientID = "SOMEBODY ELSE"


def set_frame(dataset: Dataset, keep_images: bool = False) -> None:
    dataset.FrameOfReferenceUID = dataset.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID = "1.2.3"
    for item in dataset.StructureSetROISequence:
        item.ReferencedFrameOfReferenceUID = "1.2.3"
    if not keep_images:
        del dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence


def shift(dataset: Dataset, way: tuple[float, float, float]) -> None:
    for contour, points in contours_of(dataset):
        contour.ContourData = [f"{value:.2f}" for value in (points + way).ravel()]


def spoil_coordinates(dataset: Dataset) -> None:
    dataset.ROIContourSequence[0].ContourSequence[0].ContourData = [1.0, 2.0, 3.0, 4.0]


def make_it_a_plan(dataset: Dataset) -> None:
    dataset.SOPClassUID, dataset.Modality = "1.2.840.10008.5.1.4.1.1.481.5", "RTPLAN"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (set_patient, "EXPORT_OTHER_PATIENT"),
        (set_frame, "EXPORT_OTHER_CT"),
        (partial(shift, way=(0, 0, 1.2)), "CONTOURS_OFF_PLANE"),
        (partial(shift, way=(0, 0, 100)), "CONTOURS_OFF_PLANE"),
        (spoil_coordinates, "SEGMENTATION_UNREADABLE"),
        (make_it_a_plan, "SEGMENTATION_UNREADABLE"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, reference, shell, change: Change, code: str):
    dataset = written(tmp_path / "rs.dcm", [make_roi(1, "Shell", shell)], reference)
    change(dataset)
    dataset.save_as(tmp_path / "rs.dcm")
    with pytest.raises(SegmentationError) as caught:
        read_rtstruct(tmp_path / "rs.dcm", reference)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "change",
    [
        partial(set_frame, keep_images=True),
        partial(shift, way=(0, 0, 0.05)),
        lambda dataset: dataset.__delattr__("PatientID"),
        lambda dataset: dataset.__delattr__("RTROIObservationsSequence"),
    ],
    ids=["own frame but the CT's images", "rounded heights", "no patient", "no observations"],
)
def test_files_that_are_sloppy_are_read(tmp_path: Path, reference, shell, change: Change):
    roi = make_roi(1, "Shell", shell)
    dataset = written(tmp_path / "rs.dcm", [roi], reference)
    change(dataset)
    dataset.save_as(tmp_path / "rs.dcm")
    assert not differing([roi], tmp_path / "rs.dcm", reference)


@pytest.mark.parametrize("content", [b"", b"no DICOM at all", b"\0" * 128 + b"DICM" + b"\xff" * 64])
def test_damaged_files_are_refused(tmp_path: Path, reference: ReferenceSeries, content: bytes):
    (tmp_path / "rs.dcm").write_bytes(content)
    assert not is_structure_set(tmp_path / "rs.dcm")
    with pytest.raises(SegmentationError) as caught:
        read_rtstruct(tmp_path / "rs.dcm", reference)
    assert caught.value.code == "SEGMENTATION_UNREADABLE"


def test_a_file_that_was_cut_off_is_never_read_as_less(tmp_path: Path, reference: ReferenceSeries, shell: np.ndarray):
    rois = [make_roi(number, f"Shell{number}", shell) for number in range(1, 4)]
    write_rtstruct(tmp_path / "rs.dcm", rois, reference)
    content = (tmp_path / "rs.dcm").read_bytes()
    refused = 0
    for length in range(0, len(content), len(content) // 60):
        (tmp_path / "rs.dcm").write_bytes(content[:length])
        try:
            # whole contours may be there already, without what follows them
            assert not differing(rois, tmp_path / "rs.dcm", reference)
        except SegmentationError as error:
            assert error.code in ("SEGMENTATION_UNREADABLE", "EXPORT_OTHER_CT")
            refused += 1
    assert refused > 50


def test_structures_without_voxels_are_passed_over(tmp_path: Path, reference: ReferenceSeries, shell: np.ndarray):
    rois = [make_roi(number, f"Shell{number}", shell) for number in range(1, 5)]
    dataset = written(tmp_path / "rs.dcm", rois, reference)
    del dataset.ROIContourSequence[0].ContourSequence
    dataset.ROIContourSequence[1].ContourSequence = dataset.ROIContourSequence[1].ContourSequence[:1]
    dataset.ROIContourSequence[1].ContourSequence[0].ContourGeometricType = "POINT"
    dataset.ROIContourSequence[1].ContourSequence[0].ContourData = ["0", "0", "5000"]
    del dataset.ROIContourSequence[2]
    dataset.save_as(tmp_path / "rs.dcm")
    problems: list[Problem] = []
    assert [structure.name for structure in read_rtstruct(tmp_path / "rs.dcm", reference, problems.append)] == [
        "Shell4"
    ]
    assert problems == [Problem("STRUCTURE_WITHOUT_VOXELS", {"count": 3})]
    assert is_structure_set(tmp_path / "rs.dcm")


def test_contours_that_leave_the_image_are_cut_at_its_border(tmp_path: Path, reference: ReferenceSeries):
    mask = ball(AXIAL.shape, (4, 14, 36), 12)
    dataset = written(tmp_path / "rs.dcm", [make_roi(1, "Ball", mask)], reference)
    shift(dataset, (-10 * 0.9, 0, 0))
    dataset.save_as(tmp_path / "rs.dcm")
    (structure,) = read_rtstruct(tmp_path / "rs.dcm", reference)
    assert np.array_equal(structure.mask.whole()[:, :, :30], mask[:, :, 10:])
    shift(dataset, (-60.0, 0, 0))
    dataset.save_as(tmp_path / "rs.dcm")
    problems: list[Problem] = []
    assert read_rtstruct(tmp_path / "rs.dcm", reference, problems.append) == []
    assert len(problems) == 1


def test_codes_of_the_tests_are_those_of_the_table():
    row = next(row for row in structure_table("structures_104") if row.name == "kidney_right")
    assert (KIDNEY_RIGHT.type.value, KIDNEY_RIGHT.modifier.value) == (row.type[0], row.modifier[0])
