"""Pictures of a whole review, for the README: a session by clicks and keys in the stand-in desktop.

Started by ``python3 Testing/run.py screenshots [--output DIR]``. Also prints how long the program kept Slicer waiting.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

TESTING = Path(__file__).resolve().parent
REPOSITORY = TESTING.parent
SUPPORT = TESTING / "tests" / "support"
sys.path[:0] = [str(TESTING), str(REPOSITORY / "TotalSegmentatorModule"), str(SUPPORT), str(SUPPORT / "review")]

import numpy as np  # noqa: E402 - all are found through the line above
import pytest  # noqa: E402
from panel_support import answered_questions, desktop  # noqa: E402
from PIL import Image  # noqa: E402
from review_session import ReviewSession, review_session  # noqa: E402

PANEL_WIDTH, HEIGHT, VIEWS_WIDTH = 480, 860, 760


def main() -> int:
    parser = argparse.ArgumentParser(prog="run.py screenshots", description="Make the pictures of a whole review.")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "Resources" / "Screenshots", help="their folder")
    output = parser.parse_args().output
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as monkeypatch,
        desktop() as app,
        answered_questions(monkeypatch) as answers,
        review_session(app, monkeypatch, Path(folder)) as session,
    ):
        app.reset_block_clock()
        session.run(answers, Path(folder), lambda name: _take(session, output / f"{name}.png"))
        longest = "{:.0f} ms ({})".format(app.longest_block_ms(), app.longest_block_name())
        print(f"Longest time in which Slicer did not answer in the whole session: {longest}")
    print(f"Pictures are in {output.resolve()}")
    return 0


def _take(session: ReviewSession, path: Path) -> None:
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
