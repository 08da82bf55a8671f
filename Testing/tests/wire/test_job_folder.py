"""Private folders: their rights, their owners, and what the sweep removes and what it must not."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from TotalSegmentatorWire.job_folder import (
    create_owned_folder,
    create_private_folder,
    jobs_folder,
    new_id,
    read_owner,
    remove_folder,
    results_folder,
    reviews_folder,
    sweep,
    worker_folder_name,
    write_owner,
)
from TotalSegmentatorWire.process_identity import ProcessIdentity, is_alive, start_time, this_process

DAY = 86400.0


@pytest.fixture
def dead_process() -> ProcessIdentity:
    """A process of this computer that has ended."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = ProcessIdentity(process.pid, start_time(process.pid), this_process().host)
    assert is_alive(identity)
    process.communicate(b"\n")
    return identity


def make_older(folder: Path, seconds: float) -> None:
    """As if everything in ``folder`` had been written so long ago."""
    then = time.time() - seconds
    for path in [*folder.iterdir(), folder]:
        os.utime(path, (then, then))


def test_process_knows_its_own_identity():
    assert this_process().pid == os.getpid()
    assert is_alive(this_process())


def test_ended_process_is_not_alive(dead_process):
    assert not is_alive(dead_process)


def test_process_id_that_was_given_again_is_another_process():
    assert not is_alive(dataclasses.replace(this_process(), started="long ago"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_zombie_is_not_alive():
    process = subprocess.Popen([sys.executable, "-c", ""])
    deadline = time.monotonic() + 10
    while start_time(process.pid) is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert start_time(process.pid) is None  # ended, but its parent has not asked for its status
    process.wait()


def test_process_of_another_computer_counts_as_alive(dead_process):
    assert is_alive(dataclasses.replace(dead_process, host="another-computer"))


def test_no_process_has_a_negative_or_zero_id():
    assert start_time(0) is None
    assert start_time(-1) is None


@pytest.mark.skipif(os.name == "nt", reason="Windows guards the profile folder by its own rights")
def test_folders_are_private_even_under_a_generous_umask(tmp_path):
    before = os.umask(0)
    try:
        folder = create_owned_folder(tmp_path / "work" / "jobs", new_id())
    finally:
        os.umask(before)
    for made in (folder, folder.parent, folder.parent.parent):
        assert made.stat().st_mode & 0o777 == 0o700


def test_folder_appears_with_its_owner(tmp_path):
    folder = create_owned_folder(tmp_path, new_id())
    assert read_owner(folder) == this_process()
    assert [entry.name for entry in tmp_path.iterdir()] == [folder.name]


def test_folder_is_not_made_twice(tmp_path):
    name = new_id()
    create_private_folder(tmp_path, name)
    with pytest.raises(FileExistsError):
        create_private_folder(tmp_path, name)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid": "x", "started": "", "host": ""}'])
def test_damaged_owner_is_no_owner(tmp_path, text):
    (tmp_path / "owner.json").write_text(text)
    assert read_owner(tmp_path) is None


@pytest.mark.parametrize(
    "new_name", [new_id, worker_folder_name, lambda: "new-" + new_id()], ids=["job", "worker", "draft"]
)
def test_sweep_removes_a_dead_owners_folder(tmp_path, dead_process, new_name):
    name = new_name()
    folder = create_private_folder(jobs_folder(tmp_path), name)
    write_owner(folder, dead_process)
    (folder / "ct.raw").write_bytes(b"voxels")
    (folder / "result").mkdir()
    (folder / "result" / "labels.raw").write_bytes(b"labels")
    assert sweep(tmp_path) == 1
    assert not folder.exists()


def test_sweep_keeps_a_living_owners_folder_however_old(tmp_path):
    folder = create_owned_folder(jobs_folder(tmp_path), new_id())
    make_older(folder, 30 * DAY)
    assert sweep(tmp_path) == 0
    assert folder.is_dir()


@pytest.mark.parametrize(("days", "is_kept"), [(6, True), (8, False)])
def test_sweep_decides_on_another_computers_folder_by_its_age(tmp_path, dead_process, days, is_kept):
    elsewhere = dataclasses.replace(dead_process, host="another-computer")
    folder = create_owned_folder(jobs_folder(tmp_path), new_id(), elsewhere)
    make_older(folder, days * DAY)
    sweep(tmp_path)
    assert folder.exists() == is_kept


@pytest.mark.parametrize(("seconds", "is_kept"), [(60, True), (7200, False)])
def test_sweep_removes_a_folder_without_owner_after_an_hour(tmp_path, seconds, is_kept):
    folder = create_private_folder(jobs_folder(tmp_path), new_id())
    make_older(folder, seconds)
    sweep(tmp_path)
    assert folder.exists() == is_kept


@pytest.mark.parametrize(("days", "is_kept"), [(6.9, True), (7.1, False)])
def test_sweep_keeps_results_for_a_week_whoever_made_them(tmp_path, dead_process, days, is_kept):
    folder = create_owned_folder(results_folder(tmp_path), new_id(), dead_process)
    (folder / "labels.raw").write_bytes(b"labels")
    make_older(folder, days * DAY)
    sweep(tmp_path)
    assert folder.exists() == is_kept


@pytest.mark.parametrize(("days", "is_dead", "is_kept"), [(6.9, True, True), (7.1, True, False), (30, False, True)])
def test_sweep_keeps_reviews_for_a_week_and_those_of_a_living_owner(tmp_path, dead_process, days, is_dead, is_kept):
    folder = create_owned_folder(reviews_folder(tmp_path), new_id(), dead_process if is_dead else this_process())
    make_older(folder, days * DAY)
    sweep(tmp_path)
    assert folder.exists() == is_kept


def test_sweep_touches_nothing_that_it_would_not_have_named(tmp_path, dead_process):
    strangers = [
        create_private_folder(jobs_folder(tmp_path), "patient data"),
        create_private_folder(results_folder(tmp_path), "thesis"),
        create_private_folder(tmp_path, new_id()),
    ]
    for folder in strangers:
        write_owner(folder, dead_process)
        make_older(folder, 100 * DAY)
    assert sweep(tmp_path) == 0
    assert all(folder.is_dir() for folder in strangers)


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_sweep_does_not_follow_links(tmp_path, dead_process):
    precious = create_private_folder(tmp_path, "precious")
    write_owner(precious, dead_process)
    jobs_folder(tmp_path).mkdir()
    (jobs_folder(tmp_path) / new_id()).symlink_to(precious)
    sweep(tmp_path)
    assert (precious / "owner.json").exists()


def test_sweep_of_an_absent_folder_does_nothing(tmp_path):
    assert sweep(tmp_path / "absent") == 0


def test_remove_folder_says_whether_it_is_gone(tmp_path):
    folder = create_owned_folder(tmp_path, new_id())
    assert remove_folder(folder)
    assert remove_folder(folder)
