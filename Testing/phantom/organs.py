"""Soft tissue of the phantom: the envelope, head, lungs, heart and the abdominal and pelvic organs."""

from __future__ import annotations

import numpy as np

from phantom.body_frame import TRUNK_HIGH, TRUNK_LOW, diaphragm, inside_cage, inside_trunk
from phantom.hounsfield import AIR, COLON_CONTENT, FAT, MUSCLE, SKIN, SKULL, hu_of
from phantom.shapes import Inside, Shape, capsule, ellipsoid, tube

_IN_CAGE = inside_cage(9.0)


def _blob(name: str, centre: tuple, radii: tuple, clip: Inside | None = None) -> Shape:
    return ellipsoid(name, hu_of(name), centre, radii, clip=clip)


def _tube(name: str, points: list, radii: float | tuple, clip: Inside | None = None) -> list[Shape]:
    return tube(name, hu_of(name), points, radii, clip)


def envelope() -> list[Shape]:
    """Return skin, subcutaneous fat, the muscular wall and the fat of the cavities (no labels)."""
    shapes: list[Shape] = []
    thigh = [(92, 0, -120), (104, 2, -330)]
    for margin, hu in ((0.0, SKIN), (3.0, FAT), (17.0, MUSCLE)):
        low, high = (-200.0, -140.0, TRUNK_LOW), (200.0, 130.0, TRUNK_HIGH)
        arm_margin = min(margin, 9.0)
        for side in (+1, -1):
            leg = [(side * x, y, z) for x, y, z in thigh]
            shapes.append(capsule("", hu, leg[0], leg[1], 80 - margin, 74 - margin))
            arm = [(side * 150, -34, 430), (side * 165, -16, 520), (side * 166, 4, 800)]
            shapes += tube("", hu, arm, [44 - arm_margin, 42 - arm_margin, 38 - arm_margin], step_mm=40)
        shapes.append(Shape("", hu, low, high, inside_trunk(margin)))
    abdomen = inside_trunk(32.0)
    shapes.append(
        Shape(
            "",
            FAT,
            (-160, -60, -110),
            (160, 110, 240),
            lambda x, y, z: abdomen(x, y, z) & (y > -62) & (z > -110) & (z < 240),
        )
    )
    shapes.append(ellipsoid("", FAT, (0, -5, -95), (125, 88, 75)))  # the pelvic cavity and its muscles' fat planes
    shapes.append(Shape("", FAT, (-150, -110, 150), (150, 110, 460), _chest_cavity))
    for side in (+1, -1):  # fat between the gluteal muscles
        shapes.append(ellipsoid("", FAT, (side * 96, -48, -75), (66, 66, 95), clip=inside_trunk(15.0)))
    return shapes


