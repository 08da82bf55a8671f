"""Claims: one owner at a time, whoever dies, stops or has a wrong clock, on a file system that is all they share."""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from TotalSegmentatorEngine.batch.store import claims
from TotalSegmentatorEngine.batch.store.claims import DEAD_SECONDS, STOPPED_SECONDS, Claim, claim, deaths_at, try_claim
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.process_identity import boot_id

DEAD_PID = 2**22 + 1
"""Above the largest process id of Linux."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "claim.json"


def taken(path: Path) -> Claim:
    held = try_claim(path)
    assert held is not None
    return held


def change(path: Path, **fields) -> None:
    """Rewrites the owner in a claim, its heartbeat as before."""
    status = path.stat()
    content = json.loads(path.read_text(encoding="utf-8"))
    content["process"] |= {name: fields.pop(name) for name in list(fields) if name in content["process"]}
    path.write_text(json.dumps(content | fields), encoding="utf-8")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def age(path: Path, seconds: float) -> None:
    """As if the last heartbeat were so long ago."""
    at = path.stat().st_mtime - seconds
    os.utime(path, (at, at))


def left_by_the_dead(path: Path) -> None:
    """A claim whose owner, a process of this computer, has ended."""
    held = taken(path)
    kept = path.read_bytes()
    held.release()
    path.write_bytes(kept)
    change(path, pid=DEAD_PID, token="0123456789abcdef")


def left_over(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_claim_has_one_owner_until_it_is_released(path: Path) -> None:
    held = taken(path)
    assert try_claim(path) is None and held.is_held()
    held.release()
    assert left_over(path.parent) == []
    taken(path).release()


def test_the_claim_of_an_ended_process_is_taken_over_at_once(path: Path) -> None:
    left_by_the_dead(path)
    assert deaths_at(path) == 1
    held = taken(path)
    assert held.deaths == 1
    held.release()
    assert left_over(path.parent) == []


def test_deaths_are_counted_until_an_owner_releases(path: Path) -> None:
    left_by_the_dead(path)
    change(path, deaths=1)
    held = taken(path)
    assert held.deaths == 2
    held.release()
    assert taken(path).deaths == 0


@pytest.mark.parametrize("where", [{"host": "node17"}, {"namespace": "pid:[4026532000]"}], ids=["host", "container"])
def test_a_process_that_cannot_be_looked_at_lives_as_long_as_its_heart_beats(path: Path, where: dict) -> None:
    """Its process id means nothing here, even where there is none of that number."""
    left_by_the_dead(path)
    change(path, **where)
    assert try_claim(path) is None
    age(path, DEAD_SECONDS + 1)
    taken(path).release()


def test_computers_of_one_name_do_not_take_each_other_for_dead(path: Path) -> None:
    """The first namespace of process ids has the same number on every Linux."""
    left_by_the_dead(path)
    elsewhere = path.read_text(encoding="utf-8").replace(boot_id(), "5b0f6a3e-0000-4000-8000-000000000000")
    path.write_text(elsewhere, encoding="utf-8")
    assert try_claim(path) is None and deaths_at(path) == 0
    age(path, DEAD_SECONDS + 1)
    taken(path).release()


def test_an_owner_that_lives_here_may_be_late(path: Path) -> None:
    """A library has kept its heart from beating; somebody who has stopped it for long loses the claim."""
    held = taken(path)
    age(path, DEAD_SECONDS + 1)
    assert try_claim(path) is None and held.is_held()
    age(path, STOPPED_SECONDS)
    other = taken(path)
    assert not held.is_held()
    held.release()
    other.release()
    assert left_over(path.parent) == []


def test_a_claim_that_cannot_be_read_is_dead_when_it_is_old(path: Path) -> None:
    path.write_text("{", encoding="utf-8")
    assert try_claim(path) is None
    age(path, DEAD_SECONDS + 1)
    taken(path).release()


@pytest.mark.parametrize("hours", [-5, 5])
def test_the_clocks_of_the_computers_do_not_matter(path: Path, hours: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file server gives files their times, here one whose clock is hours off."""
    left_by_the_dead(path)
    change(path, host="node17")
    age(path, -hours * 3600)
    real_touch = Path.touch

    def touch(self: Path, *arguments, **options) -> None:
        real_touch(self, *arguments, **options)
        age(self, -hours * 3600)

    monkeypatch.setattr(Path, "touch", touch)
    assert try_claim(path) is None
    age(path, DEAD_SECONDS + 1)
    assert try_claim(path) is not None


def beats(path: Path) -> bool:
    """Whether the heart of an owner whose last beat seems long ago beats again."""
    age(path, 1000)
    before = path.stat().st_mtime
    for _ in range(500):
        if path.stat().st_mtime > before + 900:
            return True
        threading.Event().wait(0.01)
    return False


