#!/usr/bin/env python3
"""The project's commands, for a machine with nothing but Python 3.10 to 3.12, pip and git.

    python3 Testing/run.py demo [--ct FILE --model FOLDER] [--output DIR]   click Apply in the stand-in desktop
    python3 Testing/run.py test [PYTEST ARGUMENTS...]                       everything that CI runs
    python3 Testing/run.py benchmark [NAME...] [--list]                     the measured figures
    python3 Testing/run.py screenshots [--output DIR]                       pictures of a whole review and of a report

Each makes the environment .venv first, if need be; a second call reuses it and starts in seconds.
"""

from __future__ import annotations

import os
import subprocess
import sys

from environment import REPOSITORY, SetupError, ensure_environment, ensure_validators

TESTING = REPOSITORY / "Testing"
PROCESSES = 2 * (os.cpu_count() or 1)
"""For all tests together: many of them wait for a process, so that one test for each core would leave cores idle."""
IN_PARALLEL = ["-n", str(min(PROCESSES, 8)), "--dist", "loadfile", "--no-loadscope-reorder"]


def main(arguments: list[str]) -> int:
    commands = {"demo": _demo, "test": _test, "benchmark": _benchmark, "screenshots": _screenshots}
    if not arguments or arguments[0] not in commands:
        print(__doc__)
        return 0 if arguments and arguments[0] in ("-h", "--help") else 2
    try:
        python = str(ensure_environment())
    except SetupError as error:
        print(error, file=sys.stderr)
        return 3
    return commands[arguments[0]](python, arguments[1:])


def _demo(python: str, arguments: list[str]) -> int:
    return _call([python, str(TESTING / "demo.py"), *arguments])


def _benchmark(python: str, arguments: list[str]) -> int:
    return _call([python, str(TESTING / "benchmarks" / "main.py"), *arguments])


def _screenshots(python: str, arguments: list[str]) -> int:
    programs = ("screenshots.py", "report_picture.py")
    return max(_call([python, str(TESTING / name), *arguments]) for name in programs)


def _test(python: str, arguments: list[str]) -> int:
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}  # threads of torch leave waiting cores to other tests
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # the hundreds of processes that tests start find it compiled
    if arguments:
        return _call([python, "-m", "pytest", *arguments], environment)
    ensure_validators()
    checks = [
        [python, "-m", "ruff", "check", "."],
        [python, "-m", "ruff", "format", "--check", "."],
        [python, "-m", "pytest", *IN_PARALLEL],
    ]
    # Lint first, as it is fast; the tests run all the same, and the first failure is the exit status.
    return next((status for status in [_call(check, environment) for check in checks] if status), 0)


def _call(command: list[str], environment: dict[str, str] | None = None) -> int:
    variables = {**(os.environ if environment is None else environment), "PYTHONUTF8": "1"}
    return subprocess.run(command, cwd=REPOSITORY, env=variables, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
