"""Put the phantom together: parameters, voxel grid, painting, and the voxel order of the result."""

from __future__ import annotations

import csv
import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from phantom import organs, skeleton, vessels_and_muscles
from phantom.body_frame import BODY_CENTRE, BODY_HIGH, BODY_LOW
from phantom.hounsfield import AIR
from phantom.shapes import Shape

TABLE = Path(__file__).parents[2] / "TotalSegmentatorModule" / "Resources" / "Structures" / "structures_104.csv"
SLAB_VOXELS = 4_000_000  # voxels painted at once: bounds the memory of the temporary coordinate arrays
_AXIS_OF_LETTER = {"R": (0, +1), "L": (0, -1), "A": (1, +1), "P": (1, -1), "S": (2, +1), "I": (2, -1)}


@dataclass(frozen=True)
class PhantomParameters:
    """What varies between phantoms; lengths in mm, angles in degrees, axes in the order right, front, head (RAS).

    Attributes
    ----------
    seed : of the noise and of the small differences in CT number between phantoms
    spacing_mm : voxel size along the patient's (right, front, head) axes, before the voxel order is applied
    orientation : where the index axes i, j, k point, such as "LPS", "RAS", "PIR"
    field_of_view_mm : ((x0, x1), (y0, y1), (z0, z1)) in RAS; None: the whole phantom
    rotation_degrees : turn of the body about the x, y, z axes inside the scanner
    scale : of the body along x, y, z, about its middle
    shift_mm : of the body, after scale and turn
    bend_mm : how far head and thighs move along x and y, as if the patient lay curved
    oblique_degrees : turn of the voxel grid about x, y, z: the direction matrix is then not axis-aligned
    noise_hu : standard deviation of the noise in each voxel
    blur_mm : standard deviation of the scanner's blur; half a voxel of partial volume is added to it
    hu_jitter : standard deviation of the differences in CT number that belong to one phantom
    """

    seed: int = 0
    spacing_mm: tuple[float, float, float] = (3.0, 3.0, 3.0)
    orientation: str = "LPS"
    field_of_view_mm: tuple[tuple[float, float], tuple[float, float], tuple[float, float]] | None = None
    rotation_degrees: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    bend_mm: tuple[float, float] = (0.0, 0.0)
    oblique_degrees: tuple[float, float, float] = (0.0, 0.0, 0.0)
    noise_hu: float = 12.0
    blur_mm: float = 1.0
    hu_jitter: float = 4.0

    def __post_init__(self) -> None:
        """Refuse values that cannot be drawn, by name."""
        if sorted(_AXIS_OF_LETTER.get(c, (9,))[0] for c in self.orientation) != [0, 1, 2]:
            raise ValueError(f"orientation must name each axis once, such as LPS or RAS, not {self.orientation!r}")
        if min(self.spacing_mm) <= 0 or min(self.scale) <= 0:
            raise ValueError(f"spacing_mm and scale must be positive, not {self.spacing_mm} and {self.scale}")


@dataclass(frozen=True)
class Phantom:
    """A CT and its exact segmentation.

    Attributes
    ----------
    ct : int16 array (k, j, i) in Hounsfield units
    labels : uint8 array (k, j, i) with the label numbers of structures_104.csv, 0 elsewhere
    ijk_to_ras : float64 4 x 4 matrix from voxel indices (i, j, k) to patient RAS in mm
    """

    ct: np.ndarray
    labels: np.ndarray
    ijk_to_ras: np.ndarray


def read_label_table() -> dict[str, int]:
    """Return the label number of each of the 104 names, in the order of the table."""
    with TABLE.open(encoding="utf-8", newline="") as stream:
        return {row["name"]: int(row["label"]) for row in csv.DictReader(stream)}


@functools.cache
def all_shapes() -> tuple[Shape, ...]:
    """Return every solid of the phantom in painting order: later ones overwrite earlier ones."""
    return (
        *organs.envelope(),
        *organs.head(),
        *skeleton.skull(),
        *organs.brain_and_face(),
        *organs.lungs(),
        *vessels_and_muscles.muscles(),
        *organs.upper_abdomen(),
        *organs.bowel_and_bladder(),
        *organs.heart(),
        *vessels_and_muscles.vessels(),
        *skeleton.skeleton(),
    )


