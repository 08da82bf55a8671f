"""What programs of others make of our structure sets; they are wrapped in independent_readers.py.

Wanted of every structure: all voxels by the plain rule (a pixel counts where its centre is inside), and a Dice of 0.99
from 10 ml and of 0.95 from 1 ml by plastimatch and dcmrtstruct2nii. Holes are keyholes there: both programs pass over
contours of the type CLOSEDPLANAR_XOR, which is why keyholes are the default.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pytest
from export_support import ORDER_OF_POSITION, in_position, write_ct_series
from independent_readers import (
    Masks,
    ReaderAbsentError,
    read_by_dcmrtstruct2nii,
    read_by_plain_rule,
    read_by_plastimatch,
    read_by_rt_utils,
    write_by_rt_utils,
)
from phantom import PhantomParameters, make_phantom
from rtstruct_support import make_roi
from scipy import ndimage
from TotalSegmentatorEngine.export.dicom.reference_series import read_reference
from TotalSegmentatorEngine.export.rtstruct.contours import ContourOptions
from TotalSegmentatorEngine.export.rtstruct.writer import StructureSetOptions, write_rtstruct
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorWire.tables.structures import structure_table

LARGE_ML, SMALL_ML = 10.0, 1.0
LARGE_DICE, SMALL_DICE = 0.99, 0.95
CHEST_MM = ((-205.0, 205.0), (-205.0, 205.0), (200.0, 440.0))
NAMES = {row.label: row.tg263_name for row in structure_table("structures_104")}

Reader = Callable[[Path, Path, Path], Masks]
READERS: dict[str, Reader] = {"plastimatch": read_by_plastimatch, "dcmrtstruct2nii": read_by_dcmrtstruct2nii}


@dataclass(frozen=True)
class Case:
    """Structures on a CT series, and our structure set of them."""

    ct_folder: Path
    masks: Masks
    """bool (k, j, i) on the CT's planes."""
    rtstruct: Path
    voxel_ml: float

    def volume_ml(self, name: str) -> float:
        return float(np.count_nonzero(self.masks[name]) * self.voxel_ml)


def make_case(
    folder: Path, ct: np.ndarray, masks: Masks, geometry: Geometry, position: str = "HFS", holes: str = "keyhole"
) -> Case:
    ct_folder = write_ct_series(folder / "ct", ct, geometry, position)
    reference = read_reference(ct_folder)
    rois = [make_roi(number, name, mask) for number, (name, mask) in enumerate(masks.items(), start=1)]
    path = folder / "rtstruct.dcm"
    write_rtstruct(path, rois, reference, StructureSetOptions(contours=ContourOptions(holes=holes)))
    return Case(ct_folder, masks, path, float(np.prod(geometry.spacing) / 1000))


def masks_of(labels: np.ndarray) -> Masks:
    return {NAMES[int(label)]: labels == label for label in np.unique(labels) if label}


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return float(2 * np.count_nonzero(first & second) / (np.count_nonzero(first) + np.count_nonzero(second)))


def read_by(name: str, case: Case, work: Path) -> Masks:
    try:
        return READERS[name](case.rtstruct, case.ct_folder, work)
    except ReaderAbsentError as error:
        pytest.skip(str(error))


def check_agreement(case: Case, found: Masks) -> None:
    wanted = {name for name in case.masks if case.volume_ml(name) >= SMALL_ML}
    assert not wanted - set(found), "structures that the program did not read"
    scores = {name: dice(found[name], case.masks[name]) for name in wanted}
    limits = {name: LARGE_DICE if case.volume_ml(name) >= LARGE_ML else SMALL_DICE for name in wanted}
    assert not {name: score for name, score in scores.items() if score < limits[name]}


def check_equality(case: Case, found: Masks) -> None:
    assert set(found) == set(case.masks)
    wrong = {name: int(np.count_nonzero(found[name] ^ mask)) for name, mask in case.masks.items()}
    assert not {name: count for name, count in wrong.items() if count}


# -- the phantom's chest -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chest() -> tuple[np.ndarray, Masks, Geometry]:
    """128 x 128 x 30 voxels, square as rt_utils needs it: every second one of 59 structures, and what is left of the
    body, which has many holes and reaches the border of the CT."""
    phantom = make_phantom(PhantomParameters(spacing_mm=(3.2, 3.2, 8.0), field_of_view_mm=CHEST_MM))
    masks = masks_of(phantom.labels)
    masks = {name: masks[name] for name in list(masks)[::2]}
    masks["Rest_of~"] = (phantom.ct > -300) & (phantom.labels == 0)
    return phantom.ct, masks, Geometry(phantom.labels.shape, phantom.ijk_to_ras)


@pytest.fixture(scope="module")
def keyholes(tmp_path_factory: pytest.TempPathFactory, chest) -> Case:
    return make_case(tmp_path_factory.mktemp("keyholes"), *chest)


