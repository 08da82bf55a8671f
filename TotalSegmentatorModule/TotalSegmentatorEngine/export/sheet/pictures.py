"""The pictures of a sheet: the body in five planes, and each place that a remark is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.sheet.body_planes import BodyGrid, BodyPlane, PlaneChoice, View
from TotalSegmentatorEngine.export.sheet.contents import Remark
from TotalSegmentatorEngine.export.sheet.drawing import Outline, Part, Pin, PlanePicture, draw
from TotalSegmentatorEngine.imaging.geometry import Volume

_BODY_PIXELS, _PLACE_PIXELS = 640, 360
_PLACE_MM = 120.0
"""Side of the square that is shown about a place."""
_VERTEBRAE = "vertebrae_"
_SPINE = (_VERTEBRAE, "sacrum", "spinal_cord")


@dataclass(frozen=True, eq=False)
class SheetPicture:
    title: str
    """View and position, as "Axial, S 123 mm"."""
    picture: PlanePicture


@dataclass(frozen=True, eq=False)
class SheetPictures:
    coronal: SheetPicture
    sagittal: SheetPicture
    axial: tuple[SheetPicture, ...]
    """From head to feet."""
    places: dict[int, SheetPicture]
    """By the numbers of the remarks; those without a place have none."""


def pictures(
    rois: Sequence[Roi],
    ct: Volume,
    remarks: Sequence[tuple[int, Remark]],
    progress: Callable[[int, Roi], None],
) -> SheetPictures:
    """``ct``: HU, on the grid of ``rois``. ``remarks``: those that ask for a look, by their numbers. ``progress`` gets
    0, 1, ... and a structure, each of them twice; it may raise to stop. Masks are made twice, too: a hundred need not
    be in memory."""
    body = BodyGrid(ct.geometry)
    choice = PlaneChoice(body)
    for index, roi in enumerate(rois):
        progress(index, roi)
        choice.add(roi.voxels(), _is_spine(roi))
    planes = choice.planes()
    places = {
        number: body.through(remark.flag.place_ras_mm, view_of(remark.flag.structure))
        for number, remark in _placed(remarks)
    }
    found: dict[BodyPlane, list[tuple[Roi, Outline]]] = {plane: [] for plane in (*planes, *places.values())}
    for index, roi in enumerate(rois, start=len(rois)):
        progress(index, roi)
        mask = roi.voxels()
        for plane, outlines in found.items():
            on_plane = body.mask(mask, plane)
            if on_plane is not None:
                outlines.append((roi, Outline(on_plane, roi.colour)))
    drawing = _Drawing(body, ct, found)
    pins = [(remark.flag.place_ras_mm, str(number)) for number, remark in _placed(remarks)]
    coronal, sagittal, *axial = planes
    return SheetPictures(
        coronal=drawing.whole(coronal, pins),
        sagittal=drawing.whole(sagittal, ()),
        axial=tuple(drawing.whole(plane, ()) for plane in axial),
        places={number: drawing.place(places[number], remark) for number, remark in _placed(remarks)},
    )


def _placed(remarks: Sequence[tuple[int, Remark]]) -> list[tuple[int, Remark]]:
    return [(number, remark) for number, remark in remarks if remark.flag.place_ras_mm is not None]


def view_of(structure: str) -> View:
    """Vertebrae are told apart from the side, all else lies well in axial planes."""
    return View.SAGITTAL if structure.startswith(_VERTEBRAE) else View.AXIAL


def _is_spine(roi: Roi) -> bool:
    return roi.structure.startswith(_SPINE)


class _Drawing:
    def __init__(self, body: BodyGrid, ct: Volume, found: dict[BodyPlane, list[tuple[Roi, Outline]]]) -> None:
        self._body = body
        self._ct = ct
        self._found = found

    def whole(self, plane: BodyPlane, pins: Sequence[tuple[tuple[float, float, float], str]]) -> SheetPicture:
        shown = [Pin(*self._body.place_on(place, plane.view), text) for place, text in pins]
        outlines = [outline for _, outline in self._found[plane]]
        return self._drawn(plane, outlines, _BODY_PIXELS, shown, None)

    def place(self, plane: BodyPlane, remark: Remark) -> SheetPicture:
        """Around the place of a remark; its structures are drawn bold."""
        flag = remark.flag
        named = {flag.structure, *flag.others}
        outlines = [
            Outline(outline.mask, outline.colour, roi.structure in named or not named.isdisjoint(roi.sources))
            for roi, outline in self._found[plane]
        ]
        row, column = self._body.place_on(flag.place_ras_mm, plane.view)
        part = self._part(plane.view, row, column)
        return self._drawn(plane, outlines, _PLACE_PIXELS, [Pin(row, column)], part)

    def _part(self, view: View, row: float, column: float) -> Part:
        rows, columns = (int(size) for size in np.delete(self._body.shape, view.axis))
        height, width = self._body.pixel_mm(view)
        top, bottom = _stretch(row, _PLACE_MM / height, rows)
        left, right = _stretch(column, _PLACE_MM / width, columns)
        return Part(top, bottom, left, right)

    def _drawn(
        self, plane: BodyPlane, outlines: list[Outline], longest: int, pins: list[Pin], part: Part | None
    ) -> SheetPicture:
        values = self._body.picture(self._ct.array, plane)
        picture = draw(values, self._body.pixel_mm(plane.view), outlines, plane.view.marks, longest, pins, part)
        letter = "SAR"[plane.view.axis]
        return SheetPicture(f"{plane.view.title}, {letter} {self._body.position_mm(plane):.0f} mm", picture)


def _stretch(middle: float, length: float, size: int) -> tuple[int, int]:
    """First and end of ``length`` pixels about ``middle``, moved into 0..``size``; all where it is longer."""
    count = min(size, max(1, round(length)))
    first = int(np.clip(round(middle - count / 2), 0, size - count))
    return first, first + count
