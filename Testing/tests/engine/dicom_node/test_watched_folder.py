"""Series that appear as files in a watched folder."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from series_support import change, write_page
from TotalSegmentatorEngine.dicom_node.incoming.incoming_folder import IncomingFolder
from TotalSegmentatorEngine.dicom_node.incoming.watch_folder import WatchFolder
from TotalSegmentatorEngine.dicom_node.settings.node_settings import Limits

QUIET = 30.0


class Watching:
    """A watched folder, whose time passes as a test wants it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "drop"
        self._folder = folder / "node"
        self.path.mkdir()
        (self._folder / "incoming").mkdir(parents=True)
        self.now = 0.0
        self.start()

    def start(self, **limits) -> None:
        """The node begins to run, for the first time or again."""
        self.incoming = IncomingFolder(self._folder / "incoming", Limits(**{"free_disk_gb": 0.0} | limits))
        self._watch = WatchFolder(self.path, self._folder / "watched.json", self.incoming, QUIET, lambda: self.now)

    def look(self, after: float = QUIET) -> int:
        self.now += after
        return self._watch.look()

    def complete(self) -> list[str]:
        return self.incoming.complete(QUIET)


@pytest.fixture
def watching(tmp_path: Path) -> Watching:
    return Watching(tmp_path)


def copy(files: list[Path], folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    return [Path(shutil.copy(path, folder)) for path in files]


def test_a_series_is_taken_when_nothing_changes_any_more(watching, series):
    files = series()
    copy(files[:5], watching.path)
    assert watching.look(0) == 0
    copy(files[5:], watching.path)
    assert watching.look(29) == 0  # more has come
    assert watching.look(29) == 0
    assert watching.look(1) == 8
    (complete,) = watching.complete()
    assert watching.incoming.count(complete) == 8
    assert [watching.look(), watching.look()] == [0, 0]
    assert len(list(watching.path.iterdir())) == 8  # they stay where they are


def test_what_lies_below_one_folder_belongs_together_and_folders_do_not_wait_for_each_other(watching, series):
    one, two = series(), series()
    copy(one[:4], watching.path / "Smith" / "a")
    copy(two, watching.path / "Miller")
    watching.look(0)
    copy(one[4:], watching.path / "Smith" / "b")
    assert watching.look() == 8  # Miller
    assert watching.look() == 8
    assert len(watching.complete()) == 2


def test_a_node_that_starts_again_remembers_what_it_took(watching, series):
    copied = copy(series(), watching.path)
    watching.look(0)
    watching.look()
    (complete,) = watching.complete()
    watching.incoming.remove(complete)  # after the set time
    watching.start()
    watching.look(0)
    assert watching.look() == 0
    change(copied[0], ImageComments="corrected")
    watching.look(0)
    assert watching.look() == 1
    assert "Smith" not in (watching.path.parent / "node" / "watched.json").read_text()


def test_what_is_no_ct_is_passed_over_once(watching, series, tmp_path: Path):
    copy(series(), watching.path)
    (watching.path / "readme.txt").write_text("of the scanner")
    (watching.path / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 500)
    write_page(watching.path / "dose.dcm")
    (watching.path / ".part").write_bytes(b"half")
    (watching.path / "link").symlink_to(watching.path / "gone")
    watching.look(0)
    assert watching.look() == 8
    assert len(watching.complete()) == 1
    assert watching.look() == 0


def test_without_room_it_is_taken_later(watching, series):
    copy(series(), watching.path)
    watching.start(queue_gb=4e-6)
    watching.look(0)
    assert watching.look() < 8
    assert watching.complete() == []
    watching.start()
    watching.look(0)
    watching.look()
    (complete,) = watching.complete()
    assert watching.incoming.count(complete) == 8


def test_a_share_that_is_gone_for_a_while_changes_nothing(watching, series):
    copy(series(), watching.path)
    watching.look(0)
    watching.look()
    watching.path.rename(watching.path.with_name("away"))
    assert watching.look() == 0
    watching.path.with_name("away").rename(watching.path)
    assert [watching.look(), watching.look()] == [0, 0]
    assert len(watching.complete()) == 1


class _BrokenOff(io.BytesIO):
    """The start of a file on a share that goes away."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell():
            raise OSError("the share is gone")
        return super().read(size)


@pytest.fixture
def lock(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has these files not be opened, or not be read to the end, and no others."""
    locked: dict[Path, bool] = {}
    original = Path.open

    def opened(path: Path, *arguments, **settings):
        if path not in locked:
            return original(path, *arguments, **settings)
        if locked[path]:
            raise PermissionError("another program has it open")
        with original(path, "rb") as stream:
            return _BrokenOff(stream.read())

    def change_locks(*paths: Path, is_opened: bool = False) -> None:
        locked.clear()
        locked.update(dict.fromkeys(paths, not is_opened))

    monkeypatch.setattr(Path, "open", opened)
    return change_locks


def test_what_cannot_be_read_for_a_while_is_not_lost_and_holds_up_its_own_folder_alone(watching, series, lock):
    copied = copy(series(), watching.path / "a")
    copy(series(), watching.path / "b")
    lock(copied[3])
    watching.look(0)
    assert watching.look() == 7 + 8
    (other,) = watching.complete()
    assert watching.look() == 0
    (held_up,) = watching.incoming.incomplete(minutes=0)
    since = watching.incoming.states()[held_up].last
    lock(copied[3], is_opened=True)
    assert watching.look() == 7
    assert watching.incoming.states()[held_up].last == since  # it will be reported
    lock()
    assert watching.look(120) == 8
    assert set(watching.complete()) == {held_up, other}
    assert watching.incoming.count(held_up) == 8
    assert watching.look(600) == 0


def test_all_series_that_lie_beside_a_file_that_cannot_be_read_wait_and_become_complete(watching, series, lock):
    for number in range(2):
        for path in series()[:3]:
            copied = Path(shutil.copy(path, watching.path / f"{number}-{path.name}"))
    lock(copied)
    watching.look(0)
    assert (watching.look(), watching.complete()) == (5, [])
    lock()
    watching.look(60)
    assert len(watching.complete()) == 2


def test_a_series_that_is_too_large_does_not_keep_the_next_folder_waiting(watching, series):
    copy(series()[:2], watching.path / "a")
    copy(series()[:1], watching.path / "b")
    watching.start(series_objects=1)
    watching.look(0)
    watching.look()
    assert len(watching.complete()) == 1
