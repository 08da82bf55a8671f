"""Text and pictures on the pages of a PDF: A4, in points of 1/72 inch; y grows upwards."""

from __future__ import annotations

import importlib.util
import io
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader, simpleSplit
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from TotalSegmentatorEngine.export.sheet.drawing import PlanePicture

WIDTH, HEIGHT = A4
MARGIN = 30.0
LINE = 1.22
"""Height of a line of text, in sizes of its font."""

_PLAIN, _BOLD = "Helvetica", "Helvetica-Bold"
_OTHER = "DejaVuSans"
_EAST_ASIAN = {
    "HYGothic-Medium": re.compile("[\u1100-\u11ff\uac00-\ud7a3]"),
    "HeiseiKakuGo-W5": re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]"),
}
"""Korean, then Japanese and Chinese: fonts and the signs that ask for them."""


class PdfCanvas:
    """Writes from the top of each page to its bottom; ``y`` is where it goes on."""

    def __init__(self, title: str, foot: Callable[[PdfCanvas, int], None]) -> None:
        """``foot`` writes below the margin of each page; it gets the page's number."""
        self._stream = io.BytesIO()
        self._canvas = Canvas(self._stream, pagesize=A4, invariant=1, lang="en")  # no time of making in the file
        self._canvas.setTitle(title)
        self._canvas.setAuthor("")
        self._foot = foot
        self._page = 1
        self.y = HEIGHT - MARGIN

    def finished(self) -> bytes:
        self._foot(self, self._page)
        self._canvas.save()
        return self._stream.getvalue()

    def new_page(self) -> None:
        self._foot(self, self._page)
        self._canvas.showPage()
        self._page += 1
        self.y = HEIGHT - MARGIN

    def text(self, x: float, y: float, text: str, size: float, bold: bool = False, right: bool = False) -> None:
        """One line whose base is at ``y``; ``right``: it ends at ``x``."""
        self._canvas.setFont(_font(text, bold), size)
        (self._canvas.drawRightString if right else self._canvas.drawString)(x, y, text)

    def fitted(self, x: float, y: float, text: str, size: float, width: float, right: bool = False) -> None:
        """One line that is set smaller, then cut, where it is too long; ``right``: it ends at ``x`` + ``width``."""
        for smaller in (size, size * 0.92, size * 0.85):
            if width_of(text, smaller) <= width:
                size = smaller
                break
        else:
            size *= 0.85
            while len(text) > 1 and width_of(text + "...", size) > width:
                text = text[:-1]
            text += "..."
        self.text(x + width if right else x, y, text, size, right=right)

    def paragraph(self, x: float, text: str, size: float, width: float, bold: bool = False) -> None:
        """Lines from ``y`` on, which moves below them."""
        for line in lines_of(text, size, width, bold):
            self.y -= size * LINE
            self.text(x, self.y + size * 0.25, line, size, bold)

    def rule(self, x: float, y: float, width: float, weight: float = 0.5) -> None:
        self._canvas.setLineWidth(weight)
        self._canvas.line(x, y, x + width, y)

    def picture(self, picture: PlanePicture, x: float, y: float, width: float, height: float) -> None:
        """Its lower left corner at ``x``, ``y``."""
        self._canvas.drawImage(ImageReader(io.BytesIO(picture.jpeg())), x, y, width, height)


def lines_of(text: str, size: float, width: float, bold: bool = False) -> list[str]:
    return simpleSplit(text, _font(text, bold), size, width)


def width_of(text: str, size: float, bold: bool = False) -> float:
    return pdfmetrics.stringWidth(text, _font(text, bold), size)


def _font(text: str, bold: bool) -> str:
    """Every reader has Helvetica, for Western letters; a font with more letters goes into the file where it must."""
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        east_asian = next((font for font, letters in _EAST_ASIAN.items() if letters.search(text)), "")
        return _reader_font(east_asian) if east_asian else _wider_font() or _PLAIN
    return _BOLD if bold else _PLAIN


@cache
def _reader_font(name: str) -> str:
    """Comes with the reader of the PDF: a font of ten thousand signs does not go into the file."""
    pdfmetrics.registerFont(UnicodeCIDFont(name))
    return name


@cache
def _wider_font() -> str:
    """DejaVu Sans, which matplotlib brings: Greek, Cyrillic and more. Empty where it is not there."""
    found = importlib.util.find_spec("matplotlib")
    if found is None or not found.origin:
        return ""
    path = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    if not path.is_file():
        return ""
    pdfmetrics.registerFont(TTFont(_OTHER, str(path)))
    return _OTHER
