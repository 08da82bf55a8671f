"""An Agreement in words: the only copy, for the terminal, the panel, the review sheet, the reports and DICOM.

The English serves everywhere but in Slicer, which shows its translation (TotalSegmentatorModuleLib/agreement/texts.py):
each function takes what translates a sentence. As with errors, every sentence is a literal in ``_("...")``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from TotalSegmentatorWire.errors.definition import translatable as _
from TotalSegmentatorWire.messages.agreement import CROP, REDUCED, REGIONS, Agreement, Share
from TotalSegmentatorWire.tables.review_rules import shown_name

Translate = Callable[[str], str]
"""Gets one of the sentences below with its ``{named}`` values, and gives it in another language."""

_LINE = _(
    "Labels agree with the exact ones in {percent} % ({low} to {high} %) of the sampled voxels of structures: "
    "{approximations}."
)
_SHORT = _("{percent} % ({low} to {high} %) equal to exact labels")
_BELOW = _("That is less than the {threshold} % that were asked for.")
_SAMPLE = _(
    "Computed exactly again: {tiles} of {of_tiles} tiles, in {seconds} s. In brackets: the range in which the "
    "agreement of the whole CT lies with 95 % confidence."
)
_ALL_VOXELS = _("Of all sampled voxels, with those outside structures: {percent} % ({low} to {high} %).")
_LOWEST = _("Lowest of the structures: {structure}, {percent} % ({low} to {high} %).")
_APPROXIMATIONS = {
    REDUCED: _("reduced precision"),
    CROP: _("cropped to the structures"),
    REGIONS: _("only where the chosen structures can be"),
}
_PERCENT_DIGITS = 1
_MOST_DIGITS = 3
"""Behind the point: of 99.97 % agreement one digit would say 100 %."""


def agreement_line(agreement: Agreement, translate: Translate = str) -> str:
    """One sentence: how well the labels agree, and by what they were approximated."""
    approximations = approximations_text(agreement, translate)
    return _said(_LINE, translate, **_percents(agreement.foreground), approximations=approximations)


def short_agreement(agreement: Agreement, translate: Translate = str) -> str:
    """For a list of several facts: "99.4 % (99.0 to 99.7 %) equal to exact labels"."""
    return _said(_SHORT, translate, **_percents(agreement.foreground))


def agreement_details(agreement: Agreement, translate: Translate = str) -> list[str]:
    """What follows ``agreement_line`` where there is room: the lowest structure, all voxels, the sample."""
    said = []
    if is_below(agreement):
        said.append(_said(_BELOW, translate, threshold=percent_text(agreement.threshold)))
    if agreement.lowest is not None:
        structure = shown_name(agreement.lowest_structure)
        said.append(_said(_LOWEST, translate, structure=structure, **_percents(agreement.lowest)))
    said.append(_said(_ALL_VOXELS, translate, **_percents(agreement.voxels)))
    seconds = max(1, round(agreement.seconds))
    sample = {"tiles": agreement.tiles, "of_tiles": agreement.of_tiles, "seconds": seconds}
    return [*said, _said(_SAMPLE, translate, **sample)]


def approximations_text(agreement: Agreement, translate: Translate = str) -> str:
    """By what the labels were approximated; an unknown approximation, of a later version, by its name."""
    return ", ".join(translate(_APPROXIMATIONS.get(each, each)) for each in agreement.approximations)


def is_below(agreement: Agreement) -> bool:
    """Whether fewer voxels of structures agree than the user asked for."""
    return agreement.foreground.value < agreement.threshold


def percent_text(share: float) -> str:
    """0..1 in percent, cut rather than rounded: what is not all never reads "100"."""
    percent = share * 100
    digits = _PERCENT_DIGITS
    while digits < _MOST_DIGITS and 0 < 100 - percent < 10**-digits:
        digits += 1
    scale = 10**digits
    cut = math.floor(percent * scale + 1e-6) / scale
    return "100" if cut >= 100 else f"{cut:.{digits}f}"


def _said(text: str, translate: Translate, **values: object) -> str:
    """The English where a translation's placeholders are wrong: showing a result must not fail."""
    try:
        return translate(text).format(**values)
    except (LookupError, ValueError, TypeError, AttributeError):
        return text.format(**values)


def _percents(share: Share) -> dict[str, str]:
    return {
        "percent": percent_text(share.value),
        "low": percent_text(share.low),
        "high": percent_text(share.high),
    }
