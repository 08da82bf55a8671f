"""What a worker's exit status and the end of its log are taken for."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from TotalSegmentatorModuleLib.background.process_failures import problem_of_exit, problem_of_os_error

LAUNCHER = "error: [/opt/Slicer/bin/python-real] exit abnormally - Report the problem.\n"
STACK = "".join(f'  File "unet.py", line {number} in forward\n' for number in range(100))
ABORTED = "Fatal Python error: Aborted\n\nCurrent thread 0x00007f (most recent call first):\n" + STACK
BAD_ALLOC = "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n" + ABORTED


@pytest.mark.parametrize("has_greeted", [True, False])
@pytest.mark.parametrize(
    ("status", "log"),
    [
        pytest.param(-9, "", id="killed, as Python tells it"),
        pytest.param(137, "", id="as a shell passes it on"),
        pytest.param(9, "", id="as Qt tells it"),
        pytest.param(1, "INFO stage predicting\n" + LAUNCHER, id="as Slicer's launcher hides it"),
        pytest.param(1, "Traceback (most recent call last):\nMemoryError\n", id="Python got no memory"),
        pytest.param(1, "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 2 GiB\n", id="nor did NumPy"),
        pytest.param(-6, BAD_ALLOC, id="nor did a library's thread"),
        pytest.param(1, BAD_ALLOC + LAUNCHER, id="the same under the launcher"),
        pytest.param(-6, "libc++abi: terminating due to uncaught exception of type std::bad_alloc\n", id="on macOS"),
    ],
)
def test_a_worker_without_memory_is_reported_as_that(status: int, log: str, has_greeted: bool) -> None:
    problem = problem_of_exit(status, has_greeted, log)
    assert problem.code == "ENGINE_KILLED"
    assert "not enough memory" in problem.what
    assert problem.todo.startswith("Close other programs")


@pytest.mark.parametrize(
    ("status", "log"),
    [(3, ""), (-11, "Fatal Python error: Segmentation fault\n" + STACK), (1, ABORTED + LAUNCHER), (-6, ABORTED)],
)
def test_another_end_is_not_taken_for_that(status: int, log: str) -> None:
    assert problem_of_exit(status, True, log).code == "ENGINE_DIED"
    assert problem_of_exit(status, False, log).code == "ENGINE_START_FAILED"


def test_a_missing_package_is_named() -> None:
    log = "ModuleNotFoundError: No module named 'nnunetv2.utilities'\n"
    assert problem_of_exit(1, False, log).values == {"package": "nnunetv2"}
    assert problem_of_exit(1, True, log).code == "ENGINE_DIED", "it had everything when it began"


def test_a_full_disk_is_reported_apart(tmp_path: Path) -> None:
    assert problem_of_os_error(OSError(errno.ENOSPC, "full"), tmp_path).code == "DISK_FULL"
    assert problem_of_os_error(OSError(errno.EACCES, "forbidden"), tmp_path).code == "ENGINE_START_FAILED"
