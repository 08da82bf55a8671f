"""Damaged image files are refused, whichever library reads their format: none becomes other voxels."""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import ct_variants
import numpy as np
import pytest
import SimpleITK
from reading_support import RAS_GRID
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.ct_input.reading import read_input
from TotalSegmentatorEngine.export.sources.segmentation_files import read_segmentation
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.imaging.image_files import read_itk
from TotalSegmentatorEngine.imaging.label_files import FileSegment, write_nrrd
from TotalSegmentatorWire.errors.problem import SegmentationError

DAMAGES = 200
NRRD_TO_GZIP = "encoding: gzip\n"


def ct() -> np.ndarray:
    """Air, fat and soft tissue with noise; (k, j, i) int16."""
    noise = np.random.default_rng(3).normal(0, 12, (12, 16, 20))
    block = np.full((12, 16, 20), -1000.0)
    block[2:10, 3:13, 4:16] = -100
    block[3:9, 5:11, 6:14] = 50
    return (block + noise).astype(np.int16)


def labels() -> np.ndarray:
    array = np.zeros((12, 16, 20), dtype=np.uint8)
    array[3:9, 5:11, 6:14] = np.random.default_rng(5).integers(1, 4, (6, 6, 8))
    return array


def write_segmentation(path: Path) -> Path:
    segments = [FileSegment(f"s{n}", f"s{n}", (n, 0, 0), n, (6, 13, 5, 10, 3, 8)) for n in (1, 2, 3)]
    with path.open("wb") as stream:
        write_nrrd(stream, [labels()], Geometry(labels().shape, RAS_GRID), segments)
    return path


def write_compressed_mha(path: Path) -> Path:
    ct_variants.write_image(path, ct(), RAS_GRID)
    SimpleITK.WriteImage(SimpleITK.ReadImage(str(path)), str(path), useCompression=True)
    return path


def write_compressed_nrrd(path: Path) -> Path:
    ct_variants.write_image(path, ct(), RAS_GRID)
    SimpleITK.WriteImage(SimpleITK.ReadImage(str(path)), str(path), useCompression=True)
    return path


def voxels_of_segmentation(path: Path) -> np.ndarray:
    return read_segmentation(path).layers[0].array


def voxels_of_ct(path: Path) -> np.ndarray:
    return read_input(path).volume.array


def payload_start(data: bytes, suffix: str) -> int:
    if suffix.endswith("nrrd"):
        return data.index(b"\n\n") + 2
    if suffix == ".mha":
        return data.index(b"ElementDataFile = LOCAL\n") + len(b"ElementDataFile = LOCAL\n")
    return 10  # a gzip header's length, without a name


def damage(data: bytes, start: int, random: np.random.Generator) -> bytes:
    """A flipped bit, a zeroed block, or a cut, behind ``start``."""
    at = int(random.integers(start, len(data)))
    kind = random.integers(3)
    if kind == 0:
        changed = bytearray(data)
        changed[at] ^= 1 << int(random.integers(8))
        return bytes(changed)
    if kind == 1:
        length = int(random.integers(1, 300))
        return data[:at] + bytes(len(data[at : at + length])) + data[at + length :]
    return data[:at]


@pytest.mark.parametrize(
    ("suffix", "write", "voxels"),
    [
        (".nii.gz", lambda path: ct_variants.write_image(path, ct(), RAS_GRID), voxels_of_ct),
        (".nrrd", write_compressed_nrrd, voxels_of_ct),
        (".seg.nrrd", write_segmentation, voxels_of_segmentation),
        (".mha", write_compressed_mha, voxels_of_ct),
    ],
    ids=[".nii.gz", ".nrrd", ".seg.nrrd", ".mha"],
)
def test_no_damage_of_a_compressed_payload_changes_voxels(
    tmp_path: Path, suffix: str, write: Callable[[Path], Path], voxels: Callable[[Path], np.ndarray]
) -> None:
    path = write(tmp_path / ("image" + suffix))
    sound, expected = path.read_bytes(), voxels(path)
    random = np.random.default_rng(20)
    start, refused = payload_start(sound, suffix), 0
    for _ in range(DAMAGES):
        path.write_bytes(damage(sound, start, random))
        try:
            found = voxels(path)
        except SegmentationError as error:
            assert error.code == "INPUT_DAMAGED"
            assert path.name in error.problem.what
            refused += 1
        else:
            np.testing.assert_array_equal(found, expected)
    assert refused > 0.95 * DAMAGES, "a few damages hit bits without a meaning, or zeros"


def test_the_command_line_names_the_damaged_file(tmp_path: Path, capfd) -> None:
    path = ct_variants.write_image(tmp_path / "ct.nii.gz", ct(), RAS_GRID)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 16
    path.write_bytes(data)
    assert main(["export", str(path), str(tmp_path / "out.nrrd"), "--to", "nrrd"]) == 96
    printed = capfd.readouterr().err
    assert "The file ct.nii.gz is damaged" in printed
    assert str(tmp_path) not in printed
    assert not (tmp_path / "out.nrrd").exists()


