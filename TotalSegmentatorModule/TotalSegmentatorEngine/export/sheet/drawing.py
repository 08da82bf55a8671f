"""Draws a plane of the CT with the outlines of structures, so that it can be read on paper without colour, too: each
outline is a light line within a dark casing."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from TotalSegmentatorEngine.export.sheet.body_planes import PlaneMask

WINDOW_LEVEL, WINDOW_WIDTH = 40.0, 400.0
"""HU: the usual window for soft tissue of the trunk."""

_SAMPLES = 2
"""Lines are drawn so many times as large, then the picture is made smaller: Pillow's lines have no smooth edges."""
_LIGHTEST = 0.7
"""Least brightness of a line, 0..1: darker colours of structures would vanish on a print without colour."""
_JPEG_QUALITY = 90
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)
_BAR_MM = 50.0


@dataclass(frozen=True, eq=False)
class Outline:
    mask: PlaneMask
    colour: tuple[int, int, int]
    """0..255 per channel."""
    is_bold: bool = False


@dataclass(frozen=True)
class Pin:
    """A number in a circle, or a ring without a number, at a place in the picture."""

    row: float
    column: float
    text: str = ""


@dataclass(frozen=True, eq=False)
class PlanePicture:
    """A picture of a plane; ``width_mm`` and ``height_mm`` of the body."""

    image: Image.Image
    width_mm: float
    height_mm: float

    def jpeg(self) -> bytes:
        stream = io.BytesIO()
        self.image.save(stream, "JPEG", quality=_JPEG_QUALITY, subsampling=0)  # without mixing colours of lines
        return stream.getvalue()


@dataclass(frozen=True)
class Part:
    """Rows and columns of a picture that are shown."""

    top: int
    bottom: int
    left: int
    right: int


