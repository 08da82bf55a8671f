"""Installing the engine's packages with the real pip, from tiny wheels in a folder or on a server of this machine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from tiny_wheels import (
    PackageIndex,
    make_resources,
    make_wheel,
    make_wheels,
    running_index,
    variant_row,
)
from TotalSegmentatorSetup.network.access import NetworkSettings
from TotalSegmentatorSetup.packages import package_store
from TotalSegmentatorSetup.packages.nvidia_driver import Driver, Gpu
from TotalSegmentatorSetup.packages.package_store import EngineStore, PackageSources, check_path_length, newest_engine
from TotalSegmentatorSetup.packages.pip_process import problem_of
from TotalSegmentatorSetup.packages.python_choice import EnginePython, own_python
from TotalSegmentatorSetup.support import retry
from TotalSegmentatorSetup.support.progress import SetupReporter
from TotalSegmentatorWire.errors.problem import SegmentationError

WORKS = {"versions": {}, "device": "cpu", "device_name": "", "gpu_problem": None}


class FirstTest:
    """Stands in for the engine's first test, which needs the real torch."""

    answer: dict | SegmentationError = WORKS

    def __init__(self, python: str, packages_folder: Path) -> None:
        self.packages_folder = packages_folder

    def ask(self, arguments: list[str], check_cancelled) -> dict:
        assert arguments[0] == "test-engine"
        if isinstance(self.answer, SegmentationError):
            raise self.answer
        return self.answer


@pytest.fixture(autouse=True)
def without_settings_of_this_machine(monkeypatch):
    """pip asks nothing but what the test serves, at once."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def first_test(monkeypatch) -> type[FirstTest]:
    monkeypatch.setattr(package_store, "EngineProgram", FirstTest)
    monkeypatch.setattr(FirstTest, "answer", WORKS)
    return FirstTest


class QuickPip:
    """Does what pip does with tiny wheels, without its seconds: most tests are about what stands around it."""

    def __init__(self, python: EnginePython, network: NetworkSettings, temporary: Path) -> None:
        self.log: list[str] = []

    def run(self, arguments: list[str], while_running, index_url=None, with_settings=True) -> None:
        while_running()
        folders = [Path(after) for word, after in pairwise(arguments) if word == "--find-links"]
        wheels = [wheel for folder in folders for wheel in folder.glob("*.whl")]
        if arguments[0] == "install":
            for wheel in wheels:
                zipfile.ZipFile(wheel).extractall(_after(arguments, "--target"))
            return
        part = Path(_after(arguments, "--wheel-dir"))
        part.mkdir(exist_ok=True)
        for pin in (word for word in arguments if "==" in word):
            shutil.copy(next(wheel for wheel in wheels if wheel.name.startswith(pin.replace("==", "-") + "-")), part)


def _after(arguments: list[str], option: str) -> str:
    return arguments[arguments.index(option) + 1]


@pytest.fixture
def quick(monkeypatch) -> None:
    monkeypatch.setattr(package_store, "Pip", QuickPip)


class Bench:
    """A store in a folder that many users have the like of, its wheels, and what was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "Sa É 患者" / "engine"
        self.wheels = make_wheels(folder / "whéels of 患者")
        self.resources = make_resources(folder / "resources")
        self.events: list = []
        self.is_cancelled = False
        self.options: dict = {"python": own_python, "driver": lambda: None}

    def store(self, sources: PackageSources | None = None) -> EngineStore:
        reporter = SetupReporter(self.events.append, lambda: self.is_cancelled)
        sources = sources or PackageSources(wheel_folder=self.wheels)
        return EngineStore(self.folder, NetworkSettings(), reporter, sources, self.resources, **self.options)

    def install(self, sources: PackageSources | None = None) -> package_store.InstalledEngine:
        store = self.store(sources)
        plan = store.plan()
        store._reporter.expect(store.tasks(plan))
        return store.install(plan)

    def fails(self, sources: PackageSources | None = None) -> SegmentationError:
        with pytest.raises(SegmentationError) as raised:
            self.install(sources)
        return raised.value

    def left(self) -> list[str]:
        return sorted(entry.name for entry in self.folder.iterdir()) if self.folder.is_dir() else []

    def warnings(self) -> list[str]:
        return [event.problem["code"] for event in self.events if event.KIND == "warning"]