def test_a_damaged_segmentation_is_not_exported(tmp_path: Path, capfd) -> None:
    path = write_segmentation(tmp_path / "organs.seg.nrrd")
    data = bytearray(path.read_bytes())
    data[-30] ^= 1
    path.write_bytes(data)
    assert main(["export", str(path), str(tmp_path / "out.nrrd"), "--to", "nrrd"]) == 96
    assert "organs.seg.nrrd is damaged" in capfd.readouterr().err
    assert not (tmp_path / "out.nrrd").exists()


# -- gzip as gzip has it -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "packed",
    [
        lambda data: gzip.compress(data[:1000]) + gzip.compress(data[1000:]),
        lambda data: gzip.compress(data) + bytes(700_000),
        lambda data: gzip.compress(data) + b"signature of an archive",
        lambda data: gzip.compress(data) + gzip.compress(b"more than the voxels"),
        lambda data: gzip.compress(data, 0),
        lambda data: data,
    ],
    ids=["two members", "zeros behind", "something else behind", "a longer stream", "stored", "not compressed"],
)
def test_sound_gzip_files_of_every_kind_are_read(tmp_path: Path, packed: Callable[[bytes], bytes]) -> None:
    plain = ct_variants.write_image(tmp_path / "ct.nii", ct(), RAS_GRID)
    path = tmp_path / "ct.nii.gz"
    path.write_bytes(packed(plain.read_bytes()))
    np.testing.assert_array_equal(voxels_of_ct(path), ct())


def test_a_damaged_second_member_is_refused(tmp_path: Path) -> None:
    plain = ct_variants.write_image(tmp_path / "ct.nii", ct(), RAS_GRID).read_bytes()
    second = bytearray(gzip.compress(plain[4000:]))
    for place in (0, 1, len(second) // 2, len(second) - 6):
        changed = bytearray(second)
        changed[place] ^= 8
        (tmp_path / "ct.nii.gz").write_bytes(gzip.compress(plain[:4000]) + changed)
        with pytest.raises(SegmentationError, match="damaged"):
            voxels_of_ct(tmp_path / "ct.nii.gz")


def test_a_header_that_states_more_voxels_than_a_file_can_hold(tmp_path: Path) -> None:
    path = ct_variants.write_image(tmp_path / "ct.nii", ct(), RAS_GRID)
    data = bytearray(path.read_bytes())
    data[42:48] = np.array([30000, 30000, 30000], dtype="<i2").tobytes()
    path.write_bytes(data)
    (tmp_path / "ct.nii.gz").write_bytes(gzip.compress(bytes(data)))
    for name in ("ct.nii", "ct.nii.gz"):
        with pytest.raises(SegmentationError, match="damaged"):
            voxels_of_ct(tmp_path / name)


# -- voxels in files of their own --------------------------------------------------------------------------------------

NRRD_HEADER = """NRRD0004
type: {type}
dimension: 3
space: left-posterior-superior
sizes: 20 16 12
space directions: (-0.9,0,0) (0,-1.1,0) (0,0,2.5)
kinds: domain domain domain
endian: {endian}
encoding: {encoding}
space origin: (20,-35.5,710.25)
{more}
"""


def nrrd_header(encoding: str, more: str, endian: str = "little", kind: str = "short") -> bytes:
    return NRRD_HEADER.format(type=kind, encoding=encoding, endian=endian, more=more).rstrip("\n").encode() + b"\n"


def write_detached(folder: Path, encoding: str, compress: Callable[[bytes], bytes]) -> tuple[Path, list[Path]]:
    (folder / "ct.nhdr").write_bytes(nrrd_header(encoding, "data file: ct.dat"))
    (folder / "ct.dat").write_bytes(compress(ct().tobytes()))
    return folder / "ct.nhdr", [folder / "ct.dat"]


def write_list(folder: Path) -> tuple[Path, list[Path]]:
    names = [f"slice{number}.gz" for number in range(12)]
    (folder / "ct.nhdr").write_bytes(nrrd_header("gzip", "data file: LIST\n" + "\n".join(names)))
    for name, plane in zip(names, ct(), strict=True):
        (folder / name).write_bytes(gzip.compress(plane.tobytes()))
    return folder / "ct.nhdr", [folder / name for name in names]


def write_pattern(folder: Path) -> tuple[Path, list[Path]]:
    (folder / "ct.nhdr").write_bytes(nrrd_header("raw", "data file: slice%02d.raw 1 12 1", endian="big"))
    paths = [folder / f"slice{number:02d}.raw" for number in range(1, 13)]
    for path, plane in zip(paths, ct(), strict=True):
        path.write_bytes(plane.astype(">i2").tobytes())
    return folder / "ct.nhdr", paths


def write_attached(folder: Path, encoding: str, compress: Callable[[bytes], bytes]) -> tuple[Path, list[Path]]:
    path = folder / "ct.nrrd"
    path.write_bytes(nrrd_header(encoding, "") + b"\n" + compress(ct().tobytes()))
    return path, [path]


def write_mhd(folder: Path, is_compressed: bool) -> tuple[Path, list[Path]]:
    path = ct_variants.write_image(folder / "ct.mhd", ct(), RAS_GRID)
    SimpleITK.WriteImage(SimpleITK.ReadImage(str(path)), str(path), useCompression=is_compressed)
    return path, [folder / ("ct.zraw" if is_compressed else "ct.raw")]


def write_by_itk(folder: Path, name: str) -> tuple[Path, list[Path]]:
    path = folder / name
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(ct()), str(path))
    voxels = path.with_suffix(".img") if path.suffix == ".hdr" else path
    return path, [voxels]


