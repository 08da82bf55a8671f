"""What a PACS and a planning system list of an object: the label, the description and the number of its series.

They say where the structures come from, so that nobody takes a drawn structure for a computed one, and tell two exports
of one CT apart: by their models, and by how many structures were edited and approved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from TotalSegmentatorWire.agreement.kept import agreement_from_tag
from TotalSegmentatorWire.agreement.words import agreement_line
from TotalSegmentatorWire.messages.agreement import Agreement
from TotalSegmentatorWire.tables.result_tags import AGREEMENT_TAG

from TotalSegmentatorEngine.export.core.roi import BODY_OUTLINE, Roi
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries
from TotalSegmentatorEngine.export.dicom.text import MAXIMUM_LONG_STRING, long_string

CONTOURS, SEGMENTATION, MEASUREMENTS = "contours", "segmentation", "measurements"
"""What an object holds."""

SERIES_NUMBER_STEPS = {CONTOURS: 3000, SEGMENTATION: 1000, MEASUREMENTS: 2000}
"""Above the CT's number: beyond those that scanners use, the same for every export of this CT, and another one for each
CT of a study and for each kind of object."""

_LABELS = {
    (True, False, False): "AI contours",
    (False, True, False): "Manual contours",
    (True, True, False): "AI and manual",
    (True, False, True): "AI and other",
    (True, True, True): "AI and other",
    (False, True, True): "Manual and other",
    (False, False, True): "Contours",
    (False, False, False): BODY_OUTLINE,
}
"""Whether there are computed, drawn and other structures, to a label of at most 16 characters (SH, PS3.5 6.2)."""
_CUT = ".."
_LARGEST_INTEGER = 2**31 - 1
"""Of an IS value, PS3.5 6.2."""
_MAXIMUM_SHORT_TEXT = 1024
"""Characters of an ST value, PS3.5 6.2."""


@dataclass(frozen=True)
class SeriesWords:
    label: str
    """At most 16 characters."""
    description: str
    """At most 64 characters."""
    content: str
    """At most 1024 characters: how many structures come from where, in sentences."""


def series_words(rois: Sequence[Roi], kind: str, label: str | None = None) -> SeriesWords:
    """``kind``: CONTOURS, SEGMENTATION or MEASUREMENTS. ``label``: what the user calls the object, which comes first
    then.

    Numbers are copied into reports without a look at the structures: measurements always say what was reviewed.
    """
    origins = _Origins.of(rois)
    review = origins.review
    if kind == MEASUREMENTS and origins.count and not origins.approved:
        review = "not reviewed"
    return SeriesWords(
        label=label or _LABELS[origins.kinds],
        description=_description(label or origins.title(kind), origins, review),
        content=origins.sentences()[:_MAXIMUM_SHORT_TEXT],
    )


def series_number(reference: ReferenceSeries, kind: str) -> int:
    try:
        number = max(int(reference.dataset.get("SeriesNumber") or 0), 0)
    except (TypeError, ValueError):
        number = 0
    step = SERIES_NUMBER_STEPS[kind]
    return number + step if number + step <= _LARGEST_INTEGER else step


@dataclass(frozen=True)
class _Origins:
    """Counts of structures; the body outline, which nobody reviews here, is in none of them."""

    computed: int
    edited: int
    """Of the computed ones."""
    drawn: int
    other: int
    """Of other programs, and of those of whom nobody knows."""
    approved: int
    has_review: bool
    """Whether anything says what was looked at: other programs have reviews of their own."""
    models: tuple[str, ...]
    agreements: tuple[Agreement, ...]
    """Of approximate labels with the exact ones, each once."""

    @classmethod
    def of(cls, rois: Sequence[Roi]) -> _Origins:
        counted = [roi for roi in rois if roi.sources and not roi.description.startswith(BODY_OUTLINE)]
        computed = [roi for roi in counted if roi.models]
        drawn = sum(roi.is_drawn for roi in counted)
        return cls(
            computed=len(computed),
            edited=sum(roi.is_edited for roi in computed),
            drawn=drawn,
            other=len(counted) - len(computed) - drawn,
            approved=sum(roi.is_approved for roi in counted),
            has_review=any(roi.has_review for roi in counted),
            models=tuple(dict.fromkeys(long_string(model) for roi in computed for model in roi.models)),
            agreements=_agreements(computed),
        )

    @property
    def kinds(self) -> tuple[bool, bool, bool]:
        return self.computed > 0, self.drawn > 0, self.other > 0

    @property
    def count(self) -> int:
        return self.computed + self.drawn + self.other

    def title(self, kind: str) -> str:
        if not self.count:
            return BODY_OUTLINE
        first = "AI" if self.computed else "Manual" if self.drawn else ""
        second = "other" if self.other else "manual" if self.computed and self.drawn else ""
        makers = " and ".join(filter(None, [first, second])) if first else ""
        return f"{makers} {kind}" if makers else kind.capitalize()

    @property
    def review(self) -> str:
        return f"reviewed {self.approved} of {self.count}" if self.has_review else ""

    def sentences(self) -> str:
        said = []
        if self.computed:
            edited = f", {self.edited} of them edited afterwards" if self.edited else ""
            said.append(f"Computed by {', '.join(self.models)}: {self.computed}{edited}.")
        said += map(agreement_line, self.agreements)
        if self.drawn:
            said.append(f"Drawn by hand: {self.drawn}.")
        if self.other:
            said.append(f"Of another or unknown origin: {self.other}.")
        if self.review:
            said.append(f"Approved in the review before the export: {self.approved} of {self.count}.")
        return " ".join(said) or f"{BODY_OUTLINE}."


def _agreements(computed: Iterable[Roi]) -> tuple[Agreement, ...]:
    tags = dict.fromkeys(roi.tags.get(AGREEMENT_TAG, "") for roi in computed)
    return tuple(agreement for agreement in map(agreement_from_tag, tags) if agreement is not None)


def _description(title: str, origins: _Origins, review: str) -> str:
    """A long model's name is cut rather than the numbers that stand after it."""
    edited = f"{origins.edited} edited" if origins.edited else ""
    models = " + ".join(origins.models)
    room = MAXIMUM_LONG_STRING - len(", ".join(filter(None, [title, "x", edited, review]))) + 1
    if len(models) > room:
        models = models[: room - len(_CUT)] + _CUT if room > len(_CUT) else ""
    return long_string(", ".join(filter(None, [title, models, edited, review])))
