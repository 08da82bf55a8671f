"""Pairs of segmentations with known errors, in folders that name patients."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import nibabel
import numpy as np
from export_support import write_ct_series
from phantom.phantom import PhantomParameters, make_phantom, read_label_table
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.export.core.segmentation import MODEL_TAG
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.imaging.label_files import FileSegment, write_nrrd

MODEL = "104-1.5mm"
SHAPE = (16, 40, 44)
SPACING = (1.5, 1.0, 3.0)  # i, j, k
GRID = Geometry(SHAPE, [[-1.5, 0, 0, 33.0], [0, -1.0, 0, 20.0], [0, 0, 3.0, -600.0], [0, 0, 0, 1]])
PATIENT = {
    "PatientName": "Quastel^Oswin",
    "PatientID": "MRN-4471823",
    "PatientBirthDate": "19511224",
    "StudyDate": "20190308",
    "StudyDescription": "Planungs-CT Quastel",
    "InstitutionName": "Klinikum Immergrau",
}
WHOLE = (slice(3, 13), slice(8, 28), slice(10, 30))
"""Of the reference's block: 10 x 20 x 20 voxels, 30 x 20 x 30 mm."""


@dataclass(frozen=True)
class Expected:
    """Of the liver; what is None was not worked out."""

    dice: float
    surface_dice: float | None = None
    added_path_mm: float | None = None
    difference_percent: float = 0.0


@dataclass
class Cohort:
    folder: Path
    expected: dict[str, Expected] = field(default_factory=dict)
    """By the name of the pair's folder."""

    def pair(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(parents=True)
        return folder


def block(k: slice, j: slice, i: slice) -> np.ndarray:
    voxels = np.zeros(SHAPE, bool)
    voxels[k, j, i] = True
    return voxels


def shifted(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)


def cut(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop)


K, J, I = WHOLE  # noqa: E741 - the axes
BLOCKS: dict[str, tuple[np.ndarray, Expected]] = {
    "Quastel Oswin 1": (block(K, J, I), Expected(1.0, 1.0, 0.0)),
    # a tenth of the voxels along the axis is moved: 9/10 are common. Of each contour of 76 pixels, 38 are new: a column
    # of 20, and two rows without their ends, of 19 + 19 less those that both have
    "Quastel Oswin 2": (block(shifted(K, 1), J, I), Expected(0.9, None, 76 * 1.25)),
    "Quastel Oswin 3": (block(K, shifted(J, 2), I), Expected(0.9)),
    "Quastel Oswin 4": (block(K, J, shifted(I, 5)), Expected(0.75)),
    # five of ten planes are missing: their contours have 76 pixels each of 1.25 mm
    "Quastel Oswin 5": (block(cut(K, 5), J, I), Expected(2 / 3, None, 5 * 76 * 1.25, -50.0)),
    "Quastel Oswin 6": (block(K, cut(J, 4), I), Expected(2 * 16 / 36, None, None, -20.0)),
}
"""Ours to what is known of it; theirs is the whole block."""


def add_blocks(cohort: Cohort) -> None:
    """The first three with a CT of DICOM and theirs as an RT Structure Set, the others as images."""
    theirs = block(*WHOLE)
    hu = np.where(theirs, 60, -900).astype(np.int16)
    for number, (name, (ours, expected)) in enumerate(BLOCKS.items()):
        folder = cohort.pair(name)
        cohort.expected[name] = expected
        write_segmentation(folder / "Ours v2.seg.nrrd", {"liver": ours, "kidney_left": block(K, J, slice(34, 40))})
        reference = write_segmentation(folder / "reference.seg.nrrd", {"Liver": theirs, "Quastel GTV": theirs})
        if number < 3:
            ct = write_ct_series(folder / "CT", hu, GRID, **PATIENT)
            theirs_folder = folder / "theirs"
            theirs_folder.mkdir()
            assert export(reference, theirs_folder / "RS.dcm", "rtstruct", ct, "--names", "own") == 0
            reference.unlink()
        else:
            nibabel.Nifti1Image(hu.T, GRID.ijk_to_ras).to_filename(folder / "ct.nii.gz")


def export(segmentation: Path, output: Path, to: str, ct: Path, *words: str) -> int:
    return main(["export", str(segmentation), str(output), "--to", to, "--reference", str(ct), *words])


def write_segmentation(
    path: Path, structures: dict[str, np.ndarray], grid: Geometry = GRID, model: str = MODEL
) -> Path:
    """Each in a layer of its own, as they may overlap."""
    segments = [
        FileSegment(name, name, (200, 120, 90), 1, (0,) * 6, layer, {MODEL_TAG: model})
        for layer, name in enumerate(structures)
    ]
    with path.open("wb") as stream:
        write_nrrd(stream, [voxels.astype(np.uint8) for voxels in structures.values()], grid, segments)
    return path


def add_phantoms(cohort: Cohort, count: int) -> dict[str, dict[str, float]]:
    """Phantoms whose labels were moved by 1, 2, ... voxels along i: names to Dice by structure, counted with numpy."""
    known = {}
    names = {label: name for name, label in read_label_table().items()}
    for number in range(1, count + 1):
        found = make_phantom(PhantomParameters(seed=number, spacing_mm=(8.0, 8.0, 8.0)))
        name = f"Quastel Phantom {number}"
        folder = cohort.pair(name)
        moved = np.roll(found.labels, number, axis=2)
        for path, array in (("ct.nii.gz", found.ct), ("ours.nii.gz", moved), ("theirs.nii.gz", found.labels)):
            nibabel.Nifti1Image(array.T, found.ijk_to_ras).to_filename(folder / path)
        known[name] = {
            names[label]: 2.0 * np.count_nonzero((moved == label) & (found.labels == label)) / (2.0 * voxels)
            for label, voxels in zip(*np.unique(found.labels, return_counts=True), strict=True)
            if label
        }
    return known


def add_real(cohort: Cohort, example: Path) -> None:
    """A real CT three times, with the reference as RT Structure Set, DICOM SEG and NIfTI, and the result of another
    model as ours."""
    reference, ct = example / "reference_104_1.5mm.nii.gz", example / "ct.nii.gz"
    labels = ("--labels", "structures_104")
    for name, to, file in (("Real RS", "rtstruct", "rs.dcm"), ("Real SEG", "seg", "seg.dcm"), ("Real file", "", "")):
        folder = cohort.pair(name)
        (folder / "ours.nii.gz").symlink_to(example / "reference_104_3mm.nii.gz")
        if not to:
            (folder / "ct.nii.gz").symlink_to(ct)
            (folder / "theirs.nii.gz").symlink_to(reference)
            continue
        assert export(reference, folder / "made", to, ct, *labels) == 0  # with a CT series of its own
        (made,) = (path for path in (folder / "made").glob("*.dcm"))
        made.rename(folder / f"theirs {file}")
        (series,) = (folder / "made").iterdir()
        series.rename(folder / "ct")
        (folder / "made").rmdir()
