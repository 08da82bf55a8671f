"""Where the tests find the project and their own programs."""

from __future__ import annotations

import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
MODULE_FOLDER = REPOSITORY / "TotalSegmentatorModule"
TESTING = REPOSITORY / "Testing"
FAKES = Path(__file__).resolve().parent / "fakes"
DEMO_MODEL = next((TESTING / "demo_model").glob("Dataset900*/*__*"))
SUPPORT_FOLDERS = [str(Path(__file__).resolve().parent / name) for name in (".", "fakes", "models", "export")]
"""To be found by programs that tests start."""


def tracked(folder: Path) -> list[Path]:
    """Files of the project below ``folder``: tracked ones, and new ones that git does not ignore."""
    output = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", str(folder)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [path for line in output.splitlines() if (path := REPOSITORY / line).is_file()]
