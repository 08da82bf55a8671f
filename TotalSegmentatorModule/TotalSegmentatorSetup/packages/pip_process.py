"""Runs pip in a child process, and finds in its output why it failed."""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.process_identity import (
    UNKNOWN_START,
    ProcessIdentity,
    is_alive,
    is_here,
    read_identity,
    start_time,
    this_process,
    write_identity,
)
from TotalSegmentatorWire.processor_share import let_give_way

from TotalSegmentatorSetup.network.access import NetworkSettings, process_environment
from TotalSegmentatorSetup.packages.engine_program import wait_for
from TotalSegmentatorSetup.packages.python_choice import EnginePython, environment_for

_COMMON = ("--disable-pip-version-check", "--no-input", "--no-color", "--no-cache-dir", "--progress-bar", "off")
_RUNNING = "pip.json"
_PURPOSE = "the engine's packages"
_ASKED = r"(?:for url:|while getting|Could not fetch URL) \w+://(?:[^@/\s]*@)?([^/:\s]+)"
_BREAKING = frozenset(  # settings of pip that would put packages elsewhere, change the pins, or hide the reasons
    "PIP_" + name
    for name in (
        *("USER", "TARGET", "PREFIX", "ROOT", "SRC", "PYTHON", "REQUIREMENT", "EDITABLE", "CONSTRAINT", "REPORT"),
        *("REQUIRE_VIRTUALENV", "REQUIRE_HASHES", "DRY_RUN", "IGNORE_INSTALLED", "UPGRADE", "FORCE_REINSTALL", "PRE"),
        *("NO_DEPS", "NO_BINARY", "ONLY_BINARY", "PLATFORM", "PYTHON_VERSION", "IMPLEMENTATION", "ABI", "DEST"),
        *("WHEEL_DIR", "LOG", "QUIET", "VERBOSE", "DEBUG", "NO_BUILD_ISOLATION", "BREAK_SYSTEM_PACKAGES", "CACHE_DIR"),
    )
)


class Pip:
    """pip of one Python. ``settings`` honours the user's configuration; without them only the command line counts."""

    def __init__(self, python: EnginePython, network: NetworkSettings, temporary: Path) -> None:
        self._python = python
        self._network = network
        self._temporary = temporary
        self.log: list[str] = []
        """What pip printed, for the log of the set-up; holds paths."""

    def run(
        self,
        arguments: Sequence[str],
        while_running: Callable[[], None],
        index_url: str | None = None,
        with_settings: bool = True,
    ) -> None:
        """Raises SegmentationError as problem_of() makes it, and what ``while_running`` raises after ending pip."""
        details = self._temporary / "pip.log"
        details.unlink(missing_ok=True)
        options = [*_COMMON, "--log", str(details)]
        command = [*self._python.command, "-m", "pip", arguments[0], *options, *arguments[1:]]
        environment = self._environment(with_settings)
        group = {"creationflags": subprocess.CREATE_NO_WINDOW} if os.name == "nt" else {"start_new_session": True}
        with tempfile.TemporaryFile(dir=self._temporary) as output:
            try:
                process = subprocess.Popen(
                    command,
                    env=environment,
                    cwd=self._temporary,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    **group,
                )
            except OSError as error:
                raise SegmentationError("PIP_MISSING") from error
            identity = ProcessIdentity(process.pid, start_time(process.pid) or UNKNOWN_START, this_process().host)
            write_identity(self._temporary / _RUNNING, identity)
            let_give_way(process.pid)
            wait_for(process, while_running)
            output.seek(0)
            text = output.read().decode("utf-8", "replace") + _unfetched_pages(details)
        self.log.append(text)
        if process.returncode != 0:
            raise problem_of(text, index_url, self._network.proxy or environment.get("HTTPS_PROXY"))

    def _environment(self, with_settings: bool) -> dict[str, str]:
        kept = environment_for(self._python.is_own)
        kept = {name: value for name, value in kept.items() if name.upper() not in _BREAKING}
        if not with_settings:
            kept = {name: value for name, value in kept.items() if not name.upper().startswith("PIP_")}
            kept["PIP_CONFIG_FILE"] = os.devnull
        temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self._temporary))
        ours = {
            "PIP_REQUIRE_VIRTUALENV": "0",  # an environment variable goes before a configuration file
            "PIP_USER": "0",
            "PIP_RESUME_RETRIES": "5",  # pip from 25.1 on resumes broken downloads; older ones ignore it
            "PIP_ROOT_USER_ACTION": "ignore",
        }
        if self._network.proxy is not None:  # goes before pip's own setting of the user
            ours["PIP_PROXY"] = self._network.proxy
        return {**kept, **process_environment(self._network), **temporary, **ours}


def _unfetched_pages(details: Path) -> str:
    """What an index answered in place of a page: pip writes it only to its log."""
    try:
        lines = details.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return "".join(line + "\n" for line in lines if "Could not fetch URL" in line)


def end_orphan(temporary: Path) -> None:
    """Ends the pip that worked in ``temporary``, where it has outlived the process that started it."""
    identity = read_identity(temporary / _RUNNING)
    if identity is None or identity.started == UNKNOWN_START or not is_here(identity) or not is_alive(identity):
        return
    if os.name == "nt":
        subprocess.run(["taskkill", "/PID", str(identity.pid), "/T", "/F"], capture_output=True, check=False)
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(identity.pid, signal.SIGKILL)


# -- what pip prints ---------------------------------------------------------------------------------------------------


