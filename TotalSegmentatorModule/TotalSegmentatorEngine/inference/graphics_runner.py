"""Lets a graphics processor run tiles as long as it does so without a failure; then the processor runs them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import torch

from TotalSegmentatorEngine.inference.tile_runner import Head, TileRunner

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.05

Result = TypeVar("Result")


class GraphicsRunner:
    """A TileRunner that is the runner ``graphics`` until that raises RuntimeError, and what ``on_processor`` makes from
    then on: the tile that failed is run again there, so that nothing of a job is lost.

    ``on_processor`` gives a runner of the same networks; it must hold nothing of a job, since this runner outlives it.
    """

    def __init__(self, graphics: TileRunner, on_processor: Callable[[], TileRunner]) -> None:
        self._on_processor = on_processor
        self._runner = graphics
        self._has_failed = False
        self.on_failure: Callable[[], None] = lambda: None
        """Called once, after a failure; set by the job that it may happen to."""
        self.on_first_tile: Callable[[], None] = lambda: None
        """Called once, when the first tile has ended in whatever way, but for a failure."""
        self.is_new = True
        """Whether no tile has been run yet."""

    @property
    def runtime(self) -> str:
        return self._runner.runtime

    @property
    def precision(self) -> str:
        return self._runner.precision

    @property
    def device(self) -> torch.device:
        return self._runner.device

    @property
    def outputs(self) -> int:
        return self._runner.outputs

    @property
    def head(self) -> Head | None:
        return self._runner.head

    @property
    def channels(self) -> int:
        return self._runner.channels

    @property
    def tile_batch(self) -> int:
        return self._runner.tile_batch

    @property
    def weight_bytes(self) -> int:
        return self._runner.weight_bytes

    @property
    def mirror_images(self) -> int:
        return self._runner.mirror_images

    @property
    def check_cancelled(self) -> Callable[[], None]:
        return self._runner.check_cancelled

    @check_cancelled.setter
    def check_cancelled(self, check: Callable[[], None]) -> None:
        self._runner.check_cancelled = check

    def run(self, tiles: torch.Tensor) -> torch.Tensor:
        if self._has_failed:
            return self._runner.run(tiles)
        is_first, self.is_new = self.is_new, False
        try:
            return self._runner.run(tiles)
        except RuntimeError as error:
            is_first = False
            self._leave(error)
        finally:
            if is_first:
                self.on_first_tile()
        return self._runner.run(tiles)

    def release(self) -> None:
        self._runner.release()

    def _leave(self, error: RuntimeError) -> None:
        logger.warning("the graphics processor failed: %s", error)
        check = self.check_cancelled
        self._has_failed = True
        self._runner.release()
        self._runner = self._on_processor()
        self._runner.check_cancelled = check
        self.on_failure()


def within(seconds: float, work: Callable[[], Result], listen: Callable[[], None]) -> Result:
    """What ``work`` returns or raises, if it does so within ``seconds``; else raises RuntimeError.

    ``listen`` is called several times a second, and what it raises is raised at once. ``work`` is then left alone, and
    does not keep the process from ending: a driver that hangs cannot be interrupted.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - is raised below, in the thread that asked for it
            errors.append(error)

    thread = threading.Thread(target=run, name="graphics", daemon=True)
    deadline = time.monotonic() + seconds
    thread.start()
    while thread.is_alive():
        thread.join(_POLL_SECONDS)
        if thread.is_alive():
            listen()
            if time.monotonic() > deadline:
                raise RuntimeError(f"not ready within {seconds:g} s")
    if errors:
        raise errors[0]
    return results[0]