@pytest.fixture
def bench(tmp_path, first_test) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def index(bench):
    with running_index(bench.wheels) as running:
        yield running


def given(index: PackageIndex) -> PackageSources:
    return PackageSources(index_url=index.url)


# -- what is installed -------------------------------------------------------------------------------------------------


def test_packages_lie_in_a_folder_of_their_own_with_a_record(quick, bench):
    engine = bench.install()

    assert engine.folder.name.startswith("py{}.{}-cpu-".format(*sys.version_info[:2]))
    assert bench.left() == [engine.folder.name], "no wheels, drafts or locks are left"
    assert engine.versions == {"torch": "1.0", "tiny-a": "1.0", "tiny-b": "2.0"}
    assert sorted(path.name for path in engine.packages.glob("module_of_*")) == [
        "module_of_tiny_a",
        "module_of_tiny_b",
        "module_of_torch",
    ]
    assert sorted(path.name for path in engine.folder.iterdir()) == ["engine.json", "packages"]
    assert (engine.device, engine.python, engine.bytes > 0) == ("cpu", sys.executable, True)
    assert bench.store().newest() == newest_engine(bench.folder) == engine
    progress = [event for event in bench.events if event.KIND == "setup_progress"]
    assert [*dict.fromkeys(event.step for event in progress)] == [
        "downloading_packages",
        "installing_packages",
        "testing_engine",
    ]
    assert [event.fraction for event in progress] == sorted(event.fraction for event in progress)


def test_the_plan_says_what_would_be_installed_and_writes_nothing(bench):
    plan = bench.store(PackageSources(index_url="https://packages.example.org/simple")).plan()

    assert (plan.variant.id, plan.bytes, plan.disk_bytes) == ("cpu", 2000, 7400)
    assert plan.hosts == ("packages.example.org",) and plan.python == sys.executable
    assert not bench.folder.exists()
    assert bench.store().plan().hosts == ()
    assert bench.store(PackageSources()).plan().hosts == ("packages.example",)


def test_other_requirements_lie_beside_and_the_newest_is_used(quick, bench):
    first = bench.install()
    make_wheel(bench.wheels, "tiny_b", "2.1")
    make_resources(bench.resources, lock="tiny_a==1.0\ntiny_b==2.1\n")
    second = bench.install()

    assert first.folder != second.folder and first.folder.is_dir()
    assert bench.store().all() == [second, first]
    bench.store().remove(second)
    assert bench.store().newest() == first and bench.left() == [first.folder.name]


def test_what_is_not_complete_is_no_engine(quick, bench):
    engine = bench.install()
    record = json.loads((engine.folder / "engine.json").read_text())

    for change in ({"python_version": "3.7"}, {"machine": "riscv"}, {"python": "/gone/python"}, {"record": 99}):
        (engine.folder / "engine.json").write_text(json.dumps(record | change))
        assert bench.store().newest() is None, change
    (engine.folder / "engine.json").write_text('{"record": 1, "py')
    assert bench.store().newest() is None
    assert bench.install().folder == engine.folder, "it is installed in its place"


def test_removing_all_leaves_nothing(quick, bench):
    bench.install()
    (bench.folder / ".wheels" / "py3.12-cpu-0").mkdir(parents=True)
    (bench.folder / ".tsm-old-py-abc123").mkdir()
    bench.store().remove_all()

    assert not bench.folder.exists()
    bench.store().remove_all()


