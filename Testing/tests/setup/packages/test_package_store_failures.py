"""Failures of an installation of the engine's packages, and the engine's own test of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from package_bench import WORKS, Bench, given
from tiny_wheels import (
    make_resources,
    make_wheel,
    variant_row,
)
from TotalSegmentatorSetup.packages.nvidia_driver import Driver, Gpu
from TotalSegmentatorSetup.packages.package_store import check_path_length
from TotalSegmentatorSetup.packages.pip_process import problem_of
from TotalSegmentatorSetup.packages.python_choice import EnginePython, own_python
from TotalSegmentatorWire import retry
from TotalSegmentatorWire.errors.problem import SegmentationError

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
    monkeypatch.setattr(retry.time, "sleep", lambda _seconds: None)
    attempts = []

    def rename(self: Path, target: Path) -> None:
        attempts.append(self)
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr(Path, "rename", rename)
    assert bench.fails().code == "FILE_LOCKED"
    assert len(attempts) > 3


def test_a_file_that_is_locked_for_a_moment_is_no_failure(quick, bench, monkeypatch):
    monkeypatch.setattr(retry.time, "sleep", lambda _seconds: None)
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
    with pytest.raises(SegmentationError, match="too long for Windows"):
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
