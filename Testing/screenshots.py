"""Pictures for the README: sessions by clicks and keys in the stand-in desktop.

Started by ``python3 Testing/run.py screenshots [--of planning|review] [--output DIR]``: choosing the structures of a
plan and segmenting them, and a whole review. Also prints how long the program kept Slicer waiting.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

TESTING = Path(__file__).resolve().parent
REPOSITORY = TESTING.parent
SUPPORT = TESTING / "tests" / "support"
SUPPORTS = [SUPPORT, *(SUPPORT / name for name in ("review", "planning", "models"))]
sys.path[:0] = [str(TESTING), str(REPOSITORY / "TotalSegmentatorModule"), *map(str, SUPPORTS)]

import numpy as np  # noqa: E402 - all are found through the line above
import pytest  # noqa: E402
from desktop import Desktop  # noqa: E402
from panel_support import answered_questions, desktop  # noqa: E402
from PIL import Image  # noqa: E402
from planning_session import CT, PlanningSession, planning_session  # noqa: E402
from review_session import ReviewSession, review_session  # noqa: E402

PANEL_WIDTH, HEIGHT, VIEWS_WIDTH = 480, 860, 760


def main() -> int:
    parser = argparse.ArgumentParser(prog="run.py screenshots", description="Make the pictures of whole sessions.")
    parser.add_argument("--of", choices=("planning", "review"), help="one session; both without it")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "Resources" / "Screenshots", help="their folder")
    arguments = parser.parse_args()
    for name, take in (("planning", _take_planning), ("review", _take_review)):
        if arguments.of in (None, name):
            with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as monkeypatch, desktop() as app:
                take(app, monkeypatch, Path(folder), arguments.output)
                longest = "{:.0f} ms ({})".format(app.longest_block_ms(), app.longest_block_name())
                print(f"Longest time in which Slicer did not answer in the session of the {name}: {longest}")
    print(f"Pictures are in {arguments.output.resolve()}")
    return 0


def _take_planning(app: Desktop, monkeypatch: pytest.MonkeyPatch, folder: Path, output: Path) -> None:
    with planning_session(app, monkeypatch, CT, folder) as session:
        app.reset_block_clock()
        session.run(lambda name: _take(session, output / f"planning-{name}.png"))


def _take_review(app: Desktop, monkeypatch: pytest.MonkeyPatch, folder: Path, output: Path) -> None:
    with answered_questions(monkeypatch) as answers, review_session(app, monkeypatch, folder) as session:
        app.reset_block_clock()
        session.run(answers, folder, lambda name: _take(session, output / f"{name}.png"))


def _take(session: ReviewSession | PlanningSession, path: Path) -> None:
    """The panel that is shown, and the slice views beside it: axial above, coronal and sagittal below."""
    app = session.app
    with tempfile.TemporaryDirectory() as folder:
        panel = _pixels(app.grab(app.shown_module, Path(folder) / "panel.png", PANEL_WIDTH, HEIGHT))
        upper = panel.shape[0] * 2 // 5
        sizes = {"Red": (VIEWS_WIDTH, upper)} | dict.fromkeys(
            ("Green", "Yellow"), (VIEWS_WIDTH // 2, panel.shape[0] - upper)
        )
        views = {
            name: _pixels(app.slice_view_png(Path(folder) / f"{name}.png", session.ct, name, size))
            for name, size in sizes.items()
        }
    lower = np.hstack([views["Green"], views["Yellow"]])
    picture = Image.fromarray(np.hstack([panel, np.vstack([views["Red"], lower])]))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, optimize=True)
    print(path.name, flush=True)


def _pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


if __name__ == "__main__":
    sys.exit(main())
