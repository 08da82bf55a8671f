"""The command ``receive`` in a process of its own, with the stand-in for the networks of the bench for ``batch``.

    python fake_receiver.py GATE receive ...

Each segmentation adds a line to GATE/begun and, when it ends, to GATE/ended; it waits while GATE/hold exists.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from batch_bench import segmented
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.pipeline import run_job as pipeline

_GATE = Path(sys.argv[1])


def _segment(volume, prepared, _cache, reporter, on_preview=None):
    _add("begun")
    while (_GATE / "hold").exists():
        reporter.check_cancelled()
        time.sleep(0.02)
    result = segmented(volume, prepared)
    _add("ended")
    return result


def _add(name: str) -> None:
    with (_GATE / name).open("a", encoding="ascii") as stream:
        stream.write("x\n")


if __name__ == "__main__":
    pipeline.prefetch_weights = lambda prepared, cache: None
    pipeline.segment = _segment
    sys.exit(main(sys.argv[2:]))
