"""Runs networks in compiled PyTorch: for CPUs where OpenVINO cannot run them and a C++ compiler is installed."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import torch
from torch import nn
from TotalSegmentatorWire.user_folders import COMPILED, cache_folder

from TotalSegmentatorEngine.inference.tile_runner import EagerRunner

_CACHE_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"


class CompiledRunner(EagerRunner):
    """As eager PyTorch, with its layers fused by torch.compile; the channels last, which suits CPUs' convolutions.

    The first tile takes up to a minute, for the compiler. A job can be cancelled only between two networks.
    """

    runtime = "compiled"

    def _prepared(self, network: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
        _keep_in_cache_folder()
        return torch.compile(network.to(memory_format=torch.channels_last_3d), dynamic=False)

    @contextmanager
    def _checking_between_layers(self) -> Iterator[None]:
        yield  # there are no layers any more


def _keep_in_cache_folder() -> None:
    """PyTorch would keep compiled networks among the system's temporary files, where nobody removes them with us.

    The variable is PyTorch's own (torch/_inductor/runtime/cache_dir_utils.py); one that is set is left as it is.
    """
    if _CACHE_VARIABLE not in os.environ:
        with suppress(RuntimeError):  # the system knows no home folder
            os.environ[_CACHE_VARIABLE] = str(cache_folder() / COMPILED)


def has_compiler() -> bool:
    """Whether a C++ compiler is found as torch.compile finds it: named by CXX, else on the PATH."""
    named = os.environ.get("CXX")
    if named:
        return shutil.which(named) is not None
    names = ("cl",) if sys.platform == "win32" else ("g++", "clang++")
    return any(shutil.which(name) for name in names)
