"""Surfaces as files: STL, PLY and OBJ for one surface each, glTF for a scene of them with names and colours.

STL, PLY and OBJ say in their header which patient space they are in, as Slicer does and reads it ("SPACE=LPS").
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

import numpy as np
from TotalSegmentatorWire import ALGORITHM_NAME
from TotalSegmentatorWire.tables.export_formats import LPS

from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.surfaces.mesh import Mesh, unit_vectors

MM_TO_METRES = 0.001

_LINES_AT_ONCE = 10_000

_STL_FACE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_PLY_VERTEX = np.dtype([("position", "<f4", 3), ("normal", "<f4", 3), ("colour", "u1", 3)])
_PLY_FACE = np.dtype([("count", "u1"), ("corners", "<i4", 3)])


def write_stl(stream: BinaryIO, mesh: Mesh, space: str, roi: Roi) -> None:
    """Binary STL: 80 bytes of text, the number of triangles, 50 bytes each. Holds no colour and no name."""
    faces = np.zeros(len(mesh.faces), dtype=_STL_FACE)
    faces["corners"] = mesh.vertices[mesh.faces]
    edges = faces["corners"][:, 1:] - faces["corners"][:, :1]
    faces["normal"] = unit_vectors(np.cross(edges[:, 0], edges[:, 1]))
    stream.write(f"{ALGORITHM_NAME}. {_space(space)}".encode("ascii").ljust(80))
    stream.write(np.uint32(len(faces)).astype("<u4").tobytes())
    stream.write(faces.tobytes())


def write_ply(stream: BinaryIO, mesh: Mesh, space: str, roi: Roi) -> None:
    """Binary PLY with a normal and the structure's colour at each vertex."""
    vertices = np.zeros(len(mesh.vertices), dtype=_PLY_VERTEX)
    vertices["position"], vertices["normal"], vertices["colour"] = mesh.vertices, mesh.normals, roi.colour
    faces = np.zeros(len(mesh.faces), dtype=_PLY_FACE)
    faces["count"], faces["corners"] = 3, mesh.faces
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"comment {ALGORITHM_NAME}. {_space(space)}",
        f"element vertex {len(vertices)}",
        *(f"property float {name}" for name in ("x", "y", "z", "nx", "ny", "nz")),
        *(f"property uchar {name}" for name in ("red", "green", "blue")),
        f"element face {len(faces)}",
        "property list uchar int vertex_indices",
        "end_header",
    ]
    stream.write(("\n".join(header) + "\n").encode("ascii"))
    stream.write(vertices.tobytes())
    stream.write(faces.tobytes())


def write_obj(stream: BinaryIO, mesh: Mesh, space: str, roi: Roi) -> None:
    """OBJ, a text format: positions in mm to 0.1 µm, normals, faces. The colour would need a second file."""
    stream.write(f"# {ALGORITHM_NAME}. {_space(space)}\no {_ascii(roi.name)}\n".encode("ascii"))
    _write_lines(stream, "v %.4f %.4f %.4f\n", mesh.vertices)
    _write_lines(stream, "vn %.4f %.4f %.4f\n", mesh.normals)
    _write_lines(stream, "f %d//%d %d//%d %d//%d\n", np.repeat(mesh.faces + 1, 2, axis=1))


def _write_lines(stream: BinaryIO, line: str, rows: np.ndarray) -> None:
    for start in range(0, len(rows), _LINES_AT_ONCE):
        part = rows[start : start + _LINES_AT_ONCE]
        stream.write((line * len(part) % tuple(part.ravel().tolist())).encode("ascii"))


def write_gltf(stream: BinaryIO, meshes: Iterable[tuple[Mesh, Roi]], space: str) -> None:
    """One binary glTF 2.0 scene: a node per structure, named and coloured, below one node "patient".

    glTF is in metres with y up, z forward and x to the left of what it shows. Vertices stay in mm of ``space``, and
    the patient's node holds the matrix from there: the patient stands upright and looks along +z.
    """
    import trimesh

    scene = trimesh.Scene(base_frame="world")
    scene.graph.update(frame_from="world", frame_to="patient", matrix=_to_gltf(space))
    for mesh, roi in meshes:
        material = trimesh.visual.material.PBRMaterial(
            name=roi.name, baseColorFactor=_linear(roi.colour), metallicFactor=0.0, roughnessFactor=0.7
        )
        geometry = trimesh.Trimesh(
            vertices=mesh.vertices,
            faces=mesh.faces,
            vertex_normals=mesh.normals,
            visual=trimesh.visual.TextureVisuals(material=material),
            process=False,
        )
        scene.add_geometry(geometry, node_name=roi.name, geom_name=roi.name, parent_node_name="patient")
    stream.write(trimesh.exchange.gltf.export_glb(scene, include_normals=True))


def _to_gltf(space: str) -> np.ndarray:
    """4x4 from mm of LPS or RAS to glTF: x is the patient's left, y superior, z anterior."""
    left, posterior = (1, 1) if space == LPS else (-1, -1)
    matrix = np.array([[left, 0, 0, 0], [0, 0, 1, 0], [0, -posterior, 0, 0], [0, 0, 0, 1 / MM_TO_METRES]])
    return matrix * MM_TO_METRES


def _linear(colour: tuple[int, int, int]) -> list[float]:
    """glTF's factors are linear, our colours those of a screen: sRGB, IEC 61966-2-1."""
    screen = np.array(colour) / 255
    linear = np.where(screen <= 0.04045, screen / 12.92, ((screen + 0.055) / 1.055) ** 2.4)
    return [*(float(channel) for channel in linear), 1.0]


def _space(space: str) -> str:
    return f"SPACE={space.upper()}"


def _ascii(text: str) -> str:
    return "_".join(text.encode("ascii", "replace").decode("ascii").split())
