"""Who works on what, on any file system that several processes or computers share: no server, no port.

A claim is a file that one process makes and nobody else can make meanwhile. Its time of change is the owner's
heartbeat. It is dead when its owner's process on this computer has ended, or when the heartbeat is older than
DEAD_SECONDS by the clock of the file system itself: those of the computers may differ. An owner that can be seen to
live may be late for longer, up to STOPPED_SECONDS: a library keeps its threads from running, or the files are away.

A dead claim is taken over in three steps: the mark of this very claim, which one process alone can make; a look whether
the claim is still that one; then the new claim replaces it in one step. Only who holds a claim's mark removes or
replaces the claim, so of two that take over one goes away empty-handed, and there is no moment without a claim.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.process_identity import (
    UNKNOWN_START,
    ProcessIdentity,
    boot_id,
    is_alive,
    is_here,
    start_time,
    this_process,
)

from TotalSegmentatorEngine.imaging.atomic_file import disk_errors

DEAD_SECONDS = 120.0
"""A heartbeat that is older is that of a dead owner: a dozen are missing."""
STOPPED_SECONDS = 1800.0
"""So old may the heartbeat of a process be that lives on this computer. Somebody who stops one (Ctrl+Z) and forgets it
does not keep the others waiting for longer."""
HEARTBEAT_SECONDS = 10.0
_POLL_SECONDS = 0.2
_held: dict[str, Path] = {}
"""By their tokens, the claims that this process has, or has tried to get."""
_not_released: set[str] = set()
"""The tokens of claims that this process could not remove."""
_PASSING = re.compile(r"^\.([0-9a-f]{16}\.(claim|taken)|unreadable\.taken)$")


@dataclass(frozen=True)
class Owner:
    """What stands in a claim."""

    process: ProcessIdentity
    namespace: str
    """In which process ids mean something: a container has one of its own."""
    token: str
    """Of this one claim."""
    deaths: int = 0
    """How many owners before this one have ended without having finished."""


class Claim:
    """A claim that this process holds; its heartbeat goes on in a thread until ``release``."""

    def __init__(self, path: Path, owner: Owner) -> None:
        self.path = path
        self._owner = owner
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="claim-heartbeat", daemon=True)
        self._thread.start()

    @property
    def deaths(self) -> int:
        """How many owners have ended over this, one after the other."""
        return self._owner.deaths

    def check(self) -> None:
        """Raises SegmentationError("BATCH_CLAIM_LOST") where another process has taken over: this one was stopped.
        OSError where the file system cannot say."""
        if not self.is_held():
            raise SegmentationError("BATCH_CLAIM_LOST")

    def is_held(self) -> bool:
        """Raises OSError where the file system cannot say."""
        return _has(self.path, self._owner.token)

    def release(self) -> None:
        """Removes the claim, unless another process has taken it over."""
        self._end.set()
        self._thread.join()
        _remove(self.path, self._owner.token)

    def _beat(self) -> None:
        while not self._end.wait(HEARTBEAT_SECONDS):
            with suppress(OSError):  # the next beat tries again
                if self.is_held():
                    os.utime(self.path)  # without a time: the file system's own


def try_claim(path: Path) -> Claim | None:
    """The claim ``path``; None where a living process has it. Raises SegmentationError: OUTPUT_NOT_WRITABLE,
    DISK_FULL."""
    with disk_errors(path.parent):
        owner = Owner(this_process(), _namespace(), secrets.token_hex(8))
        draft = path.with_name(f".{owner.token}.claim")
        _held[owner.token] = path
        try:
            _write(draft, owner)
            if _appears(draft, path, owner.token):
                return Claim(path, owner)
            other = _read(path)
            if not _is_dead(path, other):
                _held.pop(owner.token)
                return None
            owner = dataclasses.replace(owner, deaths=0 if other is None else other.deaths + 1)
            _write(draft, owner)
            if _take_over(path, other, draft):
                return Claim(path, owner)
            _held.pop(owner.token)
            return None
        except OSError:
            _remove(path, owner.token)
            raise
        finally:
            draft.unlink(missing_ok=True)


@contextmanager
def claim(path: Path, patience_seconds: float = 10 * DEAD_SECONDS) -> Iterator[Claim]:
    """Waits until no other process has the claim ``path``, and has it inside the block.

    Raises SegmentationError: OUTPUT_NOT_WRITABLE after ``patience_seconds`` too, DISK_FULL.
    """
    until = time.monotonic() + patience_seconds
    while (held := try_claim(path)) is None:
        if time.monotonic() > until:
            raise SegmentationError("OUTPUT_NOT_WRITABLE")
        time.sleep(_POLL_SECONDS)
    try:
        yield held
    finally:
        held.release()


@contextmanager
def no_claim_left() -> Iterator[None]:
    """What was claimed in this block is released after it, also where Ctrl+C came before anybody could see to that."""
    before = set(_held)
    try:
        yield
    finally:
        for token in set(_held) - before:
            _remove(_held[token], token)


def deaths_at(path: Path) -> int:
    """How many owners have ended over the claim ``path``, the present one included where it is dead."""
    owner = _read(path)
    return 0 if owner is None else owner.deaths + _is_dead(path, owner)


def file_system_time(folder: Path) -> float:
    """Now, by the clock that gives the files of a folder their times. Raises OSError."""
    probe = folder / f".{secrets.token_hex(8)}.claim"
    try:
        probe.touch()
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


def sweep_claims(folder: Path) -> None:
    """Removes what processes have left that died in the instant in which they made or took over a claim."""
    with suppress(OSError):
        for entry in list(folder.iterdir()):
            if _PASSING.match(entry.name) and _age(entry) > DEAD_SECONDS:
                entry.unlink(missing_ok=True)


# -- the files ---------------------------------------------------------------------------------------------------------


def _write(path: Path, owner: Owner) -> None:
    path.write_text(json.dumps(dataclasses.asdict(owner)), encoding="utf-8")


def _read(path: Path) -> Owner | None:
    """None where there is no claim, or none that can be read."""
    try:
        return _owner_in(path.read_bytes())
    except OSError:
        return None


def _owner_in(content: bytes) -> Owner | None:
    """None where the content is not that of a claim."""
    try:
        fields = json.loads(content)
        process = ProcessIdentity(**fields["process"])
        return Owner(process, str(fields["namespace"]), str(fields["token"]), int(fields["deaths"]))
    except (ValueError, KeyError, TypeError):
        return None


def _remove(path: Path, token: str) -> None:
    """Removes the claim with this token, if it is there."""
    try:
        if _has(path, token) and _mark(path, token):
            if _has(path, token):
                path.unlink(missing_ok=True)
            _mark_path(path, token).unlink(missing_ok=True)
    except OSError:  # it lies there, and its process lives
        _not_released.add(token)
    _held.pop(token, None)


def _has(path: Path, token: str) -> bool:
    """Whether the claim is the one with this token. Raises OSError where the file system cannot say: a file server that
    is away for a moment has given nothing to another process."""
    try:
        owner = _owner_in(path.read_bytes())
    except FileNotFoundError:
        return False
    return owner is not None and owner.token == token


def _appears(draft: Path, path: Path, token: str) -> bool:
    """Whether ``draft`` with this token could get the name ``path``, which nothing had."""
    try:
        os.link(draft, path)
        return True
    except FileExistsError:  # also where a file server's answer was lost, and NFS has asked again
        return _has(path, token)
    except OSError:  # a file system without hard links: the name first, then the content
        return _made_with(draft.read_bytes(), path) or _has(path, token)


def _made_with(content: bytes, path: Path) -> bool:
    try:
        with path.open("xb") as stream:
            stream.write(content)
    except FileExistsError:
        return False
    return True


def _take_over(path: Path, dead: Owner | None, draft: Path) -> bool:
    """Replaces the claim of ``dead``, None for one that cannot be read, by ``draft``."""
    token = "unreadable" if dead is None else dead.token
    if not _mark(path, token):
        return False
    try:
        found = _read(path)
        is_same = found is None if dead is None else (found is not None and found.token == dead.token)
        if not is_same or not path.exists():
            return False
        draft.replace(path)
        return True
    finally:
        _mark_path(path, token).unlink(missing_ok=True)


def _mark(path: Path, token: str) -> bool:
    """Whether this process made the mark of a claim. One whose maker died in the instant that it lasts is removed: the
    next call can make a new one."""
    mark = _mark_path(path, token)
    content = json.dumps(dataclasses.asdict(Owner(this_process(), _namespace(), secrets.token_hex(8))))
    if _made_with(content.encode("ascii"), mark):
        return True
    maker = _read(mark)
    if _is_dead(mark, maker):
        removed = mark.with_name(f".{secrets.token_hex(8)}.claim")
        with suppress(OSError):
            mark.rename(removed)
            if _read(removed) != maker:  # another process has removed that one, and this is its own
                os.link(removed, mark)
            removed.unlink()
    return False


def _mark_path(path: Path, token: str) -> Path:
    return path.with_name(f".{token}.taken")


# -- who is dead -------------------------------------------------------------------------------------------------------


def _is_dead(path: Path, owner: Owner | None) -> bool:
    if owner is None or not (is_here(owner.process) and owner.namespace == _namespace()):
        return _age(path) > DEAD_SECONDS
    if owner.token in _not_released or not is_alive(owner.process):
        return True
    return _age(path) > (STOPPED_SECONDS if _is_seen(owner.process) else DEAD_SECONDS)


def _is_seen(process: ProcessIdentity) -> bool:
    """Whether it is certain that this process of this computer lives, and not a later one with its number."""
    return process.started != UNKNOWN_START and process.started == start_time(process.pid)


def _age(path: Path) -> float:
    """Seconds since the file was changed; 0 where it has gone."""
    try:
        return file_system_time(path.parent) - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


@lru_cache(maxsize=1)
def _namespace() -> str:
    """Linux: that of the process ids, namespaces(7), of this start of this computer. The first namespace has the same
    number everywhere, and several computers may have one host name. Elsewhere there is one namespace."""
    try:
        return f"{boot_id()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""
