"""Analytic solids in the body frame (RAS, mm): each knows its box and which positions lie inside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

Point = Sequence[float]
Inside = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Shape:
    """One solid to paint.

    Attributes
    ----------
    name : name of the structure in structures_104.csv, or "" for tissue without a label
    hu : mean CT number inside
    low, high : corners (x, y, z) of a box that holds the solid, mm in the body frame
    inside : function of three broadcastable float32 arrays (x, y, z in mm) giving a boolean array
    """

    name: str
    hu: float
    low: tuple[float, float, float]
    high: tuple[float, float, float]
    inside: Inside


def ellipsoid(
    name: str, hu: float, centre: Point, radii: Point, power: float = 2.0, clip: Inside | None = None
) -> Shape:
    """Return an axis-aligned (super)ellipsoid; `power` above 2 makes it boxier, `clip` cuts it."""
    cx, cy, cz = (float(v) for v in centre)
    rx, ry, rz = (float(v) for v in radii)

    def inside(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        u, v, w = (x - cx) / rx, (y - cy) / ry, (z - cz) / rz
        if power == 2.0:
            mask = u * u + v * v + w * w <= 1.0
        else:
            mask = np.abs(u) ** power + np.abs(v) ** power + np.abs(w) ** power <= 1.0
        return mask if clip is None else mask & clip(x, y, z)

    return Shape(name, hu, (cx - rx, cy - ry, cz - rz), (cx + rx, cy + ry, cz + rz), inside)


def elliptic_cylinder(name: str, hu: float, centre: Point, radii: Point, half_height: float) -> Shape:
    """Return an upright elliptic cylinder (a vertebral body, a disc); radii are (x, y)."""
    cx, cy, cz = (float(v) for v in centre)
    rx, ry = (float(v) for v in radii)

    def inside(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        return (((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1.0) & (np.abs(z - cz) <= half_height)

    return Shape(name, hu, (cx - rx, cy - ry, cz - half_height), (cx + rx, cy + ry, cz + half_height), inside)


def capsule(
    name: str,
    hu: float,
    start: Point,
    end: Point,
    radius: float,
    end_radius: float | None = None,
    clip: Inside | None = None,
) -> Shape:
    """Return a rounded cone between two points; the radius goes linearly from `radius` to `end_radius`."""
    a = np.asarray(start, dtype=np.float64)
    d = np.asarray(end, dtype=np.float64) - a
    r0, r1 = float(radius), float(radius if end_radius is None else end_radius)
    length2 = float(d @ d) or 1e-6
    ax, ay, az = (float(v) for v in a)
    dx, dy, dz = (float(v) for v in d)

    def inside(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        u, v, w = x - ax, y - ay, z - az
        t = np.clip((u * dx + v * dy + w * dz) / length2, 0.0, 1.0)
        distance2 = (u - t * dx) ** 2 + (v - t * dy) ** 2 + (w - t * dz) ** 2
        mask = distance2 <= (r0 + (r1 - r0) * t) ** 2
        return mask if clip is None else mask & clip(x, y, z)

    low = np.minimum(a - r0, a + d - r1)
    high = np.maximum(a + r0, a + d + r1)
    return Shape(name, hu, tuple(low), tuple(high), inside)


def smooth_path(points: Sequence[Point], step_mm: float = 9.0) -> np.ndarray:
    """Return points (n, 3) along a Catmull-Rom curve through `points`, about `step_mm` apart."""
    p = np.asarray(points, dtype=np.float64)
    padded = np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    out = [p[0]]
    for i in range(len(p) - 1):
        p0, p1, p2, p3 = padded[i : i + 4]
        n = max(1, int(np.ceil(np.linalg.norm(p2 - p1) / step_mm)))
        for t in np.arange(1, n + 1) / n:
            out.append(
                0.5
                * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3)
            )
    return np.asarray(out)


def tube(
    name: str,
    hu: float,
    points: Sequence[Point],
    radii: float | Sequence[float],
    clip: Inside | None = None,
    step_mm: float = 9.0,
) -> list[Shape]:
    """Return capsules along a smooth curve through `points`; `radii` is one number or one per point."""
    r = np.broadcast_to(np.asarray(radii, dtype=np.float64), (len(points),))
    # the radius is a fourth coordinate of the same curve, so it changes as smoothly as the course
    path = smooth_path(np.column_stack([np.asarray(points, dtype=np.float64), r]), step_mm)
    return [capsule(name, hu, a[:3], b[:3], float(a[3]), float(b[3]), clip) for a, b in pairwise(path)]


def fan(name: str, hu: float, hub: Point, border: Sequence[Point], radius: float, count: int = 12) -> list[Shape]:
    """Return a curved plate of thickness 2 `radius`: capsules from one hub to points along a border."""
    path = smooth_path(border, step_mm=1.0)
    chosen = path[np.linspace(0, len(path) - 1, count).round().astype(int)]
    return [capsule(name, hu, hub, end, radius) for end in chosen]


def mirror(point: Point, side: int) -> tuple[float, float, float]:
    """Return the point for `side` +1 (patient's right, +x) or -1 (left); x is given for the right."""
    return (side * float(point[0]), float(point[1]), float(point[2]))
