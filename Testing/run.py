#!/usr/bin/env python3
"""The project's commands, for a machine with nothing but Python 3.10 to 3.12, pip and git.

    python3 Testing/run.py demo [--ct FILE --model FOLDER] [--output DIR]   click Apply in the stand-in desktop
    python3 Testing/run.py test [PYTEST ARGUMENTS...]                       everything that CI runs
    python3 Testing/run.py benchmark [NAME...] [--list]                     the measured figures

Each makes the environment .venv first, if need be; a second call reuses it and starts in seconds.
"""

from __future__ import annotations

import os
import subprocess
import sys

from environment import REPOSITORY, SetupError, ensure_environment, ensure_validators

TESTING = REPOSITORY / "Testing"


def main(arguments: list[str]) -> int:
    commands = {"demo": _demo, "test": _test, "benchmark": _benchmark}
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


def _test(python: str, arguments: list[str]) -> int:
    if arguments:
        return _call([python, "-m", "pytest", *arguments])
    ensure_validators()
    checks = [
        [python, "-m", "ruff", "check", "."],
        [python, "-m", "ruff", "format", "--check", "."],
        [python, "-m", "pytest"],
    ]
    # Lint first, as it is fast; the tests run all the same, and the first failure is the exit status.
    return next((status for status in [_call(check) for check in checks] if status), 0)


def _call(command: list[str]) -> int:
    environment = {**os.environ, "PYTHONUTF8": "1"}
    return subprocess.run(command, cwd=REPOSITORY, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
