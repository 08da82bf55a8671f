"""Rewrites a DICOM series in each lossless transfer syntax, with the encoders that the engine's packages bring."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK
from PIL import Image
from pydicom import uid
from pydicom.encaps import encapsulate, generate_frames

OFFSET = 2048
"""Pixels are stored as HU + OFFSET without a sign: not every encoder here takes signed ones."""


def make_unsigned(dataset: pydicom.Dataset, number: int = 0) -> None:
    """An edit for ``ct_variants``: the same HU from unsigned pixels."""
    pixels = np.frombuffer(dataset.PixelData, "<i2").astype(np.int32) + OFFSET
    dataset.PixelData = pixels.astype("<u2").tobytes()
    dataset.PixelRepresentation, dataset.RescaleIntercept = 0, str(-OFFSET)


def encode(pixels: np.ndarray, syntax: str, **options) -> bytes:
    """The codestream of one frame, uint16 (rows, columns). ``options``: of Pillow's JPEG 2000 encoder."""
    return _ENCODERS[syntax](pixels, **options)


def set_frames(dataset: pydicom.Dataset, frames: list[bytes], syntax: str, **arguments) -> None:
    """``arguments``: of pydicom's ``encapsulate``."""
    dataset.PixelData = encapsulate(frames, **arguments)
    dataset["PixelData"].is_undefined_length, dataset["PixelData"].VR = True, "OB"
    dataset.file_meta.TransferSyntaxUID = syntax


def transcode(path: Path, syntax: str) -> None:
    """Rewrites an uncompressed file of one frame."""
    dataset = pydicom.dcmread(path)
    if syntax in _ENCODERS:
        set_frames(dataset, [encode(dataset.pixel_array, syntax)], syntax)
    elif syntax == uid.ExplicitVRBigEndian:
        dataset.PixelData = dataset.pixel_array.astype(">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = syntax
    is_big = syntax == uid.ExplicitVRBigEndian
    is_implicit = syntax == uid.ImplicitVRLittleEndian
    pydicom.dcmwrite(path, dataset, implicit_vr=is_implicit, little_endian=not is_big, force_encoding=True)


def frame_of(path: Path) -> bytes:
    return next(generate_frames(pydicom.dcmread(path).PixelData, number_of_frames=1))


def _jpeg_ls(pixels: np.ndarray) -> bytes:
    return _by_pydicom(pixels, uid.JPEGLSLossless)


def _rle(pixels: np.ndarray) -> bytes:
    return _by_pydicom(pixels, uid.RLELossless)


def _by_pydicom(pixels: np.ndarray, syntax: str) -> bytes:
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = uid.CTImageStorage, uid.generate_uid()
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.compress(syntax, np.ascontiguousarray(pixels))
    return next(generate_frames(dataset.PixelData, number_of_frames=1))


def _jpeg_2000(pixels: np.ndarray, **options) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint16)).save(stream, "JPEG2000", irreversible=False, no_jp2=True, **options)
    return stream.getvalue()


def _jpeg(pixels: np.ndarray) -> bytes:
    """Lossless, process 14, by GDCM."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.dcm"
        writer = SimpleITK.ImageFileWriter()
        writer.SetImageIO("GDCMImageIO")
        writer.SetFileName(str(path))
        writer.UseCompressionOn()
        writer.SetCompressor("JPEG")
        writer.Execute(SimpleITK.GetImageFromArray(pixels.astype(np.uint16)))
        return frame_of(path)


_ENCODERS: dict[str, Callable[..., bytes]] = {
    uid.JPEGLosslessSV1: _jpeg,
    uid.JPEGLSLossless: _jpeg_ls,
    uid.JPEG2000Lossless: _jpeg_2000,
    uid.RLELossless: _rle,
}

COMPRESSED = {str(syntax): syntax.name for syntax in _ENCODERS}
UNCOMPRESSED = {
    str(syntax): syntax.name
    for syntax in (
        uid.ExplicitVRLittleEndian,
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
    )
}
"""UID: name."""
