"""Bones of the phantom: spine, ribs, shoulder girdle, pelvis, and the skull, which carries no label."""

from __future__ import annotations

from itertools import pairwise

from phantom.body_frame import CAGE_DEPTH, CAGE_Y, SPINE_Y, VERTEBRA_Z, VERTEBRAE, cage_point
from phantom.hounsfield import BONE, CARTILAGE, CORD, DISC, SKULL, STERNUM, hu_of, rib_hu, vertebra_hu
from phantom.shapes import Inside, Shape, capsule, ellipsoid, elliptic_cylinder, fan, mirror, tube

SIDES = ((+1, "right"), (-1, "left"))

# anterior end (degrees around the cage from the back) and how far the rib drops over a half turn, mm
RIB_END = (138, 143, 146, 147, 147, 146, 144, 134, 124, 114, 88, 66)
RIB_DROP = (28, 42, 54, 62, 68, 72, 74, 74, 74, 72, 66, 60)
RIB_RADIUS = 6.5


def _body_radii(short_name: str) -> tuple[float, float, float]:
    """Return (x radius, y radius, half-height) of a vertebral body in mm."""
    order = VERTEBRAE.index(short_name)
    if short_name[0] == "L":
        return 24.0 - 0.3 * order, 17.0, 13.5
    if short_name[0] == "T":
        return 20.0 - 0.4 * (order - 5), 15.0 - 0.2 * (order - 5), 10.5 - 0.17 * (order - 5)
    return 14.0, 10.5, 7.0


def _typical_vertebra(short_name: str) -> list[Shape]:
    """Return body, arch and processes; the canal is cut afterwards."""
    name, hu = f"vertebrae_{short_name}", vertebra_hu(short_name)
    z = float(VERTEBRA_Z[short_name])
    y = float(SPINE_Y(z))
    rx, ry, half = _body_radii(short_name)
    lumbar, cervical = short_name[0] == "L", short_name[0] == "C"
    reach, drop, r = (46.0, 8.0, 7.5) if lumbar else (30.0, 6.0, 5.5) if cervical else (38.0, 12.0, 6.0)
    back = y - ry
    width = 40.0 if lumbar else 20.0 if cervical else 28.0
    shapes = [
        ellipsoid(name, hu, (0, y, z), (rx, ry, half), power=4.0),
        capsule(name, hu, (0, back - 16, z - 2), (0, back - reach, z - drop), r),
    ]
    for side, _ in SIDES:
        shapes.append(capsule(name, hu, (side * 12, back + 1, z), (side * 11, back - 12, z), r))
        shapes.append(capsule(name, hu, (side * 11, back - 12, z), (0, back - 19, z - 2), r))
        shapes.append(capsule(name, hu, (side * 12, back - 8, z), (side * width, back - 11, z + 1), r, 5.5))
    return shapes


def _atlas() -> list[Shape]:
    """Return C1: a ring of two lateral masses and two arches around the dens."""
    name, hu, z = "vertebrae_C1", vertebra_hu("C1"), float(VERTEBRA_Z["C1"])
    y = float(SPINE_Y(z))
    ring = [(0, y + 13, z), (20, y + 3, z), (20, y - 14, z), (0, y - 29, z)]
    shapes = []
    for side, _ in SIDES:
        shapes += tube(name, hu, [mirror(p, side) for p in ring], (6, 8.5, 7, 6))
        shapes.append(capsule(name, hu, (side * 18, y - 4, z), (side * 32, y - 6, z), 7.0))
    return shapes


