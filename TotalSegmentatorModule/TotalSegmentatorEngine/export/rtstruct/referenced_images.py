"""Which of a structure set's structures were drawn in the frame of reference of a CT.

Coordinates mean something within one frame of reference only (PS3.3 C.7.4.1). A structure set can hold structures of
several, for example of an MR that was registered with the CT; their contours look as if they lay on the CT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from TotalSegmentatorEngine.export.dicom.object import items_of
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries
from TotalSegmentatorEngine.export.rtstruct.roi_items import RoiItems

if TYPE_CHECKING:
    from pydicom import Dataset


class ReferencedImages:
    """The frames of reference and images that a structure set names, seen from the CT."""

    def __init__(self, dataset: Dataset, reference: ReferenceSeries) -> None:
        self._planes = {plane.sop_instance_uid for plane in reference.planes} - {""}
        self._frame_of: dict[str, str] = {}
        self._listed: set[str] = set()
        for item in items_of(dataset, "ReferencedFrameOfReferenceSequence"):
            frame = _uid(item, "FrameOfReferenceUID")
            self._listed.add(frame)
            self._frame_of |= dict.fromkeys(_images_of_frame(item), frame)
        self._listed -= {""}
        of_rois = {_uid(item, "ReferencedFrameOfReferenceUID") for item in items_of(dataset, "StructureSetROISequence")}
        self.frames = self._listed | of_rois | {_uid(dataset, "FrameOfReferenceUID")}
        """Every one that the file names."""
        self.instances = set(self._frame_of)
        """SOP Instance UIDs of the images that the file lists."""
        self._own = {reference.frame_of_reference_uid}
        if reference.frame_of_reference_uid not in self.frames:  # some programs make up a UID for the CT's frame
            self._own |= {frame for image, frame in self._frame_of.items() if image in self._planes and frame}

    def is_elsewhere(self, roi: RoiItems) -> bool:
        """True for a structure of another frame of reference, and for one that could be: where the file names several
        frames, a structure that says neither its own nor an image is not placed by chance."""
        images = images_of(roi)
        of_images = {self._frame_of[image] for image in images if image in self._frame_of} - {""}
        stated = _uid(roi.description, "ReferencedFrameOfReferenceUID")
        if (of_images | {stated}) - {""} - self._own:
            return True
        is_stated = bool(stated or of_images or images & self._planes)
        return not is_stated and len(self._listed) > 1

    def is_of_other_images(self, roi: RoiItems) -> bool:
        """True where its contours name images, and none of them is the CT's."""
        images = images_of(roi)
        return bool(images) and not images & self._planes


def images_of(roi: RoiItems) -> set[str]:
    """SOP Instance UIDs that the first and the last contour of each item refer to: to look at all would take as long
    as to read the coordinates."""
    found: set[str] = set()
    for item in roi.contours:
        contours = items_of(item, "ContourSequence")
        for contour in (*contours[:1], *contours[-1:]):
            images = items_of(contour, "ContourImageSequence")
            found |= {_uid(image, "ReferencedSOPInstanceUID") for image in images}
    return found - {""}


def _images_of_frame(frame: Dataset) -> set[str]:
    return {
        _uid(image, "ReferencedSOPInstanceUID")
        for study in items_of(frame, "RTReferencedStudySequence")
        for series in items_of(study, "RTReferencedSeriesSequence")
        for image in items_of(series, "ContourImageSequence")
    } - {""}


def _uid(item: Dataset, keyword: str) -> str:
    return str(item.get(keyword) or "").strip()
