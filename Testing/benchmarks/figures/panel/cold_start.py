"""From the click on Apply to the first tile, in an engine that did not run before: what is stored and what is done
before the click, each turned off in turn."""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from desktop import Desktop
from job_support import MARK, marked_processes, usual_priority
from phantom import PhantomParameters, make_phantom

from benchmarks.engine.measured_engine import STORES_NOTHING_VARIABLE
from benchmarks.engine.our_engine import CACHE_VARIABLE, MEASURED_PROGRAM
from benchmarks.engine.timed_parts import PARTS, PARTS_VARIABLE, seconds_by_part
from benchmarks.measuring.report import median
from benchmarks.measuring.timed_process import ProgramError

if TYPE_CHECKING:
    from benchmarks.inputs.workload import Workload

MODULE = Path(__file__).resolve().parents[4] / "TotalSegmentatorModule" / "TotalSegmentatorModule.py"
TARGET = 0.6
_CT = PhantomParameters(spacing_mm=(2.0, 2.0, 2.5))
_LIMIT_SECONDS = 300.0


@dataclass(frozen=True)
class _Way:
    """How the first tile is reached."""

    title: str
    name: str
    stores: bool = True
    starts_early: bool = True
    wait_seconds: float = 0.0
    """From the choice of the CT in the open module to the click."""
    waits_until_ready: bool = False
    """The click comes when the panel says what the job will take: the engine has loaded what it can by then."""


BEFORE = _Way("nothing stored, nothing started before the click", "before", stores=False, starts_early=False)
WAYS = (
    BEFORE,
    _Way("network stored", "stored network", starts_early=False),
    _Way("started early, click after 1 s", "click after 1 s", wait_seconds=1.0),
    _Way("started early, click when ready", "click when ready", waits_until_ready=True),
    _Way("the same, nothing stored", "click when ready, nothing stored", stores=False, waits_until_ready=True),
)


@dataclass(frozen=True)
class _Start:
    seconds: float
    parts: dict[str, float]
    """Of all that the engine did until the first tile, before the click too; some run at the same time."""
    peak_gb: float
    """Of the engine's memory."""


def measure(workload: Workload) -> None:
    model = next(workload.tissue_models_folder.glob("Dataset297*/*"))
    phantom = make_phantom(_CT)
    report = workload.report
    size = " x ".join(str(size) for size in phantom.ct.shape)
    report.say("a CT of {} voxels at 3 mm; the first start tries the runtimes and stores the network".format(size))
    bench = _Bench(workload, model, phantom)
    first = bench.start(_Way("", "", starts_early=False))
    report.say("  first start on this computer: {:.1f} s".format(first.seconds))
    starts: dict[_Way, list[_Start]] = {way: [] for way in WAYS}
    for number in range(workload.repeat):
        for way in WAYS:
            starts[way].append(bench.start(way))
            report.say("  {} of {}, {}: {:.1f} s".format(
                number + 1, workload.repeat, way.name, starts[way][-1].seconds
            ))  # fmt: skip
    report.table(
        ["seconds", "click to first tile", *PARTS, "peak GB"],
        [
            [
                way.title,
                median([each.seconds for each in made]),
                *(median([each.parts[part] for each in made]) for part in PARTS),
                median([each.peak_gb for each in made]),
            ]
            for way, made in starts.items()
        ],
    )
    report.say("  (parts: wall time until the first tile, before the click too; several run at the same time)")
    for way in WAYS[1:]:
        pairs = zip(starts[way], starts[BEFORE], strict=True)
        target = TARGET if way.starts_early else None
        report.ratio("cold-start " + way.name, median([now.seconds / before.seconds for now, before in pairs]), target)


class _Bench:
    def __init__(self, workload: Workload, model: Path, phantom: object) -> None:
        self._workload = workload
        self._model = model
        self._phantom = phantom

    def start(self, way: _Way) -> _Start:
        """A new engine in a new Slicer. Raises ProgramError."""
        mark, parts = uuid.uuid4().hex, self._workload.result("parts.jsonl")
        environment = {
            **os.environ,
            MARK: mark,
            CACHE_VARIABLE: str(self._workload.cache_folder),
            PARTS_VARIABLE: str(parts),
        }
        if not way.stores:
            environment[STORES_NOTHING_VARIABLE] = "1"
        with usual_priority(), Desktop() as app:  # other programs on all cores would let an engine that gives way stand
            return self._start_in(app, way, environment, parts)

    def _start_in(self, app: Desktop, way: _Way, environment: dict[str, str], parts: Path) -> _Start:
        from TotalSegmentatorModuleLib import settings  # the modules of Slicer that it imports are there only now
        from TotalSegmentatorModuleLib.background import installed_engine
        from TotalSegmentatorModuleLib.background.engine_environment import EngineEnvironment

        usual = installed_engine.engine_environment
        engine = EngineEnvironment(sys.executable, environment, program=MEASURED_PROGRAM)
        installed_engine.engine_environment = lambda: engine
        try:
            settings.turn(settings.EARLY_START_OFF, is_on=not way.starts_early)
            panel = _OpenPanel(app, self._model)
            app.add_volume(self._phantom.ct, self._phantom.ijk_to_ras, "CT")
            app.process_events()
            app.wait_until(lambda: False, way.wait_seconds)
            if way.waits_until_ready:
                panel.wait_until_ready()
            seconds = panel.click_and_wait_for_tiles()
            peak = max(map(_peak_gb, marked_processes(environment[MARK])), default=0.0)
            return _Start(seconds, seconds_by_part(parts), peak)
        finally:
            installed_engine.engine_environment = usual


class _OpenPanel:
    def __init__(self, app: Desktop, model: Path) -> None:
        self._app = app
        widget = app.open_module(MODULE)
        self._ui = widget.ui
        parameters = widget.logic.getParameterNode()
        parameters.isModelChosen, parameters.model, parameters.modelFolder = True, "", str(model)
        parameters.device = "cpu"
        app.process_events()

    def wait_until_ready(self) -> None:
        """The engine waits for what it loads before it plans."""
        self._wait(lambda: self._ui.progress.planLabel.text.startswith("Expected"), "no plan")

    def click_and_wait_for_tiles(self) -> float:
        begun = time.monotonic()
        self._app.click(self._ui.progress.applyButton)
        self._wait(
            lambda: "step" in self._ui.progress.stageLabel.text and self._ui.progress.progressFrame.visible,
            "no first tile",
        )
        return time.monotonic() - begun

    def _wait(self, predicate: Callable[[], bool], failure: str) -> None:
        if not self._app.wait_until(predicate, _LIMIT_SECONDS):
            raise ProgramError(failure + ":\n" + self._ui.log.textEdit.toPlainText()[-3000:])


def _peak_gb(process: int) -> float:
    """The most memory that a process had. 0 where the system does not tell."""
    try:
        lines = Path("/proc/{}/status".format(process)).read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e9 for line in lines if line.startswith("VmHWM:")), 0.0)