def test_chest_is_worth_reading(keyholes: Case):
    volumes = [keyholes.volume_ml(name) for name in keyholes.masks]
    assert sum(volume >= LARGE_ML for volume in volumes) >= 25
    assert sum(SMALL_ML <= volume < LARGE_ML for volume in volumes) >= 3
    pieces = [ndimage.label(~plane)[1] for plane in keyholes.masks["Rest_of~"]]
    assert max(pieces) >= 10, "the outside and many holes in one plane"


def test_plain_rule_gives_back_every_voxel(keyholes: Case):
    check_equality(keyholes, read_by_plain_rule(keyholes.rtstruct, keyholes.ct_folder))


def test_plain_rule_gives_back_every_voxel_of_exclusive_or(tmp_path: Path, chest):
    case = make_case(tmp_path, *chest, holes="xor")
    check_equality(case, read_by_plain_rule(case.rtstruct, case.ct_folder))


@pytest.mark.parametrize("reader", READERS)
def test_other_programs_read_the_same_structures(tmp_path: Path, keyholes: Case, reader: str):
    check_agreement(keyholes, read_by(reader, keyholes, tmp_path / "work"))


def test_rt_utils_reads_ours_no_worse_than_its_own(tmp_path: Path, chest):
    """It rounds points to pixels and fills the boundary's pixels too; ours round to the structure's outermost pixels.
    Of its own files it cannot read structures of which one contour is a single point."""
    ct, masks, geometry = chest
    masks = {name: masks[name] for name in [*list(masks)[::4], "Rest_of~"]}
    case = make_case(tmp_path, ct, masks, geometry)
    own = read_by_rt_utils(write_by_rt_utils(tmp_path / "own.dcm", case.ct_folder, masks), case.ct_folder)
    print("structures that rt_utils cannot read of its own file:", sorted(set(masks) - set(own)))
    check_equality(case, read_by_rt_utils(case.rtstruct, case.ct_folder))


# -- whole body, patient positions, real CTs ---------------------------------------------------------------------------


@pytest.mark.slow  # 104 structures from thigh to head
@pytest.mark.parametrize("reader", ["plain rule", *READERS])
def test_all_names_of_the_phantom(whole_phantom: Case, tmp_path: Path, reader: str):
    assert set(whole_phantom.masks) == set(NAMES.values())
    if reader == "plain rule":
        check_equality(whole_phantom, read_by_plain_rule(whole_phantom.rtstruct, whole_phantom.ct_folder))
    else:
        check_agreement(whole_phantom, read_by(reader, whole_phantom, tmp_path / "work"))


@pytest.fixture(scope="module")
def whole_phantom(tmp_path_factory: pytest.TempPathFactory) -> Case:
    phantom = make_phantom(PhantomParameters(spacing_mm=(3.6, 3.6, 6.0)))
    geometry = Geometry(phantom.labels.shape, phantom.ijk_to_ras)
    return make_case(tmp_path_factory.mktemp("whole"), phantom.ct, masks_of(phantom.labels), geometry)


@pytest.mark.slow  # a CT series and a structure set for each position, read by three programs
@pytest.mark.parametrize("position", ORDER_OF_POSITION)
def test_patient_positions(tmp_path: Path, chest, position: str):
    ct, masks, geometry = chest
    turned_ct, turned_geometry = in_position(ct, geometry, position)
    turned = {name: in_position(masks[name], geometry, position)[0] for name in [*list(masks)[::4], "Rest_of~"]}
    case = make_case(tmp_path, turned_ct, turned, turned_geometry, position)
    check_equality(case, read_by_plain_rule(case.rtstruct, case.ct_folder))
    for reader in READERS:
        check_agreement(case, read_by(reader, case, tmp_path / reader))


@pytest.mark.slow  # 59 structures on 122 x 101 x 112 voxels
@pytest.mark.parametrize("reader", ["plain rule", *READERS])
def test_structures_of_a_real_ct(tmp_path: Path, real_ct: Case, reader: str):
    if reader == "plain rule":
        check_equality(real_ct, read_by_plain_rule(real_ct.rtstruct, real_ct.ct_folder))
    else:
        check_agreement(real_ct, read_by(reader, real_ct, tmp_path / "work"))


@pytest.fixture(scope="module")
def real_ct(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Case:
    folder = shared / "data" / "example_ct"
    image, labels = (nibabel.load(folder / name) for name in ("ct.nii.gz", "reference_104_1.5mm.nii.gz"))
    arrays = [np.asarray(each.dataobj).transpose(2, 1, 0) for each in (image, labels)]
    geometry = Geometry(arrays[0].shape, image.affine)
    ct, turned = in_position(arrays[0], geometry, "HFS")
    found, _geometry = in_position(arrays[1], geometry, "HFS")
    return make_case(tmp_path_factory.mktemp("real"), ct, masks_of(found.astype(np.uint8)), turned)
