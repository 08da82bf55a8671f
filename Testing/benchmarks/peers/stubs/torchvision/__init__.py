"""A package in place of torchvision, for the peers' environment of the benchmarks.

nnU-Net looks for a trainer by importing every trainer that it has; one of them imports timm, and timm imports names
from torchvision. Neither computes anything in an inference. Torchvision's wheels bind to one build of torch, so this
package stands in: every name in it, and in its submodules, is an empty class.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType


class _EmptyType(type):
    """A class whose attributes, such as ``InterpolationMode.NEAREST``, are there whatever they are called."""

    def __getattr__(cls, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return "{}.{}".format(cls.__name__, name)


def _empty(name: str) -> type:
    if name.startswith("__"):
        raise AttributeError(name)
    return _EmptyType(name, (), {})


class _EmptyModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes every submodule that is asked for."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not fullname.startswith(__name__ + "."):
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def exec_module(self, module: ModuleType) -> None:
        module.__getattr__ = _empty


sys.meta_path.append(_EmptyModules())
__getattr__ = _empty
