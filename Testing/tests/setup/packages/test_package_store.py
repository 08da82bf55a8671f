"""Installing the engine's packages with the real pip, from tiny wheels in a folder or on a server of this machine."""

from __future__ import annotations

import json
import platform
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from package_bench import QuickPip, given
from tiny_wheels import (
    make_resources,
    make_wheel,
    running_index,
    variant_row,
)
from TotalSegmentatorSetup.packages import package_store
from TotalSegmentatorSetup.packages.package_store import PackageSources, newest_engine
from TotalSegmentatorWire.errors.problem import SegmentationError

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
        with pytest.raises(SegmentationError, match="Another instance of Slicer"):
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


def with_libraries(bench, **row) -> None:
    """PyTorch's own index does not answer, and what other indexes give needs libraries."""
    make_resources(bench.resources, variant_row(index_url="http://127.0.0.1:9/whl", tag="cpu", **row))
    make_wheel(bench.wheels, "torch", "1.0", needs="nvidia_cuda==3.0")
    make_wheel(bench.wheels, "nvidia_cuda", "3.0", needs="tiny_a")
    make_wheel(bench.wheels, "tiny_a", "1.1")


WITH_LIBRARIES = {"torch": "1.0", "nvidia-cuda": "3.0", "tiny-a": "1.0", "tiny-b": "2.0"}
"""The lock's versions."""


@pytest.mark.slow  # pip runs four times
def test_pytorchs_own_index_that_does_not_answer_is_passed_over(bench, index, monkeypatch):
    """For someone who agreed to the large packages."""
    with_libraries(bench, libraries=True)
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    engine = bench.install(PackageSources())

    assert engine.versions == WITH_LIBRARIES
    assert bench.warnings() == ["MIRROR_TRIED"]


@pytest.mark.slow  # pip runs twice
@pytest.mark.skipif(platform.system() != "Linux", reason="elsewhere PyTorch for the CPU comes from the usual index")
def test_someone_who_agreed_to_the_small_packages_does_not_get_the_large_ones(bench, index, monkeypatch):
    with_libraries(bench)
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    error = bench.fails(PackageSources())

    assert (error.code, error.problem.values["host"]) == ("TORCH_SERVER_NEEDED", "127.0.0.1")
    assert not index.fetched
    assert bench.store().newest() is None


@pytest.mark.slow  # pip runs three times
@pytest.mark.skipif(platform.system() != "Linux", reason="elsewhere PyTorch for the CPU comes from the usual index")
def test_large_packages_come_from_an_index_that_was_named_with_a_warning(bench, index):
    with_libraries(bench)
    engine = bench.install(given(index))

    assert engine.versions == WITH_LIBRARIES
    assert bench.warnings() == ["TORCH_WITH_GPU_LIBRARIES"]


@pytest.mark.slow  # pip runs three times
def test_a_variants_own_index_gives_its_own_build(bench, index, tmp_path, monkeypatch):
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
from TotalSegmentatorSetup.packages.package_store import PackageStore, NetworkSettings, PackageSources
from TotalSegmentatorSetup.packages.pip_process import problem_of
from TotalSegmentatorSetup.packages.python_choice import own_python
from TotalSegmentatorSetup.support.progress import SetupReporter
store = PackageStore(Path({folder!r}), NetworkSettings(), SetupReporter(lambda event: None),
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
