"""Reads weight files without executing anything in them.

A .pth file is a zip archive with a pickle in it, and a pickle may name any Python function to be called. First torch's
own ``weights_only`` reader is tried. nnU-Net's trainer also writes its log with NumPy scalars, which that reader
refuses; such files are read by a restricted unpickler that knows tensors, OrderedDict and NumPy scalars, and nothing
else (restricted_pickle.py).
"""

from __future__ import annotations

import logging
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.models.restricted_pickle import SCALARS, Names, RestrictedUnpickler, UnsafeContentError

logger = logging.getLogger(__name__)

_OLD_FORM = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""How torch before 1.6 began its files (the magic number of torch/serialization.py as a pickle)."""


@dataclass(frozen=True)
class Checkpoint:
    """What inference needs of one fold's weight file."""

    weights: dict[str, torch.Tensor]
    mirroring_axes: tuple[int, ...]
    """Axes of the network (0..2) along which the prediction is averaged over mirror images; empty for none."""
    configuration: str | None
    """Name of the configuration that was trained, where the file names it."""


def read_checkpoint(path: Path) -> Checkpoint:
    """The weights of one fold, on the CPU.

    Raises SegmentationError("MODEL_DAMAGED") for a file that cannot be read or has no weights, and
    SegmentationError("MODEL_UNSAFE") for one that names anything but weights and plain values.
    """
    content = load_safely(path)
    weights = content.get("network_weights") if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in weights.values()):
        raise SegmentationError("MODEL_DAMAGED", detail="the weight file has no network_weights")
    init_args = content.get("init_args")
    configuration = init_args.get("configuration") if isinstance(init_args, dict) else None
    axes = content.get("inference_allowed_mirroring_axes")
    try:
        axes = tuple(int(axis) for axis in axes or ())
    except (TypeError, ValueError) as error:
        raise SegmentationError("MODEL_DAMAGED", detail="the mirroring axes are malformed") from error
    if any(axis not in (0, 1, 2) for axis in axes):
        raise SegmentationError("MODEL_DAMAGED", detail="the mirroring axes are malformed")
    return Checkpoint(dict(weights), axes, configuration if isinstance(configuration, str) else None)


def load_safely(path: Path) -> Any:
    """The content of a .pth file: torch's own reader for weights first, else the restricted unpickler.

    Raises as ``read_checkpoint`` does.
    """
    _check_archive(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        logger.info("the weight file contains more than weights; reading it with the restricted unpickler")
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise SegmentationError("MODEL_DAMAGED", detail="the weight file cannot be read") from error
    try:
        return torch.load(path, map_location="cpu", weights_only=False, pickle_module=_restricted_pickle())
    except UnsafeContentError as error:
        raise SegmentationError("MODEL_UNSAFE", detail=str(error)) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise SegmentationError("MODEL_DAMAGED", detail="the weight file cannot be read") from error
    except pickle.UnpicklingError as error:
        raise SegmentationError("MODEL_DAMAGED", detail="the weight file cannot be read") from error


def _check_archive(path: Path) -> None:
    """Only plain zip archives: torch would hand a TorchScript archive, which holds code, to another reader."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        reason = "the weight file is not an archive of weights"
        if _is_old_form(path):
            reason = "its weights were saved by PyTorch before 1.6; save them again with a later version"
        raise SegmentationError("MODEL_DAMAGED", detail=reason) from error
    if any(name.rsplit("/", 1)[-1] == "constants.pkl" or "/code/" in name for name in names):
        raise SegmentationError("MODEL_UNSAFE", detail="TorchScript code")


def _is_old_form(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(len(_OLD_FORM)) == _OLD_FORM
    except OSError:
        return False


# -- the restricted unpickler ------------------------------------------------------------------------------------------


_TENSORS: Names = {
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
    ("torch", "Size"): torch.Size,
    ("torch", "device"): torch.device,
}


class WeightsUnpickler(RestrictedUnpickler):
    """Knows tensors, and numbers and texts of Python and NumPy."""

    known: ClassVar[Names] = {**SCALARS, **_TENSORS}


def _restricted_pickle() -> Any:
    """What torch.load wants as a pickle module. torch derives its own unpickler from ``Unpickler`` and asks ours for
    every name but storages', which it turns into storage types itself."""
    return SimpleNamespace(
        __name__="restricted_pickle",
        Unpickler=WeightsUnpickler,
        load=_refuse_legacy,
        UnpicklingError=pickle.PickleError,
    )


def _refuse_legacy(*_args: Any, **_kwargs: Any) -> Any:
    raise UnsafeContentError("a weight file in the old format")
