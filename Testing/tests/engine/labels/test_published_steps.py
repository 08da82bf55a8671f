"""The published post-processing of the tasks, each step against a plain reference with SciPy's own calls."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from TotalSegmentatorEngine.labels.published_steps import apply_published_steps
from TotalSegmentatorWire.tables.catalogue import read_catalogue
from TotalSegmentatorWire.tables.published_rules import PublishedStep
from TotalSegmentatorWire.tables.structures import structure_table

SPACING = (1.5, 1.5, 1.5)
SPINE = {row.name: row.label for row in structure_table("structures_vertebrae_pp")}


def lumps(shape: tuple[int, int, int] = (40, 34, 30), seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(random.normal(size=shape), 1.5)
    return np.digitize(smooth, np.quantile(smooth, [0.55, 0.75])).astype(np.uint8)


def steps_of(model: str, grid: str = "network") -> list[PublishedStep]:
    return [step for step in read_catalogue()[model].steps if step.grid == grid]


def pieces(mask: np.ndarray) -> list[np.ndarray]:
    found, count = ndimage.label(mask)
    return [found == number for number in range(1, count + 1)]


@pytest.mark.parametrize("spacing", [SPACING, (6.0, 6.0, 6.0), (0.8, 0.7, 3.1)])
def test_body_keeps_one_trunk_and_large_limbs(spacing):
    labels = lumps()
    expected = np.zeros_like(labels)
    expected[max(pieces(labels == 1), key=np.sum)] = 1
    for piece in pieces(labels == 2):
        if piece.sum() * np.prod(spacing) > 50000:
            expected[piece] = 2
    shares: list[float] = []
    apply_published_steps(
        labels, steps_of("body"), {"body_trunc": 1, "body_extremities": 2}, spacing, on_share=shares.append
    )
    assert np.array_equal(labels, expected)
    assert shares == sorted(shares) and shares[0] == 0.0 and shares[-1] == 1.0


def test_piece_of_exactly_the_limit_is_removed():
    labels = np.zeros((30, 30, 30), dtype=np.uint8)
    labels[2:12, 2:12, 2:7] = 2  # 500 voxels of 100 mm3
    labels[15:25, 15:25, 15:20] = 2
    labels[25, 15, 15] = 2
    apply_published_steps(labels, steps_of("body")[1:], {"body_extremities": 2}, (4.0, 5.0, 5.0))
    assert labels[2:12].sum() == 0 and (labels == 2).sum() == 501


def test_labels_that_the_table_lacks_are_dropped():
    labels = np.arange(60, dtype=np.uint8).reshape(3, 4, 5) % 5
    expected = np.where(labels > 2, 0, labels)
    apply_published_steps(labels, steps_of("kidney_cysts"), {"kidney_cyst_left": 1, "kidney_cyst_right": 2}, SPACING)
    assert np.array_equal(labels, expected)


def spine(places: list[tuple[int, tuple[int, ...]]], gap: int = 4) -> np.ndarray:
    """A column of blocks (z, y, x), from the lowest one: at each slice the labels of its halves, or its one label."""
    labels = np.zeros((places[-1][0] + 10, 20, 20), dtype=np.uint8)
    for first, halves in places:
        labels[first : first + 10 - gap, 6:18, 6:18] = halves[0]
        labels[first : first + 10 - gap, 6:18, 12:18] = halves[-1]
    return labels


def grown(labels: np.ndarray, mm: float, spacing: tuple[float, float, float]) -> np.ndarray:
    """Every label by itself into what was background, for voxels that ``mm`` is a multiple of."""
    offsets = np.stack(np.meshgrid(*(np.arange(-4, 5) for _ in range(3)), indexing="ij"), axis=-1)
    element = (np.linalg.norm(offsets * np.array(spacing), axis=-1) <= mm + 1e-6).astype(bool)
    result = labels.copy()
    for label in np.unique(labels[labels > 0]):
        result[ndimage.binary_dilation(labels == label, element) & (result == 0)] = label
    return result


def test_vertebrae_that_do_not_touch_only_grow():
    labels = spine([(3, (24,)), (13, (22,)), (23, (21,))])
    expected = grown(labels, 3.0, SPACING)
    apply_published_steps(labels, steps_of("vertebrae_pp"), SPINE, SPACING)
    assert np.array_equal(labels, expected)
    assert set(np.unique(labels)) == {0, 21, 22, 24}, "a gap in the numbers stays"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([(24,), (23, 22), (21,)], [24, 23, 22]),  # from L5 upwards
        ([(20, 21), (19,), (18,)], [21, 20, 19]),  # the largest label that is there begins
        ([(5,), (3, 2), (1,)], [3, 2, 1]),  # C1 without L5: from the top
        ([(2, 1), (1,), (1,)], [3, 2, 1]),
        ([(2,), (24, 2), (1,)], [24, 23, 22]),  # C1 with L5 somewhere: from the bottom
    ],
)
def test_touching_vertebrae_are_numbered_anew(found, expected):
    labels = spine([(3 + 10 * number, halves) for number, halves in enumerate(found)])
    labels[0, 0, 0:20] = 12  # 20 voxels of 3.4 mm3 are less than 100 mm3
    wanted = spine([(3 + 10 * number, (label,)) for number, label in enumerate(expected)])
    apply_published_steps(labels, steps_of("vertebrae_pp"), SPINE, SPACING)
    assert np.array_equal(labels, grown(wanted, 3.0, SPACING))


def test_more_pieces_than_labels_are_left_out():
    labels = spine([(3, (2, 1)), (13, (2,)), (23, (2,))])
    labels[labels == 1] = 2
    labels[3:9, 6:18, 6:8] = 3  # C3 is the largest: three labels for three pieces and a fourth one on top
    labels = np.concatenate([labels, spine([(3, (2,))])])
    apply_published_steps(labels, steps_of("vertebrae_pp")[:1], SPINE, SPACING)
    assert [int(labels[z, 10, 10]) for z in (5, 15, 25, 39)] == [3, 2, 1, 0]


def test_nothing_but_crumbs_leaves_nothing():
    labels = np.zeros((6, 6, 6), dtype=np.uint8)
    labels[2, 2, 2:4] = 3, 4
    apply_published_steps(labels, steps_of("vertebrae_pp"), SPINE, SPACING)
    assert not labels.any()


def test_grown_labels_are_clipped_to_the_bodies():
    spacing = (2.0, 1.0, 1.0)
    labels = spine([(3, (24,)), (13, (23,))])
    mask = np.zeros(labels.shape, dtype=np.uint8)
    mask[2:12, 5:20, 5:15] = 1
    asked: list[str] = []

    def mask_of(step: PublishedStep) -> np.ndarray:
        asked.append(f"{step.model} {step.structures[0]}")
        return mask

    expected = np.where(mask == 1, grown(labels, 2.0, spacing), 0)
    apply_published_steps(labels, steps_of("vertebrae_pp_refined", "ct"), SPINE, spacing, mask_of)
    assert np.array_equal(labels, expected) and labels.any()
    assert asked == ["vertebrae_body vertebrae_body"]


@pytest.mark.parametrize(("mm", "spacing"), [(2.0, (0.8, 0.7, 1.3)), (3.0, (1.5, 1.5, 1.5)), (2.0, (5.0, 0.9, 0.9))])
def test_ellipsoid_begins_at_its_radius_as_published(mm, spacing):
    labels = np.zeros((25, 25, 25), dtype=np.uint8)
    labels[12, 12, 12] = 7
    apply_published_steps(labels, [PublishedStep("dilate_each_label", "ct", mm=mm)], {}, spacing)
    steps = [np.arange(-np.float32(mm) / np.float32(length), mm / length + 1) for length in spacing]
    steps = [own[own < np.float32(mm) / np.float32(length) + 1] for own, length in zip(steps, spacing, strict=True)]
    z, y, x = (own * length for own, length in zip(np.meshgrid(*steps, indexing="ij"), spacing, strict=True))
    element = z * z + y * y + x * x <= mm * mm * (1 + 1e-6)
    point = np.zeros(labels.shape, dtype=bool)
    point[12, 12, 12] = True
    assert np.array_equal(labels == 7, point | ndimage.binary_dilation(point, element))
    assert (labels == 7).sum() > 1 or spacing[0] > 2 * mm, "no voxel of thick slices lies within the ellipsoid"


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("step", steps_of("vertebrae_pp") + steps_of("body") + steps_of("kidney_cysts"))
def test_every_step_can_be_stopped(step):
    labels = lumps((40, 20, 20))
    calls = 0

    def stop(_share: float) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise StoppedError

    numbers = {**SPINE, "body_trunc": 1, "body_extremities": 2}
    with pytest.raises(StoppedError):
        apply_published_steps(labels, [step], numbers, SPACING, on_share=stop)


def test_unknown_step_is_refused():
    with pytest.raises(ValueError, match="sharpen"):
        apply_published_steps(lumps((3, 3, 3)), [PublishedStep("sharpen", "network")], {}, SPACING)
