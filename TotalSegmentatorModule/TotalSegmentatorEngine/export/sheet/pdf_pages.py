"""A review sheet as PDF: one page where nothing asks for a look, further ones for remarks, edits and long lists. All of
it can be read without colour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from TotalSegmentatorEngine.export.sheet import words
from TotalSegmentatorEngine.export.sheet.contents import Remark, ReviewSheet
from TotalSegmentatorEngine.export.sheet.pdf_canvas import LINE, MARGIN, WIDTH, PdfCanvas, lines_of
from TotalSegmentatorEngine.export.sheet.picture_layout import CAPTION, GAP, fitted, picture_layout
from TotalSegmentatorEngine.export.sheet.pictures import SheetPicture, SheetPictures

_INNER = WIDTH - 2 * MARGIN
_BOTTOM = MARGIN + 34.0
"""Below it stands the foot of the page."""
_TEXT, _SMALL, _TABLE = 8.0, 6.5, 6.8
_ROW = _TABLE * 1.16
_HEAD = _TABLE * 1.5
_COLUMNS = 2
_COLUMN = (_INNER - 2 * GAP) / _COLUMNS
_SHARES = (0.385, 0.11, 0.165, 0.085, 0.155, 0.10)
"""Of the columns of TABLE_HEADS, in the width of one of the two columns of the page."""
_EDIT_SHARES = (0.34, 0.14, 0.13, 0.15, 0.1, 0.14)
_LEAST_PICTURES = 200.0
"""Height for the pictures below which the list goes onto a page of its own."""
_MOST_PICTURES = 500.0
_PLACE_WIDTH = 128.0


def pdf_pages(sheet: ReviewSheet, shown: SheetPictures) -> bytes:
    return _Pages(sheet, shown).written()


class _Pages:
    def __init__(self, sheet: ReviewSheet, shown: SheetPictures) -> None:
        self._sheet = sheet
        self._shown = shown
        self._pdf = PdfCanvas(f"{words.TITLE} {sheet.input.digest}", self._foot)

    def written(self) -> bytes:
        self._head()
        rows = [words.structure_row(each) for each in self._sheet.structures]
        list_height = _list_height(len(rows))
        room = self._pdf.y - _BOTTOM
        is_on_first = room - list_height >= _LEAST_PICTURES
        self._overview(min(_MOST_PICTURES, room - (list_height if is_on_first else 0)))
        if not is_on_first:
            self._pdf.new_page()
        self._list(rows)
        if self._sheet.numbered:
            self._remarks()
        edits = list(words.edit_rows(self._sheet))
        if edits:
            self._edits(edits)
        return self._pdf.finished()

    # -- the first page ------------------------------------------------------------------------------------------------

    def _head(self) -> None:
        pdf, sheet = self._pdf, self._sheet
        pdf.paragraph(MARGIN, words.TITLE, 15.0, _INNER, bold=True)
        pdf.y -= 2
        patient = words.patient_lines(sheet)
        if patient:
            pdf.paragraph(MARGIN, "; ".join(patient), _TEXT, _INNER, bold=True)
        for line in (words.input_line(sheet), *words.computation_lines(sheet)):
            pdf.paragraph(MARGIN, line, _TEXT, _INNER)
        pdf.y -= 4
        pdf.rule(MARGIN, pdf.y, _INNER)
        pdf.y -= 6

    def _overview(self, height: float) -> None:
        """The pictures of the body, and the counts."""
        pdf, top = self._pdf, self._pdf.y
        layout = picture_layout(self._shown, _INNER, height - _SMALL * LINE - 6)
        for place in layout.places:
            base = top - place.top - place.height
            self._picture(place.picture, MARGIN + place.left, base, place.width, place.height)
        self._counts(MARGIN + layout.counts_left, top)
        pdf.y = min(pdf.y, top - layout.height) - 2
        pdf.paragraph(MARGIN, words.PICTURE_NOTE, _SMALL, _INNER)
        pdf.y -= 4

    def _picture(self, picture: SheetPicture, x: float, y: float, width: float, height: float) -> None:
        self._pdf.picture(picture.picture, x, y, width, height)
        self._pdf.text(x, y - 7.5, picture.title, _SMALL)

    def _counts(self, left: float, top: float) -> None:
        pdf, sheet = self._pdf, self._sheet
        width = WIDTH - MARGIN - left
        pdf.y = top
        pdf.paragraph(left, words.COUNTS_HEAD, 10.0, width, bold=True)
        self._count_lines(left, width, words.count_rows(sheet))
        pdf.y -= 6
        pdf.paragraph(left, words.LEVELS_HEAD, 10.0, width, bold=True)
        if sheet.remarks is None:
            pdf.paragraph(left, words.NOT_CHECKED, _TEXT, width)
            return
        self._count_lines(left, width, words.level_rows(sheet))
        pdf.paragraph(left, words.open_remarks_line(sheet), _TEXT, width)

    def _count_lines(self, left: float, width: float, rows: Iterable[words.Row]) -> None:
        for count, text in rows:
            self._pdf.text(left + 18, self._pdf.y - _TEXT, count, _TEXT, bold=True, right=True)
            self._pdf.paragraph(left + 23, text, _TEXT, width - 23)

    # -- the list of structures ----------------------------------------------------------------------------------------

    def _list(self, rows: Sequence[words.Row]) -> None:
        """In two columns, which go on over further pages."""
        pdf, place = self._pdf, 0
        while place < len(rows):
            fits = int((pdf.y - _BOTTOM - _list_height(0)) // _ROW)
            count = min(fits, -(-(len(rows) - place) // _COLUMNS))
            if count < 1:
                pdf.new_page()
                continue
            top = pdf.y
            for column in range(_COLUMNS):
                part = rows[place : place + count]
                self._column(MARGIN + column * (_COLUMN + 2 * GAP), top, _COLUMN, words.TABLE_HEADS, _SHARES, part)
                place += len(part)
            pdf.y = top - _HEAD - _ROW * count - 5
            if place < len(rows):
                pdf.new_page()
        for text in (words.TABLE_NOTE, words.software_line(self._sheet)):
            pdf.paragraph(MARGIN, text, _SMALL - 0.5, _INNER)

    def _column(
        self,
        left: float,
        top: float,
        width: float,
        heads: words.Row,
        shares: Sequence[float],
        rows: Sequence[words.Row],
    ) -> None:
        if not rows:
            return
        pdf, y = self._pdf, top - _TABLE
        for cells in (heads, *rows):
            x = left
            for index, (cell, share) in enumerate(zip(cells, shares, strict=True)):
                is_number = index not in (0, 5) if heads is words.TABLE_HEADS else index > 0
                inset = 4 if index else 0
                pdf.fitted(x + inset, y, cell, _TABLE, width * share - inset, right=is_number)
                x += width * share
            if cells is heads:
                pdf.rule(left, y - 2.4, width)
            y -= _HEAD if cells is heads else _ROW

    # -- what was remarked and edited ----------------------------------------------------------------------------------

    def _remarks(self) -> None:
        """Blocks with a picture of the place, in two columns."""
        pdf = self._pdf
        pdf.new_page()
        self._title("Remarks and decisions")
        numbered = self._sheet.numbered
        for first in range(0, len(numbered), _COLUMNS):
            pair = numbered[first : first + _COLUMNS]
            height = max(self._block_height(number, remark) for number, remark in pair)
            if pdf.y - height < _BOTTOM:
                pdf.new_page()
            top = pdf.y
            for column, (number, remark) in enumerate(pair):
                self._block(MARGIN + column * (_COLUMN + 2 * GAP), top, number, remark)
            pdf.y = top - height - GAP

    def _block(self, left: float, top: float, number: int, remark: Remark) -> None:
        pdf, picture = self._pdf, self._shown.places.get(number)
        if picture is not None:
            width, height = fitted(picture, _PLACE_WIDTH, _PLACE_WIDTH)
            self._picture(picture, left, top - height, width, height)
        pdf.y = top
        left += _PLACE_WIDTH + 6
        width = _COLUMN - _PLACE_WIDTH - 6
        for text, bold in self._texts(number, remark):
            pdf.paragraph(left, text, _TEXT, width, bold)

    def _block_height(self, number: int, remark: Remark) -> float:
        width = _COLUMN - _PLACE_WIDTH - 6
        lines = sum(len(lines_of(text, _TEXT, width, bold)) for text, bold in self._texts(number, remark))
        picture = self._shown.places.get(number)
        pictured = 0.0 if picture is None else fitted(picture, _PLACE_WIDTH, _PLACE_WIDTH)[1] + CAPTION
        return max(pictured, lines * _TEXT * LINE)

    def _texts(self, number: int, remark: Remark) -> list[tuple[str, bool]]:
        """Of a remark, and whether they are bold."""
        texts = [
            words.capital(remark.sentence),
            words.place_text(remark),
            words.decision_text(remark, self._sheet.is_checked_now),
        ]
        return [(words.remark_head(number, remark), True), *((text, False) for text in texts if text)]

    def _edits(self, rows: list[words.Row]) -> None:
        pdf = self._pdf
        if not self._sheet.numbered or pdf.y - 60 - _ROW * min(len(rows), 8) < _BOTTOM:
            pdf.new_page()
        pdf.y -= 6
        self._title("Edits")
        while rows:
            fits = max(1, int((pdf.y - _BOTTOM - _HEAD - 30) // _ROW))
            part, rows = rows[:fits], rows[fits:]
            self._column(MARGIN, pdf.y, _INNER, words.EDIT_HEADS, _EDIT_SHARES, part)
            pdf.y -= _HEAD + _ROW * len(part) + 4
            if rows:
                pdf.new_page()
        pdf.paragraph(MARGIN, words.EDIT_NOTE, _SMALL, _INNER)

    def _title(self, text: str) -> None:
        self._pdf.paragraph(MARGIN, text, 12.0, _INNER, bold=True)
        self._pdf.y -= 4

    def _foot(self, pdf: PdfCanvas, page: int) -> None:
        """A line to sign."""
        y = MARGIN + 18
        for share, text in ((0.0, "Patient or label"), (0.4, "Reviewed by"), (0.75, "Date")):
            left = MARGIN + share * _INNER
            end = MARGIN + {0.0: 0.38, 0.4: 0.73, 0.75: 1.0}[share] * _INNER
            pdf.rule(left, y, end - left, 0.4)
            pdf.text(left, y - 7, text, _SMALL - 0.5)
        pdf.text(MARGIN, MARGIN, words.DISCLAIMER, _SMALL - 0.5)
        pdf.text(WIDTH - MARGIN, MARGIN, f"CT {self._sheet.input.digest}, page {page}", _SMALL - 0.5, right=True)


def _list_height(rows: int) -> float:
    """Of the list of structures with its head and its note."""
    return _HEAD + _ROW * -(-rows // _COLUMNS) + 5 + 3 * _SMALL * LINE