def _spine() -> list[Shape]:
    shapes: list[Shape] = []
    for lower, upper in pairwise(VERTEBRAE[:-1]):  # no disc between axis and atlas
        z = (VERTEBRA_Z[lower] + VERTEBRA_Z[upper]) / 2
        rx, ry, _ = _body_radii(lower)
        shapes.append(elliptic_cylinder("", DISC, (0, float(SPINE_Y(z)), z), (rx - 1.5, ry - 1.5), 5.5))
    for short_name in VERTEBRAE[:-1]:
        shapes += _typical_vertebra(short_name)
    shapes += _atlas()
    axis_z = VERTEBRA_Z["C2"]
    dens_y = float(SPINE_Y(axis_z)) + 1
    shapes.append(
        capsule("vertebrae_C2", vertebra_hu("C2"), (0, dens_y, axis_z), (0, dens_y, VERTEBRA_Z["C1"] + 5), 7.0)
    )
    canal = [
        (0, float(SPINE_Y(VERTEBRA_Z[v])) - (_body_radii(v)[1] if v != "C1" else 8.0) - 8.0, VERTEBRA_Z[v])
        for v in VERTEBRAE
    ]
    return shapes + tube("", CORD, [*canal, (0, canal[-1][1] + 3, 600)], [8.0] * 17 + [7.0] * 8, step_mm=30)


def _ribs_and_sternum() -> list[Shape]:
    """Return ribs on the cage's surface, their cartilages and the sternum (both without a label)."""
    shapes: list[Shape] = []
    for z in range(262, 432, 10):
        front = float(CAGE_Y(z)) + float(CAGE_DEPTH(z))
        shapes.append(ellipsoid("", STERNUM, (0, front - 1, z), (18 if z < 400 else 26, 7, 9), power=3.0))
    ends: dict[tuple[int, int], tuple[float, float, float]] = {}
    ribs: list[Shape] = []
    for side, side_name in SIDES:
        for number in range(1, 13):
            z0 = VERTEBRA_Z[f"T{number}"] + 2.0
            end, drop = RIB_END[number - 1], RIB_DROP[number - 1]
            neck_y = float(SPINE_Y(z0)) - 20
            points = [(side * 21.0, neck_y, z0), (side * 33.0, neck_y - 6, z0)]
            for step in range(9):
                phi = 30 + (end - 30) * step / 8
                z = z0 - drop * ((phi - 25) / 155) ** 1.2
                points.append(cage_point(phi, z, side))
            ribs += tube(f"rib_{side_name}_{number}", rib_hu(number, side), points, RIB_RADIUS)
            ends[side, number] = points[-1]
            if number <= 10:
                x, y, z = points[-1]
                if number <= 7:
                    height = 425 - 24 * (number - 1)
                    target = (side * 16.0, float(CAGE_Y(height)) + float(CAGE_DEPTH(height)) - 2, height)
                else:
                    target = tuple(0.6 * a + 0.4 * b for a, b in zip(ends[side, number - 1], (0, 95, 290), strict=True))
                middle = cage_point((RIB_END[number - 1] + 180) / 2, (z + target[2]) / 2, side)
                shapes += tube("", CARTILAGE, [(x, y, z), middle, target] if number <= 7 else [(x, y, z), target], 5.0)
    return shapes + ribs


def _shoulders() -> list[Shape]:
    """Return clavicles, scapulae and the raised humeri (arms lie beside the head, as in a body CT)."""
    shapes: list[Shape] = []
    for side, side_name in SIDES:

        def at(x: float, y: float, z: float, side: int = side) -> tuple[float, float, float]:
            return mirror((x, y, z), side)

        name = f"scapula_{side_name}"
        hu = hu_of(name)
        hub = at(134, -52, 436)
        shapes += fan(name, hu, hub, [at(76, -93, 448), at(78, -100, 400), at(92, -101, 325)], 6.5, count=11)
        shapes += tube(name, hu, [at(84, -98, 432), at(125, -84, 455), at(152, -52, 470)], 6.5)
        shapes.append(capsule(name, hu, at(132, -50, 425), at(134, -50, 448), 11))
        shapes.append(capsule(name, hu, at(128, -44, 448), at(122, -14, 450), 6.5))
        name = f"clavicula_{side_name}"
        shapes += tube(name, hu_of(name), [at(15, 44, 437), at(62, 40, 452), at(100, 8, 466), at(138, -18, 470)], 7.0)
        name = f"humerus_{side_name}"
        hu = hu_of(name)
        shapes.append(ellipsoid(name, hu, at(162, -38, 440), (21, 22, 23)))
        shapes += tube(
            name, hu, [at(163, -37, 445), at(168, -20, 500), at(168, -2, 600), at(166, 5, 780)], (19, 13, 12, 13)
        )
        shapes += tube(name, 150.0, [at(168, -18, 510), at(168, -2, 600), at(166, 5, 780)], 5.0)  # marrow
    return shapes


