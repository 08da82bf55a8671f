"""Notes what each tile of a network takes inside a program that knows nothing of it; both sides are measured alike.

With a limit, only the first tiles of each network are computed, and the others get the answer of the last one again.
So all that a program does outside its networks is measured on a full job, and the networks' time is scaled by the
counted tiles. The answers are of no use then. Standard library only: it runs in the peers' environment, too.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

FILE_VARIABLE = "BENCHMARK_NETWORK_CLOCK"
"""Names the file to which one JSON line a call of a network is appended."""
LIMIT_VARIABLE = "BENCHMARK_TILES_PER_NETWORK"
"""How many tiles of each network are computed; all without it."""


class NetworkClock:
    """The calls of one network. ``copy`` makes an answer that its user may change; None where users do not."""

    def __init__(self, network: str, copy: Callable[[Any], Any] | None = None) -> None:
        self._network = network
        self._copy = copy
        self._limit = int(os.environ.get(LIMIT_VARIABLE, "0"))
        self._file = Path(os.environ[FILE_VARIABLE])
        self._computed = 0
        self._kept: Any = None

    def call(self, compute: Callable[[], Any], tiles: int) -> Any:
        begun = time.perf_counter()
        is_computed = not self._limit or self._computed < self._limit or self._kept is None
        answer = compute() if is_computed else self._again()
        self._note(tiles, time.perf_counter() - begun, is_computed)
        self._computed += tiles if is_computed else 0
        if self._limit and is_computed and self._computed >= self._limit:
            self._kept = self._copy(answer) if self._copy else answer
        return answer

    def forget(self) -> None:
        """The kept answer's memory is given back; the next tile is computed."""
        self._kept = None

    def _again(self) -> Any:
        return self._copy(self._kept) if self._copy else self._kept

    def _note(self, tiles: int, seconds: float, is_computed: bool) -> None:
        line = {"network": self._network, "tiles": tiles, "seconds": round(seconds, 5), "is_computed": is_computed}
        with self._file.open("a", encoding="ascii") as stream:
            stream.write(json.dumps(line) + "\n")


def after_import(name: str, change: Callable[[ModuleType], None]) -> None:
    """Lets ``change`` at module ``name`` as soon as the program has imported it."""
    sys.meta_path.insert(0, _Watcher(name, change))


class _Watcher(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, name: str, change: Callable[[ModuleType], None]) -> None:
        self._name = name
        self._change = change
        self._loader: Any = None

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None:
            self._loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._change(module)
