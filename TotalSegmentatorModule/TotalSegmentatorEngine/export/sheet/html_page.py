"""A review sheet as one file for browsers: pictures inside, no script, nothing from the network; it prints on A4."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape

from TotalSegmentatorEngine.export.sheet import words
from TotalSegmentatorEngine.export.sheet.contents import ReviewSheet
from TotalSegmentatorEngine.export.sheet.pictures import SheetPicture, SheetPictures

_STYLE = """
body { font: 14px/1.35 sans-serif; color: #000; background: #fff; }
body { max-width: 1080px; margin: 16px auto; padding: 0 16px; }
h1 { font-size: 22px; margin: 0 0 4px; }
h2 { break-after: avoid; font-size: 17px; margin: 22px 0 6px; border-bottom: 1px solid #000; }
h3 { font-size: 14px; margin: 4px 0; } p { margin: 2px 0; } .small { font-size: 12px; }
.pictures { display: flex; flex-wrap: wrap; gap: 8px; align-items: flex-end; }
.pictures img { height: var(--height); } figure { margin: 0; } figcaption { font-size: 12px; }
img { display: block; max-width: 100%; }
.counts { display: flex; gap: 40px; flex-wrap: wrap; margin: 8px 0; }
.counts table td:first-child { text-align: right; font-weight: bold; }
.remarks { display: grid; grid-template-columns: 1fr 1fr; gap: 10px 24px; }
.remark { display: flex; gap: 10px; break-inside: avoid; } .remark img { width: 190px; } .remark b { display: block; }
table { border-collapse: collapse; } td, th { padding: 1px 8px 1px 0; text-align: left; vertical-align: top; }
.list { width: 100%; } .list th { border-bottom: 1px solid #000; } .list td { border-bottom: 1px solid #ccc; }
.list .number { text-align: right; white-space: nowrap; }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 0 28px; align-items: start; }
@media screen and (max-width: 800px) { .two, .remarks { grid-template-columns: 1fr; } }
@media print { @page { size: A4; margin: 12mm; } body { font-size: 10px; margin: 0; padding: 0; max-width: none; }
 .pictures img { height: calc(var(--height) * 0.62); }
 .small, figcaption { font-size: 8px; } tr, figure { break-inside: avoid; } .remark img { width: 130px; } }
"""
_NUMBERS = {"ml", "published", "HU", "possible", "computed ml", "now ml", "difference ml", "Dice", "added path mm"}


def html_page(sheet: ReviewSheet, shown: SheetPictures) -> str:
    body = [
        f"<h1>{words.TITLE}</h1>",
        *_paragraphs([*words.patient_lines(sheet), words.input_line(sheet), *words.computation_lines(sheet)]),
        _counts(sheet),
        _figures([shown.coronal, shown.sagittal], 380),
        _figures(shown.axial, 260),
        *_paragraphs([words.PICTURE_NOTE], "small"),
        *_remarks(sheet, shown),
        *_edits(sheet),
        "<h2>Structures</h2>",
        _structures(sheet),
        *_paragraphs([words.TABLE_NOTE, words.software_line(sheet), words.DISCLAIMER], "small"),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{words.TITLE} {escape(sheet.input.digest)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _paragraphs(lines: Iterable[str], kind: str = "") -> list[str]:
    opening = f'<p class="{kind}">' if kind else "<p>"
    return [f"{opening}{escape(line)}</p>" for line in lines]


def _counts(sheet: ReviewSheet) -> str:
    check = f"<p>{words.NOT_CHECKED}</p>"
    if sheet.remarks is not None:
        check = f"{_plain_table(words.level_rows(sheet))}<p>{escape(words.open_remarks_line(sheet))}</p>"
    blocks = {words.COUNTS_HEAD: _plain_table(words.count_rows(sheet)), words.LEVELS_HEAD: check}
    shown = "".join(f"<div><h3>{head}</h3>{content}</div>" for head, content in blocks.items())
    return f'<div class="counts">{shown}</div>'


def _structures(sheet: ReviewSheet) -> str:
    """In two tables side by side, or one below the other where the window is narrow."""
    rows = list(map(words.structure_row, sheet.structures))
    half = -(-len(rows) // 2)
    tables = [_table(words.TABLE_HEADS, part) for part in (rows[:half], rows[half:]) if part]
    return f'<div class="two">{"".join(tables)}</div>'


def _plain_table(rows: Iterable[words.Row]) -> str:
    return "<table>" + "".join(_row(row) for row in rows) + "</table>"


def _row(cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _table(heads: words.Row, rows: Iterable[words.Row]) -> str:
    kinds = [' class="number"' if head in _NUMBERS else "" for head in heads]
    cells = [[f"<td{kind}>{escape(cell)}</td>" for kind, cell in zip(kinds, row, strict=True)] for row in rows]
    head = "".join(f"<th{kind}>{escape(text)}</th>" for kind, text in zip(kinds, heads, strict=True))
    lines = "".join("<tr>" + "".join(row) + "</tr>" for row in cells)
    return f'<table class="list"><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>'


def _figures(pictures: Iterable[SheetPicture], height: int) -> str:
    return '<div class="pictures">' + "".join(_figure(each, height) for each in pictures) + "</div>"


def _figure(each: SheetPicture, height: int) -> str:
    title = escape(each.title)
    image = f'<img style="--height:{height}px" alt="{title}" src="{_data(each)}">'
    return f"<figure>{image}<figcaption>{title}</figcaption></figure>"


def _data(each: SheetPicture) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(each.picture.jpeg()).decode("ascii")


def _remarks(sheet: ReviewSheet, shown: SheetPictures) -> list[str]:
    if not sheet.numbered:
        return []
    blocks = []
    for number, remark in sheet.numbered:
        picture = shown.places.get(number)
        image = "" if picture is None else f'<img alt="{escape(picture.title)}" src="{_data(picture)}">'
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
    return ["<h2>Edits</h2>", _table(words.EDIT_HEADS, rows), *_paragraphs([words.EDIT_NOTE], "small")]
