"""The parts of a page for browsers."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Sequence
from html import escape

STYLE = """
body { font: 14px/1.35 sans-serif; color: #000; background: #fff; }
body { max-width: 1080px; margin: 16px auto; padding: 0 16px; }
h1 { font-size: 22px; margin: 0 0 4px; }
h2 { break-after: avoid; font-size: 17px; margin: 22px 0 6px; border-bottom: 1px solid #000; }
h3 { font-size: 14px; margin: 4px 0; } p { margin: 2px 0; } .small { font-size: 12px; }
figure { margin: 0; } figcaption { font-size: 12px; } img { display: block; max-width: 100%; }
table { border-collapse: collapse; } td, th { padding: 1px 8px 1px 0; text-align: left; vertical-align: top; }
.list { width: 100%; } .list th { border-bottom: 1px solid #000; } .list td { border-bottom: 1px solid #ccc; }
.list .number { text-align: right; white-space: nowrap; }
@media print { @page { size: A4; margin: 12mm; } body { font-size: 10px; margin: 0; padding: 0; max-width: none; }
 .small, figcaption { font-size: 8px; } tr, figure { break-inside: avoid; } }
"""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def html(text: str) -> Markup:
    """``text`` with its signs escaped, unless it is HTML."""
    return text if isinstance(text, Markup) else Markup(escape(text))


def document(title: str, style: str, body: Iterable[str]) -> str:
    """``style`` adds to STYLE; ``body`` is HTML."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html(title)}</title><style>{STYLE}{style}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def paragraphs(lines: Iterable[str], kind: str = "") -> list[str]:
    """``kind``: class of each of them."""
    opening = f'<p class="{kind}">' if kind else "<p>"
    return [f"{opening}{html(line)}</p>" for line in lines]


def plain_table(rows: Iterable[Iterable[str]]) -> str:
    return "<table>" + "".join("<tr>" + _cells(row) + "</tr>" for row in rows) + "</table>"


def _cells(row: Iterable[str]) -> str:
    return "".join(f"<td>{html(cell)}</td>" for cell in row)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: Collection[str] = ()) -> str:
    """The columns whose heads are in ``numbers`` are set flush right."""
    kinds = [' class="number"' if head in numbers else "" for head in heads]
    lines = ("".join(f"<td{kind}>{html(cell)}</td>" for kind, cell in zip(kinds, row, strict=True)) for row in rows)
    head = "".join(f"<th{kind}>{html(text)}</th>" for kind, text in zip(kinds, heads, strict=True))
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<table class="list"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def jpeg_image(jpeg: bytes, title: str, style: str = "", size: tuple[int, int] | None = None) -> str:
    """``size``: width and height in pixels, where a page is to know them before it looks into its pictures."""
    look = f' style="{style}"' if style else ""
    if size is not None:
        look += f' width="{size[0]}" height="{size[1]}" loading="lazy" decoding="async"'
    data = base64.b64encode(jpeg).decode("ascii")
    return f'<img{look} alt="{html(title)}" src="data:image/jpeg;base64,{data}">'
