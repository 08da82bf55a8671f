"""The user's own presets: a file each in the user's folder, which may be shared."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from pathlib import Path

from TotalSegmentatorWire.choice.own_presets import SUFFIX, read_own_preset, write_own_preset
from TotalSegmentatorWire.choice.presets import Preset
from TotalSegmentatorWire.errors.problem import SegmentationError

_READABLE = 24
"""So many characters of a title are in the name of its file."""


class OwnPresets:
    """All presets in ``folder``, which is made when it is needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, Path] = {}
        self.presets: dict[str, Preset] = {}
        """By their titles."""
        self.refresh()

    def refresh(self) -> None:
        """Read the folder again. A file that is no preset is passed over; the application's log names it."""
        self._files, self.presets = {}, {}
        paths = sorted(self._folder.glob("*" + SUFFIX)) if self._folder.is_dir() else []
        found = [(preset, path) for path in paths if (preset := _read(path)) is not None]
        for preset, path in sorted(found, key=lambda each: each[0].title.casefold()):
            self._files[preset.title], self.presets[preset.title] = path, preset

    def save(self, preset: Preset) -> None:
        """Write ``preset``, which replaces one of that title. Raises SegmentationError("OUTPUT_NOT_WRITABLE")."""
        path = self._files.get(preset.title, self._folder / _file_name(preset.title))
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_own_preset(path, preset)
        except OSError as error:
            raise SegmentationError("OUTPUT_NOT_WRITABLE") from error
        self.refresh()

    def rename(self, title: str, new_title: str) -> None:
        """Raises SegmentationError("OUTPUT_NOT_WRITABLE")."""
        if new_title != title:
            self.save(replace(self.presets[title], title=new_title))
            self.remove(title)

    def remove(self, title: str) -> None:
        """Raises SegmentationError("OUTPUT_NOT_WRITABLE")."""
        try:
            self._files[title].unlink(missing_ok=True)
        except OSError as error:
            raise SegmentationError("OUTPUT_NOT_WRITABLE") from error
        self.refresh()

    def share(self, title: str, path: Path) -> None:
        """Write a copy for others. Raises SegmentationError("OUTPUT_NOT_WRITABLE")."""
        try:
            write_own_preset(path, self.presets[title])
        except OSError as error:
            raise SegmentationError("OUTPUT_NOT_WRITABLE") from error

    def take(self, path: Path) -> str:
        """Add the preset in a file that somebody has shared; returns its title, which has a number behind it where
        there is another preset of that title. Raises SegmentationError: PRESET_INVALID, OUTPUT_NOT_WRITABLE."""
        preset = read_own_preset(path)
        title, number = preset.title, 2
        while title in self.presets and self.presets[title].rows != preset.rows:
            title, number = "{} ({})".format(preset.title, number), number + 1
        self.save(replace(preset, title=title))
        return title


def _read(path: Path) -> Preset | None:
    try:
        return read_own_preset(path)
    except SegmentationError as error:
        logging.warning("The preset %s cannot be read: %s", path.name, error.code)
        return None


def _file_name(title: str) -> str:
    """Readable where the title is plain, and its own for each title."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in title.casefold())
    digest = hashlib.sha256(title.encode("utf-8")).hexdigest()[:8]
    return "{}-{}{}".format(plain[:_READABLE].strip("-"), digest, SUFFIX)
