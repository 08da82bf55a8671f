"""The box in which a task runs is the published program's, voxel for voxel, on the phantom's labels."""

from __future__ import annotations

import numpy as np
import pytest
from phantom import PhantomParameters, make_phantom
from published_task import published_box
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.labels.merging import found_structures
from TotalSegmentatorEngine.preprocessing.cut_volume import box_of_extents, cut_geometry
from TotalSegmentatorWire.tables.catalogue import CatalogueModel, read_catalogue
from TotalSegmentatorWire.tables.structures import structure_table

TABLE = structure_table("structures_104")
NAMES = {row.name for row in TABLE}
RULES = {
    tuple(sorted(NAMES & {*task.crop.classes})): task
    for task in read_catalogue().values()
    if task.crop is not None and NAMES & {*task.crop.classes}
}
"""One task for each set of structures that the phantom can show; it has no skull, no trunk and no teeth."""
GRIDS = {
    "isotropic": PhantomParameters(seed=5, spacing_mm=(6.0, 6.0, 6.0)),
    "anisotropic": PhantomParameters(seed=6, spacing_mm=(5.3, 4.7, 9.1), orientation="LPS"),
    "oblique": PhantomParameters(seed=7, spacing_mm=(6.4, 5.0, 7.0), oblique_degrees=(9.0, -6.0, 12.0)),
    "left-handed": PhantomParameters(seed=8, spacing_mm=(5.0, 6.4, 8.0), orientation="LAS"),
}


@pytest.fixture(scope="module", params=GRIDS)
def phantom(request):
    """Its labels (k, j, i) and their grid."""
    made = make_phantom(GRIDS[request.param])
    geometry = Geometry(made.labels.shape, made.ijk_to_ras)
    assert geometry.is_left_handed == (request.param == "left-handed")
    return made.labels, geometry


def boxes(labels: np.ndarray, geometry: Geometry, task: CatalogueModel):
    """Ours and the published one."""
    wanted = [row for row in TABLE if row.name in task.crop.classes]
    extents = [found.extent for found in found_structures(labels, wanted)]
    ours = box_of_extents(extents, geometry, task.crop.margin_mm)
    return ours, published_box(np.isin(labels, [row.label for row in wanted]), geometry, task.crop.margin_mm)


@pytest.mark.parametrize("task", RULES.values(), ids=[task.id for task in RULES.values()])
def test_box_is_the_published_one(phantom, task):
    labels, geometry = phantom
    ours, published = boxes(labels, geometry, task)
    assert ours == published
    assert any((part.start, part.stop) != (0, size) for part, size in zip(ours, labels.shape, strict=True))


@pytest.mark.parametrize("spacing", [(0.8, 0.8, 0.8), (0.7, 1.25, 5.0), (0.9765625, 0.9765625, 2.5), (1.1, 1.3, 1.9)])
def test_margin_is_cut_to_whole_voxels_of_the_stored_size(spacing):
    geometry = Geometry((80, 70, 60), np.diag([*spacing, 1.0]))
    labels = np.zeros(geometry.shape, dtype=np.uint8)
    labels[35:38, 30:33, 29:31] = next(row.label for row in TABLE if row.name == "liver")
    ours, published = boxes(labels, geometry, read_catalogue()["liver_vessels"])
    assert ours == published
    if spacing[0] == 0.8:
        assert ours == (slice(11, 62), slice(6, 57), slice(5, 55)), "24 voxels, not 25"


def test_box_keeps_its_place_in_the_patient(phantom):
    labels, geometry = phantom
    ours, _published = boxes(labels, geometry, read_catalogue()["liver_vessels"])
    inner = cut_geometry(geometry, ours)
    place = np.array([1, 2, 3])
    same_place = place + [part.start for part in reversed(ours)]
    assert np.allclose(inner.ijk_to_ras @ [*place, 1], geometry.ijk_to_ras @ [*same_place, 1])
    assert inner.shape == tuple(part.stop - part.start for part in ours)


def test_nothing_found_gives_no_box(phantom):
    labels, geometry = phantom
    nothing = found_structures(np.zeros_like(labels), TABLE)
    assert box_of_extents([found.extent for found in nothing], geometry, 20) is None
