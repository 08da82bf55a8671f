"""A picture of the report over many CTs, for the docs: phantoms, some with a planted fault, in headless Chromium.

Started by ``python3 Testing/run.py screenshots``, or by itself.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TESTING = Path(__file__).resolve().parent
REPOSITORY = TESTING.parent
SUPPORT = TESTING / "tests" / "support"
sys.path[:0] = [str(TESTING), str(REPOSITORY / "TotalSegmentatorModule"), str(SUPPORT / "export")]

import numpy as np  # noqa: E402 - all are found through the line above
from batch_outcomes import id_of, outcome  # noqa: E402
from phantom_faults import pieces, places, sizes  # noqa: E402
from phantom_faults.label_map import LabelMap  # noqa: E402
from phantom_faults.plant import Plant  # noqa: E402
from phantom_faults.random_phantoms import random_phantom  # noqa: E402
from phantom_faults.reviewed import as_written, flags_of  # noqa: E402
from PIL import Image  # noqa: E402
from TotalSegmentatorEngine.batch.report.thumbnail import thumbnail_jpeg  # noqa: E402
from TotalSegmentatorEngine.batch.report.write_report import write_report  # noqa: E402
from TotalSegmentatorEngine.batch.store.outcome import Outcome  # noqa: E402
from TotalSegmentatorEngine.batch.table.measured_structures import measured_structures  # noqa: E402
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume  # noqa: E402
from TotalSegmentatorEngine.statistics.structure_statistics import with_statistics  # noqa: E402
from TotalSegmentatorWire.messages.segment import FoundStructure  # noqa: E402

PICTURE = "report.png"
PHANTOMS = range(10, 18)
FAULTS: dict[int, Plant] = {10: pieces.tube_gap, 13: sizes.half_lost, 15: places.swapped_sides}
"""By the numbers of the phantoms that have one."""
_SPACING_MM = 4.0
_WIDTH, _HEIGHT = 1000, 1130


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the picture of the report over many CTs.")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "Resources" / "Screenshots", help="its folder")
    take(parser.parse_args().output)
    return 0


def take(output: Path) -> None:
    browser = shutil.which("chromium")
    if browser is None:
        print(f"{PICTURE} is left as it is: chromium is not installed")
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "results"
        folder.mkdir()
        outcomes = sorted((_outcome(number, folder) for number in PHANTOMS), key=lambda each: each.id)
        page = write_report(folder, outcomes, {"structure sets": 3})
        taken = Path(scratch) / PICTURE
        words = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={scratch}/user"]
        words += [f"--window-size={_WIDTH},{_HEIGHT}", f"--screenshot={taken}", page.as_uri()]
        subprocess.run([browser, *words], check=True, capture_output=True, timeout=300)
        output.mkdir(parents=True, exist_ok=True)
        Image.open(taken).convert("RGB").save(output / PICTURE, optimize=True)
    print(PICTURE, flush=True)


def _outcome(number: int, folder: Path) -> Outcome:
    """As a run leaves it; the phantom's own labels stand for the networks' result."""
    body = LabelMap.of(random_phantom(number, ("trunk",), _SPACING_MM))
    if number in FAULTS:
        body = dataclasses.replace(FAULTS[number](body, np.random.default_rng(number)).map, ct=body.ct)
    volume = Volume(body.ct, Geometry(body.labels.shape, body.ijk_to_ras))
    flags = flags_of(body)
    found = with_statistics([_found(body, name) for name in body.present(list(body.table))], [body.labels], volume)
    case = folder / id_of(number)
    case.mkdir()
    (case / "thumbnail.jpg").write_bytes(thumbnail_jpeg(volume, [body.labels], found, flags))
    structures = measured_structures(found, [body.labels], body.ct, flags, {})
    return outcome(number, structures, flags=tuple(as_written(flags)), shape=body.labels.shape,
                   spacing_mm=(_SPACING_MM,) * 3)  # fmt: skip


def _found(body: LabelMap, name: str) -> FoundStructure:
    indices = body.indices(name)
    low, high = indices.min(axis=0)[::-1].tolist(), indices.max(axis=0)[::-1].tolist()
    extent = [edge for pair in zip(low, high, strict=True) for edge in pair]
    return FoundStructure(body.table[name], name, len(indices), extent)


if __name__ == "__main__":
    sys.exit(main())
