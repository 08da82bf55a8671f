"""Collects what a review sheet says, one structure after the other."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata

import numpy as np
from TotalSegmentatorWire import ALGORITHM_NAME, ENGINE_VERSION
from TotalSegmentatorWire.agreement.kept import agreement_from_tag
from TotalSegmentatorWire.messages.agreement import Agreement
from TotalSegmentatorWire.messages.review import Flag
from TotalSegmentatorWire.tables.result_tags import AGREEMENT_TAG, OPTION_TAGS, PREFIX
from TotalSegmentatorWire.tables.review_rules import RULES
from TotalSegmentatorWire.tables.review_state import APPROVED_TOGETHER_TAG, ReviewState, review_state
from TotalSegmentatorWire.tables.usual_ranges import hu_ranges, volume_ranges

from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.core.segmentation import Segment
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask, union
from TotalSegmentatorEngine.export.grid.placement import PlacedSegmentation
from TotalSegmentatorEngine.export.sheet.contents import (
    Computation,
    EditSize,
    Input,
    Remark,
    ReviewSheet,
    SheetStructure,
)
from TotalSegmentatorEngine.export.sheet.edit_size import edit_size, is_same
from TotalSegmentatorEngine.export.sheet.redaction import Redaction
from TotalSegmentatorEngine.export.sheet.review_record import ReviewRecord
from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.imaging.voxel_digest import voxel_digest
from TotalSegmentatorEngine.statistics.structure_statistics import structure_statistics
from TotalSegmentatorEngine.statistics.voxel_volumes import plane_volumes, volume_by_planes

_PACKAGES = ("numpy", "torch", "nnunetv2", "SimpleITK", "reportlab", "pillow")
"""Whose versions matter to whoever wants to repeat the work."""


@dataclass(frozen=True, eq=False)
class SheetMaterial:
    """What a sheet is made from; all on one grid."""

    placed: PlacedSegmentation
    rois: Sequence[Roi]
    ct: Volume
    plane_distances: np.ndarray | None
    """As for ``plane_volumes``."""
    edited: frozenset[str]
    """Ids of segments whose voxels are not those that their digests are of."""
    computed: PlacedSegmentation | None
    """None where it was not kept."""
    record: ReviewRecord | None
    """None where nothing was checked."""
    is_checked_now: bool
    """Whether that was done for the sheet, so that nobody has seen the remarks before."""
    is_whole: bool
    """Whether all structures of the segmentation are on the sheet."""
    redaction: Redaction
    """For texts that somebody typed."""
    series_digest: str = ""
    """Of the CT's Series Instance UID; empty where it did not come from DICOM."""
    voxel_digest: str = ""
    patient: Mapping[str, str] | None = None


def gathered(material: SheetMaterial, progress: Callable[[int, Roi], None]) -> ReviewSheet:
    """``progress`` gets the place of each structure and itself before it is measured; it may raise to stop."""
    gathering = _Gathering(material)
    structures = []
    for index, roi in enumerate(material.rois):
        progress(index, roi)
        if roi.sources:  # the body's outline was neither computed nor reviewed
            structures.append(gathering.structure(roi))
    grid = material.placed.grid
    return ReviewSheet(
        input=Input(material.series_digest or material.voxel_digest, material.voxel_digest, grid.shape, grid.spacing),
        patient=material.patient,
        computations=_computations(material.rois, material.redaction),
        structures=tuple(structures),
        removed=gathering.removed(),
        remarks=gathering.remarks(),
        is_checked_now=material.is_checked_now,
        has_computed=material.computed is not None,
        software=_software(),
    )


