"""Reads weights from disk in a thread, while the CT is still being read or another network runs."""

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
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from TotalSegmentatorEngine.inference.network import LoadedModel
    from TotalSegmentatorEngine.models.model_folder import FileStamps, ModelFolder

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.05  # between two checks whether the job was cancelled
_LONGEST_STOP_SECONDS = 3.0


class WeightPrefetch:
    """Weights that are being read or wait to be used; the thread imports torch.

    One thread reads one folder after the other; it ends when there is nothing left to read. The methods are called
    by one thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[_Reading] = deque()
        self._thread: threading.Thread | None = None
        self._readings: dict[FileStamps, _Reading] = {}

    def start(self, folder: ModelFolder) -> None:
        """Starts to read the weights, unless that has been started. ``take`` raises what goes wrong."""
        self._reading_of(folder)

    def settle(self, check_cancelled: Callable[[], None]) -> frozenset[str]:
        """Waits for what is being read; returns the resolved paths of the folders whose weights are in memory.

        Only then the memory of the process is known. ``take`` raises what went wrong. Raises what ``check_cancelled``
        raises.
        """
        while wait([reading.model for reading in self._readings.values()], timeout=_POLL_SECONDS).not_done:
            check_cancelled()
        return frozenset(
            reading.folder_path for reading in self._readings.values() if reading.model.exception() is None
        )

    def take(self, folder: ModelFolder, check_cancelled: Callable[[], None]) -> LoadedModel:
        """The folder's networks on the CPU, once; waits for them.

        Raises whatever reading them raised, SegmentationError MODEL_DAMAGED or MODEL_UNSAFE above all, and what
        ``check_cancelled`` raises, which is called now and then; then reading continues until ``clear``.
        """
        reading = self._reading_of(folder)
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
        for reading in self._readings.values():
            reading.is_unwanted = True
        self._readings.clear()

    def _reading_of(self, folder: ModelFolder) -> _Reading:
        """The one that was started, else a new one."""
        key = folder.stamps()
        if key not in self._readings:
            self._readings[key] = _Reading(key, folder)
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

    def __init__(self, key: FileStamps, folder: ModelFolder) -> None:
        self.key = key
        self.model: Future[LoadedModel] = Future()
        self.is_unwanted = False
        self._folder = folder

    @property
    def folder_path(self) -> str:
        return str(self._folder.path.resolve())

    def read(self) -> None:
        """Fills ``model`` with the networks or with the exception."""
        try:
            self._check_wanted()
            import torch

            from TotalSegmentatorEngine.inference.network import load_model

            _import_openvino()
            self.model.set_result(load_model(self._folder, torch.device("cpu"), self._check_wanted))
        except BaseException as error:  # noqa: BLE001 - take() raises it again
            self.model.set_exception(error)

    def _check_wanted(self) -> None:
        if self.is_unwanted:
            raise CancelledError


def _import_openvino() -> None:
    """Ahead of the first network that needs it, so that its libraries are in memory when a job is planned."""
    try:
        from TotalSegmentatorEngine.inference import openvino_runner  # noqa: F401
    except (ImportError, OSError, RuntimeError) as error:
        logger.info("OpenVINO is not available (%s)", type(error).__name__)


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
