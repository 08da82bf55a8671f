"""The command ``batch`` over phantoms, real CTs and spoilt ones, killed again and again, and without kills."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from seeded_models import configuration_settings, make_model_folder, plans_of

from benchmarks.engine.batch_run import new_output
from benchmarks.engine.our_engine import CACHE_VARIABLE, MODULE
from benchmarks.inputs.mixed_archive import mixed_archive
from benchmarks.inputs.workload import SHARED, Workload
from benchmarks.measuring.timed_process import ProgramError

PHANTOMS, KILLS = 40, 10
_SEED = 18
_DEAD_AT_MOST = 1.2
"""Of a tenth of the undisturbed run: the latest moment of a kill after the start, or after the first record."""
_PROGRAM = (sys.executable, "-m", "TotalSegmentatorEngine", "batch")


@dataclass
class _Run:
    """All calls of the command into one folder."""

    workload: Workload
    inputs: list[Path]
    output: Path
    model: Path
    again: set[str] = field(default_factory=set)
    """Cases whose record was written a second time."""
    _written: dict[str, int] = field(default_factory=dict)

    def start(self) -> subprocess.Popen:
        words = [*_PROGRAM, *self.inputs, "--output", self.output, "--model", self.model, "--device", "cpu"]
        environment = os.environ | {"PYTHONPATH": str(MODULE), CACHE_VARIABLE: str(self.workload.cache_folder)}
        log = self.output.with_name(self.output.name + ".txt").open("ab")
        with log:
            return subprocess.Popen(
                list(map(str, words)), stdout=log, stderr=log, env=environment, start_new_session=True
            )

    def finish(self) -> int:
        """Calls the command until it ends by itself; its exit status."""
        status = self.start().wait()
        self.look()
        return status

    def look(self) -> int:
        """How many records there are. Notes those that were written again."""
        for path in self.output.glob("*/done.json"):
            written = path.stat().st_mtime_ns
            if self._written.setdefault(path.parent.name, written) != written:
                self.again.add(path.parent.name)
        return len(self._written)

    def kill_after(self, seconds: float, waits: bool) -> str:
        """Kills the process and its children; says at what it was. ``waits``: the time begins with its first record."""
        process, records = self.start(), len(self._written)
        try:
            while waits and process.poll() is None and len(list(self.output.glob("*/done.json"))) == records:
                time.sleep(0.05)
            process.wait(seconds)
            return "had ended"
        except subprocess.TimeoutExpired:
            claims = list(self.output.glob("*/claim.json"))
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return "at a CT" if claims else "between CTs"

    def records(self) -> dict[str, dict]:
        """By id, without times."""
        found = {}
        for path in self.output.glob("*/done.json"):
            fields = json.loads(path.read_text(encoding="utf-8"))
            found[path.parent.name] = {name: value for name, value in fields.items() if name != "seconds"}
        return found

    def table(self) -> list[tuple[str, ...]]:
        with (self.output / "structures.csv").open(encoding="utf-8", newline="") as stream:
            return sorted(map(tuple, csv.reader(stream)))

    def paths(self) -> dict[str, str]:
        with (self.output / "private" / "inputs.csv").open(encoding="utf-8", newline="") as stream:
            return {row["id"]: row["path"] for row in csv.DictReader(stream)}

    def left_over(self) -> list[str]:
        names = (path.name for path in self.output.rglob("*"))
        return [name for name in names if name.endswith((".draft", ".part", ".taken")) or name == "claim.json"]


def measure(workload: Workload) -> None:
    """Raises ProgramError where a run does not end as it should."""
    phantoms, kills = (4, 3) if workload.small else (PHANTOMS, KILLS)
    inputs = [mixed_archive(workload.folder / f"archive-{phantoms}", phantoms)]
    if (SHARED / "data").is_dir() and not workload.small:
        inputs.append(SHARED / "data")
    model = _tiny_model(workload)
    whole = _Run(workload, inputs, new_output(workload, "undisturbed"), model)
    started = time.monotonic()
    status = whole.finish()
    seconds = time.monotonic() - started
    if status != 1:  # the bad ones fail
        raise ProgramError(f"the undisturbed run ended with {status}")
    _show_failed(workload, whole)
    killed = _Run(workload, inputs, new_output(workload, "killed"), model)
    _kill_again_and_again(workload, killed, kills, seconds)
    status = killed.finish()
    if status != 1:
        raise ProgramError(f"the last call after the kills ended with {status}")
    report = workload.report
    expected, found = whole.records(), killed.records()
    differing = [case_id for case_id in expected | found if expected.get(case_id) != found.get(case_id)]
    report.say(f"done: {sum(each['state'] == 'done' for each in found.values())} of {len(found)} CTs")
    report.ratio("batch kills, records that differ", len(differing), 0)
    report.ratio("batch kills, rows of the table that differ", len(set(whole.table()) ^ set(killed.table())), 0)
    report.ratio("batch kills, CTs done twice", len(killed.again), 0)
    report.ratio("batch kills, files left over", len(killed.left_over()), 0)


def _kill_again_and_again(workload: Workload, run: _Run, kills: int, seconds: float) -> None:
    moments = random.Random(_SEED)
    rows = []
    for number in range(1, kills + 1):
        after, waits = moments.uniform(0.0, _DEAD_AT_MOST * seconds / kills), number % 3 != 0
        place = run.kill_after(after, waits)
        rows.append([str(number), after, "its first record" if waits else "its start", place, str(run.look())])
    workload.report.table(["kill", "s after", "", "was", "CTs with a record"], rows)


def _show_failed(workload: Workload, run: _Run) -> None:
    paths = run.paths()
    failed = [(each["error"]["code"], paths[case_id]) for case_id, each in run.records().items() if each["error"]]
    roots = [str(path.parent) + os.sep for path in run.inputs]
    rows = [
        [code, next((path[len(root) :] for root in roots if path.startswith(root)), path)]
        for code, path in sorted(failed)
    ]
    workload.report.table(["code", "CT that could not be used"], rows)


def _tiny_model(workload: Workload) -> Path:
    dataset = workload.folder / "tiny-model" / "Dataset902_Tiny"
    if not dataset.exists():
        settings = configuration_settings(patch_size=(32, 32, 32), spacing=(10.0, 10.0, 10.0))
        make_model_folder(dataset, ("liver", "spleen"), plans=plans_of(settings, dataset=dataset.name))
    return next(dataset.iterdir())
