"""Great vessels and the labelled muscles of back, hip and buttock."""

from __future__ import annotations

from phantom.body_frame import SPINE_Y, inside_trunk
from phantom.hounsfield import hu_of
from phantom.shapes import Shape, ellipsoid, mirror, tube

SIDES = ((+1, "right"), (-1, "left"))


def _tube(name: str, points: list, radii: float | tuple) -> list[Shape]:
    return tube(name, hu_of(name), points, radii)


def vessels() -> list[Shape]:
    """Return aorta with arch, inferior vena cava, portal and splenic vein and the iliac vessels."""
    vena_cava = [(17, 3, -2), (18, 7, 60), (20, 5, 120), (26, 6, 180), (31, 10, 230), (35, 14, 266)]
    shapes = _tube("inferior_vena_cava", vena_cava, (10, 11, 11, 12, 12, 11))
    aorta = [(-14, 20, 306), (6, 28, 345), (8, 28, 385), (-6, 20, 408), (-22, -8, 416), (-29, -36, 400)]
    aorta += [
        (-30, -46, 360),
        (-28, -43, 300),
        (-22, -34, 240),
        (-13, -14, 180),
        (-11, 2, 120),
        (-11, 4, 50),
        (-11, 6, 2),
    ]
    shapes += _tube("aorta", aorta, (14, 14, 14, 13, 13, 12, 12, 12, 12, 11, 11, 10, 10))
    splenic = [
        (-84, -22, 160),
        (-60, -8, 150),
        (-30, 8, 134),
        (4, 22, 124),
        (22, 24, 142),
        (40, 22, 166),
        (56, 14, 184),
    ]
    shapes += _tube("portal_vein_and_splenic_vein", splenic, (8, 8, 8, 9, 9, 9, 8))
    for side, name in SIDES:
        artery = [(-11 + side * 3, 8, -4), (side * 22 - 6, 12, -24), (side * 46, 18, -60), (side * 72, 38, -102)]
        vein = [(17 + side * 3, 1, -8), (side * 24 + 8, -4, -30), (side * 48, 0, -64), (side * 70, 20, -102)]
        shapes += _tube(f"iliac_vena_{name}", [*vein, (side * 84, 44, -142)], 7.5)
        shapes += _tube(f"iliac_artery_{name}", [*artery, (side * 88, 62, -140)], 7.5)
    return shapes


def muscles() -> list[Shape]:
    """Return autochthonous back muscles, iliopsoas and the three gluteal muscles of both sides."""
    shapes: list[Shape] = []
    inner = inside_trunk(12.0)
    for side, name in SIDES:

        def at(x: float, y: float, z: float, side: int = side) -> tuple[float, float, float]:
            return mirror((x, y, z), side)

        back = [(26, 34, -50, 17), (34, 45, 0, 22), (36, 46, 70, 24), (34, 46, 140, 22), (29, 38, 200, 18)]
        back += [(26, 34, 280, 16), (25, 34, 380, 15), (23, 34, 450, 14), (21, 32, 520, 13), (22, 32, 565, 11)]
        points = [at(x, float(SPINE_Y(z)) - behind, z) for x, behind, z, _ in back]
        autochthon = f"autochthon_{name}"
        shapes += tube(autochthon, hu_of(autochthon), points, [r for *_, r in back], inner)
        psoas = f"iliopsoas_{name}"
        course = [
            at(36, -22, 118),
            at(42, -20, 60),
            at(52, -10, 0),
            at(74, 8, -50),
            at(98, 38, -104),
            at(106, 20, -160),
        ]
        shapes += tube(psoas, hu_of(psoas), course, (12, 17, 21, 20, 17, 13))
        shapes += tube(psoas, hu_of(psoas), [at(102, 16, -8), at(100, 22, -50), at(98, 38, -100)], (13, 16, 15))
        maximus, medius, minimus = (f"gluteus_{part}_{name}" for part in ("maximus", "medius", "minimus"))
        shapes.append(ellipsoid(medius, hu_of(medius), at(134, 2, -34), (26, 46, 58), clip=inner))
        shapes.append(ellipsoid("", -100.0, at(120, 10, -70), (22, 36, 40)))  # the fat plane under medius
        shapes.append(ellipsoid(minimus, hu_of(minimus), at(116, 10, -70), (21, 32, 36)))
        shapes += tube(
            maximus, hu_of(maximus), [at(62, -92, -50), at(82, -86, -95), at(112, -66, -145)], (24, 30, 26), inner
        )
    return shapes
