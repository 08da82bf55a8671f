"""Files that cannot be read: those that may be slices of the CT are refused by name, all others do not matter."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import ct_variants
import numpy as np
import pytest
from pydicom.uid import generate_uid
from series_support import AXIAL, SegmentCommand, change, chest, pixels_of, series_uid, write_series


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:400])


def cut_in_the_preamble(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def page_of_a_server(path: Path) -> None:
    path.write_text("<html><body>404 Not Found</body></html>")


def damaged_header(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:160] + b"\xff" * 400 + content[560:])


def unfinished(path: Path) -> None:
    path.rename(path.with_name(path.name + ".part")).write_bytes(b"")


def packed(path: Path) -> None:
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


def linked_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent / "fetched on demand")


DAMAGES = [
    packed,
    linked_to_nothing,
    emptied,
    cut,
    cut_in_the_preamble,
    zeroed,
    page_of_a_server,
    damaged_header,
    unfinished,
]
NAMES = ["CT{:03d}.dcm", "IM{}", "1.2.840.113619.2.5.{}", "{:08x}deadbeef00112233", "Series 2 - image {}.IMA"]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("place", [0, 3, 7], ids=["first", "middle", "last"])
def test_a_slice_that_cannot_be_read_is_named(
    tmp_path: Path, segment: SegmentCommand, damage: Callable[[Path], None], place: int
) -> None:
    files = write_series(tmp_path / "ct", chest())
    damage(files[place])
    run = segment(tmp_path / "ct")
    assert run.code == "INPUT_SLICE_UNUSABLE", run.err
    assert files[place].name in run.err


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("damage", [emptied, zeroed])
def test_the_last_slice_is_missed_whatever_the_files_are_called(
    tmp_path: Path, segment: SegmentCommand, damage: Callable[[Path], None], name: str
) -> None:
    files = write_series(tmp_path / "ct", chest(), name)
    damage(files[-1])
    run = segment(tmp_path / "ct")
    assert run.code == "INPUT_SLICE_UNUSABLE", run.err
    assert files[-1].name in run.err


def test_the_rest_of_a_series_in_a_folder_below_is_missed(tmp_path: Path, segment: SegmentCommand) -> None:
    files = write_series(tmp_path / "ct", chest())
    (tmp_path / "ct" / "part2").mkdir()
    for path in files[5:]:
        emptied(path.rename(tmp_path / "ct" / "part2" / path.name))
    run = segment(tmp_path / "ct")
    assert run.code == "INPUT_SLICE_UNUSABLE" and "CT005.dcm" in run.err


@pytest.mark.parametrize("name", NAMES)
def test_other_files_of_the_folder_do_not_matter(tmp_path: Path, segment: SegmentCommand, name: str) -> None:
    files = write_series(tmp_path / "ct", chest(), name)
    for other in ("README", "README.md", "report.pdf", "notes.txt", "thumb.jpg", "index", "VERSION", "checksums.md5"):
        (tmp_path / "ct" / other).write_bytes(b"any text or picture " * 30)
    for other in ("LOCK", "empty.txt", "done.flag"):
        (tmp_path / "ct" / other).write_bytes(b"")
    run = segment(tmp_path / "ct")
    assert (run.status, run.warnings) == (0, []), run.err
    assert run.note == "8 slices from -100.0 to -86.0 mm; passed over: 11 files without an image"
    np.testing.assert_array_equal(run.array, pixels_of(files))


def test_an_empty_file_between_neighbouring_slices_is_no_lost_slice(tmp_path: Path, segment: SegmentCommand) -> None:
    files = write_series(tmp_path / "ct", chest())
    (tmp_path / "ct" / "CT003 (1).dcm").write_bytes(b"")
    run = segment(tmp_path / "ct")
    assert (run.status, run.warnings) == (0, ["INPUT_FILES_UNREAD"])
    assert "CT003 (1).dcm" in run.err
    np.testing.assert_array_equal(run.array, pixels_of(files))


def test_a_damaged_copy_of_a_slice_is_passed_over(tmp_path: Path, segment: SegmentCommand) -> None:
    files = write_series(tmp_path / "ct", chest())
    cut(Path(shutil.copy(files[7], tmp_path / "ct" / "CT008.dcm")))  # its header still names the slice
    run = segment(tmp_path / "ct")
    assert run.status == 0, run.err
    copy = tmp_path / "ct" / "zz.dcm"
    copy.write_bytes(files[2].read_bytes()[:-40])  # the header is whole, pixels are missing
    run = segment(tmp_path / "ct")
    assert (run.status, run.warnings) == (0, ["INPUT_IMAGES_LEFT_OUT", "INPUT_FILES_UNREAD"]), run.err
    assert "1 damaged copy" in run.err and "zz.dcm" in run.err
    np.testing.assert_array_equal(run.array, pixels_of(files))


def test_damage_of_another_series_does_not_matter(tmp_path: Path, segment: SegmentCommand) -> None:
    root = tmp_path / "flat"
    study = {"StudyInstanceUID": generate_uid()}
    first = write_series(root, chest(1), "IM{:04d}", SeriesNumber=1, **study)
    second = write_series(root, chest(2), "IM{:04d}", first=8, SeriesNumber=2, **study)
    emptied(second[3])
    run = segment(root, "--series", "1")
    assert (run.status, run.warnings) == (0, []), run.err
    np.testing.assert_array_equal(run.array, pixels_of(first))
    run = segment(root, "--series", "2")
    assert run.code == "INPUT_SLICE_UNUSABLE" and second[3].name in run.err
    emptied(second[0])  # between the two: it may be of either
    assert segment(root, "--series", "1").code == "INPUT_SLICE_UNUSABLE"


def test_damaged_pixels_are_named(tmp_path: Path, segment: SegmentCommand) -> None:
    files = write_series(tmp_path / "ct", chest())
    files[4].write_bytes(files[4].read_bytes()[:-40])
    run = segment(tmp_path / "ct")
    assert run.code == "INPUT_UNREADABLE" and "CT004.dcm" in run.err


def test_the_second_file_of_multi_frame_images_is_missed(tmp_path: Path, segment: SegmentCommand) -> None:
    ct_variants.write_enhanced_dicom(tmp_path / "ct" / "part1.dcm", chest(), AXIAL)
    (tmp_path / "ct" / "part2.dcm").write_bytes(b"")
    run = segment(tmp_path / "ct")
    assert run.code == "INPUT_SLICE_UNUSABLE" and "part2.dcm" in run.err


def test_a_file_that_nobody_may_open_counts_as_lost(tmp_path: Path, segment: SegmentCommand, monkeypatch) -> None:
    files = write_series(tmp_path / "ct", chest())
    opened = Path.open

    def refuse(path: Path, *arguments, **options):
        if path == files[7]:
            raise PermissionError
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    run = segment(tmp_path / "ct")
    assert run.code == "INPUT_SLICE_UNUSABLE" and "it cannot be opened" in run.err


def test_a_folder_that_nobody_may_open_is_told_without_its_name(
    tmp_path: Path, segment: SegmentCommand, monkeypatch
) -> None:
    write_series(tmp_path / "ct", chest())
    (tmp_path / "ct" / "Miller").mkdir()
    listed = os.scandir

    def refuse(path: Path):
        if Path(path).name == "Miller":
            raise PermissionError
        return listed(path)

    monkeypatch.setattr(os, "scandir", refuse)
    run = segment(tmp_path / "ct")
    assert (run.status, run.warnings) == (0, ["INPUT_FILES_UNREAD"])
    assert "(1): a folder." in run.err and "Miller" not in run.err


# -- slices with odd headers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [3, 7], ids=["middle", "end"])
@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"ImagePositionPatient": None}, "it has no position"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, "orientation"),
        ({"PixelSpacing": [1.0, 1.0]}, "pixel spacing"),
        ({"PixelSpacing": None}, "pixel spacing"),
        ({"SeriesInstanceUID": "1.2.3.4.5.6"}, "another Series Instance UID"),
        ({"ImagePositionPatient": [60.0, -20.0, -80.0]}, "beside the other slices"),
    ],
)
def test_a_slice_with_an_odd_header_is_named(
    tmp_path: Path, segment: SegmentCommand, attributes: dict, said: str, place: int
) -> None:
    files = write_series(tmp_path / "ct", chest())
    change(files[place], **attributes)
    run = segment(tmp_path / "ct")
    assert run.status != 0
    if "ImagePositionPatient" not in attributes or attributes["ImagePositionPatient"] is None or place == 7:
        assert (run.code, files[place].name in run.err, said in run.err) == ("INPUT_SLICE_UNUSABLE", True, True), (
            run.err
        )


def test_slices_of_another_series_elsewhere_do_not_matter(tmp_path: Path, segment: SegmentCommand) -> None:
    files = write_series(tmp_path / "ct", chest())
    (copy,) = write_series(tmp_path / "ct", chest(3, 1), "KEY{}.dcm", SeriesInstanceUID=generate_uid())
    assert series_uid(copy) != series_uid(files[0])  # a key image of the first slice's place
    run = segment(tmp_path / "ct")
    assert run.status == 0, run.err
    np.testing.assert_array_equal(run.array, pixels_of(files))
