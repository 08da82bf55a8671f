"""Runs networks in OpenVINO, the fastest exact runtime on a CPU. Only this file and openvino_graph.py import its
package; where it is missing, ``import`` fails and PyTorch computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import openvino
import torch

from TotalSegmentatorEngine.inference.network import LoadedModel
from TotalSegmentatorEngine.inference.openvino_graph import openvino_model
from TotalSegmentatorEngine.inference.tile_runner import averaged_prediction, mirrored_axes, split_model
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

    def __init__(self, model: LoadedModel, patch_size: Sequence[int], precision: str) -> None:
        self.precision = precision
        self.outputs = model.outputs
        self.check_cancelled: Callable[[], None] = lambda: None
        networks, self.head = split_model(model)
        self.channels = self.outputs if self.head is None else self.head.weight.shape[1]
        self.weight_bytes = 2 * model.bytes  # as they were given, and in the order that the processor wants
        in_float32 = precision == "exact"
        self._networks = [_compiled(openvino_model(network, patch_size, in_float32), precision) for network in networks]
        self._mirrored = mirrored_axes(model.mirroring_axes)
        self.mirror_images = len(self._mirrored)
        self._request: openvino.InferRequest | None = None
        self._request_of: openvino.CompiledModel | None = None

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

    def _infer(self, network: openvino.CompiledModel, tile: torch.Tensor) -> torch.Tensor:
        if self._request_of is not network:
            self.release()
            self._request, self._request_of = network.create_infer_request(), network
        voxels = np.ascontiguousarray(tile.numpy(), dtype=np.float32)
        self._request.set_input_tensor(openvino.Tensor(voxels, shared_memory=True))
        self._request.start_async()
        try:
            while not self._request.wait_for(_POLL_MILLISECONDS):
                self.check_cancelled()
        except BaseException:
            self._stop()
            raise
        answer = torch.from_numpy(self._request.get_output_tensor().data)
        # the next inference writes into the same memory
        return answer if len(self._networks) * len(self._mirrored) == 1 else answer.clone()

    def _stop(self) -> None:
        """Ends the running inference within a layer, since its input must outlive it."""
        self._request.cancel()
        try:
            self._request.wait()
        except RuntimeError:  # that it was cancelled, or the failure that is being raised already
            self.release()


@cache
def _core() -> openvino.Core:
    return openvino.Core()


def _compiled(model: openvino.Model, precision: str) -> openvino.CompiledModel:
    settings = {
        "INFERENCE_PRECISION_HINT": _PRECISION_HINTS[precision],
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "ENABLE_CPU_PINNING": "NO",  # other programs, Slicer first, want the cores as well
    }
    threads = physical_cores()
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = str(threads)
    return _core().compile_model(model, "CPU", settings)
