"""Finds the voxels of the plainer formats that SimpleITK reads: VTK's legacy files, GIPL, MRC, Analyze and NIfTI pairs.

The layouts are those of ITK 5.4's readers: itkVTKImageIO.cxx, itkGiplImageIO.cxx, itkMRCHeaderObject.h and
nifti1_io.c.
"""

from __future__ import annotations

import struct
from pathlib import Path

from TotalSegmentatorEngine.payloads.payload import Part, Payload, damaged
from TotalSegmentatorEngine.payloads.streams import NONE, compression_of

_GIPL_HEADER, _MRC_HEADER, _PAIR_HEADER = 256, 1024, 348
_MRC_BITS = {0: 8, 1: 16, 2: 32, 3: 32, 4: 64, 6: 16, 16: 24}
"""Of a voxel, by MRC's mode (www.ccpem.ac.uk/mrc_format/mrc2014.php)."""
_VTK_HEADER_LINES = 40


def find_vtk(path: Path) -> Payload | None:
    """None where the voxels are text. Raises OSError."""
    with path.open("rb") as stream:
        lines = [stream.readline(1 << 12).lower() for _ in range(3)]
        if b"binary" not in lines[2]:
            return None
        for _ in range(_VTK_HEADER_LINES):
            line = stream.readline(1 << 12).lower()
            if b"scalars" in line:
                before = stream.tell()
                is_table = not line.startswith(b"color_scalars") and b"lookup_table" in stream.readline(1 << 12).lower()
                return Payload((Part(path, stream.tell() if is_table else before),), is_big_endian=True)
    return None


def find_gipl(path: Path) -> Payload:
    """Raises OSError."""
    with path.open("rb") as stream:
        compression = compression_of(stream.read(4))
    return Payload((Part(path, 0, compression, skip=_GIPL_HEADER),), is_big_endian=True)


def find_mrc(path: Path) -> Payload | None:
    """None for a mode that ITK does not know either. Raises SegmentationError("INPUT_DAMAGED"), OSError."""
    with path.open("rb") as stream:
        header = stream.read(_MRC_HEADER)
    if len(header) < _MRC_HEADER:
        raise damaged(path, "its header is incomplete")
    order = ">" if header[212:213] == b"\x11" else "<"
    columns, rows, sections, mode = struct.unpack(order + "4i", header[:16])
    extended = struct.unpack(order + "i", header[92:96])[0]
    bits = _MRC_BITS.get(mode)
    if bits is None or min(columns, rows, sections) < 1 or extended < 0:
        return None
    return Payload((Part(path, _MRC_HEADER + extended),), stated_bytes=columns * rows * sections * bits // 8)


def find_pair(path: Path) -> Payload | None:
    """Header and voxels in two files, .hdr and .img or .img.gz; ``path`` is either.

    None for another format with one of these endings. Raises SegmentationError("INPUT_DAMAGED"), OSError.
    """
    stem = path.name.removesuffix(".gz").removesuffix(".GZ").rpartition(".")[0]
    beside = {name.name.lower(): name for name in path.parent.iterdir() if name.name.startswith(stem)}
    found = [beside.get(f"{stem.lower()}{suffix}") for suffix in (".hdr", ".img", ".img.gz")]
    header_path = found[0]
    if header_path is None:
        return None
    header = header_path.read_bytes()
    order = next((order for order in "<>" if header[:4] == struct.pack(order + "i", _PAIR_HEADER)), None)
    if order is None:
        return None
    if len(header) < _PAIR_HEADER:
        raise damaged(header_path, "its header is incomplete")
    voxels = found[1] or found[2]
    if voxels is None:
        raise damaged(header_path, "the file with its voxels, .img or .img.gz, is missing")
    sizes = struct.unpack(order + "8h", header[40:56])
    bits = struct.unpack(order + "h", header[72:74])[0]
    offset = max(0, int(struct.unpack(order + "f", header[108:112])[0]))
    count = bits // 8
    for size in sizes[1 : 1 + min(max(sizes[0], 0), 7)]:
        count *= max(size, 1)
    with voxels.open("rb") as stream:
        compression = compression_of(stream.read(4))
    if compression == NONE:
        return Payload((Part(voxels, offset),), stated_bytes=count)
    return Payload((Part(voxels, 0, compression, skip=offset),), stated_bytes=count)
