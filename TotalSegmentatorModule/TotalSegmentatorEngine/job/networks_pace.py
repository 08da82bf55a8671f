"""How the networks of a job compare with what was planned for them: what those to come will then take.

Loading and first tiles take their time, too, so that the pace of a few tiles says little of a whole job; and a tile of
one network says nothing of another's. The plan knows all that; only how much faster or slower things go is measured.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from TotalSegmentatorWire.messages.plan import Plan, PlannedPass
from TotalSegmentatorWire.messages.segment import Stage

_TRUST = 0.02
"""In a plan of measured networks: so long as so much of their planned time has not passed, it counts as much as what
was seen."""
_TRUST_IN_ESTIMATE = 0.01
_TRUST_IN_LOADING = 0.2
"""Seconds: until so much was planned of the loading that has passed, the plan counts as much."""
_NETWORK_STAGES = (Stage.LOADING_MODEL, Stage.PREDICTING)

_Seen = dict[str, tuple[float, float]]
"""By kind of network: seconds that have passed, and those that were planned for the same work."""


@dataclass
class _Pass:
    planned: PlannedPass
    is_counted: bool
    """Whether it has run, or runs, under the eyes of this clock from its beginning."""
    image: float = 0.0
    loading: float = 0.0
    tiles: float = 0.0
    """Seconds that have passed."""

    def image_to_come(self, tiles_done: int) -> float:
        """Seconds: nothing once the network is there, however much of the planned time is left."""
        has_begun = self.loading > 0 or tiles_done > 0
        return 0.0 if has_begun else max(self.planned.image_seconds - self.image, 0.0)

    @property
    def tile_seconds(self) -> float:
        """Of all tiles, as planned, without labels."""
        return self.planned.seconds - (self.planned.label_seconds or 0.0) - self.planned.load_seconds

    @property
    def kind(self) -> str:
        """Of a network that never ran here only its own model tells something."""
        return self.planned.model if self.planned.is_estimated else ""


class NetworksPace:
    """Gets the plan, the tiles that are done when it is made, and each stretch of time with what it was spent on."""

    def __init__(self, plan: Plan, tile: int, before: NetworksPace | None = None) -> None:
        """``before``: of the plan that this one replaces; what was seen then still counts."""
        self._passes: list[_Pass] = []
        finished = 0
        for planned in plan.passes:
            if planned.tiles:
                self._passes.append(_Pass(planned, is_counted=finished >= tile))
                finished += planned.tiles
        self._total = finished
        self._tile = tile
        self._since_tile = 0.0
        self._seen_before: _Seen = {} if before is None else before._seen()
        self._loading_before = (0.0, 0.0) if before is None else before._loading_seen()

    @staticmethod
    def can_tell(plan: Plan) -> bool:
        return all(planned.tile_seconds is not None for planned in plan.passes if planned.tiles)

    @property
    def planned_to_come(self) -> float:
        """Seconds of the passes that are not finished, labels among them."""
        place, _done = self._place()
        return sum(each.planned.seconds for each in self._passes[place:])

    def images_to_come(self) -> float:
        """Seconds of resampling images for the passes that are not finished."""
        place, done = self._place()
        return sum(each.image_to_come(0 if number else done) for number, each in enumerate(self._passes[place:]))

    def book(self, stage: str | None, seconds: float) -> None:
        """``seconds`` have passed in ``stage``."""
        place, done = self._place()
        if stage not in (*_NETWORK_STAGES, Stage.RESAMPLING) or place == len(self._passes):
            return
        running = self._passes[place]
        if stage != Stage.PREDICTING and not done and not running.loading:
            running.tiles = 0.0  # what has passed since the last tile of the network before was not its own
        if stage == Stage.RESAMPLING:
            running.image += seconds
            return
        if stage == Stage.LOADING_MODEL:
            running.loading += seconds
        else:
            running.tiles += seconds
        self._since_tile += seconds

    def reached(self, tile: int, tiles: int) -> None:
        """So many tiles are done, of so many."""
        if tiles > self._total:
            self._run_again(tiles - self._total)
        if tile != self._tile:
            self._tile, self._since_tile = tile, 0.0

    def _run_again(self, more: int) -> None:
        """The network that runs, or has just finished, has so many tiles to come beside those of the plan: what has
        passed since then was its own."""
        place, done = self._place()
        again = self._passes[place - 1 if place and not done else place]
        if again is not self._passes[min(place, len(self._passes) - 1)]:
            following = self._passes[place]
            again.tiles, again.loading = again.tiles + following.tiles, again.loading + following.loading
            following.tiles = following.loading = following.image = 0.0
        planned = again.planned
        seconds = planned.seconds + more * planned.tile_seconds
        again.planned = dataclasses.replace(planned, tiles=planned.tiles + more, seconds=seconds)
        self._total += more

    def seconds_left(self, busy: float = 1.0) -> float:
        """Of loading and tiles. ``busy``: how many times longer than on an idle computer things take now, for what has
        not shown a pace."""
        place, done = self._place()
        load_factor = _factor_of(self._loading_seen(), _TRUST_IN_LOADING, busy)
        loads = [each.loading for each in self._passes if each.loading > 0]
        seen, left = self._seen(), 0.0
        for number, each in enumerate(self._passes[place:], place):
            factor = self._factor(each.kind, seen, busy)
            pace = factor * each.planned.tile_seconds
            if number > place:
                unforeseen = loads[-1] if loads and each.planned.is_estimated else 0.0
                left += load_factor * each.planned.load_seconds or unforeseen
                left += factor * each.tile_seconds
            elif done:
                left += max(pace * (each.planned.tiles - done) - self._since_tile, 0.0)
            else:
                is_loaded = each.loading > 0 and each.tiles > 0
                loading = 0.0 if is_loaded else max(load_factor * each.planned.load_seconds - each.loading, 0.0)
                left += loading + max(factor * each.tile_seconds - each.tiles, pace * (each.planned.tiles - 1))
        return left

    def factor(self, busy: float = 1.0) -> float:
        """How much longer than planned networks take that have run here before."""
        return self._factor("", self._seen(), busy)

    def _factor(self, kind: str, seen: _Seen, busy: float) -> float:
        """Of networks of a kind that has not run yet, as of those whose time was known."""
        prior = self._factor("", seen, busy) if kind else busy
        total = sum(each.tile_seconds for each in self._passes if each.kind == kind)
        return _factor_of(seen.get(kind, (0.0, 0.0)), (_TRUST_IN_ESTIMATE if kind else _TRUST) * total, prior)

    def _seen(self) -> _Seen:
        """Of tiles."""
        place, done = self._place()
        seen = dict(self._seen_before)
        for number, each in enumerate(self._passes):
            if not each.is_counted or not (number < place or (number == place and done)):
                continue
            passed, planned = each.tiles, each.tile_seconds
            if number == place:
                planned = max(planned - each.planned.tile_seconds * (each.planned.tiles - done), 0.0)
                passed -= self._since_tile
            before = seen.get(each.kind, (0.0, 0.0))
            seen[each.kind] = before[0] + passed, before[1] + planned
        return seen

    def _loading_seen(self) -> tuple[float, float]:
        """Seconds that have passed, and those that were planned, of networks that have been loaded."""
        passed, planned = self._loading_before
        for each in self._passes:
            if each.is_counted and each.tiles:
                passed += each.loading
                planned += each.planned.load_seconds
        return passed, planned

    def _place(self) -> tuple[int, int]:
        """Index of the pass that runs, and how many of its tiles are done."""
        return _place_in([each.planned.tiles for each in self._passes], self._tile)


def _factor_of(seen: tuple[float, float], trust: float, prior: float) -> float:
    """How many times longer than planned things take, by the seconds that have passed and those that were planned for
    the same; ``prior`` counts as much as ``trust`` planned seconds would."""
    passed, planned = seen
    return (passed + trust * prior) / (planned + trust) if planned + trust > 0 else prior


def _place_in(counts: Sequence[int], tile: int) -> tuple[int, int]:
    for number, count in enumerate(counts):
        if tile < count:
            return number, tile
        tile -= count
    return len(counts), 0
