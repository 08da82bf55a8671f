"""Archives that do not belong into a models folder are refused before anything of them is written."""

from __future__ import annotations

import stat
import zipfile

import pytest
from TotalSegmentatorSetup.models.archives import MOST_ENTRIES, unpack
from TotalSegmentatorSetup.support.progress import SetupReporter
from TotalSegmentatorWire.errors.problem import SegmentationError

LIMIT = 10_000_000


def make(path, *entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def linked(name, target):
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry, target


def unpacked(archive, target, limit=LIMIT, is_cancelled=lambda: False):
    reporter = SetupReporter(lambda event: None, is_cancelled)
    reporter.begin("unpacking_model")
    unpack(archive, target, reporter, limit)


def code_of(archive, target, **how):
    with pytest.raises(SegmentationError) as caught:
        unpacked(archive, target, **how)
    return caught.value.code


def test_files_and_folders_come_out_as_they_went_in(tmp_path):
    archive = make(
        tmp_path / "m.zip", ("Dataset1/", b""), ("Dataset1/plans.json", b"{}"), ("Dataset1/f/w", b"x" * 70000)
    )
    unpacked(archive, tmp_path / "Sa É 患者")

    files = sorted(path for path in (tmp_path / "Sa É 患者").rglob("*") if path.is_file())
    assert [path.name for path in files] == ["w", "plans.json"]
    assert files[0].read_bytes() == b"x" * 70000


@pytest.mark.parametrize(
    "name",
    [
        "../canary",
        "a/../../canary",
        "/canary",
        "C:/canary",
        "C:canary",
        "a\\..\\..\\canary",
        "a/con.txt",
        "a/NUL",
        "a/b:c",
        "a/trailing ",
        "a/trailing.",
        "a/que?stion",
    ],
)
def test_names_that_lead_elsewhere_or_are_no_names_everywhere(tmp_path, name):
    entry = zipfile.ZipInfo("placeholder")
    entry.filename = name
    archive = make(tmp_path / "m.zip", ("good", b"1"), (entry, b"bad"))

    assert code_of(archive, tmp_path / "target") == "ARCHIVE_UNSAFE"
    assert {path.name for path in tmp_path.rglob("*")} == {"m.zip"}


def test_links_are_refused(tmp_path):
    archive = make(tmp_path / "m.zip", linked("Dataset1", "/etc"), ("Dataset1/passwd", b"mine"))

    assert code_of(archive, tmp_path / "target") == "ARCHIVE_UNSAFE"


def test_two_files_that_are_one_on_windows_and_macos(tmp_path):
    assert code_of(make(tmp_path / "m.zip", ("a/W", b"1"), ("a/w", b"2")), tmp_path / "t") == "ARCHIVE_UNSAFE"


def test_a_file_that_is_a_folder_too(tmp_path):
    assert code_of(make(tmp_path / "m.zip", ("a", b"1"), ("a/b", b"2")), tmp_path / "t") == "ARCHIVE_UNSAFE"


def test_an_encrypted_archive(tmp_path):
    archive = make(tmp_path / "m.zip", ("a", b"1"))
    content = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    archive.write_bytes(content)

    assert code_of(archive, tmp_path / "t") == "ARCHIVE_UNSAFE"


def test_a_zip_bomb(tmp_path):
    archive = make(tmp_path / "m.zip", ("a", b"\0" * 100_000_000))

    assert code_of(archive, tmp_path / "t") == "ARCHIVE_TOO_LARGE"
    assert code_of(archive, tmp_path / "t", limit=1_000_000_000) == "ARCHIVE_TOO_LARGE"
    assert not (tmp_path / "t").exists()


def test_an_archive_that_lies_about_its_size(tmp_path):
    archive = make(tmp_path / "m.zip", ("a", b"\0" * 3_000_000))
    content = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = content.index(signature) + offset
        content[place : place + 4] = (1000).to_bytes(4, "little")
    archive.write_bytes(content)

    assert code_of(archive, tmp_path / "t") in ("ARCHIVE_TOO_LARGE", "ARCHIVE_DAMAGED")
    assert not (tmp_path / "t" / "a").exists() or (tmp_path / "t" / "a").stat().st_size <= 1000


def test_too_many_entries(tmp_path):
    archive = make(tmp_path / "m.zip", *((f"a{number}", b"") for number in range(MOST_ENTRIES + 1)))

    assert code_of(archive, tmp_path / "t") == "ARCHIVE_UNSAFE"


def test_what_is_no_zip_archive(tmp_path):
    (tmp_path / "page.zip").write_text("<html>please log in</html>")

    assert code_of(tmp_path / "page.zip", tmp_path / "t") == "ARCHIVE_DAMAGED"


def test_an_archive_that_was_cut(tmp_path):
    archive = make(tmp_path / "m.zip", ("a", bytes(range(256)) * 1000))
    archive.write_bytes(archive.read_bytes()[:-30])

    assert code_of(archive, tmp_path / "t") == "ARCHIVE_DAMAGED"


def test_an_archive_with_a_flipped_bit(tmp_path):
    path = tmp_path / "m.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a", b"y" * 5000)
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)

    assert code_of(path, tmp_path / "t") == "ARCHIVE_DAMAGED"


def test_cancelling(tmp_path):
    archive = make(tmp_path / "m.zip", ("a", b"1" * 1000))
    asked = iter([False, True])

    assert code_of(archive, tmp_path / "t", is_cancelled=lambda: next(asked, True)) == "SETUP_CANCELLED"
