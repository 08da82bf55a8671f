"""One file that holds a model folder's networks as OpenVINO has compiled them, with what a runner needs beside them.

A first line of JSON, filled up with spaces to a page, says what follows: arrays of bytes, each from the start of a page
on, so that they can be mapped into memory and need not be copied. A checksum covers all of them.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

DRAFT = ".draft-"
_FORMAT = 1
_PAGE = 4096
_LONGEST_HEADER = 64 * _PAGE
_MOST_NUMBERS = 2**20
"""Outputs and features of a head are hundreds."""


class UnusableFileError(Exception):
    """Not a file that this program has written for this user and key, or not all of it any more; says what is wrong."""


@dataclass(frozen=True)
class NetworkFacts:
    """What a runner knows of its networks beside the compiled ones."""

    outputs: int
    """Labels, background included."""
    mirroring_axes: tuple[int, ...]
    weight_bytes: int
    head_features: int
    """Of the last layer, which is applied to sums of features; 0 where the networks contain it."""


@dataclass(frozen=True, eq=False)
class StoredNetworks:
    """The content of a file."""

    facts: NetworkFacts
    head: np.ndarray
    """float32 (outputs, features + 1): weights, then the bias; (0, 0) where there is none."""
    compiled: list[np.ndarray]
    """uint8, one a fold: what OpenVINO exports."""


def write_network_file(path: Path, key: str, stored: StoredNetworks) -> None:
    """Puts a file at ``path`` whole or not at all. Raises OSError."""
    arrays = [np.ascontiguousarray(stored.head, dtype=np.float32).reshape(-1).view(np.uint8), *stored.compiled]
    header = {
        "format": _FORMAT,
        "key": key,
        "facts": asdict(stored.facts),
        "lengths": [len(array) for array in arrays],
        "sha256": _digest(arrays),
    }
    draft = path.with_name(f"{DRAFT}{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(_filled((json.dumps(header) + "\n").encode("ascii"), b" "))
            for array in arrays:
                stream.write(array.data)
                stream.write(bytes(-len(array) % _PAGE))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def read_network_file(path: Path, key: str) -> StoredNetworks:
    """The content; the compiled networks are mapped from the file, and what changes them stays in memory. Raises
    UnusableFileError, OSError."""
    _check_owner(path)
    size = path.stat().st_size
    with path.open("rb") as stream:
        line = stream.readline(_LONGEST_HEADER)
    try:
        facts, lengths, digest = _checked_header(line, key)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise UnusableFileError(f"its header: {type(error).__name__}") from error
    start = _pages(len(line))
    if size != start + sum(map(_pages, lengths)):
        raise UnusableFileError("its length")
    mapped = np.memmap(path, np.uint8, "c")
    arrays = []
    for length in lengths:
        arrays.append(np.asarray(mapped[start : start + length]))
        start += _pages(length)
    if _digest(arrays) != digest:
        raise UnusableFileError("its checksum")
    return StoredNetworks(facts, _head(arrays[0], facts), arrays[1:])


def _checked_header(line: bytes, key: str) -> tuple[NetworkFacts, list[int], str]:
    header: dict[str, Any] = json.loads(line)
    if header["format"] != _FORMAT or header["key"] != key:
        raise ValueError("another format or key")
    fields = header["facts"]
    facts = NetworkFacts(**{**fields, "mirroring_axes": tuple(fields["mirroring_axes"])})
    numbers = (facts.outputs, facts.weight_bytes, facts.head_features, *facts.mirroring_axes, *header["lengths"])
    if not all(type(number) is int and number >= 0 for number in numbers) or len(header["lengths"]) < 2:
        raise ValueError("a number")
    if any(axis > 2 for axis in facts.mirroring_axes) or max(facts.outputs, facts.head_features) > _MOST_NUMBERS:
        raise ValueError("a number")
    if header["lengths"][0] != 4 * math.prod(_head_shape(facts)):
        raise ValueError("the size of the head")
    return facts, header["lengths"], str(header["sha256"])


def _head(array: np.ndarray, facts: NetworkFacts) -> np.ndarray:
    return array.view(np.float32).reshape(_head_shape(facts)).copy()


def _head_shape(facts: NetworkFacts) -> tuple[int, int]:
    return (facts.outputs, facts.head_features + 1) if facts.head_features else (0, 0)


def _check_owner(path: Path) -> None:
    """Only what this user has written is given to OpenVINO."""
    if hasattr(os, "getuid") and path.lstat().st_uid != os.getuid():
        raise UnusableFileError("its owner")


def _digest(arrays: list[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.data)
    return digest.hexdigest()


def _pages(length: int) -> int:
    return math.ceil(length / _PAGE) * _PAGE


def _filled(data: bytes, byte: bytes) -> bytes:
    return data + byte * (-len(data) % _PAGE)
