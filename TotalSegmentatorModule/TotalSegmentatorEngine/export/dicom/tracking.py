"""How one structure of a CT is recognised in all objects that are made of it: tracking identifiers, PS3.16 TID 4108."""

from __future__ import annotations

from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.dicom.object import series_uid, uid_from
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries


def tracking_identifier(roi: Roi) -> str:
    return roi.name


def tracking_uid(roi: Roi, reference: ReferenceSeries) -> str:
    """The same for one structure of one CT series in each of its exports, so that segments and measurements of several
    of them can be put side by side.

    A computed structure is known by its ids, under whatever name it goes out. Ids of others are numbers as a rule
    ("Segment_1"), which mean another structure in another segmentation, so that their names count too.
    """
    names = () if roi.models else (roi.name,)
    return uid_from("\n".join(("structure of " + series_uid(reference), *roi.sources, *names)))
