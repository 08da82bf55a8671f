"""Pixel data that are cut, short or damaged are refused, in every lossless transfer syntax; whole ones are read."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import ct_variants
import numpy as np
import pydicom
import pytest
from pydicom import uid
from reading_support import RAS_GRID, assert_same_patient, refusal
from slicer_route import read_as_slicer_sends
from TotalSegmentatorEngine.ct_input.reading import read_input
from TotalSegmentatorWire.errors.problem import SegmentationError
from transfer_syntaxes import COMPRESSED, OFFSET, UNCOMPRESSED, encode, frame_of, make_unsigned, set_frames, transcode

ALL = {**UNCOMPRESSED, **COMPRESSED}
by_syntax = pytest.mark.parametrize("syntax", ALL, ids=lambda syntax: ALL[syntax].replace(" ", "-"))
by_compression = pytest.mark.parametrize("syntax", COMPRESSED, ids=lambda syntax: ALL[syntax].replace(" ", "-"))


def ct() -> np.ndarray:
    """Noise over a gradient, so that codestreams are long; (k, j, i) int16."""
    noise = np.random.default_rng(3).integers(-60, 60, (4, 24, 30))
    return (np.linspace(-1000, 900, 4 * 24 * 30).reshape(4, 24, 30) + noise).astype(np.int16)


@pytest.fixture(scope="module")
def series_by_syntax(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {}
    for syntax in ALL:
        folder = tmp_path_factory.mktemp("series")
        ct_variants.write_dicom_series(folder, ct(), RAS_GRID, make_unsigned)
        for path in folder.iterdir():
            transcode(path, syntax)
        folders[syntax] = folder
    return folders


@pytest.fixture
def copy_of(series_by_syntax: dict[str, Path], tmp_path: Path):
    def copy(syntax: str) -> Path:
        return Path(shutil.copytree(series_by_syntax[syntax], tmp_path / "series"))

    return copy


def rewritten(path: Path, change) -> None:
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path)


@by_syntax
def test_whole_series_are_read(series_by_syntax: dict[str, Path], syntax: str) -> None:
    assert_same_patient(read_input(series_by_syntax[syntax]), ct(), RAS_GRID)


@by_syntax
def test_every_cut_is_refused(copy_of, syntax: str) -> None:
    folder = copy_of(syntax)
    path = folder / "slice-0002.dcm"
    whole = path.read_bytes()
    draw = random.Random(5)
    ends = [len(whole) - 1, len(whole) - 2, len(whole) - 8, *(draw.randrange(200, len(whole)) for _ in range(12))]
    filling = syntax == uid.DeflatedExplicitVRLittleEndian and whole.endswith(b"\0")  # to an even length
    for end in ends[filling:]:
        path.write_bytes(whole[:end])
        with pytest.raises(SegmentationError):
            read_input(folder)


@pytest.mark.parametrize("bytes_off", [2, 60, 24 * 30, -60])
def test_an_element_of_another_length_than_its_image_is_refused(copy_of, bytes_off: int) -> None:
    """The file itself is whole; -60: one row more than Rows says."""
    folder = copy_of(str(uid.ExplicitVRLittleEndian))

    def change(dataset: pydicom.Dataset) -> None:
        pixels = dataset.PixelData
        dataset.PixelData = pixels[:-bytes_off] if bytes_off > 0 else pixels + pixels[bytes_off:]

    rewritten(folder / "slice-0002.dcm", change)
    assert refusal(folder).code == "INPUT_UNREADABLE"


@pytest.mark.parametrize("filling", [bytes(2), bytes(128), b"\xff" * 512])
def test_filling_behind_the_pixels_is_no_damage(copy_of, filling: bytes) -> None:
    folder = copy_of(str(uid.ExplicitVRLittleEndian))
    rewritten(folder / "slice-0002.dcm", lambda dataset: setattr(dataset, "PixelData", dataset.PixelData + filling))
    assert_same_patient(read_input(folder), ct(), RAS_GRID)


@by_compression
@pytest.mark.parametrize("share", [0.3, 0.9])
@pytest.mark.parametrize("ending", [b"", b"\xff\xd9"], ids=["cut", "cut and closed again"])
def test_a_short_codestream_is_refused(copy_of, syntax: str, share: float, ending: bytes) -> None:
    """In a file that is whole otherwise; the end marker of JPEG and its kin is put back."""
    folder = copy_of(syntax)
    path = folder / "slice-0002.dcm"
    frame = frame_of(path)
    rewritten(path, lambda dataset: set_frames(dataset, [frame[: int(len(frame) * share)] + ending], syntax))
    assert refusal(folder).code == "INPUT_UNREADABLE"


@by_compression
def test_a_codestream_of_another_size_is_refused(copy_of, syntax: str) -> None:
    folder = copy_of(syntax)
    frame = encode(np.full((22, 30), 900, np.uint16), syntax)
    rewritten(folder / "slice-0002.dcm", lambda dataset: set_frames(dataset, [frame], syntax))
    assert refusal(folder).code == "INPUT_UNREADABLE"


@by_compression
def test_a_frame_in_several_items_is_read(copy_of, syntax: str) -> None:
    folder = copy_of(syntax)
    if syntax == uid.RLELossless:
        return  # one item is one frame, PS3.5 A.4.2
    path = folder / "slice-0002.dcm"
    rewritten(path, lambda dataset: set_frames(dataset, [frame_of(path)], syntax, fragments_per_frame=3))
    assert_same_patient(read_input(folder), ct(), RAS_GRID)


def test_a_tile_of_jpeg_2000_that_is_missing_is_noticed(copy_of) -> None:
    """Each tile has its own part of the codestream; OpenJPEG leaves a missing one black."""
    folder = copy_of(str(uid.JPEG2000Lossless))
    path = folder / "slice-0002.dcm"
    tiled = encode(
        stored_slice(2), str(uid.JPEG2000Lossless), tile_size=(30, 8)
    )  # Pillow makes those of full rows right
    rewritten(path, lambda dataset: set_frames(dataset, [tiled], str(uid.JPEG2000Lossless)))
    assert_same_patient(read_input(folder), ct(), RAS_GRID)
    start = tiled.index(b"\xff\x90", tiled.index(b"\xff\x90") + 2)
    length = int.from_bytes(tiled[start + 6 : start + 10], "big")
    without_one = tiled[:start] + tiled[start + length :]
    rewritten(path, lambda dataset: set_frames(dataset, [without_one], str(uid.JPEG2000Lossless)))
    assert refusal(folder).code == "INPUT_UNREADABLE"


def stored_slice(number: int) -> np.ndarray:
    """The pixels of file ``slice-<number>``; files are numbered against the slices."""
    return (ct()[len(ct()) - number].astype(np.int32) + OFFSET).astype(np.uint16)


def test_a_decoder_that_prints_a_line_is_heard_and_kept_from_the_terminal(
    copy_of, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    """libjpeg makes an image of any data. In Slicer it does so too: the panel's route refuses the file likewise."""
    folder = copy_of(str(uid.JPEGLosslessSV1))
    path = folder / "slice-0002.dcm"
    frame = bytearray(frame_of(path))
    middle = len(frame) // 2
    frame[middle : middle + 40] = bytes(40)
    rewritten(path, lambda dataset: set_frames(dataset, [bytes(frame)], str(uid.JPEGLosslessSV1)))
    assert refusal(folder).code == "INPUT_UNREADABLE"
    assert capfd.readouterr().err == ""
    with pytest.raises(SegmentationError) as caught:
        read_as_slicer_sends(folder, tmp_path / "job")
    assert caught.value.code == "INPUT_UNREADABLE"


