"""Two planted faults of each kind are found, also where only what was changed is measured.

The benchmark ``review`` plants twenty.
"""

from __future__ import annotations

from functools import cache
from itertools import islice

import numpy as np
import pytest
from phantom_faults import cuts, pieces, places, presence, sizes, tissue
from phantom_faults.label_map import LabelMap, PlantedFault
from phantom_faults.random_phantoms import random_phantom
from phantom_faults.reviewed import as_written, changed_structures, findings_of, finds, flags_of, reviewed
from TotalSegmentatorEngine.review.all_rules import review
from TotalSegmentatorEngine.review.measures.findings import Findings
from TotalSegmentatorWire.messages.review import Flag

PLANTS = {
    f"{module.__name__.partition('.')[2]}: {name}": plant
    for module in (cuts, pieces, places, presence, sizes, tissue)
    for name, plant in module.FAULTS.items()
}
DRAWN = 24
"""Not every phantom has a place for every fault."""
OF_LABELS = [kind for kind in PLANTS if kind not in ("cuts: at_the_border", "tissue: wrong_tissue", "tissue: metal")]
"""Those that change no more than the labels."""


@cache
def body(number: int) -> LabelMap:
    return LabelMap.of(random_phantom(number))


@cache
def before(number: int) -> Findings:
    return reviewed(body(number))


@cache
def planted(kind: str) -> list[tuple[int, PlantedFault, list[Flag]]]:
    """Two: the number of the phantom, what was planted in it, and all flags."""
    drawn = ((number, PLANTS[kind](body(number), np.random.default_rng([number, 7]))) for number in range(DRAWN))
    two = list(islice(((number, fault) for number, fault in drawn if fault is not None), 2))
    assert len(two) == 2
    return [(number, fault, flags_of(fault.map)) for number, fault in two]


@pytest.mark.parametrize("kind", PLANTS)
def test_planted_faults_are_found(kind: str):
    for _number, fault, flags in planted(kind):
        assert finds(flags, fault), (fault.rule, fault.structure, fault.place, flags)


@pytest.mark.parametrize("kind", OF_LABELS)
def test_to_measure_only_what_was_changed_gives_the_same_flags(kind: str):
    for number, fault, flags in planted(kind):
        assert as_written(review(findings_of(fault.map, known=before(number)))) == as_written(flags)
        changed = changed_structures(body(number), fault.map)
        again = review(findings_of(fault.map, known=before(number), only=changed))
        assert as_written(again) == as_written(flag for flag in flags if flag.structure in changed)
