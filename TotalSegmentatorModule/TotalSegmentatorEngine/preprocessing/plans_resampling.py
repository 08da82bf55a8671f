"""Resampling by the functions that a model's own plans name, as nnU-Net's predictor does it.

These functions, too, are linear and separable, so each becomes one matrix per axis, made by calling the very library
functions that nnU-Net calls (scikit-image's and SciPy's, or torch's) with unit vectors. That lets logits be resampled
a slab and a class at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from TotalSegmentatorEngine.models.model_folder import ModelFolder
from TotalSegmentatorEngine.preprocessing.resampling import Matrices, apply_matrices, trimmed

Vector = Sequence[float]


@dataclass(frozen=True)
class PlansResampling:
    """From one grid to another, by a function of the plans. Shapes and spacings are in the network's axes."""

    shape: tuple[int, int, int]
    wanted: tuple[int, int, int]
    spacing: tuple[float, float, float]
    wanted_spacing: tuple[float, float, float]
    function: str
    arguments: dict[str, Any]

    @property
    def is_identity(self) -> bool:
        """nnU-Net does nothing where the shapes agree, whatever the spacings are."""
        return self.shape == self.wanted or self.function == "no_resampling_hack"

    def matrices(self) -> Matrices:
        """float32 (wanted, size) along each axis."""
        low_axis = self._low_resolution_axis()
        return tuple(self._matrix(axis, is_low=axis == low_axis) for axis in range(3))

    def apply(self, image: np.ndarray, on_slab: Callable[[float], None] = lambda fraction: None) -> np.ndarray:
        """The float32 image (z, y, x) on the wanted grid.

        scikit-image clips what overshoots to the range of the image that it resizes: the whole image, or one slice
        after the other where the axes are resampled separately.
        """
        if self.is_identity:
            return image
        resampled = self._apply(image, on_slab)
        if self.function == "resample_data_or_seg_to_shape" and self._low_resolution_axis() is None:
            lowest, highest = image.min(), image.max()
            for plane in resampled:
                on_slab(1.0)
                np.clip(plane, lowest, highest, out=plane)
        return resampled

    def _apply(self, image: np.ndarray, on_slab: Callable[[float], None]) -> np.ndarray:
        matrices = self.matrices()
        low_axis = self._low_resolution_axis()
        if low_axis is None or self.function != "resample_data_or_seg_to_shape":
            return apply_matrices(image, matrices, on_slab)
        # in the plane first, because each slice is clipped to its own range before slices are chosen
        in_plane = list(matrices)
        in_plane[low_axis] = np.eye(image.shape[low_axis], dtype=np.float32)
        resized = apply_matrices(image, tuple(in_plane), on_slab)
        plane_axes = tuple(axis for axis in range(3) if axis != low_axis)
        lowest, highest = image.min(axis=plane_axes, keepdims=True), image.max(axis=plane_axes, keepdims=True)
        on_slab(1.0)
        np.clip(resized, lowest, highest, out=resized)
        across = [np.eye(size, dtype=np.float32) for size in resized.shape]
        across[low_axis] = matrices[low_axis]
        return apply_matrices(resized, tuple(across), on_slab)

    def _low_resolution_axis(self) -> int | None:
        """The axis that nnU-Net resamples by itself because its voxels are much longer; None for none."""
        from nnunetv2.preprocessing.resampling.default_resampling import ANISO_THRESHOLD, determine_do_sep_z_and_axis

        separate, axis = determine_do_sep_z_and_axis(
            self.arguments.get("force_separate_z", _DEFAULT_SEPARATE_Z[self.function]),
            self.spacing,
            self.wanted_spacing,
            self.arguments.get("separate_z_anisotropy_threshold", ANISO_THRESHOLD),
        )
        return int(axis) if separate else None

    def _matrix(self, axis: int, is_low: bool) -> np.ndarray:
        size, wanted = self.shape[axis], self.wanted[axis]
        if size == wanted:
            return np.eye(size, dtype=np.float32)
        if self.function == "resample_torch_fornnunet":
            mode = self.arguments.get("aniso_axis_mode", "nearest-exact") if is_low else "linear"
            return trimmed(_torch_matrix(size, wanted, mode))
        if is_low:
            return trimmed(_mapped_matrix(size, wanted, int(self.arguments.get("order_z", 0))))
        return trimmed(_resized_matrix(size, wanted, int(self.arguments.get("order", 3))))


_DEFAULT_SEPARATE_Z = {
    "resample_data_or_seg_to_shape": False,
    "resample_torch_fornnunet": None,
    "no_resampling_hack": False,
}
"""Defaults of the functions' own argument force_separate_z; None lets the anisotropy decide."""


def _resized_matrix(size: int, wanted: int, order: int) -> np.ndarray:
    """What ``skimage.transform.resize(mode="edge", anti_aliasing=False)`` does along one axis."""
    return ndimage.zoom(np.eye(size), (wanted / size, 1.0), order=order, mode="nearest", grid_mode=True)


def _mapped_matrix(size: int, wanted: int, order: int) -> np.ndarray:
    """nnU-Net's own line for the low-resolution axis: voxel centres, edges repeated."""
    positions = float(size) / wanted * (np.arange(wanted) + 0.5) - 0.5
    columns = [ndimage.map_coordinates(unit, positions[None], order=order, mode="nearest") for unit in np.eye(size)]
    return np.stack(columns, axis=1)


def _torch_matrix(size: int, wanted: int, mode: str) -> np.ndarray:
    """What ``torch.nn.functional.interpolate(antialias=False)`` does along one axis."""
    import torch

    units = torch.eye(size, dtype=torch.float32)[None]
    return torch.nn.functional.interpolate(units, wanted, mode=mode)[0].numpy().T.astype(np.float64)


def image_resampling(folder: ModelFolder, shape: Sequence[int], spacing: Vector) -> PlansResampling:
    """From a cropped image's grid to the network's; shape and spacing (mm) in the network's axes."""
    wanted = tuple(max(1, round(i / j * k)) for i, j, k in zip(spacing, folder.spacing, shape, strict=True))
    return _resampling(folder, "data", shape, spacing, wanted, folder.spacing)


def logits_resampling(
    folder: ModelFolder, shape: Sequence[int], wanted: Sequence[int], wanted_spacing: Vector
) -> PlansResampling:
    """From the network's grid back to the cropped image's; all in the network's axes."""
    return _resampling(folder, "probabilities", shape, folder.spacing, wanted, wanted_spacing)


def _resampling(
    folder: ModelFolder, purpose: str, shape: Sequence[int], spacing: Vector, wanted: Sequence[int], target: Vector
) -> PlansResampling:
    return PlansResampling(
        tuple(shape),
        tuple(wanted),
        tuple(spacing),
        tuple(target),
        folder.settings[f"resampling_fn_{purpose}"],
        folder.settings[f"resampling_fn_{purpose}_kwargs"],
    )