# -- multi-frame files -------------------------------------------------------------------------------------------------


def enhanced(path: Path, syntax: str | None = None, frames: int | None = None) -> Path:
    """An enhanced CT, compressed by ``syntax``; only the first ``frames`` are in the pixel data."""
    ct_variants.write_enhanced_dicom(path, ct() + 2048, RAS_GRID)
    dataset = pydicom.dcmread(path)
    pixels = dataset.pixel_array[:frames]
    shared = dataset.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence[0]
    dataset.PixelRepresentation, shared.RescaleIntercept = 0, "-2048"
    dataset.PixelData = pixels.astype("<u2").tobytes()
    if syntax is not None:
        set_frames(dataset, [encode(frame.astype(np.uint16), syntax) for frame in pixels], syntax)
    dataset.save_as(path)
    return path


@pytest.mark.parametrize("syntax", [None, *COMPRESSED])
def test_multi_frame_files(tmp_path: Path, syntax: str | None) -> None:
    assert_same_patient(read_input(enhanced(tmp_path / "whole.dcm", syntax)), ct(), RAS_GRID)
    assert refusal(enhanced(tmp_path / "short" / "ct.dcm", syntax, frames=3)).code == "INPUT_UNREADABLE"


@pytest.mark.parametrize("frames", [3, 5])
def test_a_multi_frame_file_with_another_number_of_frames_than_positions(tmp_path: Path, frames: int) -> None:
    path = enhanced(tmp_path / "ct.dcm")
    rewritten(path, lambda dataset: setattr(dataset, "NumberOfFrames", frames))
    with pytest.raises(SegmentationError):
        read_input(path)


def test_a_slice_in_slicer_that_had_few_pixels_is_refused_unless_it_was_cropped_away(copy_of, tmp_path: Path) -> None:
    folder = copy_of(str(uid.ExplicitVRLittleEndian))
    lowest = folder / "slice-0004.dcm"
    rewritten(lowest, lambda dataset: setattr(dataset, "PixelData", dataset.PixelData[:600]))
    for edit in (None, lambda array: array[:3], lambda array: array[:, 2:, 2:]):
        with pytest.raises(SegmentationError) as caught:
            read_as_slicer_sends(folder, tmp_path / "job", edit)
        assert caught.value.code == "INPUT_UNREADABLE"
    without_it = read_as_slicer_sends(folder, tmp_path / "job", lambda array: array[1:], first_slice=1)
    assert without_it.volume.array.shape == (3, 24, 30)
