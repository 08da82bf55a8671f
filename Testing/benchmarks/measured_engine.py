"""The engine's own program (``segment``, ``serve``, ...) with a clock on its networks; see network_clock."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import ModuleType
from typing import Any

from network_clock import NetworkClock, after_import

ENGINE = Path(__file__).resolve().parents[2] / "TotalSegmentatorModule" / "TotalSegmentatorEngine"


def clock_runners(networks: ModuleType) -> None:
    """Each runner that is made gets a clock of its own."""
    choose_runtime = networks.choose_runtime

    def choose_clocked(model: Any, folder: Any, *arguments: Any, **options: Any) -> Any:
        runner = choose_runtime(model, folder, *arguments, **options)
        clock = NetworkClock(folder.path.parent.name)
        run, release = runner.run, runner.release

        def clocked_run(tiles: Any) -> Any:
            return clock.call(lambda: run(tiles), len(tiles))

        def clocked_release() -> None:
            clock.forget()
            release()

        runner.run, runner.release = clocked_run, clocked_release
        return runner

    networks.choose_runtime = choose_clocked


if __name__ == "__main__":
    after_import("TotalSegmentatorEngine.networks", clock_runners)
    runpy.run_path(str(ENGINE / "__main__.py"), run_name="__main__")
