"""Runners of stored networks: what makes them belong to this model, this computer and this version of everything.

Compiling a network of published size takes a second or two, after its weights have been read; a stored one is there in
a quarter of a second, without its weights. Only OpenVINO's are stored, and only where the trial of runtimes has chosen
it.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from TotalSegmentatorEngine.inference.stored.network_store import NetworkStore
from TotalSegmentatorEngine.machine.cpu_features import cpu_features
from TotalSegmentatorEngine.machine.devices import auto_is_cuda, physical_cores
from TotalSegmentatorEngine.machine.profile import MachineProfile, machine_fingerprint
from TotalSegmentatorEngine.models.model_folder import ModelFolder

if TYPE_CHECKING:
    from TotalSegmentatorWire.messages.options import JobOptions

    from TotalSegmentatorEngine.inference.network import LoadedModel
    from TotalSegmentatorEngine.inference.tile_runner import TileRunner

logger = logging.getLogger(__name__)

_RECIPE = ("network.py", "openvino_graph.py", "openvino_runner.py", "fused_upsampling.py", "tile_runner.py")
"""Files that decide what OpenVINO is given: a change in them makes all networks anew."""
_BUILDERS = ("nnunetv2", "dynamic_network_architectures")
"""Packages that build the network of the plans: so do other versions of them."""


@dataclass(frozen=True)
class ReadyNetworks:
    """Gives a model folder's networks ready to run on the processor, without their weights. For one choice of runtime
    and precision (JobOptions)."""

    runtime: str
    precision: str
    compiles: bool = field(default=False, compare=False)
    """A network that is not stored is compiled by ``made``, and stored: not left to the job."""

    def holds(self, folder: ModelFolder) -> bool:
        """Whether ``runner`` will probably give one; not where that cannot be told."""
        try:
            store, key = NetworkStore.of_user(), self._key(folder)
            return store is not None and key is not None and store.holds(key)
        except Exception as error:
            logger.warning("it is not known whether a network is stored: %s", type(error).__name__, exc_info=error)
            return False

    def runner(self, folder: ModelFolder) -> TileRunner | None:
        """The stored one; None where there is none, or OpenVINO is not what runs this network here."""
        store, key = NetworkStore.of_user(), self._key(folder)
        stored = None if store is None or key is None else store.load(key)
        if stored is None:
            return None
        from TotalSegmentatorEngine.inference.openvino_runner import OpenVinoRunner

        try:
            return OpenVinoRunner.from_stored(stored, self._resolved)
        except RuntimeError as error:
            logger.warning("OpenVINO refuses a stored network, which is removed: %s", type(error).__name__)
            store.remove(key)
            return None

    def made(self, model: LoadedModel, folder: ModelFolder, check_wanted: Callable[[], None]) -> TileRunner | None:
        """Compiles ``model`` and stores it, where this is to be done ahead of the job; else None."""
        if not self.compiles or not self.is_chosen(folder):
            return None
        from TotalSegmentatorEngine.inference.openvino_graph import UnsupportedNetworkError
        from TotalSegmentatorEngine.inference.openvino_runner import OpenVinoRunner

        check_wanted()
        try:
            runner = OpenVinoRunner(model, folder.patch_size, self._resolved)
        except (UnsupportedNetworkError, RuntimeError) as error:
            logger.info("OpenVINO does not run this network: %s", type(error).__name__)
            return None
        check_wanted()
        store_runner(runner, folder)
        return runner

    def is_chosen(self, folder: ModelFolder) -> bool:
        """Whether OpenVINO runs this network here: by the user's choice, or by the trial of an earlier job."""
        if self.runtime != "auto":
            return True
        import torch

        from TotalSegmentatorEngine.inference.runtimes import recorded_choice

        return recorded_choice(folder, self.precision, torch.device("cpu"), MachineProfile.load()) == "openvino"

    @property
    def _resolved(self) -> str:
        import torch

        from TotalSegmentatorEngine.inference.runtimes import resolved_precision

        return resolved_precision(self.precision, torch.device("cpu"))

    def _key(self, folder: ModelFolder) -> str | None:
        """None where OpenVINO does not run this network."""
        return network_key(folder, self._resolved) if self.is_chosen(folder) else None


def ready_networks(options: JobOptions, device: str, compiles: bool = False) -> ReadyNetworks | None:
    """For the jobs of these options; None where they cannot run OpenVINO on the processor. ``device``: as a task or a
    plan names it."""
    is_cpu = device == "cpu" or (device == "auto" and not auto_is_cuda())
    if not is_cpu or options.runtime not in ("auto", "openvino"):
        return None
    precision = "reduced" if options.precision == "reduced" else "exact"  # on a processor, without torch to say so
    return ReadyNetworks(options.runtime, precision, compiles)


def store_runner(runner: TileRunner, folder: ModelFolder) -> None:
    """Keeps an OpenVinoRunner for the next process, unless that is impossible; any other runner is left alone."""
    try:
        _store_runner(runner, folder)
    except Exception as error:
        logger.warning("a network is not kept: %s", type(error).__name__, exc_info=error)


def _store_runner(runner: TileRunner, folder: ModelFolder) -> None:
    if runner.runtime != "openvino" or runner.device.type != "cpu":
        return
    store, key = NetworkStore.of_user(), network_key(folder, runner.precision)
    if store is None or key is None or store.holds(key):
        return
    try:
        stored = runner.stored()
    except (RuntimeError, MemoryError) as error:
        logger.info("OpenVINO does not export a network: %s", type(error).__name__)
        return
    if store.save(key, stored):
        logger.info("a compiled network of %.0f MB is kept", sum(map(len, stored.compiled)) / 1e6)


def network_key(folder: ModelFolder, precision: str) -> str | None:
    """Names all that decides what OpenVINO compiles: weights, plans, precision, the code that translates, OpenVINO and
    the processor. None where the weights cannot be read, or OpenVINO is not there: the job will say so."""
    store = NetworkStore.of_user()
    if store is None:
        return None
    try:
        weights, place = store.digest_of(folder.checkpoints), compiling_place()
    except (ImportError, OSError, RuntimeError):
        return None
    identity = [
        weights,
        folder.settings,
        folder.configuration,
        sorted(folder.labels.items()),
        folder.mirrors,
        list(folder.patch_size),
        precision,
        place,
    ]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]


@cache
def compiling_place() -> list[str]:
    """What decides, beside the model, what OpenVINO compiles here. Raises ImportError, OSError, RuntimeError."""
    import openvino

    folder = Path(__file__).resolve().parent
    recipe = hashlib.sha256(b"".join((folder / name).read_bytes() for name in _RECIPE)).hexdigest()
    versions = [openvino.get_version(), *map(version, _BUILDERS)]
    return [machine_fingerprint(), cpu_features(), str(physical_cores()), *versions, recipe]
