"""How long a job still takes: at its own pace as soon as it has shown one, before that by its plan.

Tiles and the making of labels have each a pace of their own: labels of a fine CT may take longer than the networks.
"""

from __future__ import annotations

from collections.abc import Callable

from TotalSegmentatorWire.messages.plan import Plan
from TotalSegmentatorWire.messages.segment import Stage

from TotalSegmentatorEngine.job.networks_pace import NetworksPace

_PACE_SECONDS = 1.0
"""After so long the making of labels has shown its pace; before, a first slab says too little."""


_WRITING_SHARE = 0.03
"""Of the job: what comes after the labels, of which plans do not speak."""
_MOST_FACTOR = 2.0
"""Networks may be many times slower than planned while another program holds their file or the memory; what follows
them is then not."""
_MOST_BUSY = 4.0
_COMPUTING = (Stage.RESAMPLING, Stage.LOADING_MODEL, Stage.PREDICTING, Stage.LABELLING)
_TAIL = (Stage.RESTORING, Stage.REVIEWING, Stage.WRITING)


class _Watched:
    """How much of the time in which the job computes it gets a processor."""

    def __init__(self) -> None:
        self._since: tuple[float, float] | None = None
        self._elapsed = self._worked = 0.0

    def book(self, stage: str | None, now: float, worked: float) -> None:
        """Time since the last call was spent in ``stage``."""
        if self._since is not None and stage in _COMPUTING:
            self._elapsed += now - self._since[0]
            self._worked += worked - self._since[1]
        self._since = (now, worked)

    def busy(self) -> float:
        """How many times longer than on an idle computer a step takes that one thread does; of several threads, which
        would have worked more than has passed, at least so much."""
        if self._elapsed < _PACE_SECONDS or self._worked <= 0:
            return 1.0
        return min(max(self._elapsed / self._worked, 1.0), _MOST_BUSY)


