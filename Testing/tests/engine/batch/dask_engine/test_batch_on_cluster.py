"""The command batch with a scheduler's address; the workers are threads of this process."""

from __future__ import annotations

import dataclasses
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from batch_bench import BatchBench, BatchRun, record_of
from TotalSegmentatorEngine.batch.dask_engine import dispatch, run_on_cluster
from TotalSegmentatorEngine.batch.dask_engine import run_mark as marks
from TotalSegmentatorEngine.batch.dask_engine.run_mark import run_mark
from TotalSegmentatorEngine.batch.dask_engine.shared_places import SharedPlace
from TotalSegmentatorEngine.batch.dask_engine.work import work
from TotalSegmentatorWire.errors.problem import ERRORS, SegmentationError


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(dispatch, "WORKERS_SECONDS", 0.1)
    monkeypatch.setattr(dispatch, "REFUSED_SECONDS", 0.1)


@pytest.fixture
def on_cluster(bench: BatchBench, cluster):
    """``batch`` on this many workers."""

    def run(*words: object, workers: int = 1) -> BatchRun:
        cluster.add(workers)
        return bench("--scheduler", cluster.client.scheduler.address, *words)

    return run


def files_left(folder: Path) -> set[str]:
    """What is neither a result nor one of the notes of the private folder."""
    names = {"segmentation.seg.nrrd", "done.json", "log.txt", "thumbnail.jpg", "structures.csv", "structures.parquet"}
    names |= {"report.html", "inputs.csv", "image_kinds.csv", "summarized.txt"}
    return {path.name for path in folder.rglob("*") if path.is_file()} - names


