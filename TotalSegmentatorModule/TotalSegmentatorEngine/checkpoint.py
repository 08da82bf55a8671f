"""Reads weight files without executing anything that they hold.

A .pth file is a zip archive with a pickle in it, and a pickle may name any Python function to be called. First torch's
own ``weights_only`` reader is tried. nnU-Net's trainer also writes its log with NumPy scalars, which that reader
refuses; such files are read by one restricted unpickler that knows tensors, OrderedDict and NumPy scalars, and nothing
else.
"""

from __future__ import annotations

import logging
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from TotalSegmentatorWire.errors import SegmentationError

logger = logging.getLogger(__name__)

_SCALAR_KINDS = "biufcSU"
"""NumPy's kinds of numbers and texts; objects and records are not among them."""


@dataclass(frozen=True)
class Checkpoint:
    """What inference needs of one fold's weight file."""

    weights: dict[str, torch.Tensor]
    mirroring_axes: tuple[int, ...]
    """Axes of the network (0..2) along which the prediction is averaged over mirror images; empty for none."""
    configuration: str | None
    """Name of the configuration that was trained, where the file tells."""


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
        logger.info("the weight file holds more than weights; reading it with the restricted unpickler")
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
        raise SegmentationError("MODEL_DAMAGED", detail="the weight file is no archive of weights") from error
    if any(name.rsplit("/", 1)[-1] == "constants.pkl" or "/code/" in name for name in names):
        raise SegmentationError("MODEL_UNSAFE", detail="TorchScript code")


# -- the restricted unpickler ------------------------------------------------------------------------------------------


class UnsafeContentError(pickle.UnpicklingError):
    """A pickle names something that is not on the list; the message is that name."""


class RestrictedUnpickler(pickle.Unpickler):
    """Knows tensors, OrderedDict, NumPy dtypes and scalars, and texts; raises UnsafeContentError for anything else."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        allowed = _ALLOWED.get((module_name, global_name))
        if allowed is None:
            raise UnsafeContentError(f"{module_name}.{global_name}"[:80])
        return allowed


def _restricted_pickle() -> Any:
    """What torch.load wants as a pickle module. torch derives its own unpickler from ``Unpickler`` and asks ours for
    every name but storages', which it turns into storage types itself."""
    return SimpleNamespace(
        __name__="restricted_pickle",
        Unpickler=RestrictedUnpickler,
        load=_refuse_legacy,
        UnpicklingError=pickle.PickleError,
    )


def _refuse_legacy(*_args: Any, **_kwargs: Any) -> Any:
    raise UnsafeContentError("a weight file of the old form")


class _PickledDtype:
    """Stands for numpy.dtype while a pickle is read, so that no pickle gets hold of a NumPy type to change."""

    def __init__(self, name: Any, _align: bool = False, _copy: bool = False) -> None:
        if not isinstance(name, str) or name[:1] not in _SCALAR_KINDS or not name[1:].isdigit():
            raise UnsafeContentError("a NumPy type that is no number")
        self._name = name
        self._order = "="

    def __setstate__(self, state: Any) -> None:
        """``state`` is NumPy's (version, byte order, ...)."""
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "=", "|"):
            self._order = state[1]

    def dtype(self) -> np.dtype:
        return np.dtype(self._order.replace("|", "") + self._name)


def _numpy_scalar(pickled_dtype: _PickledDtype, content: bytes) -> Any:
    """NumPy's reader of pickled scalars, for numbers and texts alone."""
    if not isinstance(pickled_dtype, _PickledDtype) or not isinstance(content, bytes):
        raise UnsafeContentError("a NumPy scalar that is no number")
    dtype = pickled_dtype.dtype()
    if not 0 < dtype.itemsize == len(content):
        raise UnsafeContentError("a NumPy scalar of the wrong size")
    return np.frombuffer(content, dtype=dtype)[0]


def _encode(text: str, encoding: str) -> bytes:
    """How Python 2's protocol writes bytes; no other codec has a place in a weight file."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise UnsafeContentError("_codecs.encode")
    return text.encode("latin-1")


def _allowed_names() -> dict[tuple[str, str], Callable | type]:
    names: dict[tuple[str, str], Callable | type] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
        ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
        ("torch", "Size"): torch.Size,
        ("torch", "device"): torch.device,
        ("_codecs", "encode"): _encode,
        ("numpy", "dtype"): _PickledDtype,
    }
    for core in ("numpy.core", "numpy._core"):
        names[(f"{core}.multiarray", "scalar")] = _numpy_scalar
    return names


_ALLOWED = _allowed_names()