def _pelvis() -> list[Shape]:
    shapes: list[Shape] = []
    sacrum = ((-24, -46, 50, 16), (-42, -58, 46, 18), (-60, -70, 38, 17), (-78, -78, 30, 15), (-98, -80, 22, 12))
    for side, side_name in SIDES:

        def at(x: float, y: float, z: float, side: int = side) -> tuple[float, float, float]:
            return mirror((x, y, z), side)

        name = f"hip_{side_name}"
        hu = hu_of(name)
        crest = [at(112, 52, -32), at(128, 22, 8), at(118, -28, 22), at(84, -66, 8), at(58, -78, -30)]
        shapes += fan(name, hu, at(88, -6, -92), crest, 7.5, count=20)
        shapes += tube(name, hu, crest, 8.0)
        shapes.append(ellipsoid(name, hu, at(86, 0, -120), (35, 35, 35), clip=_medial_of(side, 100.0)))
        shapes += tube(name, hu, [at(72, 24, -118), at(42, 48, -130), at(12, 54, -142)], (12, 10, 11))
        shapes += tube(name, hu, [at(78, -22, -130), at(70, -38, -165), at(58, -38, -188)], (15, 14, 13))
        shapes += tube(name, hu, [at(56, -34, -190), at(36, 8, -178), at(13, 46, -150)], 8.0)
        name = f"femur_{side_name}"
        hu = hu_of(name)
        shapes.append(ellipsoid("", FEMORAL_GAP_HU, at(88, 0, -120), (27, 27, 27)))  # the joint space
        shapes.append(ellipsoid(name, hu, at(88, 0, -120), (24, 24, 24)))
        shapes.append(capsule(name, hu, at(92, -1, -122), at(134, -10, -142), 14, 17))
        shapes.append(ellipsoid(name, hu, at(138, -12, -138), (17, 18, 24)))
        shapes += tube(name, hu, [at(130, -10, -150), at(120, -2, -200), at(112, 4, -320)], (19, 16, 15))
        shapes += tube(name, 120.0, [at(121, -2, -195), at(112, 4, -320)], 6.5)  # marrow
    for (z, y, rx, ry), (z2, y2, rx2, ry2) in pairwise(sacrum):
        for t in (0.0, 0.5):
            mix = [a + (b - a) * t for a, b in zip((z, y, rx, ry), (z2, y2, rx2, ry2), strict=True)]
            shapes.append(ellipsoid("sacrum", BONE["sacrum"], (0, mix[1], mix[0]), (mix[2], mix[3], 14), power=2.6))
    shapes += tube("sacrum", BONE["sacrum"], [(0, -80, -95), (0, -76, -115), (0, -66, -130)], (12, 9, 7))
    return shapes


FEMORAL_GAP_HU = 40.0


def _medial_of(side: int, limit: float) -> Inside:
    return lambda x, y, z: (x * side <= limit) & (y < 1e6) & (z < 1e6)


def skull() -> list[Shape]:
    """Return the vault and base of the skull (no label); the brain is painted into it afterwards."""
    return [
        ellipsoid("", SKULL, (0, 4, 668), (74, 91, 67)),
        ellipsoid("", 350.0, (0, -20, 604), (44, 40, 20)),
    ]


def skeleton() -> list[Shape]:
    """Return all bones from the atlas down, in painting order."""
    return _pelvis() + _spine() + _ribs_and_sternum() + _shoulders()
