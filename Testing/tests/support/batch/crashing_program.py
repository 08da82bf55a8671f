"""The program with a stand-in for the networks that crashes on some CTs: ``crashing_program.py batch ...``.

A CT of CRASHING_SLICES ends the process as a library does that writes where it must not; one of WAITING_SLICES waits to
be stopped.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

TESTING = Path(__file__).resolve().parents[3]
SUPPORT = [str(TESTING / "tests" / "support" / folder) for folder in (".", "models", "batch")]
sys.path[:0] = [str(TESTING), str(TESTING.parent / "TotalSegmentatorModule"), *SUPPORT]

from batch_bench import segmented  # noqa: E402 - found through the line above
from TotalSegmentatorEngine.batch.guarding import guard  # noqa: E402
from TotalSegmentatorEngine.batch.running import case_steps  # noqa: E402
from TotalSegmentatorEngine.cli.main import main  # noqa: E402
from TotalSegmentatorEngine.pipeline import run_job as pipeline  # noqa: E402

CRASHING_SLICES, WAITING_SLICES = 5, 6
LARGEST_DEATHS = MOST_RESTARTS = 1
"""Fewer processes to wait for."""
MEMORY = {"peak_bytes": 10**9, "available_bytes": 10**10}


def segment(volume, prepared, _cache, reporter, on_preview=None):
    if len(volume.array) == CRASHING_SLICES:
        os.kill(os.getpid(), signal.SIGSEGV)
    while len(volume.array) == WAITING_SLICES:
        reporter.check_cancelled()
        time.sleep(0.05)
    return segmented(volume, prepared)


def predict(volume, prepared, cache, reporter, learns):
    result = segment(volume, prepared, cache, reporter)
    return lambda: result


if __name__ == "__main__":
    pipeline.prefetch_weights = lambda prepared, cache: None
    pipeline.segment, pipeline.predict = segment, predict
    case_steps.LARGEST_DEATHS, guard.MOST_RESTARTS = LARGEST_DEATHS, MOST_RESTARTS
    pipeline.plan = lambda volume, prepared, cache: SimpleNamespace(**MEMORY)
    sys.exit(main(sys.argv[1:], is_program=True))
