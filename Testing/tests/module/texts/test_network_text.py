"""The network that runs, in words."""

from __future__ import annotations

import dataclasses

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

from TotalSegmentatorWire.messages.plan import LOCALIZATION, SEGMENTATION
from TotalSegmentatorWire.messages.segment import ProgressEvent, Stage

RUNNING = ProgressEvent(
    "1",
    Stage.PREDICTING,
    0.5,
    network=2,
    networks=5,
    part="Dataset292_TotalSegmentator_part2_vertebrae_1532subj",
    model="117-1.5mm",
    purpose=SEGMENTATION,
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "Part 2 of 5: vertebrae"),
        ({"purpose": LOCALIZATION}, "Part 2 of 5: finding the region"),
        ({"network": 0}, ""),
        ({"part": "Dataset297", "model": "117-3mm", "network": 1, "networks": 1}, "117 structures, 3 mm (fast)"),
        ({"part": "Dataset900_Own", "model": "Dataset900_Own"}, "Part 2 of 5: Dataset900_Own"),
    ],
)
def test_parts_have_words(app, changes: dict, expected: str):
    from TotalSegmentatorModuleLib.texts.network_text import network_text

    assert network_text(dataclasses.replace(RUNNING, **changes)) == expected