def test_removing_all_leaves_what_is_not_ours(quick, bench):
    bench.install()
    (bench.folder / "notes.txt").write_text("mine")
    bench.store().remove_all()

    assert bench.left() == ["notes.txt"]


def test_two_that_install_at_once_install_once(quick, bench, monkeypatch):
    """The second waits for the first, and finds what it wanted."""
    is_running, go_on, calls = threading.Event(), threading.Event(), []

    class SlowPip(QuickPip):
        def run(self, arguments: list[str], *rest, **options) -> None:
            calls.append(arguments[0])
            is_running.set()
            assert go_on.wait(20)
            super().run(arguments, *rest, **options)

    monkeypatch.setattr(package_store, "Pip", SlowPip)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(bench.install)
        assert is_running.wait(20)
        second = pool.submit(bench.install)
        with pytest.raises(SegmentationError, match="Another Slicer"):
            bench.store().remove_all()
        go_on.set()
        assert first.result() == second.result()
    assert calls == ["wheel", "wheel", "install"]


def test_too_little_room_is_reported_before_anything_is_fetched(bench):
    make_resources(bench.resources, variant_row(bytes=10**16))
    error = bench.fails()

    assert error.code == "DISK_FULL" and error.problem.values["needed_mb"] > 10**10
    assert bench.left() == [".wheels"] and not list((bench.folder / ".wheels").rglob("*.whl"))


# -- settings that would break it --------------------------------------------------------------------------------------