def _chest_cavity(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    return _IN_CAGE(x, y, z) & (z < 460) & (z > 150)


def head() -> list[Shape]:
    """Return scalp and face outline (before the skull is painted)."""
    return [
        ellipsoid("", SKIN, (0, 4, 668), (81, 98, 75)),
        ellipsoid("", MUSCLE, (0, 18, 592), (64, 66, 48)),
        ellipsoid("", MUSCLE, (0, -15, 590), (58, 62, 50)),
    ]


def brain_and_face() -> list[Shape]:
    """Return the brain with its ventricles, and the face with jaw, eyes, nose and sinuses."""
    face_hu = hu_of("face")

    def front(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        return y > 38 + np.abs(x) * 0.12 + (z - 600) * 0.05

    face = [
        ellipsoid("face", face_hu, (0, 34, 598), (64, 68, 52), clip=front),
        ellipsoid("face", face_hu, (0, 94, 608), (13, 24, 18)),
        ellipsoid("face", SKULL - 150, (0, 52, 606), (44, 36, 22), clip=front),
        ellipsoid("face", AIR, (0, 74, 606), (9, 24, 20), clip=front),
    ]
    for side in (+1, -1):
        face.append(ellipsoid("face", AIR, (side * 26, 62, 604), (12, 13, 13)))
        face.append(ellipsoid("face", 12.0, (side * 30, 76, 634), (13, 12, 12), clip=front))
    jaw = [(-46, 25, 585), (-42, 52, 570), (-22, 80, 562), (0, 88, 560), (22, 80, 562), (42, 52, 570), (46, 25, 585)]
    face += tube("face", SKULL, jaw, 7.0, clip=front)
    brain = [_blob("brain", (0, 4, 670), (66, 83, 58)), _blob("brain", (0, -34, 625), (46, 38, 22))]
    for side in (+1, -1):
        brain.append(ellipsoid("brain", 8.0, (side * 11, 0, 678), (6, 28, 8)))
    return [*face, *brain]


def _lobe(name: str, side: int, part: Inside) -> Shape:
    """Return a lobe: this side of the chest above the diaphragm, where `part` holds."""

    def inside(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        return (x * side > 0) & _IN_CAGE(x, y, z) & (diaphragm(x, y, z) > 4) & part(x, y, z) & (z < 458)

    low, high = (
        ((0.0, -105.0, 140.0), (140.0, 110.0, 460.0)) if side > 0 else ((-140.0, -105.0, 140.0), (0.0, 110.0, 460.0))
    )
    return Shape(name, hu_of(name), low, high, inside)


def _above_oblique_fissure(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    return z + 0.95 * y > 305.0


def lungs() -> list[Shape]:
    """Return the five lobes; the mediastinum and the spine's bed are cut out afterwards (no label)."""
    oblique = _above_oblique_fissure
    lobes = [
        _lobe("lung_upper_lobe_left", -1, oblique),
        _lobe("lung_lower_lobe_left", -1, lambda x, y, z: ~oblique(x, y, z)),
        _lobe("lung_upper_lobe_right", +1, lambda x, y, z: oblique(x, y, z) & (z >= 322)),
        _lobe("lung_middle_lobe_right", +1, lambda x, y, z: oblique(x, y, z) & (z < 322)),
        _lobe("lung_lower_lobe_right", +1, lambda x, y, z: ~oblique(x, y, z)),
    ]
    mediastinum = [
        ellipsoid("", FAT, (0, -6, 395), (40, 72, 78), power=2.6, clip=inside_cage(3.0)),
        ellipsoid("", FAT, (-18, 24, 292), (76, 56, 62), power=2.3),
        ellipsoid("", FAT, (-6, -40, 300), (42, 40, 190), power=4.0, clip=_IN_CAGE),
        ellipsoid("", FAT, (0, -90, 300), (30, 40, 190), power=4.0, clip=_IN_CAGE),  # no lung behind the spine
    ]
    return lobes + mediastinum


def heart() -> list[Shape]:
    """Return the chambers, the pulmonary artery, trachea with main bronchi and oesophagus."""
    shapes = [
        _blob("heart_atrium_right", (38, 18, 292), (27, 30, 36)),
        _blob("heart_ventricle_right", (-6, 50, 272), (40, 25, 38)),
        _blob("heart_atrium_left", (0, -6, 312), (36, 19, 26)),
        _blob("heart_myocardium", (-50, 20, 276), (38, 36, 44)),
        _blob("heart_ventricle_left", (-48, 20, 280), (24, 22, 31)),
    ]
    shapes += tube("", 110.0, [(34, 16, 325), (34, 14, 370), (30, 16, 425)], 9.0)  # superior vena cava, not labelled
    shapes += _tube("esophagus", [(-2, -14, 505), (-3, -22, 460), (-6, -31, 400)], 8.0)
    shapes += _tube("esophagus", [(-6, -31, 400), (-5, -33, 320), (-8, -28, 260), (-20, -10, 222), (-42, 0, 205)], 8.0)
    shapes += _tube("trachea", [(0, 12, 560), (2, 8, 500), (5, -4, 440), (5, -11, 384)], 9.5)
    shapes += _tube("trachea", [(5, -11, 386), (24, -17, 368), (44, -22, 350)], 7.5)
    shapes += _tube("trachea", [(5, -11, 386), (-20, -18, 368), (-46, -24, 354)], 7.5)
    shapes += _tube("pulmonary_artery", [(-14, 44, 308), (-20, 32, 338), (-16, 10, 354)], (14, 14, 12))
    shapes += _tube("pulmonary_artery", [(-16, 10, 354), (10, 2, 352), (52, 2, 350)], (12, 10, 9))
    shapes += _tube("pulmonary_artery", [(-16, 10, 354), (-40, -2, 366), (-60, -16, 368)], (12, 10, 9))
    return shapes


def _below_diaphragm(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    return (diaphragm(x, y, z) < -4) & _IN_CAGE(x, y, z)


def upper_abdomen() -> list[Shape]:
    """Return liver, gallbladder, spleen, stomach, pancreas, duodenum, kidneys and adrenals."""
    shapes = [
        _blob("spleen", (-100, -42, 180), (30, 42, 46), _below_diaphragm),
        _blob("liver", (68, 6, 188), (82, 92, 84), lambda x, y, z: _below_diaphragm(x, y, z) & (z > 96 - 0.25 * y)),
        _blob("liver", (4, 50, 205), (58, 36, 40), _below_diaphragm),
        # the retroperitoneal fat that the kidney and the adrenal lie in
        ellipsoid("", FAT, (58, -45, 90), (38, 33, 62)),
        ellipsoid("", FAT, (36, -46, 150), (25, 38, 27)),
        ellipsoid("", FAT, (62, 66, 110), (20, 22, 24)),
        _blob("kidney_right", (66, -42, 84), (27, 24, 48)),
        _blob("kidney_left", (-66, -42, 104), (27, 24, 48)),
        ellipsoid("", FAT, (44, -34, 84), (9, 9, 15)),
        ellipsoid("", FAT, (-44, -34, 104), (9, 9, 15)),
        _blob("gallbladder", (62, 66, 112), (15, 17, 19)),
    ]
    stomach = [(-60, -8, 208), (-68, 20, 182), (-56, 48, 150), (-26, 58, 128), (14, 50, 128)]
    shapes += _tube("stomach", stomach, (30, 31, 24, 18, 13), _below_diaphragm)
    duodenum = [(18, 48, 128), (44, 34, 122), (52, 20, 96), (48, 20, 66), (18, 29, 56), (-24, 30, 64)]
    shapes += _tube("duodenum", duodenum, 11.0)
    shapes += _tube("pancreas", [(32, 26, 88), (8, 32, 108), (-30, 24, 128), (-72, -8, 150)], (14, 12, 13, 11))
    for name, x, y, z in (("adrenal_gland_right", 38, -30, 152), ("adrenal_gland_left", -40, -30, 168)):
        hu, side = hu_of(name), 1 if x > 0 else -1
        shapes.append(ellipsoid("", FAT, (x + side * 2, y - 2, z - 1), (18, 15, 20)))
        shapes.append(capsule(name, hu, (x, y + 3, z + 9), (x - side * 6, y - 4, z - 11), 6.8))
        shapes.append(capsule(name, hu, (x, y + 3, z + 9), (x + side * 9, y - 4, z - 11), 6.8))
    return shapes


def bowel_and_bladder() -> list[Shape]:
    """Return small bowel, colon with its content, prostate bed and urinary bladder."""
    loops: list[tuple[float, float, float]] = []
    for depth, rows in ((68, (34, 4, -26)), (40, (-42, -12, 22))):
        for number, z in enumerate(rows):
            xs = (-58, -20, 20, 56) if number % 2 == 0 else (56, 20, -20, -58)
            loops += [(x, depth - abs(x) * 0.14 + 3 * np.sin(x), z + 5 * np.cos(x)) for x in xs]
    shapes = _tube("small_bowel", loops, 12.5)
    colon = [(82, 24, -38), (94, 8, 10), (98, 2, 56), (94, 22, 86), (60, 66, 74), (10, 80, 70), (-45, 74, 84)]
    colon += [(-88, 40, 118), (-104, -2, 122), (-106, -12, 70), (-104, -6, 10), (-92, 14, -36), (-54, 30, -66)]
    colon += [(-18, 2, -82), (2, -34, -96), (0, -46, -130), (0, -46, -170)]
    radii = [22, 20, 18, 17, 16, 16, 16, 16, 17, 16, 15, 15, 15, 15, 16, 17, 15]
    shapes += _tube("colon", colon, tuple(radii))
    shapes += tube("colon", COLON_CONTENT, colon[:14], [r - 6 for r in radii[:14]])
    shapes.append(_blob("urinary_bladder", (0, 30, -112), (38, 30, 28)))
    shapes.append(ellipsoid("", MUSCLE, (0, 8, -152), (21, 20, 14)))
    return shapes
