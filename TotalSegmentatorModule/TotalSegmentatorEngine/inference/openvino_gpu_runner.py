"""Runs networks in OpenVINO on Intel's graphics processors, integrated or on a card.

It has not been run on such hardware by the authors: in the tests OpenVINO's plug-in for the processor takes its place.
Tiles come from and results go to the computer's own memory, so to the rest of the engine this is a runtime of the CPU.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import openvino
from TotalSegmentatorWire.messages.options import GRAPHICS_RUNTIME

from TotalSegmentatorEngine.inference.network import LoadedModel
from TotalSegmentatorEngine.inference.openvino_runner import OpenVinoRunner, core

SECONDS_PER_TILE = 120.0
"""The largest published tile takes a twentieth of that on two cores: a graphics processor that needs longer is hung, or
of no use."""
MILLISECONDS_TO_STOP = 5000
_OUT_OF_RESOURCES = "CL_OUT_OF_RESOURCES"
"""OpenCL's error after which, as OpenVINO's plug-in itself says, any further call may hang, by faults of drivers
(openvinotoolkit/openvino, pull request 16724)."""
_PLUGIN = "GPU"
"""Of OpenVINO, for Intel's graphics alone; its devices are GPU.0, GPU.1 ..., or GPU if there is one."""
_SETTINGS = {
    "exact": {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY"},
    "reduced": {"INFERENCE_PRECISION_HINT": "f16", "EXECUTION_MODE_HINT": "PERFORMANCE"},
}
"""Without the hints the plug-in computes in float16 (docs.openvino.ai, "Precision Control")."""
_FOR_ALL = {
    "PERFORMANCE_HINT": "LATENCY",
    "NUM_STREAMS": "1",
    "MODEL_PRIORITY": "LOW",  # Slicer's views are drawn by the same processor
}


class OpenVinoGpuRunner(OpenVinoRunner):
    """As OpenVinoRunner, on the graphics processor. Raises RuntimeError for whatever goes wrong there, and HungError,
    which is one, where a tile takes longer than ``seconds_allowed``."""

    runtime = GRAPHICS_RUNTIME

    def __init__(
        self,
        model: LoadedModel,
        patch_size: Sequence[int],
        precision: str,
        seconds_allowed: float = SECONDS_PER_TILE,
    ) -> None:
        self.seconds_allowed = seconds_allowed
        super().__init__(model, patch_size, precision)

    def release(self) -> None:
        """The plug-in keeps activations with the compiled network; only what is the request's can be given back."""
        self._request = self._request_of = None

    def _stop(self, error: BaseException) -> None:
        """After a hang, or where the driver has run out of resources, whatever is asked of it may hang, too."""
        if _OUT_OF_RESOURCES in str(error):
            self._abandon()
            return
        self._request.cancel()
        try:
            if not self._request.wait_for(MILLISECONDS_TO_STOP):
                self._abandon()
        except RuntimeError:  # that it was cancelled, or the failure that is being raised already
            self.release()

    def _abandon(self) -> None:
        """Leaves all that the driver holds as it is, for as long as the process lives: freeing it would wait for it."""
        for what in (self._request, self._input, self._networks, core()):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(what))
        self._request = self._request_of = None
        self._networks = []

    def _compiled(self, model: openvino.Model, precision: str) -> openvino.CompiledModel:
        return core().compile_model(model, _device(), _SETTINGS[precision] | _FOR_ALL)


def _device() -> str:
    """OpenVINO's name of the graphics processor to use: one on a card, which has memory of its own, before an
    integrated one. Raises RuntimeError where there is none."""
    names = [name for name in core().available_devices if name.partition(".")[0] == _PLUGIN]
    if not names:
        raise RuntimeError("OpenVINO lists no graphics processor")
    return min(names, key=lambda name: "discrete" not in str(core().get_property(name, "DEVICE_TYPE")).lower())
