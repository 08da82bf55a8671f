"""The pictures of the first page: inside their room, not over each other, as large as the body allows."""

from __future__ import annotations

import pytest
from PIL import Image
from TotalSegmentatorEngine.export.sheet.drawing import PlanePicture
from TotalSegmentatorEngine.export.sheet.picture_layout import CAPTION, picture_layout
from TotalSegmentatorEngine.export.sheet.pictures import SheetPicture, SheetPictures

WIDTH = 535.0
COUNTS = 130.0


def shown_of(right_mm: float, front_mm: float, head_mm: float) -> SheetPictures:
    def picture(width_mm: float, height_mm: float) -> SheetPicture:
        return SheetPicture("", PlanePicture(Image.new("RGB", (1, 1)), width_mm, height_mm))

    axial = tuple(picture(right_mm, front_mm) for _ in range(3))
    return SheetPictures(picture(right_mm, head_mm), picture(front_mm, head_mm), axial, {})


@pytest.mark.parametrize("height", [200.0, 330.0, 480.0])
@pytest.mark.parametrize(
    "body", [(400, 300, 1800), (420, 265, 1010), (366, 303, 336), (500, 500, 120), (150, 150, 60), (400, 300, 30)]
)
def test_pictures_and_counts_share_the_room(body: tuple[float, float, float], height: float):
    layout = picture_layout(shown_of(*body), WIDTH, height)
    assert layout.height <= height + 1e-6 and len(layout.places) == 5
    assert WIDTH - layout.counts_left >= COUNTS
    for number, place in enumerate(layout.places):
        ratio = place.picture.picture.height_mm / place.picture.picture.width_mm
        assert place.height / place.width == pytest.approx(ratio) and place.height > 5
        assert place.left >= 0 and place.left + place.width <= WIDTH + 1e-6
        for other in layout.places[:number]:
            is_beside = place.left >= other.left + other.width or other.left >= place.left + place.width
            is_below = place.top >= other.top + other.height + CAPTION - 1e-6
            assert is_beside or is_below


def test_a_whole_body_is_shown_higher_than_in_two_rows():
    """Above a row of axial pictures it would have at most 56 % of the height."""
    coronal = picture_layout(shown_of(420, 265, 1010), WIDTH, 300.0).places[0]
    assert coronal.height > 0.9 * (300.0 - CAPTION)
