"""Figures of whole jobs, taken at the panel: what the user waits for after a click."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from desktop import Desktop
from phantom import Phantom, PhantomParameters, make_phantom

TESTING = Path(__file__).resolve().parents[3]
MODULE = TESTING.parent / "TotalSegmentatorModule" / "TotalSegmentatorModule.py"
MODEL = TESTING / "demo_model" / "Dataset900_PhantomDemo104" / "nnUNetTrainer__nnUNetPlans__3d_fullres"
# An abdomen and pelvis of exactly 512 x 512 x 400 voxels.
LARGE_CT = PhantomParameters(
    spacing_mm=(0.8, 0.8, 1.0), field_of_view_mm=((-204.8, 204.8), (-204.8, 204.8), (0.0, 400.0))
)
TIME_LIMIT_S = 900.0


@cache
def _large_phantom() -> Phantom:
    return make_phantom(LARGE_CT)


class _Panel:
    """The open panel with a large CT, as a user has it before the click."""

    def __init__(self, app: Desktop) -> None:
        self.app = app
        phantom = _large_phantom()
        app.add_volume(phantom.ct, phantom.ijk_to_ras, "CT")
        self.widget = app.open_module(MODULE)
        self.ui = self.widget.ui
        parameters = self.widget.logic.getParameterNode()
        parameters.isModelChosen, parameters.model, parameters.modelFolder = True, "", str(MODEL)
        app.process_events()

    def apply_and_wait_for_tiles(self) -> float:
        """Click Apply; seconds until the panel shows the first tile."""
        started = time.monotonic()
        self.app.click(self.ui.progress.applyButton)
        self._wait(lambda: self.is_busy and "step" in self.ui.progress.stageLabel.text, "the first tile")
        return time.monotonic() - started

    def wait_until_ready(self) -> float:
        """Seconds until Apply can be clicked again."""
        started = time.monotonic()
        self._wait(lambda: not self.is_busy, "the end of the job")
        return time.monotonic() - started

    @property
    def is_busy(self) -> bool:
        return self.ui.progress.progressFrame.visible

    def _wait(self, predicate, what: str) -> None:
        if not self.app.wait_until(predicate, TIME_LIMIT_S):
            raise TimeoutError("{} did not come".format(what))


@contextmanager
def _panel() -> Iterator[_Panel]:
    with Desktop() as app:
        yield _Panel(app)


def measure_second_apply(repeat: int) -> list[dict[str, float]]:
    with _panel() as panel:
        panel.apply_and_wait_for_tiles()
        panel.wait_until_ready()
        rows = []
        for _ in range(repeat):
            rows.append({"first tile": panel.apply_and_wait_for_tiles()})
            panel.wait_until_ready()
        return rows


def measure_cancel(repeat: int) -> list[dict[str, float]]:
    with _panel() as panel:
        rows = []
        for _ in range(repeat):
            panel.apply_and_wait_for_tiles()
            panel.app.click(panel.ui.progress.applyButton)
            rows.append({"ready again": panel.wait_until_ready()})
        return rows


def measure_responsiveness(repeat: int) -> list[dict[str, float]]:
    rows = []
    for _ in range(repeat):
        with _panel() as panel:
            panel.app.reset_block_clock()
            panel.apply_and_wait_for_tiles()
            panel.wait_until_ready()
            rows.append({"longest block": panel.app.longest_block_ms()})
            print("  longest in {}".format(panel.app.longest_block_name()), flush=True)
    return rows
