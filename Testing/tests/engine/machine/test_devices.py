"""Which names of devices are known and what they mean on this machine."""

from __future__ import annotations

import pytest
from TotalSegmentatorEngine.machine.devices import check_device_name, choose_device, physical_cores
from TotalSegmentatorWire.errors.problem import SegmentationError


def test_device_names() -> None:
    for name in ("auto", "cpu", "cuda", "cuda:1", "mps"):
        check_device_name(name)
    for name in ("", "gpu", "cuda:", "cuda:x", "mps:0", "cpu:1"):
        with pytest.raises(SegmentationError):
            check_device_name(name)
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type in ("cpu", "cuda")


def test_this_machine_has_cores() -> None:
    cores = physical_cores()
    assert cores is None or cores >= 1
