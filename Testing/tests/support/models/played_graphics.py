"""A graphics processor that is played by OpenVINO's plug-in for the processor, with the faults of a real one."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import openvino
import pytest
from TotalSegmentatorEngine.inference import graphics_choice, openvino_gpu_runner
from TotalSegmentatorEngine.machine import intel_graphics
from TotalSegmentatorEngine.machine.intel_graphics import GraphicsProcessor

XE = GraphicsProcessor("Intel(R) Iris(R) Xe Graphics", "24.35.30872.22")


@dataclass
class PlayedGraphics:
    """OpenVINO's core of a computer with graphics of Intel."""

    fault: str = ""
    """"compile", "infer", "hang" or "wrong"."""
    good_tiles: int = 0
    """Before the fault shows."""
    devices: list[str] = field(default_factory=lambda: ["CPU", "GPU.0"])
    types: dict[str, str] = field(default_factory=lambda: {"GPU.0": "Type.INTEGRATED", "GPU.1": "Type.DISCRETE"})
    compiled: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Device and settings of each network."""
    tiles: int = 0

    @property
    def available_devices(self) -> list[str]:
        return self.devices

    def get_property(self, device: str, name: str) -> str:
        assert name == "DEVICE_TYPE"
        return self.types[device]

    def compile_model(self, model: openvino.Model, device: str, settings: dict[str, Any]) -> PlayedNetwork:
        self.compiled.append((device, settings))
        if self.fault == "compile":
            raise RuntimeError("[GPU] clBuildProgram, error code: -11 CL_BUILD_PROGRAM_FAILURE")
        on_processor = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1", "NUM_STREAMS": "1"}
        return PlayedNetwork(self, openvino.Core().compile_model(model, "CPU", on_processor))


class PlayedNetwork:
    def __init__(self, played: PlayedGraphics, network: openvino.CompiledModel) -> None:
        self._played = played
        self._network = network

    def create_infer_request(self) -> PlayedRequest:
        return PlayedRequest(self._played, self._network.create_infer_request())


class PlayedRequest:
    def __init__(self, played: PlayedGraphics, request: openvino.InferRequest) -> None:
        self._played = played
        self._request = request

    def set_input_tensor(self, tensor: openvino.Tensor) -> None:
        self._request.set_input_tensor(tensor)

    def start_async(self) -> None:
        self._played.tiles += 1
        self._request.start_async()

    def wait_for(self, milliseconds: int) -> bool:
        if self._played.tiles > self._played.good_tiles:
            if self._played.fault == "infer":
                raise RuntimeError("[GPU] clFlush, error code: -5 CL_OUT_OF_RESOURCES")
            if self._played.fault == "hang":
                time.sleep(0.001)
                return False
        return self._request.wait_for(milliseconds)

    def cancel(self) -> None:
        self._request.cancel()

    def get_output_tensor(self) -> Any:
        answer = self._request.get_output_tensor()
        if self._played.fault == "wrong":
            noise = np.random.default_rng(self._played.tiles).normal(size=answer.data.shape)
            return SimpleNamespace(data=noise.astype(np.float32))
        return answer


def play_graphics(monkeypatch: pytest.MonkeyPatch, played: PlayedGraphics) -> None:
    """This computer has ``played`` as its graphics, with the driver of XE."""
    monkeypatch.setattr(openvino_gpu_runner, "core", lambda: played)
    monkeypatch.setattr(openvino_gpu_runner, "MILLISECONDS_TO_STOP", 1)
    play_drivers(monkeypatch, XE)


def play_drivers(monkeypatch: pytest.MonkeyPatch, *processors: GraphicsProcessor) -> None:
    monkeypatch.setattr(intel_graphics, "intel_graphics", lambda: processors)


def allow_seconds(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """To a tile, before it counts as hung."""
    monkeypatch.setattr(openvino_gpu_runner, "SECONDS_PER_TILE", seconds)
    monkeypatch.setattr(graphics_choice, "SECONDS_OF_TRIAL", seconds)
