"""A table for a terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence


def text_table(heads: Sequence[str], rows: Iterable[Sequence[str]], right: Collection[str] = ()) -> str:
    """Aligned columns; those whose heads are in ``right`` are set flush right. Ends without a line end."""
    lines = [heads, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    forms = [f"{{:{'>' if head in right else '<'}{width}}}" for head, width in zip(heads, widths, strict=True)]
    return "\n".join("  ".join(forms).format(*line).rstrip() for line in lines)
