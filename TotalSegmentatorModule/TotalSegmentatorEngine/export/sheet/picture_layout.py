"""Where the pictures of the body and the counts stand on the first page: beside each other for a scan of the whole
body, in two rows for a shorter one, whichever shows more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from TotalSegmentatorEngine.export.sheet.pictures import SheetPicture, SheetPictures

GAP = 8.0
CAPTION = 11.0
"""Room for the line below a picture."""
_LEAST_COUNTS = 150.0
"""Width for the counts."""
_SHARE_OF_UPRIGHT = 0.7
"""Of the width, at most, for coronal and sagittal picture above the axial ones."""
_SHARE_OF_AXIAL = 0.44
"""Of the height, at most, for the axial pictures below."""


@dataclass(frozen=True, eq=False)
class PlacedPicture:
    picture: SheetPicture
    left: float
    top: float
    """Downwards from the upper edge of all."""
    width: float
    height: float


@dataclass(frozen=True, eq=False)
class PictureLayout:
    places: tuple[PlacedPicture, ...]
    counts_left: float
    """The counts go from here to the right edge, at the top."""

    @property
    def height(self) -> float:
        """With the captions."""
        return max(place.top + place.height for place in self.places) + CAPTION

    @property
    def area(self) -> float:
        return sum(place.width * place.height for place in self.places)


def picture_layout(shown: SheetPictures, width: float, height: float) -> PictureLayout:
    """Within ``width`` and ``height``, in the units of these."""
    layouts = (_in_two_rows(shown, width, height), _beside_each_other(shown, width, height))
    return max(layouts, key=lambda layout: layout.area)


def fitted(picture: SheetPicture, width: float, height: float) -> tuple[float, float]:
    """Width and height of the picture within these."""
    scale = min(width / picture.picture.width_mm, height / picture.picture.height_mm)
    return picture.picture.width_mm * scale, picture.picture.height_mm * scale


def _in_two_rows(shown: SheetPictures, width: float, height: float) -> PictureLayout:
    """Coronal, sagittal and counts above, axial pictures below."""
    room = height - 2 * CAPTION
    column = (width - 2 * GAP) / 3
    axial = min(room * _SHARE_OF_AXIAL, max(fitted(each, column, height)[1] for each in shown.axial))
    pair = (shown.coronal, shown.sagittal)
    upright = min(room - axial, (width * _SHARE_OF_UPRIGHT - GAP) / sum(map(_width_of_one, pair)))
    places = list(_row(pair, upright))
    counts_left = places[-1].left + places[-1].width + GAP + 4
    top = upright + CAPTION
    for number, picture in enumerate(shown.axial):
        places.append(PlacedPicture(picture, number * (column + GAP), top, *fitted(picture, column, axial)))
    return PictureLayout(tuple(places), counts_left)


def _beside_each_other(shown: SheetPictures, width: float, height: float) -> PictureLayout:
    """Coronal, sagittal, a column of the axial pictures, counts."""
    pair = (shown.coronal, shown.sagittal)
    count = len(shown.axial)
    widest = max(map(_width_of_one, shown.axial)) / count
    between = (count - 1) * CAPTION
    free = width - 3 * GAP - 4 - _LEAST_COUNTS + between * widest
    upright = min(height - CAPTION, free / (sum(map(_width_of_one, pair)) + widest))
    places = list(_row(pair, upright))
    left = places[-1].left + places[-1].width + GAP
    each = (upright - between) / count
    for number, picture in enumerate(shown.axial):
        places.append(PlacedPicture(picture, left, number * (each + CAPTION), *fitted(picture, width, each)))
    counts_left = max(place.left + place.width for place in places) + GAP + 4
    return PictureLayout(tuple(places), counts_left)


def _row(pictures: Sequence[SheetPicture], height: float) -> Iterator[PlacedPicture]:
    left = 0.0
    for picture in pictures:
        own = height * _width_of_one(picture)
        yield PlacedPicture(picture, left, 0.0, own, height)
        left += own + GAP


def _width_of_one(picture: SheetPicture) -> float:
    """Of the picture with a height of 1."""
    return picture.picture.width_mm / picture.picture.height_mm
