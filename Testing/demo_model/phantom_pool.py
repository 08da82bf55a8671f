"""Random phantoms at the model's spacing, and random patches of them to learn from."""

from __future__ import annotations

import numpy as np
from phantom import PhantomParameters, make_phantom
from scipy.ndimage import gaussian_filter, zoom

from demo_model.model_folder import PATCH, SPACING_MM

# scanned grids (x, y, z mm) that are resampled to the model's spacing, as the product does with any CT
_SCANNED = ((2.5, 2.5, 3.0), (3.0, 3.0, 3.0), (2.0, 2.0, 4.0), (2.0, 2.0, 2.5))


def random_parameters(seed: int, scanned_share: float = 0.4) -> PhantomParameters:
    """Return a random body, pose and noise; `scanned_share` of the phantoms have a finer grid than the model's."""
    rng = np.random.default_rng([seed, 7])
    finer = rng.random() < scanned_share
    spacing = _SCANNED[rng.integers(len(_SCANNED))] if finer else SPACING_MM[::-1]
    size = rng.uniform(0.92, 1.08)
    return PhantomParameters(
        seed=seed,
        spacing_mm=spacing,
        orientation="RAS",
        rotation_degrees=tuple(rng.uniform(-7, 7, 3)),
        scale=tuple(size * rng.uniform(0.96, 1.04, 3)),
        shift_mm=tuple(rng.uniform(-8, 8, 3)),
        bend_mm=tuple(rng.uniform(-12, 12, 2)),
        noise_hu=float(rng.uniform(4, 24)),
        blur_mm=float(rng.uniform(0.5, 2.0)),
        hu_jitter=5.0,
    )


def resample(array: np.ndarray, spacing_zyx: tuple, order: int) -> np.ndarray:
    """Return an array (z, y, x) resampled from its spacing (mm) to the model's, corner to corner."""
    factors = np.asarray(spacing_zyx) / np.asarray(SPACING_MM)
    return array if np.allclose(factors, 1) else zoom(array, factors, order=order, mode="nearest")


def training_case(seed: int, scanned_share: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    """Return CT (float32, HU) and labels (uint8), both (z, y, x) in RAS voxel order at the model's spacing."""
    parameters = random_parameters(seed, scanned_share)
    phantom = make_phantom(parameters)
    spacing = parameters.spacing_mm[::-1]
    return resample(phantom.ct.astype(np.float32), spacing, 1), resample(phantom.labels, spacing, 0)


def _random_view(rng: np.random.Generator, shape: tuple) -> list[tuple[int, int]]:
    """Return first and last-plus-one indices (z, y, x) of a field of view that is sometimes only a part."""
    if rng.random() > 0.25:
        return [(0, n) for n in shape]
    view = []
    for n, smallest in zip(shape, (30, 45, 60), strict=True):
        length = int(rng.integers(min(smallest, n), n + 1))
        first = int(rng.integers(0, n - length + 1))
        view.append((first, first + length))
    return view


def random_patch(
    rng: np.random.Generator,
    ct: np.ndarray,
    labels: np.ndarray,
    intensities: dict[str, float],
    class_weights: np.ndarray,
    patch: tuple[int, int, int] = PATCH,
) -> tuple[np.ndarray, np.ndarray]:
    """Return a normalised patch (float32) and its labels (int64), both of the size `patch` (z, y, x).

    Half of the patches are anywhere, half around a voxel of a structure drawn by `class_weights` (length 105).
    Voxels outside the image are 0 after normalisation, as nnU-Net pads.
    """
    view = tuple(slice(first, last) for first, last in _random_view(rng, ct.shape))
    ct, labels = ct[view], labels[view]
    target = None
    if rng.random() < 0.5:
        voxels = np.flatnonzero(labels == rng.choice(len(class_weights), p=class_weights))
        if len(voxels):
            target = np.unravel_index(voxels[rng.integers(len(voxels))], labels.shape)
    source, destination = [], []
    for axis, (size, n) in enumerate(zip(patch, ct.shape, strict=True)):
        if n <= size:
            start = -((size - n) // 2)
        elif target is None:
            start = int(rng.integers(0, n - size + 1))
        else:
            start = int(np.clip(target[axis] - rng.integers(size // 4, 3 * size // 4 + 1), 0, n - size))
        a, b = max(0, start), min(n, start + size)
        source.append(slice(a, b))
        destination.append(slice(a - start, b - start))
    piece = ct[tuple(source)]
    if rng.random() < 0.3:
        piece = gaussian_filter(piece, rng.uniform(0.2, 0.6))
    piece = piece * rng.uniform(0.98, 1.02) + rng.normal(0, 4)
    piece = piece + rng.uniform(0, 10) * rng.standard_normal(piece.shape, dtype=np.float32)
    piece = np.clip(piece, intensities["percentile_00_5"], intensities["percentile_99_5"])
    image = np.zeros(patch, dtype=np.float32)
    truth = np.zeros(patch, dtype=np.int64)
    image[tuple(destination)] = (piece - intensities["mean"]) / intensities["std"]
    truth[tuple(destination)] = labels[tuple(source)]
    return image, truth