def problem_of(text: str, index_url: str | None = None, proxy: str | None = None) -> SegmentationError:
    """Why pip failed. The causes come before their consequences: an index that cannot be reached has no packages."""
    return (
        _problem_of_the_disk(text)
        or _problem_of_the_network(text, _host(text, index_url), proxy)
        or _problem_of_the_package(text)
        or SegmentationError("PACKAGE_INSTALL_FAILED", detail=short_reason(text))
    )


def _problem_of_the_disk(text: str) -> SegmentationError | None:
    if _has(text, r"No module named '?pip'?\b"):
        return SegmentationError("PIP_MISSING")
    if _has(text, r"No space left on device|Errno 28\b|Errno 122\b|WinError 112\b|not enough space on the disk"):
        return SegmentationError("DISK_FULL", needed_mb=0.0, free_mb=0.0)
    if _has(text, r"WinError (5|32|33)\b|being used by another process"):
        return SegmentationError("FILE_LOCKED")
    if _has(text, r"PermissionError|Permission denied|Errno (13|30)\b|Read-only file system"):
        return SegmentationError("FOLDER_NOT_WRITABLE", purpose=_PURPOSE)
    return None


def _problem_of_the_network(text: str, host: str, proxy: str | None) -> SegmentationError | None:
    if _has(text, r"DO NOT MATCH THE HASHES"):
        return SegmentationError("PACKAGE_WRONG_DIGEST")
    if _has(text, r"\b407 (Client Error|Proxy)|failed: 407|Proxy Authentication Required"):
        return SegmentationError("PROXY_PASSWORD_NEEDED", host=(urlsplit(proxy).hostname if proxy else None) or host)
    if _has(text, r"certificate is not yet valid"):
        return SegmentationError("CLOCK_WRONG", host=host, date=datetime.date.today().isoformat())
    if _has(text, r"CERTIFICATE_VERIFY_FAILED|SSLCertVerificationError|SSLError|certificate verify failed"):
        return SegmentationError("CERTIFICATE_NOT_TRUSTED", host=host)
    names = r"Name or service not known|getaddrinfo failed|nodename nor servname|name resolution|NameResolutionError"
    if _has(text, names):
        return SegmentationError("NETWORK_NAME_NOT_FOUND", host=host)
    if _has(text, r"\b(401|403) Client Error|HTTP error (401|403)"):
        return SegmentationError("DOWNLOAD_REFUSED", host=host, file=_file(text))
    if _has(text, r"\.whl.*\b404 Client Error|\b404 Client Error.*\.whl|HTTP error 404"):
        return SegmentationError("DOWNLOAD_NOT_FOUND", host=host, file=_file(text))
    status = re.search(r"\b(5\d\d) Server Error|HTTP error (5\d\d)|too many (5\d\d) error", text)
    if status:
        return SegmentationError(
            "DOWNLOAD_SERVER_FAILED", host=host, status=int(next(number for number in status.groups() if number))
        )
    if _has(text, r"NewConnectionError|ConnectTimeout|Connection refused|unreachable|ProxyError"):
        return SegmentationError("NETWORK_NO_ROUTE", host=host)
    cut = (
        r"IncompleteRead|IncompleteDownload|ProtocolError|Connection aborted|ConnectionReset|ReadTimeout|Read timed out"
    )
    if _has(text, cut):
        return SegmentationError("DOWNLOAD_CUT", host=host)
    if _has(text, r"Max retries exceeded|ConnectionError"):
        return SegmentationError("NETWORK_NO_ROUTE", host=host)
    return None


def _problem_of_the_package(text: str) -> SegmentationError | None:
    if _has(text, r"BadZipFile|has an invalid wheel|invalid wheel filename"):
        return SegmentationError("PACKAGE_WRONG_DIGEST")
    missing = re.search(r"No matching distribution found for ([A-Za-z0-9._-]+)(?:==([^\s;]+))?", text)
    if missing:
        return SegmentationError("PACKAGE_NOT_FOUND", package=missing[1])
    unsupported = re.search(r"([A-Za-z0-9._+-]+)\.whl is not a supported wheel", text)
    if unsupported:
        return SegmentationError("PACKAGE_NOT_FOUND", package=unsupported[1].split("-")[0])
    return None


def short_reason(text: str) -> str:
    """The last error that pip printed, without paths and addresses, which may hold a user's name."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(ERROR|error|[A-Za-z]*Error)\b", line)] or lines
    if not errors:
        return "pip gave no reason"
    line = re.sub(r"^(ERROR|error):\s*", "", errors[-1])
    line = re.sub(r"(['\"])[^'\"]*[/\\][^'\"]*\1", "a file", line)  # quoted paths may hold blanks
    return re.sub(r"(?:\S*://|[A-Za-z]:\\|\S*[/\\])\S*", "a file", line)[:160]


def _has(text: str, pattern: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None


def _host(text: str, index_url: str | None) -> str:
    """The server that pip could not talk to; else the first index that it was to ask."""
    found = re.search(r"host='([^']+)'", text) or re.search(_ASKED, text)
    if found:
        return found[1]
    listed = re.search(r"Looking in indexes: (\S+?),?\s", text)
    return urlsplit(index_url or (listed[1] if listed else "")).hostname or "of the package index"


def _file(text: str) -> str:
    found = re.search(r"/([^/\s?#]+\.(?:whl|tar\.gz|zip))", text)
    return found[1] if found else "of the package index"
