"""Reads weights from disk in a thread, while the CT is still being read or another network runs: or, where the network
is stored ready to run, that in their place."""

from __future__ import annotations

import atexit
import ctypes
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from TotalSegmentatorEngine.inference.network import LoadedModel
    from TotalSegmentatorEngine.inference.stored_runners import ReadyNetworks
    from TotalSegmentatorEngine.inference.tile_runner import TileRunner
    from TotalSegmentatorEngine.models.model_folder import FileStamps, ModelFolder

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.05  # between two checks whether the job was cancelled
_LONGEST_STOP_SECONDS = 3.0


@dataclass(frozen=True)
class Prefetched:
    """Resolved paths of the folders of which something is in memory."""

    weights: frozenset[str]
    runners: frozenset[str]
    """Those that are ready to run."""


class WeightPrefetch:
    """Weights that are being read or wait to be used; the thread imports torch.

    One thread reads one folder after the other; it ends when there is nothing left to read. The methods are called
    by one thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[_Reading] = deque()
        self._thread: threading.Thread | None = None
        self._readings: dict[_Key, _Reading] = {}

    def start(self, folder: ModelFolder, ready: ReadyNetworks | None = None) -> None:
        """Starts to read the weights, unless that has been started; the network ready to run where ``ready`` gives
        one. ``take`` raises what goes wrong."""
        self._reading_of(folder, ready)

    def settle(self, check_cancelled: Callable[[], None]) -> Prefetched:
        """Waits for what is being read.

        Only then the memory of the process is known. ``take`` raises what went wrong. Raises what ``check_cancelled``
        raises.
        """
        while wait([reading.model for reading in self._readings.values()], timeout=_POLL_SECONDS).not_done:
            check_cancelled()
        read = [reading for reading in self._readings.values() if reading.model.exception() is None]
        ready = frozenset(reading.folder_path for reading in read if is_ready(reading.model.result()))
        return Prefetched(frozenset(reading.folder_path for reading in read) - ready, ready)

    def keep_only(self, folder: ModelFolder, ready: ReadyNetworks | None = None) -> None:
        """Forgets what was started for others than this one, and what has failed, which may go well now."""
        key = _key_of(folder, ready)
        kept = self._readings.pop(key, None)
        if kept is not None and kept.has_failed:
            kept = None
        with self._lock:
            self._waiting = deque(reading for reading in self._waiting if reading is kept)
        self._forget_readings()
        if kept is not None:
            self._readings[key] = kept

    def take(
        self, folder: ModelFolder, check_cancelled: Callable[[], None], ready: ReadyNetworks | None = None
    ) -> LoadedModel | TileRunner:
        """The folder's networks on the CPU, once; waits for them. A runner (``is_ready``) where ``ready`` gives one.

        Raises whatever reading them raised, SegmentationError MODEL_DAMAGED or MODEL_UNSAFE above all, and what
        ``check_cancelled`` raises, which is called now and then; then reading continues until ``clear``.
        """
        reading = self._reading_of(folder, ready)
        while not wait([reading.model], timeout=_POLL_SECONDS).done:
            check_cancelled()
        del self._readings[reading.key]
        try:
            return reading.model.result()
        finally:
            del reading  # the exception's traceback refers to this frame; without this they would form a cycle

    def clear(self) -> None:
        """Forgets what nobody took; what is being read just now ends before its next fold."""
        with self._lock:
            self._waiting.clear()
        self._forget_readings()

    def _forget_readings(self) -> None:
        for reading in self._readings.values():
            reading.is_unwanted = True
        self._readings.clear()

    def _reading_of(self, folder: ModelFolder, ready: ReadyNetworks | None) -> _Reading:
        """The one that was started, else a new one."""
        key = _key_of(folder, ready)
        if key not in self._readings:
            self._readings[key] = _Reading(key, folder, ready)
            self._read_later(self._readings[key])
        return self._readings[key]

    def _read_later(self, reading: _Reading) -> None:
        with self._lock:
            self._waiting.append(reading)
            if self._thread is None:
                # A thread of concurrent.futures would be waited for at the interpreter's end, so after Ctrl+C.
                self._thread = threading.Thread(target=self._read_all, name="weights", daemon=True)
                self._thread.start()
                _threads.add(self._thread)

    def _read_all(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    return
                reading = self._waiting.popleft()
            reading.read()
            del reading  # a model that was taken must not live on here while the next one is read


class _Reading:
    """One folder's weights, read or still to be read."""

    def __init__(self, key: _Key, folder: ModelFolder, ready: ReadyNetworks | None) -> None:
        self.key = key
        self.model: Future[LoadedModel | TileRunner] = Future()
        self.is_unwanted = False
        self._folder = folder
        self._ready = ready

    @property
    def folder_path(self) -> str:
        return str(self._folder.path.resolve())

    @property
    def has_failed(self) -> bool:
        return self.model.done() and self.model.exception() is not None

    def read(self) -> None:
        """Fills ``model`` with the networks or with the exception."""
        try:
            self._check_wanted()
            import torch

            from TotalSegmentatorEngine.inference.network import load_model

            has_openvino = _import_openvino()
            ready = self._ready if has_openvino else None
            runner = None if ready is None else self._attempted(lambda: ready.runner(self._folder))
            if runner is None:
                model = load_model(self._folder, torch.device("cpu"), self._check_wanted)
                if ready is not None:
                    runner = self._attempted(lambda: ready.made(model, self._folder, self._check_wanted))
            self.model.set_result(model if runner is None else runner)
        except BaseException as error:  # noqa: BLE001 - take() raises it again
            self.model.set_exception(error)

    def _attempted(self, give: Callable[[], TileRunner | None]) -> TileRunner | None:
        """None where that fails, for any reason: the job runs with the weights."""
        try:
            return give()
        except CancelledError:
            raise
        except Exception as error:
            logger.warning("no network is ready: %s", type(error).__name__, exc_info=error)
            return None

    def _check_wanted(self) -> None:
        if self.is_unwanted:
            raise CancelledError


def is_ready(prefetched: LoadedModel | TileRunner) -> bool:
    """Whether it is a runner, which needs no weights."""
    return hasattr(prefetched, "run")


_Key = tuple["FileStamps", bool, "ReadyNetworks | None"]


def _key_of(folder: ModelFolder, ready: ReadyNetworks | None) -> _Key:
    return folder.stamps(), folder.mirrors, ready


def _import_openvino() -> bool:
    """Ahead of the first network that needs it, so that its libraries are in memory when a job is planned. Whether it
    is there."""
    try:
        from TotalSegmentatorEngine.inference import openvino_runner  # noqa: F401
    except (ImportError, OSError, RuntimeError) as error:
        logger.info("OpenVINO is not available (%s)", type(error).__name__)
        return False
    return True


# -- the end of the interpreter ----------------------------------------------------------------------------------------

_threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


def _stop_reading() -> None:
    """Ends threads that still read, by an exception in them.

    A thread that the interpreter's end cuts off inside torch's C++ code aborts the whole process; measured while torch
    was imported: in 3 of 40 runs. Waiting for the end of the reading would take seconds after Ctrl+C.
    """
    deadline = time.monotonic() + _LONGEST_STOP_SECONDS
    raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
    for thread in list(_threads):
        while thread.is_alive() and time.monotonic() < deadline:
            raise_in(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
            thread.join(0.05)  # some libraries catch any exception: then it is raised again


atexit.register(_stop_reading)