class TimeLeft:
    """Gets each report of progress with its time, in seconds of any clock.

    ``tail_share`` is the time of everything after tiles and labels as a share of theirs.
    """

    def __init__(self, tail_share: float, processor: Callable[[], float] | None = None) -> None:
        """``processor``: seconds that all processors have worked for this process, by which it is seen how busy the
        computer is with other things."""
        self._processor = processor
        self._watched = _Watched()
        self._place: tuple[str, str] | None = None
        self._tail_share = tail_share
        self._planned_end: float | None = None
        self._planned_labelling: float | None = None
        self._previous: tuple[str | None, float] = (None, 0.0)
        self._networks: NetworksPace | None = None
        self._planned_tail = 0.0
        self._tail_since: float | None = None
        self._start_anew()

    def _start_anew(self) -> None:
        self._tile, self._tiles = 0, 0
        self._first_tile: int | None = None
        self._first_tile_at = 0.0
        self._predicting = 0.0
        self._labelling = 0.0
        self._labelled = 0.0

    def plan(self, plan: Plan, now: float) -> None:
        """After a fallback tiles are counted anew, and so are their paces."""
        self._planned_end = None if plan.seconds is None else now + plan.seconds - plan.elapsed_seconds
        labelling = [planned.label_seconds for planned in plan.passes]
        self._planned_labelling = None if None in labelling else sum(labelling)
        place = (plan.device, plan.runtime)
        before = self._networks if place == self._place else None
        self._place, self._networks, done = place, None, self._tile
        if plan.seconds is not None and NetworksPace.can_tell(plan):
            self._networks = NetworksPace(plan, done, before)
            left = plan.seconds - plan.elapsed_seconds
            networks = self._networks.planned_to_come + self._networks.images_to_come()
            self._planned_tail = max(left - networks, 0.0) + _WRITING_SHARE * left
        self._start_anew()
        self._tile = done

    def report(self, stage: str, fraction_of_stage: float, tile: int, tiles: int, now: float) -> float | None:
        """Seconds until the job has finished; None while unknown. Arguments as of ``Reporter.progress``."""
        self._book(now)
        self._previous = (stage, now)
        if self._networks is not None:
            return self._by_plan(stage, fraction_of_stage, tile, tiles, now)
        if stage == Stage.PREDICTING and tiles:
            self._tile, self._tiles = tile, tiles
            if self._first_tile is None and tile >= 1:
                # left out of the pace: it also pays for the memory and the plans of the convolutions
                self._first_tile, self._first_tile_at = tile, now
                self._predicting = 0.0
        elif stage == Stage.LABELLING:
            self._labelled = max(self._labelled, min(fraction_of_stage, 1.0))
        elif stage in _TAIL and self._first_tile is not None:
            share_done = (_TAIL.index(stage) + fraction_of_stage) / len(_TAIL)
            return round((now - self._first_tile_at) * self._tail_share * max(1.0 - share_done, 0.0), 1)
        return self._seconds_left(now)

    def _book(self, now: float) -> None:
        """Time since the last report belongs to the stage that was reported."""
        stage, since = self._previous
        if self._processor is not None:
            self._watched.book(stage, now, self._processor())
        if stage == Stage.PREDICTING:
            self._predicting += now - since
        elif stage == Stage.LABELLING:
            self._labelling += now - since
        if self._networks is not None:
            self._networks.book(stage, now - since)
            if stage == Stage.PREVIEWING:
                self._planned_tail = max(self._planned_tail - (now - since), 0.0)

    def _by_plan(self, stage: str, within: float, tile: int, tiles: int, now: float) -> float:
        """What the plan names to come, as much longer or shorter as the networks have shown."""
        if stage == Stage.PREDICTING and tiles:
            self._tile, self._tiles = tile, tiles
            self._networks.reached(tile, tiles)
        elif stage == Stage.LABELLING:
            self._labelled = max(self._labelled, min(within, 1.0))
        busy = self._watched.busy() if self._place is not None and self._place[0] == "cpu" else 1.0
        factor = min(max(self._networks.factor(busy), 1 / _MOST_FACTOR), _MOST_FACTOR)
        tail = factor * (self._planned_tail + (0.0 if stage in _TAIL else self._networks.images_to_come()))
        if stage not in _TAIL:
            labels = self._of_labels()[0] * (1.0 if self._have_labels_a_pace() else factor)
            return round(self._networks.seconds_left(busy) + labels + tail, 1)
        if self._tail_since is None:
            self._tail_since = now
        passed, done = now - self._tail_since, (_TAIL.index(stage) + within) / len(_TAIL)
        return round(max((1.0 - done) * max(tail, passed), 0.0), 1)

    def _seconds_left(self, now: float) -> float | None:
        tiles = self._of_tiles()
        labels = self._of_labels()
        if tiles is None or labels is None:
            return None if self._planned_end is None else round(max(self._planned_end - now, 0.0), 1)
        to_come, total = tiles[0] + labels[0], tiles[1] + labels[1]
        return round(to_come + self._tail_share * total, 1)

    def _of_tiles(self) -> tuple[float, float] | None:
        """Seconds of the tiles to come and of all; None before there is a pace."""
        if self._first_tile is None:
            return None
        run = self._tile - self._first_tile
        if run < 1:
            return (0.0, self._predicting) if self._tile >= self._tiles else None
        pace = self._predicting / run
        return pace * (self._tiles - self._tile), pace * self._tiles

    def _have_labels_a_pace(self) -> bool:
        return self._labelling >= _PACE_SECONDS and self._labelled > 0

    def _of_labels(self) -> tuple[float, float] | None:
        """Likewise of the labels: by the plan until they have a pace, nothing where there is no plan either."""
        if self._have_labels_a_pace():
            total = self._labelling / self._labelled
            if self._planned_labelling is not None:  # some labels are made at once and others slowly
                total = self._labelled * total + (1.0 - self._labelled) * self._planned_labelling
            return total * (1.0 - self._labelled), total
        if self._planned_labelling is None:
            return 0.0, 0.0
        return self._planned_labelling * (1.0 - self._labelled), self._planned_labelling
