"""The words for an Agreement in the application's language; the wire holds the English sentences."""

from __future__ import annotations

from slicer.i18n import getContext, translate
from TotalSegmentatorWire.agreement import words
from TotalSegmentatorWire.messages.agreement import Agreement


def agreement_text(agreement: Agreement) -> str:
    """One sentence: how well the labels agree, and by what they were approximated."""
    return _unbroken(words.agreement_line(agreement, _translated))


def agreement_details(agreement: Agreement) -> str:
    """What follows it where there is room: one sentence a line."""
    return _unbroken("\n".join(words.agreement_details(agreement, _translated)))


def _unbroken(text: str) -> str:
    """A narrow panel does not begin a line with a per cent sign."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def _translated(text: str) -> str:
    return translate(getContext(words.__file__), text)