class _Gathering:
    def __init__(self, material: SheetMaterial) -> None:
        self._material = material
        self._volumes = plane_volumes(material.placed.grid, material.plane_distances)
        self._segments = {segment.id: segment for segment in material.placed.segments}
        computed = material.computed.segments if material.computed is not None else ()
        self._computed = {_name_of(segment): segment for segment in computed}

    def structure(self, roi: Roi) -> SheetStructure:
        mask = roi.voxels()
        counted = structure_statistics(mask, self._volumes, self._material.ct.array)
        edit, is_edited = self._edit(roi, mask)
        segments = [self._segments[each] for each in roi.sources]
        name = segments[0].name if len(segments) == 1 else roi.name
        redacted = self._material.redaction
        return SheetStructure(
            name=redacted(name),
            exported_name=redacted(roi.name),
            segments=tuple(map(redacted, roi.sources)),
            state=roi.review_state,
            is_approved_together=roi.is_approved and all(map(_is_together, segments)),
            is_cut=roi.is_cut,
            origin=redacted(roi.description),
            voxels=counted.voxels,
            volume_ml=counted.volume_ml,
            mean_hu=counted.hu.mean,
            sd_hu=counted.hu.sd,
            usual_ml=volume_ranges().get(roi.structure),
            usual_hu=hu_ranges().get(roi.structure),
            digest=voxel_digest(mask.voxels, mask.start, self._material.placed.grid),
            is_edited=is_edited,
            edit=edit,
        )

    def _edit(self, roi: Roi, mask: VoxelMask) -> tuple[EditSize | None, bool]:
        """Without the computed structures the digests tell that something was edited, not how much."""
        names = [_name_of(self._segments[each]) for each in roi.sources]
        if self._material.computed is None or not any(name in self._computed for name in names):
            return None, not self._material.edited.isdisjoint(roi.sources)
        masks = [self._material.computed.mask(self._computed[name]) for name in names if name in self._computed]
        computed = union(masks)
        if is_same(computed, mask):
            return None, False
        return edit_size(computed, mask, self._material.placed.grid, self._volumes), True

    def removed(self) -> tuple[tuple[str, float], ...]:
        """Computed structures whose segments are gone or empty."""
        material = self._material
        if material.computed is None or not material.is_whole:
            return ()
        filled = {_name_of(segment) for segment in material.placed.segments if material.placed.box(segment) is not None}
        gone = [name for name in self._computed if name not in filled]
        return tuple(
            (material.redaction(name), volume_by_planes(material.computed.mask(self._computed[name]), self._volumes))
            for name in gone
        )

    def remarks(self) -> tuple[Remark, ...] | None:
        """Those on structures that are on the sheet, and on missing ones where all structures are."""
        record = self._material.record
        if record is None:
            return None
        by_name = {_name_of(segment): segment for segment in self._material.placed.segments}
        shown = {source for roi in self._material.rois for source in roi.sources}
        redacted = self._material.redaction
        remarks = []
        for each in record.flags:
            segment = by_name.get(each.flag.structure)
            if not self._material.is_whole and (segment is None or segment.id not in shown):
                continue
            if segment is None:
                state = record.absent_states.get(each.flag.structure, ReviewState.UNREVIEWED)
            else:
                state = review_state(segment.tags, segment.id in self._material.edited)
            is_together = segment is not None and _is_together(segment)
            flag, sentence = _redacted(each.flag, redacted), redacted(each.sentence)
            remarks.append(Remark(flag, sentence, state, is_together, each.is_repaired))
        return tuple(remarks)


def _redacted(flag: Flag, redaction: Redaction) -> Flag:
    """Names in a remark are ids of segments, which somebody may have typed; a file's tags may hold anything."""
    numbers = {redaction(key): redaction(each) if isinstance(each, str) else each for key, each in flag.numbers.items()}
    return replace(
        flag,
        rule=flag.rule if flag.rule in RULES else redaction(flag.rule),
        structure=redaction(flag.structure),
        others=tuple(map(redaction, flag.others)),
        numbers=numbers,
    )


def _name_of(segment: Segment) -> str:
    """As in the label tables, where it has a name there."""
    return segment.structure.name if segment.structure is not None else segment.id


def _is_together(segment: Segment) -> bool:
    return bool(segment.tags.get(APPROVED_TOGETHER_TAG)) and review_state(segment.tags) is ReviewState.APPROVED


def _computations(rois: Sequence[Roi], redaction: Redaction) -> tuple[Computation, ...]:
    """The ways in which the structures were computed, the commonest first."""
    found: Counter[tuple[tuple[str, str], ...]] = Counter()
    for roi in rois:
        own = {name.removeprefix(PREFIX): value for name, value in roi.tags.items() if name.startswith(PREFIX)}
        if roi.models and own.get("Model"):
            found[tuple((name, own[name]) for name in _HOW if name in own)] += 1
    return tuple(_computation(dict(how), count, redaction) for how, count in found.most_common())


_AGREEMENT = AGREEMENT_TAG.removeprefix(PREFIX)
_HOW = ("Model", "Profile", "Version", "Seconds", "Device", _AGREEMENT, *OPTION_TAGS)


def _computation(how: Mapping[str, str], count: int, redaction: Redaction) -> Computation:
    return Computation(
        model=redaction(how["Model"]),  # of somebody's own model the name of its data set
        profile=how.get("Profile", ""),
        version=how.get("Version", ""),
        options={name: how[name] for name in OPTION_TAGS if name in how},
        seconds=_number(how.get("Seconds", "")),
        device=how.get("Device", ""),
        structures=count,
        agreement=_agreement(how.get(_AGREEMENT, ""), redaction),
    )


def _agreement(tag: str, redaction: Redaction) -> Agreement | None:
    """The structure that it names may be of somebody's own model."""
    found = agreement_from_tag(tag)
    if found is None:
        return None
    approximations = tuple(map(redaction, found.approximations))
    return replace(found, lowest_structure=redaction(found.lowest_structure), approximations=approximations)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _software() -> dict[str, str]:
    found = {ALGORITHM_NAME: ENGINE_VERSION, "Python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
