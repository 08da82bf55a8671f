"""What a PACS and a planning system list: who made the structures, and what tells two exports of one CT apart."""

from __future__ import annotations

from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from export_case import GRID, SHAPE
from export_support import write_ct_series
from rtstruct_support import conformance_errors
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.export.dicom.reference_series import read_reference
from TotalSegmentatorEngine.imaging.label_files import FileSegment, write_nrrd
from TotalSegmentatorEngine.imaging.voxel_digest import voxel_digest
from TotalSegmentatorWire import ALGORITHM_NAME, ENGINE_VERSION
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.tables.result_tags import provenance_tags
from TotalSegmentatorWire.tables.review_state import (
    DRAWN_TAG,
    REVIEW_STATE_TAG,
    SLICER_STATUS_TAG,
    VOXEL_DIGEST_TAG,
    ReviewState,
    review_tags,
)

AI, EDITED, DRAWN, UNKNOWN = "ai", "edited", "drawn", "unknown"
LONG_MODEL = "Dataset999_A_model_of_the_clinic_with_a_very_long_name_3d_fullres"


class Bench:
    """A CT series, and segmentations on it whose structures come from wherever a test says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        array = np.full(SHAPE, -1000, np.int16)
        array[:, 4:36, 5:43] = 40
        self.ct = write_ct_series(folder / "ct", array, GRID, SeriesNumber="4")

    def export(self, to: str, *origins: str, options: tuple[str, ...] = (), **tags: str) -> pydicom.Dataset:
        """One structure of each origin; "approved" behind it says more."""
        segmentation = self.folder / "segmentation.seg.nrrd"
        labels = np.zeros(SHAPE, np.uint8)
        segments = []
        for number, origin in enumerate(origins, start=1):
            labels[3:6, 5 + 4 * number : 8 + 4 * number, 10:30] = number
            segments.append(self._segment(number, *origin.split(), labels=labels, **tags))
        with segmentation.open("wb") as stream:
            write_nrrd(stream, [labels], GRID, segments)
        output = self.folder / f"{to}.dcm"
        words = ["export", segmentation, output, "--to", to, "--reference", self.ct, *options]
        assert main([str(word) for word in words]) == 0
        assert not conformance_errors(output)
        return pydicom.dcmread(output)

    def _segment(self, number: int, origin: str, *approved: str, labels: np.ndarray, model="104-1.5mm") -> FileSegment:
        name = ("liver", "spleen", "pancreas", "stomach", "colon")[number - 1] if origin in (AI, EDITED) else "GTV"
        segment = FileSegment(name if name != "GTV" else f"GTV_{number}", name, (200, 0, 0), number, (0,) * 6, 0)
        if origin in (AI, EDITED):
            made = labels == (number if origin == AI else 0)
            digest = voxel_digest(made[3:6, 5 + 4 * number : 8 + 4 * number, 10:30], (3, 5 + 4 * number, 10), GRID)
            segment.tags.update(provenance_tags(model, "default", ENGINE_VERSION, JobOptions().to_json()))
            segment.tags.update({"DICOM.SegmentAlgorithmType": "AUTOMATIC", VOXEL_DIGEST_TAG: digest})
            segment.tags["DICOM.SegmentAlgorithmName"] = ALGORITHM_NAME
            segment.tags[REVIEW_STATE_TAG] = ReviewState.UNREVIEWED.value
        if origin == DRAWN:
            segment.tags[SLICER_STATUS_TAG] = "inprogress"  # as painting sets it
        if origin == DRAWN and approved:
            segment.tags[DRAWN_TAG] = "1"  # as the panel's review sets it
        if approved:
            segment.tags.update(review_tags(ReviewState.APPROVED))
        return segment


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize(
    ("origins", "label", "description"),
    [
        ((AI, AI), "AI contours", "AI contours, 104-1.5mm, reviewed 0 of 2"),
        ((AI + " approved", EDITED), "AI contours", "AI contours, 104-1.5mm, 1 edited, reviewed 1 of 2"),
        ((DRAWN, DRAWN + " approved"), "Manual contours", "Manual contours, reviewed 1 of 2"),
        ((AI, DRAWN), "AI and manual", "AI and manual contours, 104-1.5mm, reviewed 0 of 2"),
        ((AI, UNKNOWN), "AI and other", "AI and other contours, 104-1.5mm, reviewed 0 of 2"),
        ((AI, DRAWN, UNKNOWN), "AI and other", "AI and other contours, 104-1.5mm, reviewed 0 of 3"),
        ((DRAWN, UNKNOWN), "Manual and other", "Manual and other contours, reviewed 0 of 2"),
        ((UNKNOWN,), "Contours", "Contours"),
        ((UNKNOWN + " approved",), "Contours", "Contours, reviewed 1 of 1"),
    ],
)
def test_a_structure_set_says_where_its_contours_come_from(bench: Bench, origins, label: str, description: str):
    dataset = bench.export("rtstruct", *origins)
    assert (dataset.StructureSetLabel, dataset.SeriesDescription) == (label, description)
    assert len(dataset.StructureSetLabel) <= 16 and len(dataset.SeriesDescription) <= 64
    assert dataset.ApprovalStatus == "UNAPPROVED"
    kinds = {AI: "AUTOMATIC", EDITED: "SEMIAUTOMATIC", DRAWN: "MANUAL", UNKNOWN: ""}
    found = sorted(roi.ROIGenerationAlgorithm for roi in dataset.StructureSetROISequence)
    assert found == sorted(kinds[origin.split()[0]] for origin in origins)


def test_computed_edited_and_drawn_structures_are_told_apart(bench: Bench):
    maker = f"104-1.5mm, {ALGORITHM_NAME} {ENGINE_VERSION}"
    structures = bench.export("rtstruct", AI, EDITED, DRAWN, UNKNOWN)
    made = {roi.ROIGenerationDescription: roi.ROIGenerationAlgorithm for roi in structures.StructureSetROISequence}
    assert made == {
        maker: "AUTOMATIC",
        f"Edited; {maker}": "SEMIAUTOMATIC",
        "Drawn by hand": "MANUAL",
        "Origin unknown": "",
    }
    assert structures.StructureSetDescription == (
        "Computed by 104-1.5mm: 2, 1 of them edited afterwards. Drawn by hand: 1. Of another or unknown origin: 1. "
        "Approved in the review before the export: 0 of 4."
    )
    bench.export("seg", AI, EDITED, DRAWN, UNKNOWN)
    segments = highdicom.seg.segread(bench.folder / "seg.dcm")
    found = [segments.get_segment_description(number) for number in range(1, 5)]
    named = {one.SegmentDescription: (one.algorithm_type.value, one.get("SegmentAlgorithmName")) for one in found}
    assert named == {
        maker: ("AUTOMATIC", f"{ALGORITHM_NAME} 104-1.5mm"),
        f"Edited; {maker}": ("SEMIAUTOMATIC", f"{ALGORITHM_NAME} 104-1.5mm"),
        "Drawn by hand": ("MANUAL", None),
        "Origin unknown": ("SEMIAUTOMATIC", "Origin unknown"),
    }
    assert segments.SeriesDescription == "AI and other segmentation, 104-1.5mm, 1 edited, reviewed 0 of 4"


def test_objects_of_one_ct_are_told_apart_by_number_and_description(bench: Bench):
    first = bench.export("rtstruct", AI)
    second = bench.export("rtstruct", AI + " approved", model="117-3mm")
    seg = bench.export("seg", AI)
    ct = read_reference(bench.ct).dataset
    numbers = [int(dataset.SeriesNumber) for dataset in (ct, first, second, seg)]
    assert numbers == [4, 3004, 3004, 1004]
    descriptions = {dataset.SeriesDescription for dataset in (first, second, seg)}
    assert descriptions == {
        "AI contours, 104-1.5mm, reviewed 0 of 1",
        "AI contours, 117-3mm, reviewed 1 of 1",
        "AI segmentation, 104-1.5mm, reviewed 0 of 1",
    }
    assert len({dataset.SeriesInstanceUID for dataset in (ct, first, second, seg)}) == 4


@pytest.mark.parametrize("number", [None, "", "-7", "123456", "2147483647"])
def test_any_number_of_the_ct_will_do(bench: Bench, number):
    for path in bench.ct.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.SeriesNumber = number
        dataset.save_as(path)
    counted = 123456 if number == "123456" else 0
    assert bench.export("rtstruct", AI).SeriesNumber == 3000 + counted
    assert bench.export("seg", AI).SeriesNumber == 1000 + counted


def test_a_chosen_label_stays_and_the_description_says_the_rest(bench: Bench):
    chosen = ("--set-label", "ORGANS")
    structures = bench.export("rtstruct", AI, DRAWN, options=chosen)
    assert structures.StructureSetLabel == "ORGANS"
    assert structures.SeriesDescription == "ORGANS, 104-1.5mm, reviewed 0 of 2"
    assert bench.export("seg", AI, DRAWN, options=chosen).SeriesDescription == "ORGANS"


def test_a_long_model_is_cut_and_the_review_stays(bench: Bench):
    described = bench.export("rtstruct", AI, DRAWN, model=LONG_MODEL).SeriesDescription
    assert described == "AI and manual contours, Dataset999_A_model_of.., reviewed 0 of 2"
    assert len(described) <= 64


def test_the_body_outline_is_neither_computed_by_a_model_nor_reviewed(bench: Bench):
    with_body = bench.export("rtstruct", DRAWN, options=("--external",))
    assert with_body.StructureSetLabel == "Manual contours"
    assert with_body.SeriesDescription == "Manual contours, reviewed 0 of 1"


def test_an_object_that_is_read_again_says_the_same(bench: Bench):
    bench.export("rtstruct", AI, EDITED, DRAWN, options=("--external",))
    words = ["export", bench.folder / "rtstruct.dcm", bench.folder / "again.dcm", "--to", "seg"]
    assert main([*map(str, words), "--reference", str(bench.ct)]) == 0
    again = pydicom.dcmread(bench.folder / "again.dcm")
    assert again.SeriesDescription == "AI and manual segmentation, 104-1.5mm, 1 edited"
    descriptions = [segment.SegmentDescription for segment in again.SegmentSequence if "SegmentDescription" in segment]
    assert f"Edited; 104-1.5mm, {ALGORITHM_NAME} {ENGINE_VERSION}" in descriptions


def test_a_union_of_computed_and_drawn_parts_is_of_both(bench: Bench):
    template = bench.folder / "template.json"
    template.write_text('{"version": 1, "structures": [{"name": "Both", "union_of": ["liver", "GTV"]}]}')
    dataset = bench.export("rtstruct", AI, DRAWN, options=("--template", str(template)))
    (roi,) = dataset.StructureSetROISequence
    assert roi.ROIGenerationAlgorithm == "SEMIAUTOMATIC"
    assert roi.ROIGenerationDescription.startswith("Constructed of 2; ")
    assert dataset.StructureSetLabel == "AI contours"


@pytest.mark.shared
def test_structures_of_another_program_are_not_called_ours(shared, tmp_path: Path):
    """A structure set that a hospital's system wrote; it says that its structure was drawn."""
    case = shared / "data" / "sts_001"
    found = [path for path in sorted(case.rglob("*")) if path.is_file() and path.suffix != ".txt"]
    sets = [path for path in found if _modality(path) == "RTSTRUCT"]
    folders = {path.parent for path in found if _modality(path) == "CT"}
    words = ["export", sets[0], tmp_path / "seg.dcm", "--to", "seg", "--reference", folders.pop()]
    assert main([str(word) for word in words]) == 0
    dataset = pydicom.dcmread(tmp_path / "seg.dcm")
    assert dataset.SeriesDescription == "Manual segmentation"


def _modality(path: Path) -> str:
    try:
        return str(pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["Modality"]).get("Modality", ""))
    except pydicom.errors.InvalidDicomError:
        return ""
