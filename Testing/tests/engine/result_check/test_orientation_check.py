"""Where structures lie tells a mirrored, turned or upside-down CT; silent where they lie right or say too little."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import nibabel
import numpy as np
import pytest
from demo_model.phantom_pool import random_parameters
from phantom import Phantom, PhantomParameters, make_phantom
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.result_check.body_order import body_order
from TotalSegmentatorEngine.result_check.orientation_check import check_places
from TotalSegmentatorEngine.result_check.places import places_of
from TotalSegmentatorWire.tables.structure_rows import names_of
from TotalSegmentatorWire.tables.structures import structure_table

RIGHT_WAY = (1, 1, 1)
MIRRORINGS = [signs for signs in itertools.product((1, -1), repeat=3) if signs != RIGHT_WAY]
"""Signs of R, A, S in the header."""
ONE_AXIS = {(-1, 1, 1): "RESULT_LEFT_RIGHT", (1, -1, 1): "RESULT_FRONT_BACK", (1, 1, -1): "RESULT_HEAD_FEET"}


def names(table: str = "structures_104") -> dict[int, str]:
    return {structure.label: structure.name for structure in structure_table(table)}


def checked(labels: np.ndarray, matrix: np.ndarray, signs=RIGHT_WAY, known: dict[int, str] | None = None):
    geometry = Geometry(labels.shape, np.diag([*signs, 1.0]) @ matrix)
    found = check_places(places_of(labels, geometry, known or names()))
    return None if found is None else found.problem


@pytest.fixture(scope="module")
def body() -> Phantom:
    return make_phantom(PhantomParameters(spacing_mm=(6.0, 6.0, 6.0)))


def test_all_names_of_the_table_are_structures_of_the_models():
    known = {structure.name for table in ("structures_104", "structures_117") for structure in structure_table(table)}
    unknown = {
        term for relation in body_order() for term in (relation.first, relation.second) if not names_of(term, known)
    }
    assert unknown == set()


@pytest.mark.parametrize("table", ["structures_104", "structures_117"])
def test_both_label_sets_have_evidence_along_each_axis_and_of_each_group(table: str):
    known = names(table).values()
    usable = [
        (row.axis, row.group) for row in body_order() if names_of(row.first, known) and names_of(row.second, known)
    ]
    assert {group: usable.count(group) >= 15 for group in set(usable)} == dict.fromkeys(set(usable), True)
    assert set(usable) == {(0, "organs"), (0, "pairs"), (1, "organs"), (2, "organs"), (2, "vertebrae")}


@pytest.mark.parametrize(
    ("first", "last"),
    [(0, 3), pytest.param(3, 50, marks=pytest.mark.slow)],  # to draw a phantom takes a second
)
def test_fifty_poses_of_the_phantom_are_silent(first: int, last: int):
    for seed in range(first, last):
        phantom = make_phantom(dataclasses.replace(random_parameters(seed), spacing_mm=(6.0, 6.0, 6.0), noise_hu=0.0))
        assert checked(phantom.labels, phantom.ijk_to_ras) is None, seed


@pytest.mark.parametrize("signs", MIRRORINGS)
def test_each_mirrored_header_is_told(body: Phantom, signs):
    problem = checked(body.labels, body.ijk_to_ras, signs)
    assert problem.code == ONE_AXIS.get(signs, "RESULT_TURNED")
    assert problem.what.startswith("The CT may be mirrored")
    assert problem.values["wrong"] == problem.values["checked"] > 10


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_flipped_voxels_under_an_unchanged_header_are_the_same(body: Phantom, axis: int):
    assert checked(np.flip(body.labels, axis), body.ijk_to_ras).code in ONE_AXIS.values()


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "PIR", "LAS", "SRA"])
def test_the_voxel_order_and_an_oblique_grid_change_nothing(orientation: str):
    parameters = PhantomParameters(
        spacing_mm=(6.0, 6.0, 6.0), orientation=orientation, oblique_degrees=(9.0, -6.0, 12.0)
    )
    phantom = make_phantom(parameters)
    assert checked(phantom.labels, phantom.ijk_to_ras) is None
    assert checked(phantom.labels, phantom.ijk_to_ras, (-1, 1, 1)).code == "RESULT_LEFT_RIGHT"


def test_left_and_right_exchanged_in_the_pairs_alone_is_told(body: Phantom):
    """As a network that learnt with mirrored images may do it."""
    exchanged = {
        label: name.replace("_left", "_x").replace("_right", "_left").replace("_x", "_right")
        for label, name in names().items()
    }
    assert checked(body.labels, body.ijk_to_ras, known=exchanged).code == "RESULT_LEFT_RIGHT"


def test_the_organs_alone_tell_where_the_network_sides_the_pairs_by_place(body: Phantom):
    exchanged = {
        label: name.replace("_left", "_x").replace("_right", "_left").replace("_x", "_right")
        for label, name in names().items()
    }
    assert checked(body.labels, body.ijk_to_ras, (-1, 1, 1), exchanged).code == "RESULT_LEFT_RIGHT"


@pytest.mark.parametrize("signs", [RIGHT_WAY, *MIRRORINGS])
def test_few_structures_say_nothing(body: Phantom, signs):
    few = {label: name for label, name in names().items() if name in ("liver", "spleen", "stomach", "aorta")}
    assert checked(body.labels, body.ijk_to_ras, signs, few) is None
    unknown = dict.fromkeys(names(), "something_else")
    assert checked(body.labels, body.ijk_to_ras, signs, unknown) is None
    assert checked(np.zeros_like(body.labels), body.ijk_to_ras, signs) is None


def test_a_spine_alone_tells_head_from_feet(body: Phantom):
    spine = {label: name for label, name in names().items() if name.startswith("vertebrae")}
    assert checked(body.labels, body.ijk_to_ras, known=spine) is None
    assert checked(body.labels, body.ijk_to_ras, (1, 1, -1), spine).code == "RESULT_HEAD_FEET"


def test_wrongly_numbered_vertebrae_alone_are_no_upside_down_ct(body: Phantom):
    spine = [label for label, name in names().items() if name.startswith("vertebrae")]
    backwards = names() | dict(zip(spine, [names()[label] for label in reversed(spine)], strict=True))
    assert checked(body.labels, body.ijk_to_ras, known=backwards) is None


def test_random_fields_of_view_are_silent(body: Phantom):
    random = np.random.default_rng(5)
    for _ in range(100):
        sizes = [int(random.uniform(0.15, 1) * size) for size in body.labels.shape]
        starts = [random.integers(0, whole - size + 1) for whole, size in zip(body.labels.shape, sizes, strict=True)]
        part = tuple(slice(start, start + size) for start, size in zip(starts, sizes, strict=True))
        assert checked(body.labels[part], body.ijk_to_ras) is None, part


@pytest.fixture(scope="module")
def chest() -> Phantom:
    view = ((-230.0, 230.0), (-160.0, 160.0), (100.0, 520.0))
    return make_phantom(PhantomParameters(spacing_mm=(6.0, 6.0, 6.0), field_of_view_mm=view))


def test_small_findings_at_wrong_places_do_not_turn_a_chest(chest: Phantom):
    """As a network gives that knows no chest: parts of a pelvis at the shoulders, of a brain at the liver."""
    labels = chest.labels.copy()
    places = {"brain": (0, 120), "hip_left": (-80, 480), "hip_right": (80, 480), "femur_left": (-100, 490)}
    places |= {"femur_right": (100, 490), "gluteus_maximus_left": (-60, 470), "gluteus_maximus_right": (60, 470)}
    of_name = {name: label for label, name in names().items()}
    index = np.stack(np.indices(labels.shape)[::-1], axis=-1)
    ras = index @ chest.ijk_to_ras[:3, :3].T + chest.ijk_to_ras[:3, 3]
    for name, (right, head) in places.items():
        ball = np.linalg.norm(ras - (right, 0, head), axis=-1) <= (15 if name == "brain" else 8)
        labels[ball] = of_name[name]
        assert ball.sum() * 0.216 > 1, name
    assert checked(labels, chest.ijk_to_ras) is None
    assert checked(labels, chest.ijk_to_ras, (1, 1, -1)).code == "RESULT_HEAD_FEET"


def test_one_large_organ_at_a_wrong_place_does_not_mirror_the_ct(chest: Phantom):
    spleen = next(label for label, name in names().items() if name == "spleen")
    labels = np.where(chest.labels == spleen, 0, chest.labels)
    axis = 2 - int(np.abs(chest.ijk_to_ras[0, :3]).argmax())
    mirrored = np.flip(chest.labels == spleen, axis)
    labels[mirrored] = spleen
    assert mirrored.sum() * 0.216 > 20
    assert checked(labels, chest.ijk_to_ras) is None


def test_the_warning_names_structures_as_the_panel_does(body: Phantom):
    problem = checked(body.labels, body.ijk_to_ras, (-1, 1, 1))
    shown = {structure.display_name for structure in structure_table("structures_104")}
    assert {problem.values["first"], problem.values["second"]} < shown
    assert "_" not in problem.what


@pytest.mark.parametrize(
    ("file", "table"),
    [
        ("reference_104_1.5mm", "structures_104"),
        ("reference_104_3mm", "structures_104"),
        ("reference_117_3mm", "structures_117"),
    ],
)
def test_published_results_of_a_real_ct_with_all_eight_headers(shared: Path, file: str, table: str):
    image = nibabel.load(shared / "data" / "example_ct" / f"{file}.nii.gz")
    labels = np.asarray(image.dataobj).transpose(2, 1, 0).astype(np.uint8)
    assert checked(labels, image.affine, known=names(table)) is None
    for signs in MIRRORINGS:
        assert checked(labels, image.affine, signs, names(table)).code == ONE_AXIS.get(signs, "RESULT_TURNED")
