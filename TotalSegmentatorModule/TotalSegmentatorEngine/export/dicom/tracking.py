"""How one structure of a CT is recognised in all objects that are made of it: tracking identifiers, PS3.16 TID 4108."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.dicom.object import series_uid, uid_from
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries

TRACKING_UID_TAG = "TrackingUniqueIdentifier"
"""Of a segment of Slicer: the extension QuantitativeReporting sets it when it reads a report."""

_UID = re.compile(r"(?=.{1,64}$)(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")
"""PS3.5 9.1."""


def tracking_identifier(roi: Roi) -> str:
    return roi.name


def tracking_uids(rois: Sequence[Roi], reference: ReferenceSeries) -> dict[int, str]:
    """By ROI number. One structure of a CT series has the same in each of its exports, so that segments and
    measurements of several of them can be put side by side.

    A UID that a segment came with stays, unless another one has the same, as copies of a segment have.
    """
    stated = {roi.number: roi.tags.get(TRACKING_UID_TAG, "") for roi in rois}
    counts = Counter(stated.values())
    return {
        roi.number: stated[roi.number]
        if _UID.fullmatch(stated[roi.number]) and counts[stated[roi.number]] == 1
        else _own_uid(roi, reference)
        for roi in rois
    }


def _own_uid(roi: Roi, reference: ReferenceSeries) -> str:
    """A computed structure is known by its ids, under whatever name it goes out. Ids of others are numbers as a rule
    ("Segment_1"), which mean another structure in another segmentation, so that their names count too."""
    names = () if roi.models else (roi.name,)
    return uid_from("\n".join(("structure of " + series_uid(reference), *roi.sources, *names)))
