"""Surfaces: closed, with the voxels' volume, looking outward on every grid, and in their place, in Slicer too."""

from __future__ import annotations

import errno
from pathlib import Path

import ct_variants
import nibabel
import numpy as np
import pytest
import slicer
import trimesh
from roi_support import RAS_GRID, SHAPE, a_roi, code_of, two_rois
from scipy.ndimage import find_objects
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.export.surfaces import mesh as mesh_module
from TotalSegmentatorEngine.export.surfaces import writer as surfaces
from TotalSegmentatorEngine.export.surfaces.mesh import Mesh, surface_of
from TotalSegmentatorEngine.export.surfaces.writer import file_name, write_surfaces
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.statistics.voxel_volumes import volume_ml
from TotalSegmentatorWire.errors.problem import SegmentationError

FILES = ("stl", "ply", "obj")
GRIDS = {
    "RAS": RAS_GRID,
    "left-handed": RAS_GRID @ np.diag([-1.0, 1.0, 1.0, 1.0]),
    "oblique": ct_variants.turned(RAS_GRID, 20),
    "other order": RAS_GRID[:, [2, 0, 1, 3]],
}


def ball(radius: float = 6.0, shape: tuple[int, int, int] = (24, 30, 28)) -> np.ndarray:
    """bool (k, j, i): a ball of patient space, in mm, on voxels of ``RAS_GRID``'s spacing; not in the middle."""
    k, j, i = np.indices(shape)
    return (i * 0.7 - 9) ** 2 + (j * 0.9 - 12) ** 2 + (k * 2.5 - 27) ** 2 < radius**2


