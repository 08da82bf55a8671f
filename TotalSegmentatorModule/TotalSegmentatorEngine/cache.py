"""What a resident worker keeps between jobs: loaded networks, the last CT, and what was computed from it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

from .model_folder import ModelFolder

if TYPE_CHECKING:
    import torch

    from .geometry import Volume
    from .network import LoadedModel

LARGEST_MODEL_COUNT = 5
"""The most parts that a published model has."""
LARGEST_MODEL_BYTES = 2 * 1024**3
LARGEST_IMAGE_BYTES = 1024**3
"""Of resampled and normalised images of one CT."""


class EngineCache:
    """Bounded; holds one CT at a time."""

    def __init__(self, model_bytes: int = LARGEST_MODEL_BYTES, image_bytes: int = LARGEST_IMAGE_BYTES) -> None:
        self._model_bytes = model_bytes
        self._image_bytes = image_bytes
        self._models: OrderedDict[Hashable, LoadedModel] = OrderedDict()
        self._ct_id: str | None = None
        self._volume: Volume | None = None
        self._images: dict[Hashable, Any] = {}
        self.granted_bytes = 0
        """The most memory that a job of this process needed; an allocator may keep it for the next."""

    # -- the CT --------------------------------------------------------------------------------------------------------

    def remember_ct(self, ct_id: str, volume: Volume) -> None:
        """Keeps this CT in place of the one before; the same id again keeps what was computed from it."""
        if ct_id == self._ct_id and self._volume is not None:
            return
        self._ct_id, self._volume = ct_id, volume
        self._images.clear()

    def ct(self, ct_id: str) -> Volume | None:
        """The CT with this id, if it is the one that is held."""
        return self._volume if ct_id == self._ct_id else None

    def forget_ct(self) -> None:
        self._ct_id = self._volume = None
        self._images.clear()

    def image(self, volume: Volume, key: Hashable, make: Callable[[], Any], size: Callable[[Any], int]) -> Any:
        """What ``make`` computes from the CT; kept under ``key`` if ``volume`` is the CT held here and there is room.

        ``size`` gives the bytes of the result. What came first stays, since a second job needs it first as well.
        """
        if volume is not self._volume:
            return make()
        if key not in self._images:
            made = make()
            if sum(kept_bytes for _, kept_bytes in self._images.values()) + size(made) > self._image_bytes:
                return made
            self._images[key] = (made, size(made))
        return self._images[key][0]

    # -- networks ------------------------------------------------------------------------------------------------------

    def model(
        self, folder: ModelFolder, device: torch.device, load: Callable[[], LoadedModel], keep: int = 1
    ) -> LoadedModel:
        """The folder's networks on ``device``; loaded anew when a weight file or the plans changed.

        The ones used longest ago go when there are too many, but never one of the last ``keep``: one job's parts.
        """
        key = _model_key(folder, device)
        if key not in self._models:
            self._models[key] = load()
        self._models.move_to_end(key)
        while len(self._models) > max(keep, 1) and self._is_too_full():
            self._models.popitem(last=False)
        return self._models[key]

    def holds_model(self, folder: ModelFolder, device: torch.device) -> bool:
        return _model_key(folder, device) in self._models

    def _is_too_full(self) -> bool:
        return (
            len(self._models) > LARGEST_MODEL_COUNT or sum(m.bytes for m in self._models.values()) > self._model_bytes
        )


def _model_key(folder: ModelFolder, device: torch.device) -> Hashable:
    files = (*folder.checkpoints, folder.path / "plans.json", folder.path / "dataset.json")
    stamps = tuple((path.stat().st_mtime_ns, path.stat().st_size) for path in files)
    return str(folder.path.resolve()), folder.configuration, stamps, str(device)
