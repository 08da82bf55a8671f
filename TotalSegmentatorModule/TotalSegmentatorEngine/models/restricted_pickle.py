"""Reads pickles of numbers, texts and NumPy arrays, and executes nothing that they name.

A pickle may name any Python function to be called. Here only the names in a short list mean something, and
that list contains makers of plain values. torch is not imported; checkpoint.py adds tensors to the list.
"""

from __future__ import annotations

import math
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

_KINDS = "biufcSU"
"""NumPy's kinds of numbers and texts; objects and records are not among them."""
_LARGEST_FILE = 512 * 2**20
"""Bytes of a pickle of plans: those of v1 list every training image, which takes a few MB."""

Names = Mapping[tuple[str, str], Callable]
"""Makers of values, by module and name."""


class UnsafeContentError(pickle.UnpicklingError):
    """A pickle names something that is not on the list; the message is that name."""


class _Maker:
    """What a pickle gets in place of a function or class: it can be called, and nothing else can be done to it.

    A pickle can also set attributes, and those of a function or class would stay changed in this process.
    """

    __slots__ = ("_make",)

    def __init__(self, make: Callable) -> None:
        object.__setattr__(self, "_make", make)

    def __call__(self, *arguments: Any) -> Any:
        return self._make(*arguments)

    def __setattr__(self, name: str, _value: Any) -> None:
        raise UnsafeContentError(f"a change of {name}"[:80])


class RestrictedUnpickler(pickle.Unpickler):
    """Knows the names in ``known``; raises UnsafeContentError for anything else."""

    known: ClassVar[Names] = {}

    def find_class(self, module_name: str, global_name: str) -> Any:
        make = self.known.get((module_name, global_name))
        if make is None:
            raise UnsafeContentError(f"{module_name}.{global_name}"[:80])
        return _Maker(make)


class ValuesUnpickler(RestrictedUnpickler):
    """Knows numbers, texts, OrderedDict and NumPy's scalars and arrays of numbers and texts."""

    def persistent_load(self, _id: Any) -> Any:
        raise UnsafeContentError("a reference to something outside the file")


def read_values(path: Path, what: str) -> Any:
    """The content of a pickle without tensors; ``what`` names the file in errors.

    Raises SegmentationError: MODEL_UNSAFE where it names anything but plain values, MODEL_DAMAGED where it cannot be
    read.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise SegmentationError("MODEL_DAMAGED", detail=f"{what} is too large")
        with path.open("rb") as stream:
            return ValuesUnpickler(stream).load()
    except UnsafeContentError as error:
        raise SegmentationError("MODEL_UNSAFE", detail=str(error)) from error
    except SegmentationError:
        raise
    except Exception as error:  # a broken pickle can raise nearly anything; nothing in it has been run
        raise SegmentationError("MODEL_DAMAGED", detail=f"{what} cannot be read") from error


# -- NumPy's parts -----------------------------------------------------------------------------------------------------


class _PickledDtype:
    """Stands for numpy.dtype while a pickle is read, so that no pickle gets hold of a NumPy type to change."""

    def __init__(self, name: Any, _align: bool = False, _copy: bool = False) -> None:
        if not isinstance(name, str) or name[:1] not in _KINDS or not name[1:].isdigit():
            raise UnsafeContentError("a NumPy type that is not numeric")
        self._name = name
        self._order = "="

    def __setstate__(self, state: Any) -> None:
        """``state`` is NumPy's (version, byte order, ...)."""
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "=", "|"):
            self._order = state[1]

    def dtype(self) -> np.dtype:
        return np.dtype(self._order.replace("|", "") + self._name)


class _PickledArray(np.ndarray):
    """An array that takes its content from a pickle after checking it."""

    def __setstate__(self, state: Any) -> None:
        """``state`` is NumPy's (version, shape, dtype, whether in Fortran's order, bytes)."""
        if not isinstance(state, tuple) or len(state) != 5:
            raise UnsafeContentError("a NumPy array in an unknown format")
        _version, shape, pickled_dtype, is_fortran, content = state
        if not isinstance(pickled_dtype, _PickledDtype) or not isinstance(content, bytes):
            raise UnsafeContentError("a NumPy array that is not numeric")
        dtype = pickled_dtype.dtype()
        if not _is_shape(shape) or math.prod(shape) * dtype.itemsize != len(content):
            raise UnsafeContentError("a NumPy array of the wrong size")
        super().__setstate__((1, shape, dtype, bool(is_fortran), content))


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, tuple) and len(shape) <= 32 and all(type(n) is int and n >= 0 for n in shape)


def _array_type(*_arguments: Any) -> Any:
    """numpy.ndarray, which a pickle names only to hand it to ``_reconstruct``."""
    raise UnsafeContentError("numpy.ndarray")


def _reconstruct(kind: Any, _shape: Any, _type_code: Any) -> np.ndarray:
    """NumPy's maker of empty arrays, which a pickle then fills."""
    if getattr(kind, "_make", None) is not _array_type:
        raise UnsafeContentError("an array that is not NumPy's")
    return _PickledArray((0,), np.int8)


def _scalar(pickled_dtype: _PickledDtype, content: bytes) -> Any:
    """NumPy's reader of pickled scalars, for numbers and texts alone."""
    if not isinstance(pickled_dtype, _PickledDtype) or not isinstance(content, bytes):
        raise UnsafeContentError("a NumPy scalar that is not a number")
    dtype = pickled_dtype.dtype()
    if not 0 < dtype.itemsize == len(content):
        raise UnsafeContentError("a NumPy scalar of the wrong size")
    return np.frombuffer(content, dtype=dtype)[0]


def _encode(text: str, encoding: str) -> bytes:
    """How Python 2's protocol writes bytes; no other codec has a place in a model."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise UnsafeContentError("_codecs.encode")
    return text.encode("latin-1")


SCALARS: Names = {
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): _encode,
    ("numpy", "dtype"): _PickledDtype,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
}
ARRAYS: Names = {
    ("numpy", "ndarray"): _array_type,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
}
ValuesUnpickler.known = {**SCALARS, **ARRAYS}
