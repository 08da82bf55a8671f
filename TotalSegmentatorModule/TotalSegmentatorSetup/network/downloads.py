"""Downloads that survive: cut connections, killed processes, servers that fail, mirrors.

What has arrived lies in ``<name>.part``, and ``<name>.part.json`` states of which version of which file it is. A later
attempt, of this process or another, asks the server for the rest only.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import random
import time
import urllib.error
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from TotalSegmentatorWire.disk_space import disk_full, is_disk_full, require_space
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.retry import retry_while_locked

from TotalSegmentatorSetup.network.access import NetworkSettings, open_url, problem_of
from TotalSegmentatorSetup.support.folders import require_writable
from TotalSegmentatorSetup.support.progress import SetupReporter

_CHUNK_BYTES = 256 * 1024
_ATTEMPTS = 5
"""On one server without a byte of progress in between."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
"""Seconds between attempts; each is twice as long as the one before, and varied so that a department's computers do
not come back together."""
_RETRIED = ("DOWNLOAD_CUT", "DOWNLOAD_SERVER_FAILED", "NETWORK_NO_ROUTE", "NETWORK_NAME_NOT_FOUND")
"""What another attempt may cure."""
_PURPOSE = "downloads"


@dataclass(frozen=True)
class RemoteFile:
    """A published file. ``bytes`` and ``sha256`` are None where its publisher does not state them."""

    name: str
    urls: Sequence[str]
    """The same file on several servers, in the order in which they are asked."""
    bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Downloaded:
    path: Path
    sha256: str


@dataclass(frozen=True)
class _Version:
    """Which file a partial download is of. ``validator`` is its ETag or date, for If-Range."""

    url: str
    validator: str | None
    total: int | None


def download(
    file: RemoteFile,
    folder: Path,
    network: NetworkSettings,
    reporter: SetupReporter,
    pause: Callable[[float], None] = time.sleep,
) -> Downloaded:
    """Brings ``file`` into ``folder`` (made if need be) under its name, whole and with the digest that it should have.

    The caller has begun the reporter's task. A server that fails is followed by the next one. Raises SegmentationError;
    what has arrived is kept, but for a file of the wrong digest or size.
    """
    require_writable(folder, _PURPOSE)
    whole = folder / file.name
    partial = _Partial(folder, file.name)
    known = file.sha256 or partial.finished_digest(file.urls)
    if whole.is_file() and known is not None and digest_of(whole, reporter) == known:
        return Downloaded(whole, known)
    if file.bytes is not None:
        require_space(folder, file.bytes - partial.size)
    for number, url in enumerate(file.urls):
        try:
            return _Attempts(file, url, partial, network, reporter, pause).run()
        except SegmentationError as error:
            if number + 1 == len(file.urls) or not _another_may_do(error):
                raise
            host = urlsplit(url).hostname or ""
            reporter.warning(Problem("MIRROR_TRIED", {"host": host, "file": file.name}))
    raise SegmentationError("DOWNLOAD_NOT_FOUND", host="", file=file.name)


