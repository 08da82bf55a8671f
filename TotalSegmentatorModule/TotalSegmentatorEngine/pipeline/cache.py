"""What a resident worker keeps between jobs: loaded networks, the last CT, images computed from it, and what the last
review measured on it. And what one job keeps between its steps."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any

from TotalSegmentatorEngine.inference.weight_prefetch import WeightPrefetch
from TotalSegmentatorEngine.machine.memory import LARGEST_NETWORK_COUNT
from TotalSegmentatorEngine.models.model_folder import ModelFolder

if TYPE_CHECKING:
    from TotalSegmentatorEngine.ct_input.reading import ReadInput
    from TotalSegmentatorEngine.imaging.geometry import Volume
    from TotalSegmentatorEngine.inference.tile_runner import TileRunner
    from TotalSegmentatorEngine.review.measures.findings import Findings

LARGEST_NETWORK_BYTES = 2 * 1024**3
LARGEST_IMAGE_BYTES = 1024**3
"""Of resampled and normalised images of one CT."""


class EngineCache:
    """Bounded; holds one CT at a time."""

    def __init__(
        self,
        network_bytes: int = LARGEST_NETWORK_BYTES,
        image_bytes: int = LARGEST_IMAGE_BYTES,
        serves_one_job: bool = False,
    ) -> None:
        self.serves_one_job = serves_one_job
        """There is no next job for which a network would have to stay in memory."""
        self._network_bytes = network_bytes
        self._image_bytes = image_bytes
        self._runners: OrderedDict[tuple[str, Hashable], TileRunner] = OrderedDict()
        self.weights = WeightPrefetch()
        self._ct_id: str | None = None
        self._ct: ReadInput | None = None
        self._images: dict[Hashable, Any] = {}
        self._findings: Findings | None = None

    # -- the CT --------------------------------------------------------------------------------------------------------

    def remember_ct(self, ct_id: str, ct: ReadInput) -> None:
        """Keeps this CT in place of the one before; the same id again keeps what was computed from it."""
        if ct_id == self._ct_id and self._ct is not None:
            return
        self.forget_ct()
        self._ct_id, self._ct = ct_id, ct

    def ct(self, ct_id: str) -> ReadInput | None:
        """The CT with this id, if it is the one that is held."""
        return self._ct if ct_id == self._ct_id else None

    def forget_ct(self) -> None:
        self._ct_id = self._ct = self._findings = None
        self._images.clear()

    @property
    def ct_bytes(self) -> int:
        """Memory of the CT that is held, and of what was computed from it."""
        images = sum(kept_bytes for _, kept_bytes in self._images.values())
        return images + (0 if self._ct is None else self._ct.volume.array.nbytes)

    def holds_image(self, volume: Volume | None, key: Hashable) -> bool:
        return self._is_of_ct(volume) and key in self._images

    def image(self, volume: Volume, key: Hashable, make: Callable[[], Any], size: Callable[[Any], int]) -> Any:
        """What ``make`` computes from the CT; kept under ``key`` if ``volume`` is the CT held here and there is room.

        ``size`` gives the bytes of the result. What came first stays, since a second job needs it first as well.
        """
        if not self._is_of_ct(volume):
            return make()
        if key not in self._images:
            made = make()
            if sum(kept_bytes for _, kept_bytes in self._images.values()) + size(made) > self._image_bytes:
                return made
            self._images[key] = (made, size(made))
        return self._images[key][0]

    @property
    def findings(self) -> Findings | None:
        """What the last review has measured on the CT that is held."""
        return self._findings

    def remember_findings(self, volume: Volume, findings: Findings | None) -> None:
        """Keeps these, with their labels, if ``volume`` is the CT that is held; None: nothing any more."""
        if self._is_of_ct(volume) or findings is None:
            self._findings = findings

    def _is_of_ct(self, volume: Volume | None) -> bool:
        return self._ct is not None and volume is self._ct.volume

    # -- networks ------------------------------------------------------------------------------------------------------

    def runner(
        self, folder: ModelFolder, variant: Hashable, make: Callable[[], TileRunner], keep: int = 1
    ) -> TileRunner:
        """The folder's network ready to run, made anew when a weight file or the plans changed. ``variant`` names
        device, runtime and precision.

        The least recently used ones go when there are too many, but never one of the last ``keep``: one model's parts.
        """
        key = _runner_key(folder, variant)
        if key not in self._runners:
            self._runners[key] = make()
        self._runners.move_to_end(key)
        while len(self._runners) > max(keep, 1) and self._is_too_full():
            self._runners.popitem(last=False)
        return self._runners[key]

    def holds_runner(self, folder: ModelFolder, variant: Hashable) -> bool:
        return _runner_key(folder, variant) in self._runners

    def held_folders(self) -> set[str]:
        """Paths of the folders whose networks are in memory."""
        return {key[0] for key in self._runners}

    def forget_networks(self, but: ModelFolder | None = None) -> None:
        """Drops all networks; with ``but`` all others than that folder's."""
        kept = None if but is None else str(but.path.resolve())
        for key in [key for key in self._runners if key[0] != kept]:
            del self._runners[key]

    def _is_too_full(self) -> bool:
        return (
            len(self._runners) > LARGEST_NETWORK_COUNT
            or sum(runner.weight_bytes for runner in self._runners.values()) > self._network_bytes
        )


class JobImages:
    """The CT resampled for the networks, once for all steps of a job that get the same image.

    Images go by their place (preprocessing.network_input.image_place). Those of the whole CT come from the ``cache`` of
    the worker, or go there for the next job; what it does not keep stays here while a later step needs it."""

    def __init__(self, volume: Volume | None, cache: EngineCache) -> None:
        """``volume``: None while there is only its grid."""
        self._volume = volume
        self._cache = cache
        self._needed: frozenset[Hashable] = frozenset()
        self._kept: dict[Hashable, Any] = {}

    def expect(self, places: Iterable[Hashable]) -> None:
        """Sets what the steps to come need; what none needs is forgotten."""
        self._needed = frozenset(places)
        self._kept = {place: image for place, image in self._kept.items() if place in self._needed}

    def holds(self, place: Hashable) -> bool:
        of_ct, key = place
        return place in self._kept or (of_ct is None and self._cache.holds_image(self._volume, key))

    def image(self, place: Hashable, make: Callable[[], Any], size: Callable[[Any], int]) -> Any:
        """What is held at ``place``, else what ``make`` gives; ``size`` tells its bytes."""
        if place in self._kept:
            return self._kept[place]
        of_ct, key = place
        image = self._cache.image(self._volume, key, make, size) if of_ct is None else make()
        if place in self._needed and not self.holds(place):
            self._kept[place] = image
        return image


def _runner_key(folder: ModelFolder, variant: Hashable) -> tuple[str, Hashable]:
    return str(folder.path.resolve()), (folder.configuration, folder.mirrors, folder.stamps(), variant)
