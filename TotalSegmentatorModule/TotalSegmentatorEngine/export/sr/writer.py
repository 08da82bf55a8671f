"""Writes what was measured in structures as a DICOM structured report (PS3.16 TID 1500, Measurement Report)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from TotalSegmentatorWire import ALGORITHM_NAME, ENGINE_VERSION

from TotalSegmentatorEngine.export.core.label_volume import Progress, nothing_to_report
from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.dicom.object import (
    EQUIPMENT,
    choose_character_set,
    concept,
    copy_patient_and_study,
    new_uid,
    quiet,
    series_uid,
    study_uid,
    uid_from,
    words_of,
)
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries
from TotalSegmentatorEngine.export.dicom.series_words import MEASUREMENTS, series_number, series_words
from TotalSegmentatorEngine.export.dicom.source_image import referenced_images, source_image
from TotalSegmentatorEngine.export.sr.codes import CT_EXAMINATION
from TotalSegmentatorEngine.export.sr.measurements import measurement_group
from TotalSegmentatorEngine.export.sr.segments import ReferencedSeg
from TotalSegmentatorEngine.imaging.atomic_file import atomic_file
from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.statistics.structure_statistics import structure_statistics
from TotalSegmentatorEngine.statistics.voxel_volumes import plane_volumes

if TYPE_CHECKING:
    from highdicom.sr import Comprehensive3DSR, ObservationContext
    from pydicom import Dataset


@dataclass(frozen=True)
class ReportOptions:
    label: str | None = None
    """What the user calls the report; its series description begins with it."""
    observer: str | None = None
    """A person's name as DICOM has it ("Family^Given") who answers for the observation, at most 64 characters."""


def write_report(
    path: Path,
    rois: Sequence[Roi],
    reference: ReferenceSeries,
    ct: Volume,
    seg: ReferencedSeg,
    options: ReportOptions,
    progress: Progress = nothing_to_report,
    on_complete: Callable[[], None] = lambda: None,
) -> None:
    """Write volume and CT numbers of ``rois`` to ``path`` (.dcm), replacing a file of that name.

    ``ct``: HU, on the grid of ``reference``; ``seg``: the segments that the report refers to. A report is COMPLETE when
    every structure is approved and PARTIAL until then; it is UNVERIFIED always, since verification needs a person who
    signs (PS3.3 C.17.2). It is a Comprehensive 3D SR (PS3.3 A.35.13), as IHE's profile AI Results asks for.

    ``on_complete`` is called when all of it is written, just before it appears under its name.
    Raises SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL, and what ``progress`` and ``on_complete`` raise.
    """
    logging.getLogger("highdicom").propagate = False  # its messages hold identifiers
    with quiet():
        report = _report(rois, reference, ct, seg, options, progress)
        with atomic_file(path) as stream:
            report.save_as(stream, enforce_file_format=True)
            on_complete()


def _report(
    rois: Sequence[Roi],
    reference: ReferenceSeries,
    ct: Volume,
    seg: ReferencedSeg,
    options: ReportOptions,
    progress: Progress,
) -> Comprehensive3DSR:
    from highdicom.sr import Comprehensive3DSR, MeasurementReport

    volumes = plane_volumes(reference.grid, reference.plane_distances)
    groups = []
    for index, roi in enumerate(rois):
        progress(index, roi)
        counted = structure_statistics(roi.voxels(), volumes, ct.array)
        groups.append(measurement_group(roi, counted, seg, series_uid(reference)))
    content = MeasurementReport(_observation_context(options.observer), concept(CT_EXAMINATION), groups)
    description = series_words(rois, MEASUREMENTS, options.label).description
    reviewed = [roi for roi in rois if roi.sources]  # nobody reviews the outline of the body here
    report = Comprehensive3DSR(
        evidence=[source_image(reference), *_evidence(reference, seg)],
        content=content,
        series_instance_uid=new_uid(),
        series_number=series_number(reference, MEASUREMENTS),
        sop_instance_uid=new_uid(),
        instance_number=1,
        **EQUIPMENT,
        is_complete=bool(reviewed) and all(roi.is_approved for roi in reviewed),
        series_description=description,
    )
    copy_patient_and_study(reference.dataset, report)
    choose_character_set(report, [description, options.observer or "", *words_of(rois)])
    return report


def _observation_context(observer: str | None) -> ObservationContext:
    """The device, and a person only where somebody named one."""
    from highdicom.sr import (
        DeviceObserverIdentifyingAttributes,
        ObservationContext,
        ObserverContext,
        PersonObserverIdentifyingAttributes,
    )
    from pydicom.sr.codedict import codes

    device = DeviceObserverIdentifyingAttributes(
        uid=uid_from(f"device {ALGORITHM_NAME} {ENGINE_VERSION}"),
        name=ALGORITHM_NAME,
        manufacturer_name=ALGORITHM_NAME,
        model_name=ALGORITHM_NAME,
        serial_number=ENGINE_VERSION,
    )
    person = None
    if observer:
        person = ObserverContext(codes.DCM.Person, PersonObserverIdentifyingAttributes(name=observer))
    return ObservationContext(person, ObserverContext(codes.DCM.Device, device))


def _evidence(reference: ReferenceSeries, seg: ReferencedSeg) -> Iterator[Dataset]:
    """The segmentation and all images of the CT, for the list of what the report rests on (C.17.2)."""
    yield _instance(seg.study_uid, seg.series_uid, seg.class_uid, seg.instance_uid)
    for class_uid, instance_uid in referenced_images(reference):
        yield _instance(study_uid(reference), series_uid(reference), class_uid, instance_uid)


def _instance(study: str, series: str, class_uid: str, instance_uid: str) -> Dataset:
    from pydicom import Dataset

    instance = Dataset()
    instance.StudyInstanceUID, instance.SeriesInstanceUID = study, series
    instance.SOPClassUID, instance.SOPInstanceUID = class_uid, instance_uid
    return instance