LAYOUTS: dict[str, Callable[[Path], tuple[Path, list[Path]]]] = {
    "raw nhdr": lambda folder: write_detached(folder, "raw", bytes),
    "gzip nhdr": lambda folder: write_detached(folder, "gzip", gzip.compress),
    "gzip nhdr, a file a slice": write_list,
    "raw nhdr, a pattern of files": write_pattern,
    "raw nrrd": lambda folder: write_attached(folder, "raw", bytes),
    "gzip nrrd": lambda folder: write_attached(folder, "gz", gzip.compress),
    "mhd": lambda folder: write_mhd(folder, False),
    "zlib mhd": lambda folder: write_mhd(folder, True),
    "vtk": lambda folder: write_by_itk(folder, "ct.vtk"),
    "gipl": lambda folder: write_by_itk(folder, "ct.gipl"),
    "gipl.gz": lambda folder: write_by_itk(folder, "ct.gipl.gz"),
    "hdr and img": lambda folder: write_by_itk(folder, "ct.hdr"),
    "tif": lambda folder: write_by_itk(folder, "ct.tif"),
    "mrc": lambda folder: write_by_itk(folder, "ct.mrc"),
    "hdf5": lambda folder: write_by_itk(folder, "ct.h5"),
    "minc": lambda folder: write_by_itk(folder, "ct.mnc"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_voxels_of_every_layout_are_read_and_a_cut_file_is_refused(tmp_path: Path, layout: str, capfd) -> None:
    path, files = LAYOUTS[layout](tmp_path)
    assert read_input(path).volume.array.ravel().tolist() == ct().ravel().tolist()
    for cut in (7, 1000):
        sound = files[-1].read_bytes()
        files[-1].write_bytes(sound[: -min(cut, len(sound) - 1)])
        with pytest.raises(SegmentationError) as caught:
            read_input(path)
        assert caught.value.code in ("INPUT_DAMAGED", "INPUT_UNREADABLE", "INPUT_FORMAT_UNKNOWN")
        files[-1].write_bytes(sound)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("layout", ["gzip nhdr", "gzip nhdr, a file a slice", "zlib mhd", "gipl.gz", "gzip nrrd"])
def test_a_flipped_bit_in_a_file_of_voxels_is_refused(tmp_path: Path, layout: str) -> None:
    path, files = LAYOUTS[layout](tmp_path)
    changed = bytearray(files[-1].read_bytes())
    changed[-20] ^= 2
    files[-1].write_bytes(changed)
    with pytest.raises(SegmentationError, match="damaged") as caught:
        read_input(path)
    assert files[-1].name in caught.value.problem.what


def test_a_missing_file_of_voxels_is_named(tmp_path: Path) -> None:
    path, files = write_list(tmp_path)
    files[5].unlink()
    with pytest.raises(SegmentationError, match=files[5].name):
        read_itk(path)


def test_a_bzip2_nrrd_is_read_and_its_checksums_compared(tmp_path: Path) -> None:
    """ITK is built without bzip2; it reads the header alone."""
    path, _ = write_attached(tmp_path, "bzip2", bz2.compress)
    np.testing.assert_array_equal(voxels_of_ct(path), ct())
    changed = bytearray(path.read_bytes())
    changed[-200] ^= 2
    path.write_bytes(changed)
    with pytest.raises(SegmentationError, match="damaged"):
        read_input(path)


def test_meta_images_with_gzip_inside_are_read(tmp_path: Path) -> None:
    """MetaIO takes both kinds."""
    path, (voxels,) = write_mhd(tmp_path, True)
    raw = zlib.decompress(voxels.read_bytes())
    voxels.write_bytes(gzip.compress(raw))
    header = path.read_text().splitlines()
    kept = [line for line in header if not line.startswith("CompressedDataSize")]
    path.write_text("\n".join(kept) + "\n")
    np.testing.assert_array_equal(voxels_of_ct(path), ct())


# -- damaged headers ---------------------------------------------------------------------------------------------------


def test_a_damaged_header_of_a_compressed_nifti_is_refused(tmp_path: Path) -> None:
    """Its header is compressed with its voxels; the checksum holds for both."""
    path = ct_variants.write_image(tmp_path / "ct.nii.gz", ct(), RAS_GRID)
    plain = gzip.decompress(path.read_bytes())
    stored = bytearray(gzip.compress(plain, 0))  # the header lies open behind the first bytes
    random = np.random.default_rng(4)
    for at in random.integers(20, 370, 40):
        changed = bytearray(stored)
        changed[at] ^= 1 << int(random.integers(8))
        path.write_bytes(changed)
        with pytest.raises(SegmentationError):
            read_input(path)
