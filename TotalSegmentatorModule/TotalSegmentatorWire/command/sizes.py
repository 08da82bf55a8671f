"""Sizes of downloads, as the terminal shows them."""

from __future__ import annotations


def size_text(count: int | None) -> str:
    """A number of bytes as "1.5 GB" or "120 MB"; None is a size that nobody states."""
    if count is None:
        return "size not published"
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
