"""A 95 % interval for a small share that was estimated from voxels which are not independent of each other.

Voxels of one tile differ together or not at all, so that the interval of that many independent voxels would be far too
narrow. As Korn and Graubard propose for surveys (Survey Methodology 24, 1998, 193-201), the exact interval of Clopper
and Pearson is taken for an effective number of voxels: the one at which independent voxels would scatter as much as
this estimate does. It needs no normal distribution, which a share of 0.03 % in two tiles has not.
"""

from __future__ import annotations

import math

from scipy import special

CONFIDENCE = 0.95


def share_interval(
    share: float, variation: float, freedom: float, none_in: float, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Lower and upper end for a ``share`` 0..1.

    ``variation``: standard error over the share, known from about ``freedom`` degrees of freedom. ``none_in``:
    effective number of voxels where the share is 0, of which no variation is known.
    """
    tail = (1.0 - confidence) / 2.0
    if share >= 1.0:
        return 0.0, 1.0
    if share <= 0.0:
        return 0.0, 1.0 - tail ** (1.0 / max(none_in, 1.0))
    if variation <= 0.0:
        return share, share
    effective = (1.0 - share) / (share * variation**2)
    effective *= (special.ndtri(1.0 - tail) / special.stdtrit(freedom, 1.0 - tail)) ** 2
    count = effective * share
    low = float(special.betaincinv(count, effective - count + 1.0, tail))
    high = float(special.betaincinv(count + 1.0, effective - count, 1.0 - tail))
    if math.isnan(low) or math.isnan(high):
        return 0.0, 1.0
    return min(low, share), max(high, share)
