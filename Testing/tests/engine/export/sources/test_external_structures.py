"""A DICOM SEG or a structure set that goes out again says of its structures what it said before, and nothing more."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from roi_support import ENCODINGS, SHAPE, a_reference, a_roi, kidney
from rtstruct_support import KIDNEY_RIGHT
from TotalSegmentatorEngine.export.core.codes import Code, RoiCodes
from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.export.dicom.read_structure import ReadStructure
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries
from TotalSegmentatorEngine.export.grid.placement import place
from TotalSegmentatorEngine.export.rois.plan import RoiPlan, plan_rois
from TotalSegmentatorEngine.export.rois.selection import Choice
from TotalSegmentatorEngine.export.rois.template_schema import template_of_json
from TotalSegmentatorEngine.export.rtstruct.writer import write_rtstruct
from TotalSegmentatorEngine.export.seg.writer import write_seg
from TotalSegmentatorEngine.export.sources.segmentation_files import read_segmentation
from TotalSegmentatorEngine.export.sources.structures import as_segmentation, read_structures
from TotalSegmentatorWire import ALGORITHM_NAME, ENGINE_VERSION

TUMOUR = RoiCodes(
    category=Code("SCT", "49755003", "Morphologically Altered Structure"),
    type=Code("SCT", "4147007", "Mass"),
    region=Code("SCT", "10200004", "Liver"),
)
ORIGIN = f"104-1.5mm, {ALGORITHM_NAME} {ENGINE_VERSION}"
NAME = f"{ALGORITHM_NAME} 104-1.5mm"
FORMATS = ("seg", "rtstruct")
WRITERS = {"seg": write_seg, "rtstruct": write_rtstruct}


@pytest.fixture
def reference(tmp_path: Path) -> ReferenceSeries:
    return a_reference(tmp_path / "ct")


def rois() -> list[Roi]:
    mask = kidney()
    ours = {"description": ORIGIN, "algorithm_name": NAME}
    drawn = {"algorithm": "MANUAL", "algorithm_name": "", "description": "Drawn by hand"}
    unknown = {"algorithm": "", "algorithm_name": "", "description": "Origin unknown"}
    return [
        a_roi(1, "Kidney_R", mask, codes=KIDNEY_RIGHT, **ours),
        a_roi(2, "VB_T09~", mask, codes=TUMOUR, **ours),
        a_roi(3, "Lesion", mask, codes=TUMOUR, interpreted_type="GTV", **drawn),
        a_roi(4, "Mask", mask, interpreted_type="AVOIDANCE", **unknown),
        a_roi(5, "Spleen", mask, **ours | {"algorithm": "SEMIAUTOMATIC"}),
    ]


def replanned(path: Path, reference: ReferenceSeries, **choice) -> RoiPlan:
    """The plan to export the structures of a file of others."""
    structures, _left_out = read_structures(path, reference, lambda problem: None)
    segmentation = as_segmentation(structures, reference.grid)
    return plan_rois(place(segmentation, reference.grid), Choice(**choice))


def read_again(path: Path, reference: ReferenceSeries) -> dict[str, ReadStructure]:
    structures, _left_out = read_structures(path, reference, lambda problem: None)
    return {structure.name: structure for structure in structures}


@pytest.mark.parametrize("second", FORMATS)
@pytest.mark.parametrize("first", FORMATS)
def test_who_made_a_structure_and_what_it_is_survive(tmp_path: Path, reference: ReferenceSeries, first, second):
    WRITERS[first](tmp_path / "first.dcm", rois(), reference)
    plan = replanned(tmp_path / "first.dcm", reference)
    WRITERS[second](tmp_path / "second.dcm", plan.rois, reference)
    once, twice = (read_again(tmp_path / f"{name}.dcm", reference) for name in ("first", "second"))
    assert list(twice) == [roi.name for roi in rois()]
    for name, roi in zip(twice, rois(), strict=True):
        assert twice[name].algorithm == roi.algorithm
        np.testing.assert_array_equal(twice[name].mask.whole(), roi.voxels().whole())
        if roi.codes is not None:
            assert (twice[name].codes.category, twice[name].codes.type) == (roi.codes.category, roi.codes.type)
            assert (twice[name].codes.modifier, twice[name].codes.region) == (roi.codes.modifier, roi.codes.region)
        if roi.algorithm == "AUTOMATIC":
            assert ORIGIN in (once[name].origin, twice[name].origin)
        if first == second:
            stated = ("algorithm_name", "colour", "origin")
            assert [getattr(twice[name], field) for field in stated] == [getattr(once[name], field) for field in stated]
        if first == second == "rtstruct":
            assert twice[name].interpreted_type == once[name].interpreted_type
    if second == "rtstruct":
        assert twice["Kidney_R"].codes.fma.value == "7204"
    assert twice["Spleen"].codes.type.meaning == "Spleen"
    assert twice["Mask"].codes is None


@pytest.mark.parametrize("first", FORMATS)
def test_nobody_is_named_where_nobody_is_known(tmp_path: Path, reference: ReferenceSeries, first):
    """A structure set can leave it open; DICOM SEG must choose a type, and its name says that this is unknown."""
    WRITERS[first](tmp_path / "first.dcm", rois(), reference)
    again = replanned(tmp_path / "first.dcm", reference, structures=["Mask"]).rois
    assert [(roi.algorithm, roi.algorithm_name, roi.description) for roi in again] == [("", "", "Origin unknown")]
    write_rtstruct(tmp_path / "rs.dcm", again, reference)
    (item,) = pydicom.dcmread(tmp_path / "rs.dcm").StructureSetROISequence
    assert (item.ROIGenerationAlgorithm, item.ROIGenerationDescription) == ("", "Origin unknown")
    for encoding in ENCODINGS:
        write_seg(tmp_path / "seg.dcm", again, reference, encoding)
        item = pydicom.dcmread(tmp_path / "seg.dcm").SegmentSequence[-1]
        assert (item.SegmentAlgorithmType, item.SegmentAlgorithmName) == ("SEMIAUTOMATIC", "Origin unknown")
        assert "SegmentationAlgorithmIdentificationSequence" not in item


def test_a_mask_in_a_file_was_made_by_nobody_knows_whom(tmp_path: Path, reference: ReferenceSeries):
    for name in ("CT_mask", "liver"):
        path = tmp_path / f"{name}.nii.gz"
        nibabel.save(nibabel.Nifti1Image(kidney().astype(np.uint8).T, reference.grid.ijk_to_ras), path)
        plan = plan_rois(place(read_segmentation(path), reference.grid), Choice())
        assert [(roi.algorithm, roi.description) for roi in plan.rois] == [("", "Origin unknown")]


def test_another_makers_algorithm_keeps_its_name_and_gets_no_version_of_ours(tmp_path: Path, reference):
    other = {"algorithm_name": "Other AI", "description": "The spleen"}
    ours = {"description": ORIGIN, "algorithm_name": NAME}
    made = [a_roi(1, "Spleen", kidney(), **other), a_roi(2, "Liver", kidney(), **ours)]
    write_seg(tmp_path / "first.dcm", made, reference)
    plan = replanned(tmp_path / "first.dcm", reference)
    assert [roi.description for roi in plan.rois] == ["Other AI", ORIGIN]
    write_seg(tmp_path / "second.dcm", plan.rois, reference)
    spleen, ours = pydicom.dcmread(tmp_path / "second.dcm").SegmentSequence
    assert (spleen.SegmentAlgorithmType, spleen.SegmentAlgorithmName) == ("AUTOMATIC", "Other AI")
    assert "SegmentationAlgorithmIdentificationSequence" not in spleen
    assert ours.SegmentationAlgorithmIdentificationSequence[0].AlgorithmVersion == ENGINE_VERSION


def test_a_template_has_the_last_word_on_the_interpreted_type(tmp_path: Path, reference: ReferenceSeries):
    names = {"PTV_Boost": "AVOIDANCE", "Lesion": "gtv", "Spleen": "bad type/"}
    made = [a_roi(n, name, kidney(), interpreted_type=kind) for n, (name, kind) in enumerate(names.items(), start=1)]
    write_rtstruct(tmp_path / "rs.dcm", made, reference)
    plan = replanned(tmp_path / "rs.dcm", reference)
    assert {roi.name: roi.interpreted_type for roi in plan.rois} == {
        "PTV_Boost": "AVOIDANCE",
        "Lesion": "GTV",
        "Spleen": "ORGAN",
    }
    line = {"source": "Lesion", "name": "Lesion", "interpreted_type": "CTV"}
    template = template_of_json({"version": 1, "structures": [line, "*"]})
    plan = replanned(tmp_path / "rs.dcm", reference, template=template)
    assert [roi.interpreted_type for roi in plan.rois] == ["CTV", "AVOIDANCE", "ORGAN"]


def test_codes_without_a_category_and_damaged_ones(tmp_path: Path, reference: ReferenceSeries):
    """Of the category, which other makers leave out, the row of the structure knows more than nothing."""
    path = tmp_path / "rs.dcm"
    write_rtstruct(
        path, [a_roi(n, name, kidney(), codes=KIDNEY_RIGHT) for n, name in ((1, "Kidney_R"), (2, "Other"))], reference
    )
    dataset = pydicom.dcmread(path)
    for item in dataset.RTROIObservationsSequence:
        del item.SegmentedPropertyCategoryCodeSequence
        del item.RTROIIdentificationCodeSequence[0].EquivalentCodeSequence
    dataset.save_as(path)
    known, other = replanned(path, reference).rois
    assert known.codes.category == KIDNEY_RIGHT.category and known.codes.fma.value == "7204"
    assert (other.codes.category.meaning, other.codes.type, other.codes.fma) == ("Tissue", KIDNEY_RIGHT.type, None)
    del dataset.RTROIObservationsSequence[1].RTROIIdentificationCodeSequence[0].CodeValue
    dataset.RTROIObservationsSequence[0].RTROIIdentificationCodeSequence = []
    dataset.save_as(path)
    known, other = replanned(path, reference).rois
    assert known.codes.type == KIDNEY_RIGHT.type and other.codes is None


def test_overlapping_structures_stay_apart(reference: ReferenceSeries):
    whole = VoxelMask.cropped(np.ones(SHAPE, bool))
    structures = [ReadStructure(7, "a", None, "", whole), ReadStructure(9, "b", (1, 2, 3), "", whole)]
    segmentation = as_segmentation(structures, reference.grid)
    assert [(segment.id, segment.layer, segment.tags) for segment in segmentation.segments] == [
        ("7", 0, {}),
        ("9", 1, {}),
    ]
