"""The first test of installed packages: a tiny network of the published kind on the chosen device and on the CPU.

A graphics card may be there, and PyTorch may say so, and still no kernel runs on it: the card is newer or older than
the build, or the driver is too old. Only running one shows it.
"""

from __future__ import annotations

import importlib.metadata
import re
from typing import TYPE_CHECKING, Any

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.machine.devices import check_device_name

if TYPE_CHECKING:
    import torch

_PACKAGES = ("torch", "nnunetv2", "dynamic_network_architectures", "numpy", "SimpleITK", "openvino")
_TILE = (1, 1, 16, 16, 16)
_SEED = 20231
_LARGEST_DIFFERENCE = 1e-2
"""Of logits of about 1: TF32, which cards use for convolutions, rounds factors to 10 bits."""


def try_engine(device: str) -> dict[str, Any]:
    """What is installed and what it computes on. Raises SegmentationError("ENGINE_TEST_FAILED") for the CPU.

    ``gpu_problem`` says why another device cannot be used; the engine works on the CPU then.
    """
    check_device_name(device)
    import nibabel  # noqa: F401 - each of these is loaded by the first job
    import nnunetv2  # noqa: F401
    import SimpleITK  # noqa: F401
    import torch

    network, tile = _network(), _tile()
    expected = _run(network, tile, torch.device("cpu"))
    if expected.shape != (1, 3, *_TILE[2:]) or not bool(torch.isfinite(expected).all()):
        raise SegmentationError("ENGINE_TEST_FAILED", detail="the network does not compute finite values on the CPU")
    answer = {"versions": _versions(), "device": "cpu", "device_name": "", "gpu_problem": None}
    chosen = _chosen(device)
    if chosen == "cpu":
        return answer
    try:
        name = _device_name(chosen)
        computed = _run(network, tile, torch.device(chosen))
    except Exception as error:  # noqa: BLE001 - a driver raises what it likes
        return answer | {"gpu_problem": reason_of(error)}
    difference = float((computed - expected).abs().max())
    if not difference <= _LARGEST_DIFFERENCE:
        return answer | {"gpu_problem": f"its results differ from the CPU's by {difference:.3g}"}
    return answer | {"device": chosen, "device_name": name}


def reason_of(error: BaseException) -> str:
    """One line without paths."""
    text = " ".join(str(error).split())
    text = re.sub(r"(?:[A-Za-z]:\\|\S*[/\\])\S*", "a file", text)
    return f"{type(error).__name__}: {text}"[:160].rstrip(".: ")


def _chosen(device: str) -> str:
    """ "auto" takes what the engine would take; a device that was asked for is tried even if PyTorch finds none."""
    import torch

    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


def _network() -> torch.nn.Module:
    """A PlainConvUNet of two stages, which has every kind of layer that the published networks have."""
    import torch
    from dynamic_network_architectures.architectures.unet import PlainConvUNet

    torch.manual_seed(_SEED)
    return PlainConvUNet(
        input_channels=1,
        n_stages=2,
        features_per_stage=[8, 16],
        conv_op=torch.nn.Conv3d,
        kernel_sizes=3,
        strides=[1, 2],
        n_conv_per_stage=1,
        num_classes=3,
        n_conv_per_stage_decoder=1,
        conv_bias=True,
        norm_op=torch.nn.InstanceNorm3d,
        norm_op_kwargs={"eps": 1e-5, "affine": True},
        nonlin=torch.nn.LeakyReLU,
        nonlin_kwargs={"inplace": True},
    ).eval()


def _tile() -> torch.Tensor:
    import torch

    return torch.randn(_TILE, generator=torch.Generator().manual_seed(_SEED))


def _run(network: torch.nn.Module, tile: torch.Tensor, device: torch.device) -> torch.Tensor:
    import torch

    with torch.inference_mode():
        return network.to(device)(tile.to(device)).float().cpu()


def _device_name(device: str) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "Apple GPU"


def _versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in _PACKAGES}
