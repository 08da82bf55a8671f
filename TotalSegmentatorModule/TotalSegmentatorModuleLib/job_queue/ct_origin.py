"""Where a CT of the queue came from, and how it is found or loaded again."""

from __future__ import annotations

from pathlib import Path

import slicer
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorModuleLib.job_queue.queued_ct import CtOrigin
from TotalSegmentatorModuleLib.job_queue.sequences import volume_sequences
from TotalSegmentatorModuleLib.scene.dicom.series_loading import load_ct_series
from TotalSegmentatorModuleLib.scene.segmentation_import import find_ct
from TotalSegmentatorModuleLib.scene.volumes import ijk_to_ras, scalar_volumes, series_instance_uid
from TotalSegmentatorModuleLib.views.kept_views import kept_views


def origin_of(volume) -> CtOrigin:
    """Of a vtkMRMLScalarVolumeNode with voxels."""
    return _origin(volume, volume, series_instance_uid(volume))


def origin_of_sequence(sequence) -> CtOrigin:
    """Of a vtkMRMLSequenceNode that holds volumes."""
    return _origin(sequence.GetNthDataNode(0), sequence, None, sequence.GetNumberOfDataNodes())


def origin_of_series(series_uid: str) -> CtOrigin:
    """Of a DICOM series that is not loaded yet."""
    return CtOrigin(series_instance_uid=series_uid)


def find_loaded(origin: CtOrigin):
    """The volume or the sequence of the scene that came from there; None where there is none. Grids must agree: a
    patient's CTs may have been resampled, and several patients' to one grid."""
    if origin.frames:
        candidates = [each for each in volume_sequences() if each.GetNumberOfDataNodes() == origin.frames]
        of_file = [each for each in candidates if origin.file and _unchanged_file(each) == origin.file]
        return next((each for each in of_file if _fits(each.GetNthDataNode(0), origin)), None)
    if origin.series_instance_uid:
        of_series = [each for each in scalar_volumes() if series_instance_uid(each) == origin.series_instance_uid]
        return next((each for each in of_series if _fits(each, origin)), None)
    of_file = [each for each in scalar_volumes() if origin.file and _unchanged_file(each) == origin.file]
    return next((each for each in of_file if _fits(each, origin)), None)


def load_again(origin: CtOrigin):
    """The volume or the sequence, loaded from where it came; what the views show stays. Raises SegmentationError:
    QUEUE_CT_GONE, QUEUE_FILE_GONE, QUEUE_SERIES_NOT_LOADED."""
    with kept_views():
        if origin.series_instance_uid and not origin.frames:
            volume = load_ct_series(origin.series_instance_uid)
            if volume is None:
                raise SegmentationError("QUEUE_SERIES_NOT_LOADED")
            if _fits(volume, origin):
                return volume
        elif origin.file is not None:
            return _load_file(origin)
    raise SegmentationError("QUEUE_CT_GONE")


def file_name(origin: CtOrigin) -> str:
    """The name of its file; empty where it came from none."""
    return Path(origin.file).name if origin.file is not None else ""


# -- inside ------------------------------------------------------------------------------------------------------------


def _origin(volume, stored, series: str | None, frames: int = 0) -> CtOrigin:
    path = _unchanged_file(stored)
    status = Path(path).stat() if path is not None else None
    return CtOrigin(
        shape=tuple(reversed(volume.GetImageData().GetDimensions())),
        ijk_to_ras=tuple(ijk_to_ras(volume).ravel().tolist()),
        series_instance_uid=series,
        file=path,
        file_bytes=status.st_size if status is not None else 0,
        file_time_ns=status.st_mtime_ns if status is not None else 0,
        frames=frames,
    )


def _unchanged_file(node) -> str | None:
    """The file that holds what ``node`` (a storable node) holds; None where there is none."""
    storage = node.GetStorageNode()
    path = storage.GetFullNameFromFileName() if storage is not None else ""
    if not path or node.GetModifiedSinceRead() or not Path(path).is_file():
        return None
    return str(path)


def _fits(volume, origin: CtOrigin) -> bool:
    return not origin.shape or find_ct(origin, volume) is volume


def _load_file(origin: CtOrigin):
    path = Path(origin.file)
    try:
        status = path.stat()
        is_same = (status.st_size, status.st_mtime_ns) == (origin.file_bytes, origin.file_time_ns)
        if not is_same:
            raise SegmentationError("QUEUE_FILE_GONE")
        if origin.frames:
            node = slicer.util.loadSequence(str(path))
        else:
            node = slicer.util.loadVolume(str(path), {"show": False})
    except (OSError, RuntimeError) as error:  # slicer.util raises RuntimeError where a reader refuses
        raise SegmentationError("QUEUE_FILE_GONE") from error
    volume = node.GetNthDataNode(0) if origin.frames else node
    if not _fits(volume, origin) or (origin.frames and node.GetNumberOfDataNodes() != origin.frames):
        raise SegmentationError("QUEUE_FILE_GONE")
    return node
