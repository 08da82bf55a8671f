"""The measurements of one structure as content of a report: PS3.16 TID 1411, Volumetric ROI Measurements."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from TotalSegmentatorWire import ALGORITHM_NAME, ENGINE_VERSION
from TotalSegmentatorWire.tables.review_state import ReviewState

from TotalSegmentatorEngine.export.core.codes import BOTH_SIDES, LEFT, RIGHT, UNCODED, Code, RoiCodes
from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.dicom.object import concept
from TotalSegmentatorEngine.export.sr import codes as sr_codes
from TotalSegmentatorEngine.export.sr.segments import ReferencedSeg
from TotalSegmentatorEngine.statistics.structure_statistics import HuStatistics, StructureStatistics

if TYPE_CHECKING:
    from highdicom.sr import (
        AlgorithmIdentification,
        FindingSite,
        Measurement,
        VolumetricROIMeasurementsAndQualitativeEvaluations,
    )

_SIDES = {LEFT.value, RIGHT.value, BOTH_SIDES.value}
_REVIEWS = {
    ReviewState.UNREVIEWED: "Not reviewed",
    ReviewState.EDITED: "Edited, not approved",
    ReviewState.APPROVED: "Approved in a review",
    ReviewState.NEEDS_ATTENTION: "Marked as needing attention",
    ReviewState.REJECTED: "Rejected in a review",
}
_CUT = "Cut off by the field of view: the values are those of the part that was scanned."


def measurement_group(
    roi: Roi, counted: StructureStatistics, seg: ReferencedSeg, ct_series_uid: str
) -> VolumetricROIMeasurementsAndQualitativeEvaluations:
    """Volume and CT numbers of ``roi``, what it is, the segment that was measured, and how much it can be trusted."""
    from highdicom.sr import (
        ReferencedSegment,
        RelationshipTypeValues,
        SourceSeriesForSegmentation,
        TextContentItem,
        TrackingIdentifier,
        VolumetricROIMeasurementsAndQualitativeEvaluations,
    )

    segment = seg.segments[roi.number]
    meaning = roi.codes or UNCODED
    group = VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=segment.tracking_uid, identifier=segment.tracking_identifier),
        referenced_segment=ReferencedSegment(
            sop_class_uid=seg.class_uid,
            sop_instance_uid=seg.instance_uid,
            segment_number=segment.number,
            source_series=SourceSeriesForSegmentation(ct_series_uid),
        ),
        finding_category=concept(meaning.category),
        finding_type=concept(meaning.type),
        finding_sites=_finding_sites(roi.codes),
        algorithm_id=_algorithm(roi),
        measurements=list(_measurements(counted)),
    )
    comment = TextContentItem(concept(sr_codes.COMMENT), _comment(roi), RelationshipTypeValues.CONTAINS)
    group[0].ContentSequence.append(comment)
    return group


def _measurements(counted: StructureStatistics) -> Iterator[Measurement]:
    """The same ones in the same order for every structure: readers make a table of them."""
    from highdicom.sr import Measurement

    yield Measurement(
        name=concept(sr_codes.VOLUME),
        value=round(counted.volume_ml, 3),
        unit=concept(sr_codes.CUBIC_CENTIMETRE),
    )
    assert counted.hu is not None  # there is a CT, and a structure of an export has voxels
    for derivation, value in _derivations(counted.hu):
        yield Measurement(
            name=concept(sr_codes.ATTENUATION),
            value=round(value, 2),
            unit=concept(sr_codes.HOUNSFIELD_UNIT),
            derivation=concept(derivation),
        )


def _derivations(hu: HuStatistics) -> list[tuple[Code, float]]:
    return [
        (sr_codes.MEAN, hu.mean),
        (sr_codes.STANDARD_DEVIATION, hu.sd),
        (sr_codes.MEDIAN, hu.median),
        (sr_codes.FIFTH_PERCENTILE, hu.p5),
        (sr_codes.NINETY_FIFTH_PERCENTILE, hu.p95),
    ]


def _finding_sites(codes: RoiCodes | None) -> list[FindingSite] | None:
    """Where it is: the region of a lesion; for an organ the organ itself, whose side has its place here."""
    from highdicom.sr import FindingSite

    if codes is None:
        return None
    if codes.region is not None:
        return [FindingSite(concept(codes.region))]
    modifier = None if codes.modifier is None else concept(codes.modifier)
    if codes.modifier is not None and codes.modifier.value in _SIDES:
        return [FindingSite(concept(codes.type), laterality=modifier)]
    return [FindingSite(concept(codes.type), topographical_modifier=modifier)]


def _algorithm(roi: Roi) -> AlgorithmIdentification:
    """Of the program that measured. It has the models, and how the segment was made, as its parameters."""
    from highdicom.sr import AlgorithmIdentification

    parameters = [f"Segmentation model: {model}" for model in roi.models]
    if roi.algorithm:
        parameters.append(f"Segment algorithm type: {roi.algorithm}")
    return AlgorithmIdentification(
        ALGORITHM_NAME,
        ENGINE_VERSION,
        parameters=parameters or None,
        family=concept(sr_codes.ARTIFICIAL_INTELLIGENCE) if roi.models else None,
    )


def _comment(roi: Roi) -> str:
    sentences = [f"{_REVIEWS[roi.review_state]}."] if roi.sources else []
    if roi.description:
        sentences.append(f"{roi.description}.")
    if roi.is_cut:
        sentences.append(_CUT)
    return " ".join(sentences)
