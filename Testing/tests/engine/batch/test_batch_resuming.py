"""A run that is stopped, killed or called again: what is missing is done, what is done stays, nothing is done twice."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from batch_bench import BatchBench, BatchRun, record_of
from series_support import chest, write_series
from TotalSegmentatorEngine.batch.inputs import find_cases
from TotalSegmentatorEngine.batch.running import case_files
from TotalSegmentatorEngine.batch.store.batch_folder import BatchFolder
from TotalSegmentatorEngine.batch.store.claims import Claim
from TotalSegmentatorWire.errors.problem import ERRORS, SegmentationError


class KilledError(BaseException):
    """Ends a process as SIGKILL does: no handler of Exception runs, and what a ``finally`` would remove stays."""


def files_of(run: BatchRun) -> dict[str, bytes]:
    """All results but the logs, pictures and records, which hold times."""
    return {
        str(path.relative_to(run.folder)): path.read_bytes()
        for path in sorted(run.folder.rglob("*"))
        if path.is_file() and path.name in ("segmentation.seg.nrrd",)
    }


def names_below(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*")}


def test_an_input_that_has_changed_is_done_again(bench: BatchBench) -> None:
    bench.image("a.nii.gz", seed=1)
    changed = bench.image("b.nii.gz", seed=2)
    first = bench()
    bench.image("b.nii.gz", seed=3)
    run = bench()
    assert (run.segmented, len(run.outcomes)) == (1, 2)
    assert run.outcome_of(changed).id not in first.outcomes
    bench.image("b.nii.gz", seed=2)  # and back
    again = bench()
    assert again.segmented == 0 and set(again.outcomes) == set(first.outcomes)


def test_a_file_that_was_only_copied_is_not(bench: BatchBench) -> None:
    folder = bench.dicom("a", seed=1)
    bench()
    shutil.move(folder, bench.inputs / "moved")
    run = bench()
    assert (run.segmented, len(run.outcomes)) == (0, 1)
    for path in (bench.inputs / "moved").iterdir():
        os.utime(path, (1, 1))
    assert bench().segmented == 0


@pytest.mark.parametrize("option", [["--smooth"], ["--structures", "liver"], ["--export", "volumes"]])
def test_other_options_do_all_again(bench: BatchBench, option: list[str]) -> None:
    bench.image("a.nii.gz", seed=1)
    assert [bench().segmented, bench(*option).segmented, bench(*option).segmented] == [1, 1, 0]


def test_other_weights_do_all_again(bench: BatchBench) -> None:
    bench.image("a.nii.gz", seed=1)
    bench()
    (bench.model / "fold_0" / "checkpoint_final.pth").write_bytes(b"trained longer")
    assert [bench().segmented, bench().segmented, bench("--device", "cpu").segmented] == [1, 0, 0]


def test_force_does_all_again(bench: BatchBench) -> None:
    bench.image("a.nii.gz", seed=1)
    bench()
    assert [bench("--force").segmented, bench().segmented] == [1, 0]


def test_a_failed_ct_keeps_its_record_until_it_is_asked_for(bench: BatchBench) -> None:
    bench.image("good.nii.gz", seed=1)
    bench.image("big.nii.gz", seed=2)

    def too_big(array: np.ndarray) -> None:
        if np.array_equal(array, chest(2, 4)):
            raise MemoryError

    bench.on_segment = too_big
    first = bench()
    assert (first.status, first.segmented, first.codes) == (1, 1, ["MEMORY_SHORT"])
    bench.on_segment = lambda array: None
    second = bench()
    assert (second.status, second.segmented, second.codes) == (1, 0, ["MEMORY_SHORT"])
    retried = bench("--retry-failed")
    assert (retried.status, retried.segmented, retried.codes) == (0, 1, [])
    assert bench("--retry-failed").segmented == 0


def test_what_is_wrong_with_the_machine_stops_the_run_and_marks_no_ct(bench: BatchBench) -> None:
    for seed in (1, 2):
        bench.image(f"{seed}.nii.gz", seed=seed)

    def no_gpu(array: np.ndarray) -> None:
        raise SegmentationError("DEVICE_UNAVAILABLE", device="cuda", available="cpu")

    bench.on_segment = no_gpu
    run = bench()
    assert run.status not in (0, 1, 2) and "error DEVICE_UNAVAILABLE" in run.err and not run.outcomes
    assert not [name for name in names_below(run.folder) if name.startswith(".") or name == "claim.json"]
    bench.on_segment = lambda array: None
    assert (bench().status, len(bench.seen)) == (0, 2)


def test_a_model_that_goes_in_the_middle_stops_the_run_and_marks_no_ct(bench: BatchBench) -> None:
    for seed in (1, 2, 3):
        bench.image(f"{seed}.nii.gz", seed=seed)
    bench.on_segment = lambda array: shutil.rmtree(bench.model, ignore_errors=True)
    run = bench()
    assert "error MODEL_FOLDER_MISSING" in run.err and run.status == ERRORS["MODEL_FOLDER_MISSING"].exit_code
    assert len(run.outcomes) == 1 and not run.codes


def test_a_ct_without_a_picture_is_segmented_all_the_same(bench: BatchBench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.image("a.nii.gz", seed=1)

    def fail(*_arguments: object) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(case_files, "thumbnail_jpeg", fail)
    run = bench("--export", "volumes")
    (outcome,) = run.outcomes.values()
    folder = run.folder / outcome.id
    assert run.status == 0 and outcome.exports == {"volumes": "volumes.csv"} and not (folder / "thumbnail.jpg").exists()
    assert "picture" in (folder / "log.txt").read_text(encoding="utf-8")
    assert "No picture" in (run.folder / "report.html").read_text(encoding="utf-8")


def test_ctrl_c_ends_the_run_cleanly(bench: BatchBench) -> None:
    for seed in (1, 2, 3):
        bench.image(f"{seed}.nii.gz", seed=seed)

    def press(array: np.ndarray) -> None:
        if len(bench.seen) == 1:
            os.kill(os.getpid(), 2)

    bench.on_segment = press
    run = bench()
    assert "error CANCELLED" in run.err and run.status not in (0, 1, 2) and len(run.outcomes) == 1
    assert not [name for name in names_below(run.folder) if name.startswith(".") or name == "claim.json"]
    bench.on_segment = lambda array: None
    assert (bench().status, len(bench.seen)) == (0, 3)


def test_a_library_that_swallows_ctrl_c_makes_no_failed_ct(bench: BatchBench) -> None:
    bench.image("1.nii.gz", seed=1)

    def swallow(array: np.ndarray) -> None:
        try:
            os.kill(os.getpid(), 2)
        except KeyboardInterrupt:
            raise RuntimeError("something in a callback") from None

    bench.on_segment = swallow
    run = bench()
    assert "error CANCELLED" in run.err and not run.outcomes


# -- kills -------------------------------------------------------------------------------------------------------------


EVERY = 4


class KilledRun:
    """Kills the process at one of the calls that change the output folder, ``count`` of them later."""

    def __init__(self, bench: BatchBench, count: int) -> None:
        self._bench = bench
        self._left = count
        self.is_killed = False

    def __call__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patch:
            for owner, name in (
                *((Path, "replace"), (Path, "mkdir"), (Path, "unlink")),
                *((os, "fsync"), (os, "link"), (shutil, "rmtree")),
            ):
                patch.setattr(owner, name, self._watched(getattr(owner, name)))
            for owner, name in ((Path, "open"), (Claim, "release")):
                patch.setattr(owner, name, self._watched(getattr(owner, name), counts=False))
            try:
                self._bench()
            except KilledError:
                self.is_killed = True

    def _watched(self, action, counts: bool = True):
        def watched(*arguments, **options):
            if self.is_dead:
                raise KilledError
            self._left -= counts
            if self.is_dead:
                raise KilledError
            return action(*arguments, **options)

        return watched

    @property
    def is_dead(self) -> bool:
        """Nothing is removed on the way out any more."""
        return self._left < 0


def test_a_kill_at_any_moment_loses_nothing_that_is_done(bench: BatchBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """After every fourth of the changes that a run makes to its folder it is killed, and begun again."""
    bench.image("a.nii.gz", seed=1)
    undisturbed = bench(output=bench.folder / "undisturbed")
    expected = {case_id: record_of(outcome) for case_id, outcome in undisturbed.outcomes.items()}
    kills = 0
    while True:
        shutil.rmtree(bench.output, ignore_errors=True)
        bench.seen.clear()
        killed = KilledRun(bench, kills)
        killed(monkeypatch)
        if not killed.is_killed:
            break
        done = set(BatchFolder(bench.output).case_ids()) & {
            case_id for case_id in expected if BatchFolder(bench.output).outcome(case_id) is not None
        }
        make_dead(bench.output)
        run = bench()
        assert run.status == 0 and run.segmented == 1 - len(done), kills
        assert {case_id: record_of(outcome) for case_id, outcome in run.outcomes.items()} == expected
        assert files_of(run) == files_of(undisturbed)
        assert not [name for name in names_below(run.folder) if name.endswith((".draft", ".part"))]
        kills += EVERY
    assert kills > 6 * EVERY


def make_dead(output: Path) -> None:
    """The claims that this process has left belong to a process that has ended."""
    for path in [*output.glob("*/claim.json"), *output.glob("private/[a-z]*.claim"), *output.glob("*/.*.taken")]:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["process"]["pid"] = 2**22 + 1
        path.write_text(json.dumps(content), encoding="utf-8")


def test_a_ct_that_ends_the_process_again_and_again_comes_last_and_then_fails(bench: BatchBench) -> None:
    """A library crashes, or the system kills the process that needs too much memory."""
    ending = pytest.MonkeyPatch()
    for seed in (1, 2, 3):
        bench.image(f"{seed}.nii.gz", seed=seed)

    def crash(array: np.ndarray) -> None:
        if np.array_equal(array, chest(1, 4)):
            ending.setattr(shutil, "rmtree", lambda *a, **o: None)
            ending.setattr(Claim, "release", lambda claim: None)
            ending.setattr(Path, "unlink", lambda *a, **o: None)
            raise KilledError

    bench.on_segment = crash
    done = []
    for _ in range(3):
        with pytest.raises(KilledError):
            bench()
        ending.undo()
        done.append(len(list(BatchFolder(bench.output).outcomes())))
        make_dead(bench.output)
    assert done[1:] == [2, 2]
    run = bench()
    assert (run.status, run.codes, len(run.outcomes)) == (1, ["BATCH_PROCESS_DIED"], 3)
    bench.on_segment = lambda array: None
    assert bench("--retry-failed").status == 0


# -- several processes -------------------------------------------------------------------------------------------------


def test_shares_are_the_same_whatever_else_there_is(bench: BatchBench) -> None:
    for seed in range(6):
        bench.image(f"{seed}.nii.gz", seed=seed)
    shares = [set(bench("--shard", f"{share}/3").outcomes) for share in (1, 2, 3)]
    assert len(shares[2]) == 6 and len(bench.seen) == 6  # nothing twice, nothing left
    own = [shares[0], shares[1] - shares[0], shares[2] - shares[1]]
    assert max(map(len, own)) < 6
    bench.image("more.nii.gz", seed=7)
    for share in (1, 2, 3):
        more = set(bench("--shard", f"{share}/3", output=bench.folder / f"other {share}").outcomes)
        assert own[share - 1] <= more and len(more - own[share - 1]) <= 1


def test_an_array_need_not_read_all_files_again(bench: BatchBench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.dicom("a", seed=1)
    bench.image("b.nii.gz", seed=2)
    found = bench("--find-only")
    assert (found.status, found.segmented, len(found.inputs), found.outcomes) == (0, 0, 2, {})

    def read(files: object) -> str:
        raise AssertionError("read again")

    monkeypatch.setattr(find_cases, "input_digest", read)
    assert [bench("--shard", f"{share}/2").status for share in (1, 2)] == [0, 0] and len(bench.seen) == 2


def test_two_that_meet_the_same_ct_do_it_once(bench: BatchBench) -> None:
    """Another process has the claim of a CT: this one does the others and waits."""
    path = bench.image("a.nii.gz", seed=1)
    bench.image("b.nii.gz", seed=2)
    case_id = bench().outcome_of(path).id
    folder = BatchFolder(bench.output)
    record = folder.case_folder(case_id) / "done.json"
    kept = record.read_bytes()
    record.unlink()
    held = folder.claim_case(case_id)

    def finish(array: np.ndarray) -> None:
        raise AssertionError("done twice")

    bench.on_segment = finish

    def other_process_ends(seconds: float) -> None:
        record.write_bytes(kept)
        held.release()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("TotalSegmentatorEngine.batch.running.run_cases.time.sleep", other_process_ends)
        run = bench()
    assert (run.status, run.segmented, len(run.outcomes)) == (0, 0, 2)


@pytest.mark.parametrize("place", [1, 3], ids=["alone", "beside others"])
def test_a_ct_that_another_process_has_taken_over_is_left_to_it(bench: BatchBench, place: int) -> None:
    """This one was stopped for minutes. The other one has removed its draft, and finishes after it."""
    paths = {chest(seed, 4).tobytes(): bench.image(f"{seed}.nii.gz", seed) for seed in (1, 2, 3)}
    before = bench()
    lost: list[tuple[Path, bytes]] = []

    def take_over(array: np.ndarray) -> None:
        if len(bench.seen) == 3 + place - 1:
            folder = bench.output / before.outcome_of(paths[array.tobytes()]).id
            claim = json.loads((folder / "claim.json").read_text(encoding="utf-8"))
            claim |= {"token": "0123456789abcdef", "namespace": "of another computer"}
            (folder / "claim.json").write_text(json.dumps(claim), encoding="utf-8")
            shutil.rmtree(next(folder.glob(".*.draft")))
            lost.append((folder, (folder / "done.json").read_bytes()))

    def other_process_ends(seconds: float) -> None:
        folder, record = lost[0]
        (folder / "done.json").write_bytes(record)
        (folder / "claim.json").unlink()

    bench.on_segment = take_over
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("TotalSegmentatorEngine.batch.running.run_cases.time.sleep", other_process_ends)
        run = bench("--force")
    assert (run.status, run.segmented, len(run.outcomes)) == (0, 3, 3), run.err
    folder, _ = lost[0]
    assert not (folder / "claim.json").exists() and not list(folder.glob(".*"))


def test_a_series_that_grows_is_another_ct(bench: BatchBench) -> None:
    folder = bench.dicom("a", seed=1, slices=6)
    last = sorted(folder.iterdir())[-1]
    kept = last.read_bytes()
    last.unlink()
    first = bench()
    last.write_bytes(kept)
    run = bench()
    assert run.segmented == 1 and len(run.outcomes) == 1 and set(run.outcomes) != set(first.outcomes)
    write_series(folder, chest(3, 4), "B{:03d}.dcm", SeriesInstanceUID="1.2.3")
    assert bench().segmented == 1