@pytest.mark.slow  # pip runs three times
def test_settings_of_pip_that_would_break_it_have_no_effect(bench, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nrequire-virtualenv = true\n[install]\nuser = true\ntarget = {}\n".format(elsewhere))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    for name, value in {"TARGET": str(elsewhere), "USER": "1", "PREFIX": str(elsewhere), "DRY_RUN": "1"}.items():
        monkeypatch.setenv("PIP_" + name, value)
    monkeypatch.setenv("PIP_REQUIRE_VIRTUALENV", "1")
    monkeypatch.setenv("PYTHONPATH", str(elsewhere))
    monkeypatch.setenv("PYTHONINSPECT", "1")

    engine = bench.install()
    assert (engine.packages / "module_of_torch" / "__init__.py").is_file() and not elsewhere.exists()
    assert bench.left() == [engine.folder.name]


@pytest.mark.slow  # pip runs four times
def test_pytorchs_own_index_that_does_not_answer_is_passed_over(bench, index, monkeypatch):
    """What other indexes give may need libraries, which come along then, in the lock's versions."""
    make_resources(bench.resources, variant_row(index_url="http://127.0.0.1:9/whl", tag="cpu"))
    make_wheel(bench.wheels, "torch", "1.0", needs="libtorch==3.0")
    make_wheel(bench.wheels, "libtorch", "3.0", needs="tiny_a")
    make_wheel(bench.wheels, "tiny_a", "1.1")
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    engine = bench.install(PackageSources())

    assert engine.versions == {"torch": "1.0", "libtorch": "3.0", "tiny-a": "1.0", "tiny-b": "2.0"}
    assert bench.warnings() == ["MIRROR_TRIED"]


@pytest.mark.slow  # pip runs three times
def test_a_flavours_own_index_gives_its_own_build(bench, index, tmp_path, monkeypatch):
    with running_index(tmp_path / "whl") as own:
        make_wheel(tmp_path / "whl", "torch", "1.0+gpu", needs="unwanted")
        make_resources(bench.resources, variant_row(index_url=own.url, tag="gpu"))
        monkeypatch.setenv("PIP_INDEX_URL", index.url)
        engine = bench.install(PackageSources())

    assert engine.versions == {"torch": "1.0+gpu", "tiny-a": "1.0", "tiny-b": "2.0"}


# -- broken off --------------------------------------------------------------------------------------------------------

_INSTALLING = """
import sys
from pathlib import Path
sys.path[:0] = {paths!r}
from TotalSegmentatorSetup.packages.nvidia_driver import Driver
from TotalSegmentatorSetup.packages.package_store import EngineStore, NetworkSettings, PackageSources
from TotalSegmentatorSetup.packages.pip_process import problem_of
from TotalSegmentatorSetup.packages.python_choice import own_python
from TotalSegmentatorSetup.support.progress import SetupReporter
store = EngineStore(Path({folder!r}), NetworkSettings(), SetupReporter(lambda event: None),
    PackageSources(index_url={url!r}), Path({resources!r}), own_python, lambda: None)
store.install(store.plan())
"""


@pytest.mark.slow  # pip runs five times
def test_killed_half_way_it_goes_on_with_what_it_had(bench, index):
    """The process dies without a word while pip is in the middle of the last wheel."""
    index.stalled = {"tiny_b"}
    program = _INSTALLING.format(
        paths=[path for path in sys.path if path],
        folder=str(bench.folder),
        resources=str(bench.resources),
        url=index.url,
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    assert index.is_stalling.wait(30)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert any(name.startswith(".tsm-new-") for name in bench.left())
    assert bench.store().newest() is None

    index.stalled = set()
    engine = bench.install(given(index))
    assert engine.versions["tiny-b"] == "2.0"
    assert index.fetched == {"torch": 1, "tiny_a": 1, "tiny_b": 2}, "whole wheels are not fetched again"
    assert bench.left() == [engine.folder.name]


def test_cancelled_it_stops_pip_and_can_be_removed_whole(bench, index):
    index.stalled = {"tiny_b"}

    def cancel() -> None:
        index.is_stalling.wait(30)
        bench.is_cancelled = True

    threading.Thread(target=cancel, daemon=True).start()
    started = time.monotonic()
    assert bench.fails(given(index)).code == "SETUP_CANCELLED"
    assert time.monotonic() - started < 20
    assert bench.left() == [".wheels"], "what it had is kept until then"
    assert not _processes_with(str(bench.folder)), "pip has ended as well"

    bench.is_cancelled = False
    bench.store().remove_all()
    assert not bench.folder.exists()


def _processes_with(text: str) -> list[str]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = file.read_bytes().decode("utf-8", "replace")
        except OSError:  # it has just ended
            continue
        if text in command:
            found.append(command)
    return found


# -- failures ----------------------------------------------------------------------------------------------------------


def test_a_package_that_is_nowhere_is_named(bench, index):
    (bench.wheels / "tiny_b-2.0-py3-none-any.whl").unlink()

    error = bench.fails(given(index))
    assert (error.code, error.problem.values) == ("PACKAGE_NOT_FOUND", {"package": "tiny_b"})
    assert bench.left() == [".wheels"]


def test_an_index_that_refuses_is_reported_by_its_name(bench, index):
    index.status = 403
    error = bench.fails(given(index))

    assert error.code == "DOWNLOAD_REFUSED" and error.problem.values["host"] == "127.0.0.1"


def test_a_wheel_that_is_not_the_published_one_is_refused(bench, index):
    index.wrong_digest = True

    assert bench.fails(given(index)).code == "PACKAGE_WRONG_DIGEST"


SSL_FAILS = "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {}"
RETRY = "WARNING: Retrying (Retry(total=0)) after connection broken by '{}': /simple/torch/\n"
NOT_FOUND = "ERROR: No matching distribution found for torch==2.13.0\n"
NO_NAME = "NewConnectionError('Failed to establish a new connection: [Errno -2] Name or service not known')"
NO_WAY = "NewConnectionError('Failed to establish a new connection: [Errno 111] Connection refused')"
FOR_URL = "ERROR: HTTP error 503 while getting https://u:secret@pypi.example.org/a/x-1.0-py3-none-any.whl\n"


@pytest.mark.parametrize(
    ("printed", "code"),
    [
        (RETRY.format(NO_NAME) + NOT_FOUND, "NETWORK_NAME_NOT_FOUND"),
        (
            RETRY.format("NewConnectionError('... [Errno 11001] getaddrinfo failed')") + NOT_FOUND,
            "NETWORK_NAME_NOT_FOUND",
        ),
        (RETRY.format(NO_WAY) + NOT_FOUND, "NETWORK_NO_ROUTE"),
        (RETRY.format("ConnectTimeoutError('Connection to pypi.org timed out.')") + NOT_FOUND, "NETWORK_NO_ROUTE"),
        (RETRY.format("ReadTimeoutError('Read timed out.')") + NOT_FOUND, "DOWNLOAD_CUT"),
        (
            "pip._vendor.urllib3.exceptions.ProtocolError: ('Connection broken: IncompleteRead(9 bytes)')",
            "DOWNLOAD_CUT",
        ),
        (
            RETRY.format("ProxyError('...', OSError('Tunnel connection failed: 407 Proxy Authentication Required'))"),
            "PROXY_PASSWORD_NEEDED",
        ),
        (RETRY.format(SSL_FAILS.format("self-signed certificate in certificate chain")), "CERTIFICATE_NOT_TRUSTED"),
        (RETRY.format(SSL_FAILS.format("certificate is not yet valid")), "CLOCK_WRONG"),
        (FOR_URL, "DOWNLOAD_SERVER_FAILED"),
        ("ERROR: HTTP error 404 while getting https://pypi.org/a/x-1.0-py3-none-any.whl", "DOWNLOAD_NOT_FOUND"),
        ("  Downloading x-1.0-py3-none-any.whl (407 kB)\n" + NOT_FOUND, "PACKAGE_NOT_FOUND"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "PACKAGE_WRONG_DIGEST"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "DISK_FULL"),
        ("ERROR: Could not install: [WinError 32] The process cannot access the file: 'C:\\Users\\x y'", "FILE_LOCKED"),
        ("ERROR: Could not install: [Errno 13] Permission denied: '/Users/someone/x'", "FOLDER_NOT_WRITABLE"),
        ("/opt/python: No module named pip", "PIP_MISSING"),
        ("ERROR: tiny_b-2.0-cp39-cp39-win_amd64.whl is not a supported wheel on this platform.", "PACKAGE_NOT_FOUND"),
        ("ERROR: something new in /Users/someone/x and 'C:\\Users\\some one\\y'\n", "PACKAGE_INSTALL_FAILED"),
        ("", "PACKAGE_INSTALL_FAILED"),
    ],
)
def test_what_pip_prints_has_its_failure(printed, code):
    error = problem_of(printed)

    assert error.code == code
    assert not any(word in str(error) for word in ("someone", "some one", "secret", "Users", "/home")), str(error)


def test_the_server_that_pip_could_not_reach_is_named():
    assert problem_of(FOR_URL).problem.values == {"host": "pypi.example.org", "status": 503}
    assert (
        problem_of(NO_NAME, "https://u:secret@mirror.example.org/simple").problem.values["host"] == "mirror.example.org"
    )
    proxied = problem_of("Tunnel connection failed: 407", None, "http://u:secret@proxy.example.org:8080")
    assert proxied.problem.values["host"] == "proxy.example.org"


def test_a_python_without_pip_is_reported(bench, tmp_path):
    bare = tmp_path / "python"
    bare.write_text('#!/bin/sh\necho "$0: No module named pip" >&2; exit 1\n')
    bare.chmod(0o755)
    for path in (str(bare), str(tmp_path / "gone")):
        own = own_python()
        bench.options["python"] = lambda path=path, own=own: EnginePython(path, own.version, own.machine)
        assert bench.fails().code == "PIP_MISSING"


def test_an_engine_that_does_not_work_leaves_no_trace(quick, bench, first_test):
    first_test.answer = SegmentationError("ENGINE_TEST_FAILED", detail="OSError: /Users/someone/x.so: bad magic")
    error = bench.fails()

    assert error.code == "ENGINE_TEST_FAILED"
    assert "someone" not in str(error) and "bad magic" in str(error)
    assert bench.left() == [".wheels"] and bench.store().newest() is None


def test_repair_that_fails_keeps_the_engine_that_was_there(quick, bench, first_test):
    engine = bench.install()
    first_test.answer = SegmentationError("ENGINE_MISSING", package="numpy")

    assert "numpy" in str(bench.fails())
    assert bench.store().newest() == engine


def test_repair_replaces_the_engine(quick, bench):
    first = bench.install()
    (first.packages / "module_of_tiny_a" / "__init__.py").unlink()
    second = bench.install()

    assert second.folder == first.folder and second.created > first.created
    assert (second.packages / "module_of_tiny_a" / "__init__.py").is_file()


def test_a_card_that_cannot_compute_is_a_warning(quick, bench, first_test):
    make_resources(bench.resources, variant_row(id="cu", device="cuda", minimum_driver="500"), variant_row())
    bench.options["driver"] = lambda: Driver("510.1", (Gpu("NVIDIA T400"),))
    first_test.answer = WORKS | {"gpu_problem": "RuntimeError: no kernel image is available"}
    engine = bench.install()

    assert (engine.variant, engine.device) == ("cu", "cpu") and "no kernel" in engine.gpu_problem
    assert bench.warnings() == ["GPU_UNUSABLE"]
    (warning,) = [event.problem for event in bench.events if event.KIND == "warning"]
    assert warning["values"] == {"device": "NVIDIA T400"}


def test_a_file_that_stays_locked_is_reported(quick, bench, monkeypatch):
    monkeypatch.setattr(retry, "_PAUSES", (0.0, 0.0))
    attempts = []

    def rename(self: Path, target: Path) -> None:
        attempts.append(self)
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr(Path, "rename", rename)
    assert bench.fails().code == "FILE_LOCKED"
    assert len(attempts) == 3


def test_a_file_that_is_locked_for_a_moment_is_no_failure(quick, bench, monkeypatch):
    monkeypatch.setattr(retry, "_PAUSES", (0.0, 0.0))
    rename, failures = Path.rename, [PermissionError(13, "Access is denied")]

    def rename_later(self: Path, target: Path) -> Path:
        if failures:
            raise failures.pop()
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", rename_later)
    assert bench.install().versions


def test_windows_is_reported_of_paths_that_it_cannot_open():
    check_path_length(259, "Windows")
    check_path_length(400, "Linux")
    with pytest.raises(SegmentationError, match="too long a path for Windows"):
        check_path_length(260, "Windows")


# -- the engine's own test ---------------------------------------------------------------------------------------------


def test_broken_packages_fail_the_engines_own_test(quick, tmp_path):
    """The real test, in a process with a torch that cannot be imported."""
    bench = Bench(tmp_path)
    make_wheel(bench.wheels, "torch", "1.0", code="raise ImportError('libtorch.so: cannot open')", module="torch")
    error = bench.fails()

    assert error.code == "ENGINE_TEST_FAILED" and "libtorch" in str(error)
    assert bench.left() == [".wheels"]


@pytest.mark.slow  # the engine's own test imports torch, in a process of its own: 7 s
def test_good_packages_pass_the_engines_own_test(quick, tmp_path):
    """The tiny torch is only a name; the one that computes is that of these tests."""
    bench = Bench(tmp_path)
    make_resources(bench.resources, variant_row(id="cu", device="cuda", minimum_driver="500"), variant_row())
    bench.options["driver"] = lambda: Driver("510.1", (Gpu("NVIDIA T400"),))
    engine = bench.install()

    assert engine.device == "cpu" and engine.gpu_problem, "there is no CUDA in the torch of these tests"
    assert bench.warnings() == ["GPU_UNUSABLE"]
    assert engine.program.ask(["test-engine", "--device", "cpu"])["gpu_problem"] is None
