"""Which of Intel's graphics processors this computer has, and with which driver: as OpenCL tells it.

OpenVINO's plug-in for them works through OpenCL, too, but tells no version of the driver, and importing OpenVINO takes
a moment that most computers, which have no such processor, need not spend. Constants and calls are those of OpenCL 1.2
(Khronos' CL/cl.h).
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

logger = logging.getLogger(__name__)

_LIBRARIES = {"linux": "libOpenCL.so.1", "win32": "OpenCL.dll"}
"""OpenVINO has no plug-in for graphics on macOS."""
_SUCCESS = 0
_DEVICE_TYPE_GPU = 1 << 2
_DEVICE_VENDOR_ID, _DEVICE_NAME, _DRIVER_VERSION = 0x1001, 0x102B, 0x102D
_INTEL = 0x8086
"""PCI's number of the vendor."""
_MOST_PLATFORMS = 32
_LONGEST_TEXT = 256


@dataclass(frozen=True, order=True)
class GraphicsProcessor:
    """One of Intel's, integrated or on a card."""

    name: str
    driver: str


@cache
def intel_graphics() -> tuple[GraphicsProcessor, ...]:
    """Those that OpenCL's drivers offer to this process, sorted; none where there is no OpenCL."""
    name = _LIBRARIES.get(sys.platform)
    if name is None:
        return ()
    try:
        return graphics_of(ctypes.CDLL(name))
    except (OSError, AttributeError):  # no OpenCL, or what goes by its name is none
        return ()


def graphics_of(library: Any) -> tuple[GraphicsProcessor, ...]:
    """Those that ``library``, OpenCL's, lists. Raises AttributeError where it lacks a function."""
    found = []
    for platform in _handles(library.clGetPlatformIDs):
        for device in _handles(library.clGetDeviceIDs, platform, ctypes.c_uint64(_DEVICE_TYPE_GPU)):
            vendor = ctypes.c_uint(0)
            _ask(library, device, _DEVICE_VENDOR_ID, vendor)
            if vendor.value == _INTEL:
                name, driver = (_text(library, device, what) for what in (_DEVICE_NAME, _DRIVER_VERSION))
                found.append(GraphicsProcessor(name, driver))
    return tuple(sorted(found))


def graphics_fingerprint() -> str:
    """Names the graphics processors and their drivers; empty where there are none."""
    processors = intel_graphics()
    if not processors:
        return ""
    text = "\n".join(f"{processor.name}\t{processor.driver}" for processor in processors)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _handles(function: Any, *arguments: Any) -> list[ctypes.c_void_p]:
    """What one of OpenCL's two functions lists, which fill an array and count."""
    handles = (ctypes.c_void_p * _MOST_PLATFORMS)()
    count = ctypes.c_uint(0)
    status = function(*arguments, ctypes.c_uint(_MOST_PLATFORMS), handles, ctypes.byref(count))
    if status != _SUCCESS:  # also where there is nothing to list
        logger.debug("OpenCL lists nothing: %d", status)
        return []
    return [ctypes.c_void_p(handle) for handle in handles[: min(count.value, _MOST_PLATFORMS)]]


def _text(library: Any, device: ctypes.c_void_p, what: int) -> str:
    text = ctypes.create_string_buffer(_LONGEST_TEXT)
    _ask(library, device, what, text)
    return text.value.decode("utf-8", "replace")


def _ask(library: Any, device: ctypes.c_void_p, what: int, answer: Any) -> None:
    """Fills ``answer``; it stays as it is where the driver does not tell."""
    size = ctypes.c_size_t(ctypes.sizeof(answer))
    status = library.clGetDeviceInfo(device, ctypes.c_uint(what), size, ctypes.byref(answer), None)
    if status != _SUCCESS:
        logger.info("OpenCL does not tell %#x of a device: %d", what, status)
