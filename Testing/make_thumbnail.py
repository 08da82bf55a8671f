"""Makes the thumbnail of the sample CT in Slicer's module Sample Data: a slice of our phantom with its structures.

Started by ``python Testing/make_thumbnail.py``. The sample itself is somebody else's CT, of which no part is shown.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from phantom import PhantomParameters, make_phantom
from PIL import Image

RESOURCES = Path(__file__).resolve().parents[1] / "TotalSegmentatorModule" / "Resources"
THUMBNAIL = RESOURCES / "SampleData" / "ct_abdomen.png"
SIZE = (520, 560)
"""Twice the 260 x 280 pixels that Slicer asks for, for screens of high resolution."""
SHOWN = ("liver", "kidney_left")
WINDOW_HU = (-200, 300)
OPACITY = 0.55
BODY_HU, MARGIN = -300, 8


def main() -> None:
    phantom = make_phantom(PhantomParameters(seed=1, spacing_mm=(1.2, 1.2, 4.0), orientation="LPS"))
    with (RESOURCES / "Structures" / "structures_104.csv").open(encoding="utf-8", newline="") as stream:
        rows = {int(row["label"]): row for row in csv.DictReader(stream)}
    shown = [label for label, row in rows.items() if row["name"] in SHOWN]
    levels = np.flatnonzero(np.all([(phantom.labels == label).any(axis=(1, 2)) for label in shown], axis=0))
    row = max(levels, key=lambda each: len(np.unique(phantom.labels[each])))
    inside = phantom.ct[row] > BODY_HU
    columns, lines = (np.flatnonzero(inside.any(axis=axis))[[0, -1]] for axis in (0, 1))
    box = tuple(slice(max(0, low - MARGIN), high + MARGIN) for low, high in (lines, columns))
    low, high = WINDOW_HU
    grey = np.clip((phantom.ct[row][box].astype(float) - low) / (high - low), 0, 1)
    picture = np.repeat(grey[..., None], 3, axis=2)
    for label, entry in rows.items():
        colour = np.array([float(entry[part]) for part in ("red", "green", "blue")]) / 255
        inside = phantom.labels[row][box] == label
        picture[inside] = (1 - OPACITY) * picture[inside] + OPACITY * colour
    image = Image.fromarray((255 * picture).astype(np.uint8))
    scale = SIZE[0] / image.width
    body = image.resize((SIZE[0], round(image.height * scale)), Image.Resampling.LANCZOS)
    canvas = Image.new("RGB", SIZE)
    canvas.paste(body, (0, (SIZE[1] - body.height) // 2))
    THUMBNAIL.parent.mkdir(parents=True, exist_ok=True)
    canvas.quantize(64).save(THUMBNAIL, optimize=True)
    print(THUMBNAIL)


if __name__ == "__main__":
    main()