def test_the_results_are_those_of_one_process(bench: BatchBench, on_cluster):
    """One bad CT is named, and the others are done."""
    for seed in range(5):
        bench.dicom(f"patient {seed}/ct", seed=seed)
    damaged = bench.image("images/ct.nii.gz", seed=9)
    os.truncate(damaged, damaged.stat().st_size // 2)

    here = bench(output=bench.folder / "here")
    there = on_cluster(workers=2)

    assert (here.status, there.status, there.segmented) == (1, 1, 5)
    assert there.codes == here.codes == [there.outcome_of(damaged).error.code]
    records = [{key: record_of(outcome) for key, outcome in run.outcomes.items()} for run in (here, there)]
    assert records[0] == records[1] and len(records[0]) == 6
    assert files_left(there.folder) == set()
    assert all(there.err.count(case_id) == 1 for case_id in there.outcomes)


def test_what_is_done_needs_no_cluster(bench: BatchBench):
    bench.dicom("erika/ct")
    assert bench().segmented == 1
    again = bench("--scheduler", "tcp://127.0.0.1:1")

    assert (again.status, again.segmented) == (0, 0) and "1 done before" in again.out


@pytest.mark.parametrize("option", ["--output", "--models-folder", "INPUT"])
def test_workers_that_see_other_folders_are_refused(
    option: str, bench: BatchBench, on_cluster, monkeypatch: pytest.MonkeyPatch
):
    """As a worker sees them that has mounted something else there."""
    bench.dicom("erika/ct")
    places_of = run_on_cluster.shared_places

    def elsewhere(*arguments) -> tuple[SharedPlace, ...]:
        places = places_of(*arguments)
        assert option in {place.option for place in places}
        return tuple(
            dataclasses.replace(place, path=Path("elsewhere")) if place.option == option else place for place in places
        )

    monkeypatch.setattr(run_on_cluster, "shared_places", elsewhere)
    run = on_cluster()

    assert (run.status, run.segmented) == (ERRORS["CLUSTER_PLACE_DIFFERS"].exit_code, 0)
    assert f"at the path of {option} what" in run.err and "elsewhere" not in run.err
    assert files_left(run.folder) == set()


def work_from_elsewhere(*arguments):
    """On a worker that was started in another folder."""
    before = Path.cwd()
    os.chdir(tempfile.gettempdir())
    try:
        return work(*arguments)
    finally:
        os.chdir(before)


def test_relative_paths_are_those_of_the_command(bench: BatchBench, cluster, monkeypatch: pytest.MonkeyPatch):
    bench.dicom("erika/ct")
    monkeypatch.chdir(bench.folder)
    monkeypatch.setattr(run_on_cluster, "work", work_from_elsewhere)
    bench.model = bench.model.relative_to(bench.folder)
    cluster.add(1)
    run = bench(
        *("--scheduler", cluster.client.scheduler.address, "--models-folder", "models"),
        inputs=[bench.inputs.relative_to(bench.folder)],
        output=bench.output.relative_to(bench.folder),
    )

    assert (run.status, run.segmented, len(run.outcomes)) == (0, 1, 1)
    assert files_left(run.folder) == set()


def test_what_would_fail_for_every_ct_ends_the_run(bench: BatchBench, on_cluster):
    for seed in range(3):
        bench.dicom(f"patient {seed}/ct", seed=seed)

    def fail(_array: np.ndarray) -> None:
        raise SegmentationError("DEVICE_UNAVAILABLE", device="cuda:7")

    bench.on_segment = fail
    run = on_cluster()

    assert run.status == ERRORS["DEVICE_UNAVAILABLE"].exit_code and "cuda:7" in run.err
    assert run.outcomes == {} and files_left(run.folder) == set()


def test_cancelling_reaches_the_workers(bench: BatchBench, on_cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """They see it by a file that goes; a CT that is given up leaves nothing."""
    for seed in range(2):
        bench.dicom(f"patient {seed}/ct", seed=seed)
    cancel, has_gone = tmp_path / "cancel", []

    def wait(_array: np.ndarray) -> None:
        cancel.touch()
        until = time.monotonic() + 60
        while list(bench.output.glob("private/*.dask-run")) and time.monotonic() < until:
            time.sleep(0.01)
        has_gone.append(time.monotonic() < until)

    bench.on_segment = wait
    monkeypatch.setattr(marks, "LOOK_SECONDS", 0.0)
    run = on_cluster("--cancel-file", cancel)
    until = time.monotonic() + 60
    while files_left(run.folder) and time.monotonic() < until:  # a claim goes in several steps
        time.sleep(0.01)

    assert run.status == ERRORS["CANCELLED"].exit_code and has_gone == [True]
    assert (run.outcomes, run.segmented, files_left(run.folder)) == ({}, 1, set())


def test_marks_of_killed_runs_are_removed(tmp_path: Path):
    with run_mark(tmp_path) as mark:
        dead = tmp_path / "0123456789abcdef.dask-run"
        dead.write_text(mark.read_text().replace(f'"pid": {os.getpid()}', f'"pid": {2**22 + 1}'))
        with run_mark(tmp_path) as other:
            assert set(tmp_path.iterdir()) == {mark, other}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (["--scheduler", "tcp://192.0.2.1:8786"], ERRORS["SCHEDULER_NEEDS_TLS"].exit_code, "mutual TLS"),
        (["--scheduler", "head"], ERRORS["SCHEDULER_ADDRESS_INVALID"].exit_code, "head is not the address"),
        (["--workers", "2"], 2, "need --scheduler"),
        (["--scheduler", "tcp://127.0.0.1:8786", "--workers", "2"], 2, "needs --scheduler local"),
        (["--scheduler", "local", "--workers", "0"], 2, "a whole number from 1 to 64"),
    ],
)
def test_options_that_do_not_fit(bench: BatchBench, capsys, words: list[str], status: int, text: str):
    bench.dicom("erika/ct")
    try:
        run = bench(*words)
        ended, err = run.status, run.err
    except SystemExit as error:
        ended, err = error.code, capsys.readouterr().err
    assert ended == status and text in err
    assert not bench.output.exists()
