"""Runs networks in OpenVINO, the fastest exact runtime on a CPU. Only this file, openvino_gpu_runner.py and
openvino_graph.py import its package; where it is missing, ``import`` fails and PyTorch computes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import openvino
import torch

from TotalSegmentatorEngine.inference.network import LoadedModel
from TotalSegmentatorEngine.inference.openvino_graph import openvino_model
from TotalSegmentatorEngine.inference.stored.network_file import NetworkFacts, StoredNetworks
from TotalSegmentatorEngine.inference.tile_runner import Head, averaged_prediction, mirrored_axes, split_model
from TotalSegmentatorEngine.machine.allocator import trim_memory
from TotalSegmentatorEngine.machine.devices import physical_cores

_POLL_MILLISECONDS = 50
"""How often a running tile is interrupted to check whether the job was cancelled."""

_PRECISION_HINTS = {"exact": "f32", "reduced": "bf16"}
"""Without a hint OpenVINO chooses bfloat16 by itself on a CPU that has it."""


class OpenVinoRunner:
    """All folds of a model folder, compiled for tiles of ``patch_size``; ``precision`` is "exact" or "reduced".

    The PyTorch networks are no longer needed afterwards. The activations of one network are in memory at a time.
    Raises UnsupportedNetworkError.
    """

    runtime = "openvino"
    device = torch.device("cpu")
    tile_batch = 1

    seconds_allowed: float | None = None
    """After which a network's run counts as hung; None: it may take as long as it wants."""

    def __init__(self, model: LoadedModel, patch_size: Sequence[int], precision: str) -> None:
        networks, head = split_model(model)
        in_float32 = precision == "exact"
        models = [openvino_model(network, patch_size, in_float32) for network in networks]
        compiled = [self._compiled(model, precision) for model in models]
        features = 0 if head is None else head.weight.shape[1]
        weight_bytes = 2 * model.bytes  # as they were given, and in the order that the processor wants
        self._take(compiled, head, NetworkFacts(model.outputs, model.mirroring_axes, weight_bytes, features), precision)

    @classmethod
    def from_stored(cls, stored: StoredNetworks, precision: str) -> OpenVinoRunner:
        """What ``stored`` gave, in another process. Raises RuntimeError where OpenVINO refuses it."""
        runner = cls.__new__(cls)
        compiled = [_imported(exported, precision) for exported in stored.compiled]
        table = torch.from_numpy(stored.head)
        head = Head(table[:, :-1].contiguous(), table[:, -1].contiguous()) if stored.facts.head_features else None
        runner._take(compiled, head, stored.facts, precision)
        runner._mapped = stored.compiled  # OpenVINO reads the weights where they are
        return runner

    def stored(self) -> StoredNetworks:
        """For ``from_stored``. Takes as much memory as the networks."""
        compiled = [np.frombuffer(network.export_model().getbuffer(), np.uint8) for network in self._networks]
        table = np.zeros((0, 0), np.float32)
        if self.head is not None:
            table = torch.cat([self.head.weight, self.head.bias[:, None]], dim=1).numpy()
        return StoredNetworks(self._facts, table, compiled)

    def _take(
        self, networks: list[openvino.CompiledModel], head: Head | None, facts: NetworkFacts, precision: str
    ) -> None:
        self.precision = precision
        self.outputs = facts.outputs
        self.check_cancelled: Callable[[], None] = lambda: None
        self.head = head
        self.channels = facts.head_features or facts.outputs
        self.weight_bytes = facts.weight_bytes
        self._facts = facts
        self._networks = networks
        self._mapped: list[np.ndarray] = []
        self._mirrored = mirrored_axes(facts.mirroring_axes)
        self.mirror_images = len(self._mirrored)
        self._request: openvino.InferRequest | None = None
        self._request_of: openvino.CompiledModel | None = None
        self._input: openvino.Tensor | None = None

    def run(self, tiles: torch.Tensor) -> torch.Tensor:
        """(1, channels, z, y, x) of one tile (1, 1, z, y, x); valid until the next call."""
        with torch.inference_mode():
            networks = [lambda tile, network=network: self._infer(network, tile) for network in self._networks]
            return averaged_prediction(tiles, networks, self._mirrored, self.check_cancelled)

    def release(self) -> None:
        """Deleting the request frees its output alone; the activations belong to the compiled network."""
        network, self._request, self._request_of = self._request_of, None, None
        if network is not None:
            network.release_memory()
            trim_memory()

    def _compiled(self, model: openvino.Model, precision: str) -> openvino.CompiledModel:
        return core().compile_model(model, "CPU", _settings(precision))

    def _infer(self, network: openvino.CompiledModel, tile: torch.Tensor) -> torch.Tensor:
        if self._request_of is not network:
            self.release()
            self._request, self._request_of = network.create_infer_request(), network
        voxels = np.ascontiguousarray(tile.numpy(), dtype=np.float32)
        self._input = openvino.Tensor(voxels, shared_memory=True)
        self._request.set_input_tensor(self._input)
        started = time.monotonic()
        self._request.start_async()
        try:
            while not self._request.wait_for(_POLL_MILLISECONDS):
                self.check_cancelled()
                if self.seconds_allowed is not None and time.monotonic() - started > self.seconds_allowed:
                    raise HungError(f"no answer within {self.seconds_allowed:g} s")
        except BaseException as error:
            self._stop(error)
            raise
        answer = torch.from_numpy(self._request.get_output_tensor().data)
        # the next inference writes into the same memory
        return answer if len(self._networks) * len(self._mirrored) == 1 else answer.clone()

    def _stop(self, _error: BaseException) -> None:
        """Ends the running inference within a layer, since its input must outlive it."""
        self._request.cancel()
        try:
            self._request.wait()
        except RuntimeError:  # that it was cancelled, or the failure that is being raised already
            self.release()


class HungError(RuntimeError):
    """A run took longer than it may."""


@cache
def core() -> openvino.Core:
    """OpenVINO's own registry of devices."""
    return openvino.Core()


def _imported(exported: np.ndarray, precision: str) -> openvino.CompiledModel:
    """Of what ``export_model`` gave: uint8 (bytes)."""
    return core().import_model(openvino.Tensor(exported, shared_memory=True), "CPU", _settings(precision))


def _settings(precision: str) -> dict[str, str]:
    settings = {
        "INFERENCE_PRECISION_HINT": _PRECISION_HINTS[precision],
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "ENABLE_CPU_PINNING": "NO",  # other programs, Slicer first, want the cores as well
    }
    threads = physical_cores()
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = str(threads)
    return settings