def _body_to_ras(parameters: PhantomParameters) -> np.ndarray:
    """Return the 4 x 4 matrix from the body frame (bend already applied) to patient RAS, mm."""
    matrix = np.eye(4)
    turn = Rotation.from_euler("xyz", parameters.rotation_degrees, degrees=True).as_matrix()
    matrix[:3, :3] = turn @ np.diag(parameters.scale)
    centre = np.asarray(BODY_CENTRE)
    matrix[:3, 3] = centre + np.asarray(parameters.shift_mm) - matrix[:3, :3] @ centre
    return matrix


def _canonical_grid(parameters: PhantomParameters) -> tuple[tuple[int, int, int], np.ndarray]:
    """Return the shape (i, j, k) and the 4 x 4 index-to-RAS matrix of the grid in RAS voxel order."""
    if parameters.field_of_view_mm is None:
        centre, shift, scale = (np.asarray(v) for v in (BODY_CENTRE, parameters.shift_mm, parameters.scale))
        low, high = (centre + shift + scale * (np.asarray(v) - centre) for v in (BODY_LOW, BODY_HIGH))
    else:
        low, high = np.asarray(parameters.field_of_view_mm, dtype=np.float64).T
    spacing = np.asarray(parameters.spacing_mm, dtype=np.float64)
    shape = tuple(int(v) for v in np.maximum(1, np.rint((high - low) / spacing)))
    matrix = np.eye(4)
    turn = Rotation.from_euler("xyz", parameters.oblique_degrees, degrees=True).as_matrix()
    matrix[:3, :3] = turn @ np.diag(spacing)
    middle = (low + high) / 2
    matrix[:3, 3] = middle - matrix[:3, :3] @ ((np.asarray(shape) - 1) / 2)
    return shape, matrix


def _bend(z: np.ndarray | float, amount: float) -> np.ndarray | float:
    return amount * ((z - BODY_CENTRE[2]) / 500.0) ** 2