def draw(
    values: np.ndarray,
    pixel_mm: tuple[float, float],
    outlines: Sequence[Outline],
    marks: tuple[str, str, str, str],
    longest: int,
    pins: Sequence[Pin] = (),
    part: Part | None = None,
) -> PlanePicture:
    """``values``: HU, rows from the top; ``pixel_mm``: height and width of a pixel; ``marks``: what stands at the left,
    the right, the top and the bottom; ``longest``: pixels of the picture's longer side; ``part``: what of it is shown,
    all by default."""
    part = part or Part(0, values.shape[0], 0, values.shape[1])
    shown = values[part.top : part.bottom, part.left : part.right]
    height_mm, width_mm = shown.shape[0] * pixel_mm[0], shown.shape[1] * pixel_mm[1]
    scale = longest * _SAMPLES / max(height_mm, width_mm)
    size = (max(1, round(width_mm * scale)), max(1, round(height_mm * scale)))
    image = Image.fromarray(_windowed(shown)).resize(size, Image.Resampling.BICUBIC).convert("RGB")
    canvas = _Canvas(image, part, (size[1] / shown.shape[0], size[0] / shown.shape[1]), scale)
    canvas.outlines(outlines)
    canvas.pins(pins)
    image = image.resize((max(1, size[0] // _SAMPLES), max(1, size[1] // _SAMPLES)), Image.Resampling.LANCZOS)
    _mark(image, marks)
    _bar(image, longest / max(height_mm, width_mm))
    return PlanePicture(image, width_mm, height_mm)


def _windowed(values: np.ndarray) -> np.ndarray:
    low = WINDOW_LEVEL - WINDOW_WIDTH / 2
    return (np.clip((values.astype(np.float32) - low) / WINDOW_WIDTH, 0, 1) * 255).round().astype(np.uint8)


class _Canvas:
    def __init__(self, image: Image.Image, part: Part, factors: tuple[float, float], scale: float) -> None:
        self._draw = ImageDraw.Draw(image)
        self._part = part
        self._rows, self._columns = factors
        self._longest = max(image.size)

    def outlines(self, outlines: Sequence[Outline]) -> None:
        """All casings lie below all lines, so that neighbours do not cover each other; bold ones lie on top."""
        ordered = sorted(outlines, key=lambda outline: outline.is_bold)
        lines = [(outline, self._lines(outline.mask)) for outline in ordered]
        thin = max(2.0, self._longest / 340)
        for widths, is_casing in ((2.6, True), (1.0, False)):
            for outline, found in lines:
                width = round(thin * widths * (1.9 if outline.is_bold else 1.0))
                for line in found:
                    self._draw.line(line, _BLACK if is_casing else _light(outline.colour), width, joint="curve")

    def pins(self, pins: Sequence[Pin]) -> None:
        radius = self._longest / (40 if any(pin.text for pin in pins) else 30)
        font = ImageFont.load_default(radius * 1.35)
        for pin in pins:
            x = (pin.column + 0.5 - self._part.left) * self._columns
            y = (pin.row + 0.5 - self._part.top) * self._rows
            box = (x - radius, y - radius, x + radius, y + radius)
            if pin.text:
                self._draw.ellipse(box, _WHITE, _BLACK, round(radius / 5))
                self._draw.text((x, y), pin.text, _BLACK, font, "mm")
            else:
                self._draw.ellipse(box, None, _BLACK, round(radius / 2.2))
                inner = radius / 6
                box = (x - radius + inner, y - radius + inner, x + radius - inner, y + radius - inner)
                self._draw.ellipse(box, None, _WHITE, round(radius / 6))

    def _lines(self, mask: PlaneMask) -> list[list[tuple[float, float]]]:
        """Half-way between the pixels inside and outside."""
        from contourpy import contour_generator

        padded = np.pad(mask.voxels, 1).astype(np.float32)
        lines = contour_generator(z=padded).lines(0.5)
        shift = (mask.start[1] - 0.5 - self._part.left, mask.start[0] - 0.5 - self._part.top)
        return [[((x + shift[0]) * self._columns, (y + shift[1]) * self._rows) for x, y in line] for line in lines]


def _light(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """The colour, mixed with as much white as it needs. Brightness: ITU-R BT.601, as Pillow's conversion to grey."""
    brightness = (0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]) / 255
    white = max(0.0, (_LIGHTEST - brightness) / (1 - brightness)) if brightness < 1 else 0.0
    return tuple(round(channel + (255 - channel) * white) for channel in colour)


def _mark(image: Image.Image, marks: tuple[str, str, str, str]) -> None:
    draw = ImageDraw.Draw(image)
    size = max(17.0, max(image.size) / 22)
    font = ImageFont.load_default(size)
    left, right, top, bottom = marks
    width, height = image.size
    edge, stroke = size / 5, max(1, round(size / 9))
    for text, place, anchor in (
        (left, (edge, height / 2), "lm"),
        (right, (width - edge, height / 2), "rm"),
        (top, (width / 2, edge), "ma"),
        (bottom, (width / 2, height - edge), "md"),
    ):
        draw.text(place, text, _WHITE, font, anchor, stroke_width=stroke, stroke_fill=_BLACK)


def _bar(image: Image.Image, pixels_per_mm: float) -> None:
    """A bar of 5 cm at the lower left, where it takes less than half of the width."""
    length = _BAR_MM * pixels_per_mm
    width, height = image.size
    if length > width / 2:
        return
    draw = ImageDraw.Draw(image)
    size = max(13.0, max(image.size) / 32)
    x, y = size * 0.6, height - size * 0.7
    draw.line((x, y, x + length, y), _BLACK, max(3, round(size / 3)))
    draw.line((x, y, x + length, y), _WHITE, max(1, round(size / 7)))
    font = ImageFont.load_default(size)
    draw.text((x, y - size * 0.3), "5 cm", _WHITE, font, "ld", stroke_width=max(1, round(size / 9)), stroke_fill=_BLACK)
