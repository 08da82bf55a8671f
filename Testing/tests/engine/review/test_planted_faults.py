"""Two planted faults of each kind are found; the benchmark ``review`` plants twenty."""

from __future__ import annotations

from functools import cache
from itertools import islice

import numpy as np
import pytest
from phantom_faults import cuts, pieces, places, presence, sizes, tissue
from phantom_faults.label_map import LabelMap
from phantom_faults.random_phantoms import random_phantom
from phantom_faults.reviewed import finds, flags_of

PLANTS = {
    f"{module.__name__.partition('.')[2]}: {name}": plant
    for module in (cuts, pieces, places, presence, sizes, tissue)
    for name, plant in module.FAULTS.items()
}
DRAWN = 24
"""Not every phantom has a place for every fault."""


@cache
def body(number: int) -> LabelMap:
    return LabelMap.of(random_phantom(number))


@pytest.mark.parametrize("kind", PLANTS)
def test_planted_faults_are_found(kind: str):
    faults = (PLANTS[kind](body(number), np.random.default_rng([number, 7])) for number in range(DRAWN))
    drawn = list(islice((fault for fault in faults if fault is not None), 2))
    assert len(drawn) == 2
    for fault in drawn:
        flags = flags_of(fault.map)
        assert finds(flags, fault), (fault.rule, fault.structure, fault.place, flags)