def digest_of(path: Path, reporter: SetupReporter) -> str:
    """SHA-256 as hexadecimal digits. Raises SegmentationError("SETUP_CANCELLED")."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES * 4):
            reporter.check_cancelled()
            digest.update(chunk)
    return digest.hexdigest()


def forget_download(whole: Path) -> None:
    """Removes a downloaded file that has been used, and what is remembered of it."""
    whole.unlink(missing_ok=True)
    _finished_record(whole).unlink(missing_ok=True)


def _finished_record(whole: Path) -> Path:
    return whole.with_name(f"{whole.name}.json")


def _another_may_do(error: SegmentationError) -> bool:
    return error.code not in ("SETUP_CANCELLED", "DISK_FULL", "FOLDER_NOT_WRITABLE", "FILE_LOCKED")


class _Partial:
    """What has arrived of a file."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.part"
        self.whole = folder / name
        self._record = folder / f"{name}.part.json"
        self._finished = _finished_record(self.whole)

    @property
    def size(self) -> int:
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def version(self) -> _Version | None:
        """Of what the part is; None where nobody knows, so that it is of no use."""
        try:
            return _Version(**json.loads(self._record.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def begin(self, version: _Version) -> None:
        """From the beginning, of this version."""
        self.path.unlink(missing_ok=True)
        self._record.write_text(json.dumps(asdict(version)), encoding="utf-8")

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self._record.unlink(missing_ok=True)

    def finish(self, url: str, digest: str, is_published: bool) -> Path:
        """Gives the part its name, and remembers a digest that nobody has published.

        Raises SegmentationError("FILE_LOCKED") if it stays in another program's hands.
        """
        retry_while_locked(lambda: self.path.replace(self.whole))
        if not is_published:
            self._finished.write_text(json.dumps({"url": url, "sha256": digest}), encoding="utf-8")
        self._record.unlink(missing_ok=True)
        return self.whole

    def finished_digest(self, urls: Sequence[str]) -> str | None:
        """Of a whole file that was downloaded from one of ``urls`` and not used yet."""
        try:
            record = json.loads(self._finished.read_text(encoding="utf-8"))
            return str(record["sha256"]) if record["url"] in urls else None
        except (OSError, ValueError, KeyError, TypeError):
            return None


class _Attempts:
    """The attempts to get the file from one server."""

    def __init__(
        self,
        file: RemoteFile,
        url: str,
        partial: _Partial,
        network: NetworkSettings,
        reporter: SetupReporter,
        pause: Callable[[float], None],
    ) -> None:
        self._file = file
        self._url = url
        self._host = urlsplit(url).hostname or ""
        self._partial = partial
        self._network = network
        self._reporter = reporter
        self._pause = pause
        self._total = file.bytes
        self._has_warned = False

    def run(self) -> Downloaded:
        failures = 0
        while True:
            before = self._partial.size
            try:
                self._transfer()
                return self._checked()
            except SegmentationError as error:
                grown = self._partial.size > before
                failures = 1 if grown else failures + 1
                if error.code not in _RETRIED or failures >= _ATTEMPTS:
                    raise
            self._wait(failures)

    def _wait(self, failures: int) -> None:
        longest = min(_FIRST_PAUSE * 2.0 ** (failures - 1), _LONGEST_PAUSE)
        left = longest * random.uniform(0.5, 1.0)
        while left > 0:  # in short pieces, so that the user can cancel
            self._reporter.check_cancelled()
            self._pause(min(left, 0.2))
            left -= 0.2

    # -- one attempt ---------------------------------------------------------------------------------------------------

    def _transfer(self) -> None:
        """One request for what is missing. Raises SegmentationError."""
        have = self._usable()
        if have and have == (self._total or self._partial.version().total):
            return
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
            validator = self._partial.version().validator
            if validator is not None:
                headers["If-Range"] = validator
        try:
            stays_there = self._file.sha256 is None  # nothing else vouches for the file
            with open_url(self._url, self._network, headers, stays_there=stays_there) as response:
                self._receive(response, have)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416 and have:  # the server has fewer bytes than we: another file
                self._partial.remove()
                raise SegmentationError("DOWNLOAD_CUT", host=self._host) from error
            raise problem_of(error, self._host, self._file.name) from error
        except (OSError, http.client.HTTPException) as error:
            raise self._problem_of_disk(error) or problem_of(error, self._host, self._file.name) from error

    def _usable(self) -> int:
        """Bytes of the part that can be continued from this server.

        From another one only if the digest is known, which then proves that both have the same file.
        """
        version, have = self._partial.version(), self._partial.size
        is_ours = version is not None and version.url == self._url
        is_proved = version is not None and self._file.sha256 is not None
        if version is None or not ((is_ours and version.validator is not None) or is_proved):
            return 0
        total = self._total if self._total is not None else version.total
        return have if total is None or have <= total else 0

    def _receive(self, response: Any, have: int) -> None:
        length = response.headers.get("Content-Length")
        length = int(length) if length is not None and length.isdigit() else None
        start = have if response.status == 206 and _starts_at(response, have) else 0
        if have and start == 0:
            self._warn_of_start(response)
        known = None if length is None else start + length
        if self._file.bytes is not None and known is not None and known != self._file.bytes:
            self._partial.remove()
            raise SegmentationError("DOWNLOAD_WRONG_SIZE", file=self._file.name, found=known, expected=self._file.bytes)
        self._total = self._file.bytes if self._file.bytes is not None else known
        if self._total is not None:
            require_space(self._partial.path.parent, self._total - start)
        if start == 0:
            self._partial.begin(_Version(self._url, _validator(response), self._total))
        self._write(response, start)

    def _write(self, response: Any, start: int) -> None:
        """Each piece as it comes and unbuffered, so that a killed process has lost next to nothing."""
        done = start
        with self._partial.path.open("ab", buffering=0) as stream:
            while chunk := response.read1(_CHUNK_BYTES):
                written = 0
                while written < len(chunk):
                    written += stream.write(chunk[written:])
                done += len(chunk)
                self._reporter.advance(done / self._total if self._total else 0.0, done, self._total)
        if self._total is not None and done < self._total:
            raise SegmentationError("DOWNLOAD_CUT", host=self._host)

    def _warn_of_start(self, response: Any) -> None:
        """Only where the server cannot go on; a file that has changed is a matter of course."""
        version = self._partial.version()
        is_same = version is not None and version.url == self._url and version.validator == _validator(response)
        if is_same and not self._has_warned:
            self._has_warned = True
            self._reporter.warning(Problem("DOWNLOAD_FROM_START", {"host": self._host, "file": self._file.name}))

    def _problem_of_disk(self, error: BaseException) -> SegmentationError | None:
        if not is_disk_full(error):
            return None
        return disk_full(self._partial.path.parent, max((self._total or 0) - self._partial.size, 0))

    def _checked(self) -> Downloaded:
        """The whole file under its name, if it is what it should be."""
        size = self._partial.size
        if self._file.bytes is not None and size != self._file.bytes:
            self._partial.remove()
            raise SegmentationError("DOWNLOAD_WRONG_SIZE", file=self._file.name, found=size, expected=self._file.bytes)
        found = digest_of(self._partial.path, self._reporter)
        if self._file.sha256 is not None and found != self._file.sha256:
            self._partial.remove()
            raise SegmentationError("DOWNLOAD_WRONG_DIGEST", file=self._file.name)
        self._reporter.advance(1.0, size, size)
        return Downloaded(self._partial.finish(self._url, found, self._file.sha256 is not None), found)


def _validator(response: Any) -> str | None:
    """What If-Range takes: a strong ETag, else the date (RFC 9110, 13.1.5)."""
    tag = response.headers.get("ETag")
    if tag is not None and not tag.startswith("W/"):
        return str(tag)
    return response.headers.get("Last-Modified")


def _starts_at(response: Any, position: int) -> bool:
    content_range = response.headers.get("Content-Range", "")
    with contextlib.suppress(ValueError, IndexError):
        return int(content_range.split()[1].split("-")[0]) == position
    return False
