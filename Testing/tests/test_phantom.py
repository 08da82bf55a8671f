"""The phantom: all structures there, on the right side, the same body in every voxel order."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from phantom import Phantom, PhantomParameters, make_phantom
from phantom.files import save_phantom
from phantom.phantom import read_label_table

COARSE = PhantomParameters(seed=5, spacing_mm=(6.0, 6.0, 6.0))
POSED = dataclasses.replace(
    COARSE, rotation_degrees=(3.0, -4.0, 5.0), scale=(1.05, 0.95, 1.02), shift_mm=(5.0, -6.0, 12.0), bend_mm=(10.0, 4.0)
)


@pytest.fixture(scope="module")
def whole_body() -> Phantom:
    return make_phantom(COARSE)


def centres_ras(phantom: Phantom) -> dict[str, np.ndarray]:
    """Return the centre of mass (x, y, z in mm, RAS) of each structure that is present."""
    centres = {}
    for name, label in read_label_table().items():
        kji = np.argwhere(phantom.labels == label)
        if len(kji):
            centres[name] = phantom.ijk_to_ras[:3, :3] @ kji.mean(axis=0)[::-1] + phantom.ijk_to_ras[:3, 3]
    return centres


def as_ras_order(phantom: Phantom, array: np.ndarray) -> np.ndarray:
    """Return an array (k, j, i) of the phantom with i, j, k rearranged to run right, front, head (no oblique grids)."""
    matrix = phantom.ijk_to_ras[:3, :3]
    order = [int(np.argmax(np.abs(matrix[row]))) for row in range(3)]
    by_index = array.transpose(2, 1, 0).transpose(order)
    for row, axis in enumerate(order):
        if matrix[row, axis] < 0:
            by_index = np.flip(by_index, row)
    return by_index.transpose(2, 1, 0)


@pytest.mark.parametrize("parameters", [COARSE, POSED], ids=["straight", "posed"])
def test_every_structure_is_in_the_default_field_of_view(parameters: PhantomParameters) -> None:
    phantom = make_phantom(parameters)
    volume_ml = np.bincount(phantom.labels.ravel(), minlength=105) * 0.216
    missing = [name for name, label in read_label_table().items() if volume_ml[label] < 2.0]
    assert not missing
    assert volume_ml.size == 105
    assert phantom.ct.dtype == np.int16
    assert phantom.labels.dtype == np.uint8
    assert phantom.ct.shape == phantom.labels.shape


def test_pairs_lie_on_their_own_side(whole_body: Phantom) -> None:
    centres = centres_ras(whole_body)
    for name, centre in centres.items():
        if name.startswith("heart_"):
            continue  # the chambers' names tell their circulation; the left atrium lies in the middle
        if "_left" in name:
            assert centre[0] < -5, f"{name} at {centre}"
        elif "_right" in name:
            assert centre[0] > 5, f"{name} at {centre}"


def test_organs_lie_where_a_reader_looks_for_them(whole_body: Phantom) -> None:
    x, y, z = ({name: centre[axis] for name, centre in centres_ras(whole_body).items()} for axis in range(3))
    assert x["liver"] > 30
    assert x["spleen"] < -60
    assert x["heart_ventricle_left"] < x["heart_ventricle_right"] < x["heart_atrium_right"]
    assert x["inferior_vena_cava"] > x["aorta"]
    assert z["kidney_left"] > z["kidney_right"]
    assert y["urinary_bladder"] > y["sacrum"]
    assert y["trachea"] > y["esophagus"]
    assert y["face"] > y["brain"]
    order = ["vertebrae_L5", "vertebrae_L1", "vertebrae_T12", "vertebrae_T1", "vertebrae_C7", "vertebrae_C1", "brain"]
    assert sorted(order, key=z.get) == order


def test_neighbouring_vertebrae_and_ribs_differ_in_ct_number() -> None:
    phantom = make_phantom(dataclasses.replace(COARSE, spacing_mm=(3.0, 3.0, 3.0), noise_hu=0.0, blur_mm=0.0))
    labels = read_label_table()
    median = {name: np.median(phantom.ct[phantom.labels == number]) for name, number in labels.items()}
    spine = [name for name in labels if name.startswith("vertebrae_")]
    rows = [spine, *([f"rib_{side}_{n}" for n in range(1, 13)] for side in ("left", "right"))]
    for row in rows:
        for a, b in pairwise(row):
            assert abs(median[a] - median[b]) > 80, f"{a} {median[a]} HU, {b} {median[b]} HU"


@pytest.mark.parametrize("orientation", ["RAS", "LAS", "PIR", "SRP"])
def test_voxel_order_changes_nothing_but_the_order(whole_body: Phantom, orientation: str) -> None:
    other = make_phantom(dataclasses.replace(COARSE, orientation=orientation))
    for mine, theirs in ((whole_body.labels, other.labels), (whole_body.ct, other.ct)):
        np.testing.assert_array_equal(as_ras_order(whole_body, mine), as_ras_order(other, theirs))


def test_voxel_order_places_the_same_structures_in_space(whole_body: Phantom) -> None:
    mine, theirs = centres_ras(whole_body), centres_ras(make_phantom(dataclasses.replace(COARSE, orientation="PIR")))
    for name, centre in mine.items():
        np.testing.assert_allclose(theirs[name], centre, atol=0.01, err_msg=name)


def test_an_oblique_grid_keeps_the_body_in_place(whole_body: Phantom) -> None:
    oblique = make_phantom(dataclasses.replace(COARSE, oblique_degrees=(8.0, -5.0, 6.0)))
    assert np.abs(oblique.ijk_to_ras[:3, :3] / 6.0).max() < 0.999
    straight, turned = centres_ras(whole_body), centres_ras(oblique)
    for name in ("liver", "spleen", "heart_myocardium", "vertebrae_L3", "brain", "kidney_left"):
        np.testing.assert_allclose(turned[name], straight[name], atol=2.5, err_msg=name)


def test_a_field_of_view_crops() -> None:
    abdomen = dataclasses.replace(COARSE, field_of_view_mm=((-180, 180), (-126, 126), (0, 240)))
    phantom = make_phantom(abdomen)
    assert phantom.ct.shape == (40, 42, 60)
    present = set(np.unique(phantom.labels))
    table = read_label_table()
    assert {table[name] for name in ("liver", "spleen", "kidney_left", "pancreas")} <= present
    assert not {table[name] for name in ("brain", "femur_left", "trachea", "urinary_bladder")} & present


def test_the_seed_decides_everything(whole_body: Phantom) -> None:
    again = make_phantom(COARSE)
    np.testing.assert_array_equal(again.ct, whole_body.ct)
    other = make_phantom(dataclasses.replace(COARSE, seed=6))
    assert np.any(other.ct != whole_body.ct)
    np.testing.assert_array_equal(other.labels, whole_body.labels)


def test_saved_files_keep_geometry(tmp_path: Path) -> None:
    phantom = make_phantom(
        dataclasses.replace(
            COARSE,
            orientation="PIR",
            oblique_degrees=(5.0, 0.0, 3.0),
            field_of_view_mm=((-120, 120), (-90, 90), (60, 180)),
        )
    )
    for ending in ("nii.gz", "nrrd"):
        ct_path, labels_path = tmp_path / f"ct.{ending}", tmp_path / f"labels.{ending}"
        save_phantom(phantom, ct_path, labels_path)
        image = SimpleITK.ReadImage(str(ct_path))
        np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), phantom.ct)
        index = (3, 5, 7)
        lps = np.array(image.TransformIndexToPhysicalPoint(index))
        ras = (phantom.ijk_to_ras @ [*index, 1.0])[:3]
        np.testing.assert_allclose(lps * [-1, -1, 1], ras, atol=1e-3)
        np.testing.assert_array_equal(
            SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(labels_path))), phantom.labels
        )


@pytest.mark.parametrize("orientation", ["RAX", "RRS", "RA", ""])
def test_a_wrong_orientation_is_refused_by_name(orientation: str) -> None:
    with pytest.raises(ValueError, match="orientation"):
        PhantomParameters(orientation=orientation)
