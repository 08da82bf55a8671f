"""Whether the values of a CT are Hounsfield units: air, fat and soft tissue must lie where they belong.

By definition air is -1000 HU and water 0; fat lies at -120 to -60 HU, soft tissue at 20 to 80, with contrast medium up
to some 130, cortical bone above 500 (Bushberg et al., The Essential Physics of Medical Imaging, 3rd ed., 10.3). A wrong
intercept or slope moves these peaks; minimum and maximum hardly show it.

Each rule names what is odd. The limits leave room for what real CTs hold: head, chest, abdomen, hip, a vertebra alone,
contrast medium, metal, padding and slabs of three slices, whole and cut to small boxes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from TotalSegmentatorWire.errors.problem import Problem

SAMPLES = 400_000
"""So many voxels at least are looked at, where there are as many: shares are known to 0.2 % then."""

AIR = (-1100, -850)
LUNG_AND_AIR = (-1100, -500)
FAT = (-150, -50)
TWICE_FAT = (-300, -150)
SOFT = (-150, 100)
"""Fat and soft tissue; PMMA, of which phantoms are made, lies at 120 HU."""
DENSER_THAN_LUNG = -400
INVERTED_AIR, AROUND_INVERTED_AIR = (950, 1050), (800, 1250)
BONE = (450, 750)
HALF_AIR = (-600, -400)

SMALLEST_TISSUE = 0.003
"""Share of voxels denser than lung, below which there is nobody in the image: in a box inside a lung, vessels make up
more."""
SMALLEST_SOFT = 0.10
"""Share of fat and soft tissue among what is denser than lung: 0.69 and more in real CTs, up to 0.05 elsewhere."""
NOISY_DENSE, NOISY_AIR, NOISE_END, MIDDLE_OF_AIR = 0.1, -700, -1300, (-1075, -925)
"""A noisy CT (thin slices, sharp kernel, cone beam) scatters about -1000, and most of what it has below -1100 is above
-1300, for noise of up to 300 HU. A doubled intercept leaves next to nothing above -400."""
LARGEST_BELOW_AIR = 0.02
"""Share of differing values below air; beside metal and at resampled edges of padding there are fewer."""


def hu_scale_warnings(array: np.ndarray) -> list[Problem]:
    """Empty, or a warning HU_SCALE. ``array`` (k, j, i); takes a few milliseconds."""
    odd = _odd(sample(array))
    return [Problem("HU_SCALE", {"detail": odd})] if odd else []


def sample(array: np.ndarray) -> np.ndarray:
    """Voxels from all over ``array`` (k, j, i), one-dimensional: every n-th row and column of every slice."""
    step = max(1, int(np.sqrt(array.size / SAMPLES)))
    return array[:, step // 2 :: step, step // 2 :: step].reshape(-1).astype(np.float32)


def _odd(values: np.ndarray) -> str:
    """What is odd, as the end of a sentence; empty for a CT. Values at the ends of 16 bits are no measurements."""
    values = values[(values > -32768) & (values != 32767) & (values != 65535)]
    if not len(values):
        return "they are all at the ends of the 16-bit range"

    def share(bounds: tuple[float, float]) -> float:
        return float(np.count_nonzero((values >= bounds[0]) & (values < bounds[1]))) / len(values)

    below_air = values[values < AIR[0]]
    dense = share((DENSER_THAN_LUNG, np.inf))
    air = share(AIR)
    if _differing(below_air) > LARGEST_BELOW_AIR * len(values) and not (dense > NOISY_DENSE and _is_noise(values)):
        return "many are below -1100, where not even air is; the intercept or slope may have been applied twice"
    if dense < SMALLEST_TISSUE:
        return "almost none are above -400, so there is only air"
    if share(SOFT) < SMALLEST_SOFT * dense:
        return "there is no peak of fat and soft tissue between -150 and 100"
    has_twice_air = len(below_air) > LARGEST_BELOW_AIR * len(values) and share(LUNG_AND_AIR) < 0.005
    if has_twice_air and (share(FAT) < 0.02 * dense or share(TWICE_FAT) > 2 * share(FAT)):
        return "air is far below -1000, so the slope may have been applied twice"
    if share(LUNG_AND_AIR) < 0.05 and _has_air_at_1000(share, dense):
        return "there is a peak near 1000 and no air near -1000; they may be inverted or lack their intercept"
    if share(HALF_AIR) > 0.25 and air < 0.005 and share(HALF_AIR) > 4 * share((-850, -650)):
        return "air is near -500, so the slope may be half of what it should be"
    return ""


def _has_air_at_1000(share: Callable[[tuple[float, float]], float], dense: float) -> bool:
    """Inverted air is a narrow peak, tissue without its intercept most of the image; cortical bone is neither."""
    around = share(AROUND_INVERTED_AIR)
    if around < 2 * share(BONE):
        return False
    return share(INVERTED_AIR) > max(0.10 * dense, 0.7 * around) or around > 0.4 * dense


def _is_noise(values: np.ndarray) -> bool:
    """True where what lies below air belongs to air that is where it should be."""
    middle = float(np.median(values[values < NOISY_AIR]))
    return MIDDLE_OF_AIR[0] <= middle <= MIDDLE_OF_AIR[1] and float(np.median(values[values < AIR[0]])) > NOISE_END


def _differing(below_air: np.ndarray) -> int:
    """How many values are not the commonest one, which is padding."""
    if not len(below_air):
        return 0
    counts = np.unique(below_air, return_counts=True)[1]
    return len(below_air) - int(counts.max())
