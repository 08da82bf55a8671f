"""A review sheet as one file for browsers: pictures inside, no script, nothing from the network; it prints on A4."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from TotalSegmentatorEngine.export.page.html_parts import document, jpeg_image, paragraphs, plain_table, table
from TotalSegmentatorEngine.export.sheet import words
from TotalSegmentatorEngine.export.sheet.contents import ReviewSheet
from TotalSegmentatorEngine.export.sheet.pictures import SheetPicture, SheetPictures

_STYLE = """
.pictures { display: flex; flex-wrap: wrap; gap: 8px; align-items: flex-end; }
.pictures img { height: var(--height); }
.counts { display: flex; gap: 40px; flex-wrap: wrap; margin: 8px 0; }
.counts table td:first-child { text-align: right; font-weight: bold; }
.remarks { display: grid; grid-template-columns: 1fr 1fr; gap: 10px 24px; }
.remark { display: flex; gap: 10px; break-inside: avoid; } .remark img { width: 190px; } .remark b { display: block; }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 0 28px; align-items: start; }
@media screen and (max-width: 800px) { .two, .remarks { grid-template-columns: 1fr; } }
@media print { .pictures img { height: calc(var(--height) * 0.62); } .remark img { width: 130px; } }
"""
_NUMBERS = {"ml", "published", "HU", "possible", "computed ml", "now ml", "difference ml", "Dice", "added path mm"}


def html_page(sheet: ReviewSheet, shown: SheetPictures) -> str:
    body = [
        f"<h1>{words.TITLE}</h1>",
        *paragraphs([*words.patient_lines(sheet), words.input_line(sheet), *words.computation_lines(sheet)]),
        _counts(sheet),
        _figures([shown.coronal, shown.sagittal], 380),
        _figures(shown.axial, 260),
        *paragraphs([words.PICTURE_NOTE], "small"),
        *_remarks(sheet, shown),
        *_edits(sheet),
        "<h2>Structures</h2>",
        _structures(sheet),
        *paragraphs([words.TABLE_NOTE, words.software_line(sheet), words.DISCLAIMER], "small"),
    ]
    return document(f"{words.TITLE} {sheet.input.digest}", _STYLE, body)


def _counts(sheet: ReviewSheet) -> str:
    check = f"<p>{words.NOT_CHECKED}</p>"
    if sheet.remarks is not None:
        check = f"{plain_table(words.level_rows(sheet))}<p>{escape(words.open_remarks_line(sheet))}</p>"
    blocks = {words.COUNTS_HEAD: plain_table(words.count_rows(sheet)), words.LEVELS_HEAD: check}
    shown = "".join(f"<div><h3>{head}</h3>{content}</div>" for head, content in blocks.items())
    return f'<div class="counts">{shown}</div>'


def _structures(sheet: ReviewSheet) -> str:
    """In two tables side by side, or one below the other where the window is narrow."""
    rows = list(map(words.structure_row, sheet.structures))
    half = -(-len(rows) // 2)
    tables = [table(words.TABLE_HEADS, part, _NUMBERS) for part in (rows[:half], rows[half:]) if part]
    return f'<div class="two">{"".join(tables)}</div>'


def _figures(pictures: Iterable[SheetPicture], height: int) -> str:
    return '<div class="pictures">' + "".join(_figure(each, height) for each in pictures) + "</div>"


def _figure(each: SheetPicture, height: int) -> str:
    image = jpeg_image(each.picture.jpeg(), each.title, f"--height:{height}px")
    return f"<figure>{image}<figcaption>{escape(each.title)}</figcaption></figure>"


def _remarks(sheet: ReviewSheet, shown: SheetPictures) -> list[str]:
    if not sheet.numbered:
        return []
    blocks = []
    for number, remark in sheet.numbered:
        picture = shown.places.get(number)
        image = "" if picture is None else jpeg_image(picture.picture.jpeg(), picture.title)
        texts = (
            words.capital(remark.sentence),
            words.place_text(remark),
            words.decision_text(remark, sheet.is_checked_now),
        )
        lines = map(escape, filter(None, texts))
        head = escape(words.remark_head(number, remark))
        blocks.append(f'<div class="remark">{image}<div><b>{head}</b>{"<br>".join(lines)}</div></div>')
    return ["<h2>Remarks and decisions</h2>", '<div class="remarks">' + "".join(blocks) + "</div>"]


def _edits(sheet: ReviewSheet) -> list[str]:
    rows = list(words.edit_rows(sheet))
    if not rows:
        return []
    return ["<h2>Edits</h2>", table(words.EDIT_HEADS, rows, _NUMBERS), *paragraphs([words.EDIT_NOTE], "small")]