def _index_boxes(
    shapes: Sequence[Shape], parameters: PhantomParameters, body_to_index: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return first and last-plus-one indices (n, 3 as i, j, k) of a box of voxels that holds each solid."""
    low, high = (np.array([getattr(shape, side) for shape in shapes], dtype=np.float64) for side in ("low", "high"))
    heights = np.stack([np.clip(BODY_CENTRE[2], low[:, 2], high[:, 2]), low[:, 2], high[:, 2]])
    for axis, amount in enumerate(parameters.bend_mm):
        moved = _bend(heights, amount)
        low[:, axis] += moved.min(axis=0)
        high[:, axis] += moved.max(axis=0)
    corners = np.array([np.where(upper, high, low) for upper in itertools.product((False, True), repeat=3)])
    index = corners @ body_to_index[:3, :3].T + body_to_index[:3, 3]
    return np.floor(index.min(axis=0)).astype(int), np.ceil(index.max(axis=0)).astype(int) + 1


class _BodyCoordinates:
    """Body coordinates of boxes of voxels of a grid of ``shape_ijk``."""

    def __init__(
        self, shape_ijk: tuple[int, int, int], index_to_body: np.ndarray, parameters: PhantomParameters
    ) -> None:
        i, j, k = (np.arange(count, dtype=np.float32) for count in shape_ijk)
        self._axes = (i[None, None, :], j[None, :, None], k[:, None, None])
        # an axis that does not matter stays a broadcast one: many times faster
        self._rows = [
            (np.float32(row[3]), [(axis, np.float32(row[axis])) for axis in range(3) if abs(row[axis]) > 1e-9])
            for row in index_to_body[:3]
        ]
        self._bends = [(axis, np.float32(amount)) for axis, amount in enumerate(parameters.bend_mm) if amount]

    def of_box(self, box: tuple[slice, slice, slice]) -> list[np.ndarray]:
        """Return x, y, z (mm, float32) of a box (k, j, i), broadcastable to its shape."""
        k, j, i = box
        axes = (self._axes[0][:, :, i], self._axes[1][:, j], self._axes[2][k])
        coordinates = []
        for value, factors in self._rows:
            for axis, factor in factors:
                value = value + factor * axes[axis]
            coordinates.append(value)
        z = coordinates[2]
        for axis, amount in self._bends:
            coordinates[axis] = coordinates[axis] - _bend(z, amount).astype(np.float32)
        return coordinates


def _paint(
    shape_ijk: tuple[int, int, int], grid: np.ndarray, parameters: PhantomParameters
) -> tuple[np.ndarray, np.ndarray]:
    """Return CT numbers (float32) and labels (uint8), both (k, j, i), without blur and noise."""
    labels_of, rng = read_label_table(), np.random.default_rng([parameters.seed, 1])
    jitter = {name: rng.normal(0.0, parameters.hu_jitter) for name in labels_of}
    body_to_index = np.linalg.inv(grid) @ _body_to_ras(parameters)
    coordinates = _BodyCoordinates(shape_ijk, np.linalg.inv(body_to_index), parameters)
    shapes = all_shapes()
    first, last = _index_boxes(shapes, parameters, body_to_index)
    ni, nj, nk = shape_ijk
    hu = np.full((nk, nj, ni), AIR, dtype=np.float32)
    labels = np.zeros((nk, nj, ni), dtype=np.uint8)
    thickness = max(1, SLAB_VOXELS // (ni * nj))
    for start in range(0, nk, thickness):
        low, high = np.maximum(first, [0, 0, start]), np.minimum(last, [ni, nj, min(nk, start + thickness)])
        for number in np.flatnonzero((low < high).all(axis=1)):
            shape, a, b = shapes[number], low[number].tolist(), high[number].tolist()
            box = (slice(a[2], b[2]), slice(a[1], b[1]), slice(a[0], b[0]))
            mask = np.broadcast_to(shape.inside(*coordinates.of_box(box)), [side.stop - side.start for side in box])
            hu[box][mask] = shape.hu + jitter.get(shape.name, 0.0)
            labels[box][mask] = labels_of[shape.name] if shape.name else 0
    return hu, labels


def _scan(hu: np.ndarray, parameters: PhantomParameters) -> np.ndarray:
    """Return the int16 CT (k, j, i): blur, partial volume and noise added to the painted numbers."""
    spacing = np.asarray(parameters.spacing_mm[::-1])
    # a voxel averages over its own width: the standard deviation of a box of width 1 is 0.29
    sigma = np.sqrt((parameters.blur_mm / spacing) ** 2 + 0.29**2)
    hu = gaussian_filter(hu, sigma, mode="nearest", truncate=3.0)
    if parameters.noise_hu:
        rng = np.random.default_rng([parameters.seed, 2])
        for k in range(hu.shape[0]):
            hu[k] += np.float32(parameters.noise_hu) * rng.standard_normal(hu.shape[1:], dtype=np.float32)
    return np.clip(np.rint(hu), -1024, 3071).astype(np.int16)


def _reorder(array: np.ndarray, orientation: str) -> np.ndarray:
    """Return a (k, j, i) array in RAS voxel order rearranged so that i, j, k point as `orientation` says."""
    axes = [_AXIS_OF_LETTER[letter] for letter in orientation]
    by_index = array.transpose(2, 1, 0)  # axes x, y, z
    by_index = by_index.transpose([axis for axis, _ in axes])
    flipped = by_index[tuple(slice(None, None, sign) for _, sign in axes)]
    return np.ascontiguousarray(flipped.transpose(2, 1, 0))


def _reordered_matrix(grid: np.ndarray, shape_ijk: tuple[int, int, int], orientation: str) -> np.ndarray:
    """Return the index-to-RAS matrix that belongs to arrays rearranged by `_reorder`."""
    step = np.zeros((4, 4))
    step[3, 3] = 1.0
    for column, letter in enumerate(orientation):
        axis, sign = _AXIS_OF_LETTER[letter]
        step[axis, column] = sign
        if sign < 0:
            step[axis, 3] = shape_ijk[axis] - 1
    return grid @ step


def make_phantom(parameters: PhantomParameters | None = None) -> Phantom:
    """Return the phantom that the parameters describe; the same parameters always give the same arrays."""
    parameters = parameters or PhantomParameters()
    shape_ijk, grid = _canonical_grid(parameters)
    hu, labels = _paint(shape_ijk, grid, parameters)
    # scanning before rearranging keeps CT and labels the same voxels in every voxel order
    ct = _scan(hu, parameters)
    return Phantom(
        _reorder(ct, parameters.orientation),
        _reorder(labels, parameters.orientation),
        _reordered_matrix(grid, shape_ijk, parameters.orientation),
    )