def test_the_heart_beats(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "HEARTBEAT_SECONDS", 0.01)
    held = taken(path)
    assert beats(path)
    held.release()


def away(monkeypatch: pytest.MonkeyPatch, name: str) -> threading.Event:
    """The file server is away: files called ``name`` cannot be read. Set when somebody has tried."""
    tried = threading.Event()
    real_read = Path.read_bytes

    def read_bytes(self: Path) -> bytes:
        if self.name == name:
            tried.set()
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return real_read(self)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    return tried


def test_the_heart_beats_on_when_the_file_server_is_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "HEARTBEAT_SECONDS", 0.01)
    held = taken(path)
    with monkeypatch.context() as patch:
        assert away(patch, path.name).wait(5.0)
        with pytest.raises(OSError, match=os.strerror(errno.ESTALE)):
            held.check()  # nobody has taken it over
    assert beats(path)
    held.release()


def test_a_claim_that_could_not_be_removed_is_free(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner lives, but has done with it."""
    held = taken(path)
    with monkeypatch.context() as patch:
        away(patch, path.name)
        held.release()
    assert path.exists()
    taken(path).release()
    assert left_over(path.parent) == []


def test_an_owner_that_was_stopped_learns_that_it_has_lost(path: Path) -> None:
    """It had been suspended for minutes; another one has taken over meanwhile."""
    slow = taken(path)
    change(path, host="node17")
    age(path, DEAD_SECONDS + 1)
    fast = taken(path)
    with pytest.raises(SegmentationError) as raised:
        slow.check()
    assert raised.value.code == "BATCH_CLAIM_LOST"
    slow.release()
    assert fast.is_held() and try_claim(path) is None
    fast.release()
    assert left_over(path.parent) == []


def test_of_many_that_take_over_one_dead_claim_one_gets_it(path: Path) -> None:
    for _ in range(20):
        left_by_the_dead(path)
        barrier, got = threading.Barrier(8), []

        def steal(barrier: threading.Barrier = barrier, got: list[Claim] = got) -> None:
            barrier.wait()
            held = try_claim(path)
            if held is not None:
                got.append(held)

        threads = [threading.Thread(target=steal) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(got) == 1 and got[0].is_held()
        got[0].release()
        assert left_over(path.parent) == []


@pytest.mark.parametrize("moment", ["mark", "replace"])
def test_one_that_is_overtaken_while_it_takes_over_goes_away(
    path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has seen a dead claim, and then comes to its next step only when another one has the claim already."""
    left_by_the_dead(path)
    fast: list[Claim] = []

    def first(action: Callable) -> Callable:
        def overtaken(*arguments, **options):
            monkeypatch.undo()
            other = try_claim(path)
            if other is not None:
                fast.append(other)
            return action(*arguments, **options)

        return overtaken

    if moment == "mark":
        real_open = Path.open
        watched = first(real_open)
        monkeypatch.setattr(
            Path, "open", lambda self, *a, **o: (watched if self.suffix == ".taken" else real_open)(self, *a, **o)
        )
    else:
        monkeypatch.setattr(Path, "replace", first(Path.replace))
    slow = try_claim(path)
    owners = [held for held in (slow, *fast) if held is not None]
    assert len(owners) == 1 and owners[0].is_held()
    owners[0].release()
    assert left_over(path.parent) == []


@pytest.mark.parametrize("is_written", [True, False])
def test_a_mark_whose_maker_died_does_not_block_for_ever(path: Path, is_written: bool) -> None:
    left_by_the_dead(path)
    owner = path.read_bytes()
    mark = path.with_name(".0123456789abcdef.taken")
    mark.write_bytes(owner if is_written else b"")
    if not is_written:
        assert try_claim(path) is None
        age(mark, DEAD_SECONDS + 1)
    assert try_claim(path) is None  # this call clears the way
    taken(path).release()
    assert left_over(path.parent) == []


def test_a_file_system_without_hard_links_will_do(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    held = taken(path)
    assert try_claim(path) is None
    held.release()
    assert left_over(path.parent) == []


@pytest.mark.parametrize("error", [errno.EEXIST, errno.EIO])
def test_an_answer_that_was_lost_does_not_lose_the_claim(
    path: Path, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS: the link was made, and the client has asked for it once more."""
    real_link = os.link

    def link(source: Path, target: Path) -> None:
        real_link(source, target)
        raise OSError(error, os.strerror(error))

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", link)
        held = taken(path)
    assert try_claim(path) is None
    held.release()
    assert left_over(path.parent) == []


def test_waiting_for_a_claim(path: Path) -> None:
    held = taken(path)
    threading.Timer(0.3, held.release).start()
    with claim(path, patience_seconds=30.0) as mine:
        assert mine.is_held()
    assert left_over(path.parent) == []
    held = taken(path)
    with pytest.raises(SegmentationError), claim(path, patience_seconds=0.0):
        pytest.fail("two have the claim")
    held.release()