def centre_ras(mask: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    k, j, i = (index.mean() for index in np.nonzero(mask))
    return (matrix @ [i, j, k, 1])[:3]


def as_trimesh(mesh: Mesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)


# -- one surface -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("space", ["ras", "lps"])
@pytest.mark.parametrize("grid", GRIDS)
def test_a_ball_is_closed_in_its_place_and_looks_outward(grid: str, space: str) -> None:
    mask = ball()
    geometry = Geometry(mask.shape, GRIDS[grid])
    mesh = surface_of(VoxelMask.cropped(mask), geometry, space)
    solid = as_trimesh(mesh)
    assert solid.is_watertight and solid.is_winding_consistent
    expected = mask.sum() * abs(np.linalg.det(GRIDS[grid][:3, :3]))
    assert solid.volume == pytest.approx(expected, rel=0.01)  # negative where faces look inward
    centre = centre_ras(mask, GRIDS[grid]) * ((1, 1, 1) if space == "ras" else (-1, -1, 1))
    np.testing.assert_allclose(solid.center_mass, centre, atol=0.05)
    outward = np.einsum("ni,ni->n", mesh.normals, mesh.vertices - centre)
    assert (outward > 0).all()


def test_the_staircase_is_levelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plane that is tilted against the voxels: smoothing takes away nearly half of the steps."""
    k, j, i = np.indices((12, 40, 40))
    mask = (i * 0.7 + 0.35 * j * 0.9 < 20) & (k > 1) & (k < 10) & (j > 3) & (j < 36)

    def roughness() -> float:
        mesh = surface_of(VoxelMask.cropped(mask), Geometry(mask.shape, np.diag([0.7, 0.9, 2.5, 1])), "ras")
        x, y, z = mesh.vertices.T
        near = (y > 10) & (y < 26) & (z > 10) & (z < 20) & (x > 8)  # the tilted side, away from edges
        assert near.sum() > 50
        return float((x + 0.35 * y)[near].std() / np.hypot(1, 0.35))

    smooth = roughness()
    monkeypatch.setattr(mesh_module, "SMOOTHING_ROUNDS", 0)
    assert smooth < 0.6 * roughness()


@pytest.mark.parametrize("size", [(1, 1, 1), (1, 2, 1), (1, 8, 8), (2, 2, 2), (20, 1, 1)])
def test_small_and_thin_structures_survive(size: tuple[int, int, int]) -> None:
    """One voxel, a sheet, a thread: closed, in place, and of a volume that is not far off."""
    mask = np.zeros((24, 12, 12), bool)
    mask[2 : 2 + size[0], 2 : 2 + size[1], 2 : 2 + size[2]] = True
    grid = Geometry(mask.shape, np.diag([1.0, 1.0, 1.0, 1.0]))
    solid = as_trimesh(surface_of(VoxelMask.cropped(mask), grid, "ras"))
    assert solid.is_watertight
    assert solid.volume == pytest.approx(mask.sum(), rel=0.35 if mask.sum() < 3 else 0.02)
    np.testing.assert_allclose(solid.center_mass, centre_ras(mask, grid.ijk_to_ras), atol=0.05)


def test_holes_inside_are_surfaces_too() -> None:
    mask = ball() & ~ball(3.0)
    grid = Geometry(mask.shape, RAS_GRID)
    solid = as_trimesh(surface_of(VoxelMask.cropped(mask), grid, "lps"))
    assert solid.body_count == 2
    assert solid.volume == pytest.approx(1000 * volume_ml(VoxelMask.cropped(mask), grid), rel=0.01)


def test_structures_at_the_border_of_the_ct_are_closed() -> None:
    mask = np.ones(SHAPE, bool)
    solid = as_trimesh(surface_of(VoxelMask.cropped(mask), Geometry(SHAPE, RAS_GRID), "ras"))
    assert solid.is_watertight
    assert solid.volume == pytest.approx(mask.sum() * 0.7 * 0.9 * 2.5, rel=0.01)


def test_planes_at_irregular_steps() -> None:
    """The same cylinder on planes whose steps differ: as high as the planes say, and their volume."""
    distances = np.array([0.0, 2.0, 4.0, 6.0, 12.0, 14.0, 16.0, 18.0])
    k, j, i = np.indices((8, 30, 30))
    mask = ((i - 14) ** 2 + (j - 12) ** 2 < 64) & (k > 0) & (k < 7)
    grid = Geometry(mask.shape, np.diag([-1.0, -1.0, 18 / 7, 1.0]))
    positions = np.column_stack([np.zeros(8), np.zeros(8), distances])
    solid = as_trimesh(surface_of(VoxelMask.cropped(mask), grid, "lps", positions))
    low, high = solid.bounds[:, 2]
    np.testing.assert_allclose([low, high], [1.0, 17.0], atol=0.6)
    expected = mask[1].sum() * (17.0 - 1.0)
    assert solid.volume == pytest.approx(expected, rel=0.01)


@pytest.mark.shared
def test_volumes_of_a_real_result(shared: Path) -> None:
    """Each structure of 1 ml or more within 1 %, closed; left and right lie where they should."""
    image = nibabel.load(shared / "data" / "example_ct" / "reference_104_3mm.nii.gz")
    labels = np.asarray(image.dataobj).transpose(2, 1, 0).astype(np.uint8)
    grid = Geometry(labels.shape, image.affine)
    compared = 0
    for label, box in enumerate(find_objects(labels), start=1):
        if box is None:
            continue
        mask = VoxelMask.cropped(labels[box] == label, tuple(part.start for part in box), labels.shape)
        mesh = surface_of(mask, grid, "ras")
        wanted = volume_ml(mask, grid)
        if wanted >= 1:
            compared += 1
            assert mesh.volume_mm3 / 1000 == pytest.approx(wanted, rel=0.01), label
            assert as_trimesh(mesh).is_watertight, label
    assert compared > 50


# -- files -------------------------------------------------------------------------------------------------------------


def two_lumps() -> list:
    return [
        a_roi(1, "Kidney_L", ball()),
        a_roi(2, "GTV: new?", np.roll(ball(3.0), 4, axis=2), colour=(0, 255, 0)),
    ]


BALL_GRID = Geometry(ball().shape, GRIDS["left-handed"])


def read_file(path: Path) -> trimesh.Trimesh:
    return trimesh.load(path, process=False)


@pytest.mark.parametrize("space", ["ras", "lps"])
@pytest.mark.parametrize("format", FILES)
def test_one_file_a_structure(tmp_path: Path, format: str, space: str) -> None:
    files = write_surfaces(tmp_path / "out", two_lumps(), BALL_GRID, format, space)
    assert sorted(path.name for path in files) == [f"GTV_ new_.{format}", f"Kidney_L.{format}"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"GTV_ new_.{format}", f"Kidney_L.{format}"]
    mesh = surface_of(VoxelMask.cropped(ball()), BALL_GRID, space)
    read = read_file(tmp_path / "out" / f"Kidney_L.{format}")
    assert len(read.faces) == len(mesh.faces)
    assert read.volume == pytest.approx(mesh.volume_mm3, rel=1e-4)
    np.testing.assert_allclose(read.bounds, as_trimesh(mesh).bounds, atol=1e-3)
    if format == "ply":
        assert read.visual.vertex_colors[0].tolist() == [200, 100, 50, 255]
    if format != "stl":
        np.testing.assert_allclose(read.vertex_normals, mesh.normals, atol=1e-3)


@pytest.mark.parametrize("space", ["ras", "lps"])
@pytest.mark.parametrize("format", FILES)
def test_slicer_puts_it_in_its_place(tmp_path: Path, format: str, space: str) -> None:
    """Slicer's scene is RAS; it reads from the file's header which space its numbers are in."""
    write_surfaces(tmp_path, [a_roi(1, "Kidney_L", ball())], BALL_GRID, format, space)
    scene = slicer.vtkMRMLScene()
    storage = scene.AddNewNodeByClass("vtkMRMLModelStorageNode")
    storage.SetFileName(str(tmp_path / f"Kidney_L.{format}"))
    model = scene.AddNewNodeByClass("vtkMRMLModelNode")
    assert storage.ReadData(model)
    expected = as_trimesh(surface_of(VoxelMask.cropped(ball()), BALL_GRID, "ras")).bounds
    np.testing.assert_allclose(np.reshape(model.GetPolyData().GetBounds(), (3, 2)).T, expected, atol=1e-3)


@pytest.mark.parametrize("space", ["ras", "lps"])
def test_gltf_is_one_scene_in_metres_that_stands_upright(tmp_path: Path, space: str) -> None:
    """glTF 2.0, 3.4: metres, y up, the front looks along z; x is then the left of what is shown."""
    assert write_surfaces(tmp_path / "out.glb", two_lumps(), BALL_GRID, "gltf", space) == [tmp_path / "out.glb"]
    scene = trimesh.load(tmp_path / "out.glb")
    assert set(scene.graph.nodes_geometry) == {"Kidney_L", "GTV: new?"}
    for roi, colour in zip(two_lumps(), ((148, 32, 8), (0, 255, 0)), strict=True):  # 200, 100, 50 of a screen, linear
        matrix, name = scene.graph[roi.name]
        mesh = scene.geometry[name].copy()
        np.testing.assert_allclose(mesh.visual.material.baseColorFactor[:3], colour, atol=1)
        mesh.apply_transform(matrix)
        right, anterior, superior = centre_ras(roi.voxels().whole(), BALL_GRID.ijk_to_ras) / 1000
        np.testing.assert_allclose(mesh.center_mass, [-right, superior, anterior], atol=1e-4)
        assert mesh.volume > 0


def test_file_names_of_every_system() -> None:
    taken: set[str] = set()
    names = ["Lung_L", "lung_l", "a/b\\c:d", "CON", "nul.x", " .. ", "Leber (groß)", "Musc_Iliopsoa~_L"]
    assert [file_name(name, taken) for name in names] == [
        "Lung_L",
        "lung_l_2",
        "a_b_c_d",
        "structure_CON",
        "structure_nul.x",
        "structure",
        "Leber (groß)",
        "Musc_Iliopsoa~_L",
    ]


# -- nothing half-written ----------------------------------------------------------------------------------------------


def test_a_stopped_export_leaves_what_was_there(tmp_path: Path) -> None:
    def stop(index: int, _roi) -> None:
        if index == 1:
            raise SegmentationError("CANCELLED")

    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "Kidney_L.stl").write_text("an earlier export")
    for target, format in ((folder, "stl"), (tmp_path / "new", "ply"), (tmp_path / "scene.glb", "gltf")):
        action = lambda t=target, f=format: write_surfaces(t, two_lumps(), BALL_GRID, f, progress=stop)  # noqa: E731
        assert code_of(action) == "CANCELLED"
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == ["old", "old/Kidney_L.stl"]
    assert (folder / "Kidney_L.stl").read_text() == "an earlier export"


def test_full_disk_and_places_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    for target in (tmp_path / "file", tmp_path / "no" / "such"):
        assert code_of(lambda t=target: write_surfaces(t, two_rois(), BALL_GRID, "stl")) == "OUTPUT_NOT_WRITABLE"
    assert code_of(lambda: write_surfaces(tmp_path, two_rois(), BALL_GRID, "gltf")) == "OUTPUT_NOT_WRITABLE"

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setitem(surfaces.WRITERS, "stl", full)
    assert code_of(lambda: write_surfaces(tmp_path / "out", two_lumps(), BALL_GRID, "stl")) == "DISK_FULL"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
