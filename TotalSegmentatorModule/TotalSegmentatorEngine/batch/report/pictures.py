"""The pictures of a report, read from the folders of the CTs."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from TotalSegmentatorEngine.export.page.html_parts import Markup, html, jpeg_image

THUMBNAIL = "thumbnail.jpg"
MOST_BYTES = 20_000_000
"""Of all pictures in a page: it stays below 30 MB, as text of four letters for three bytes. Those of 1,100 CTs."""
_MOST_BYTES_EACH = 200_000
"""A file that is larger is no thumbnail."""


class Pictures:
    """Gives the pictures one after the other, as long as there is room."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._room = most_bytes

    def element(self, case_id: str) -> Markup:
        """An <img>, or a sentence that says why there is none."""
        if not (self._folder / case_id).is_dir():
            return _sentence("The folder of this CT is not there any more: it was moved or deleted.")
        content = _jpeg(self._folder / case_id / THUMBNAIL)
        if content is None:
            return _sentence(f"No picture: {THUMBNAIL} is missing in the folder of this CT, or damaged.")
        if len(content) > self._room:
            text = html("Not in this page, which has many pictures: ")
            return Markup(f'<p class="none">{text}<a href="{case_id}/{THUMBNAIL}">{case_id}/{THUMBNAIL}</a></p>')
        self._room -= len(content)
        return Markup(jpeg_image(content, f"CT {case_id}", size=_size(content)))


def _sentence(text: str) -> Markup:
    return Markup(f'<p class="none">{html(text)}</p>')


def _jpeg(path: Path) -> bytes | None:
    try:
        content = path.read_bytes() if path.stat().st_size <= _MOST_BYTES_EACH else b""
        with Image.open(io.BytesIO(content)) as picture:
            picture.load()
            return content if picture.format == "JPEG" else None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):  # Pillow's for what is no picture
        return None


def _size(content: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(content)) as picture:
        return picture.size
