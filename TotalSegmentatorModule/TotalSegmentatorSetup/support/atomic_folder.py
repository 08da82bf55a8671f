"""Folders that come and go as a whole: a draft is filled, then renamed; what is removed is renamed first.

A draft (``.tsm-new-...``) names the process that fills it, so that the drafts of dead processes can be removed. What
was renamed to ``.tsm-old-...`` may be removed by anyone.
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from TotalSegmentatorWire.process_identity import is_alive, read_identity, this_process, write_identity
from TotalSegmentatorWire.retry import retry_while_locked

RECORD = "engine.json"
"""Written last into a folder of packages."""
DRAFT, OLD = ".tsm-new-", ".tsm-old-"
OWNER = "owner.json"
_OURS = re.compile(r"\.tsm-(new|old)-.+-[0-9a-f]{6}")
"""Nothing of another name is ever removed: the folder may be one that the user has chosen for other things, too."""


def new_draft(parent: Path, name: str) -> Path:
    """An empty folder of this process with the folders that an installation needs: ``t`` is for temporary files."""
    draft = parent / f"{DRAFT}{name}-{secrets.token_hex(3)}"
    (draft / "t").mkdir(parents=True)
    write_identity(draft / OWNER, this_process())
    return draft


def dead_drafts(parent: Path) -> list[Path]:
    """Drafts of processes that have ended; a folder that names no owner is nobody's draft."""
    drafts = [folder for folder in folders_named(parent, DRAFT) if _OURS.fullmatch(folder.name)]
    named = [folder for folder in drafts if (folder / OWNER).is_file() or (folder / RECORD).is_file()]
    return [folder for folder in named if not _has_living_owner(folder)]


def clean(parent: Path, end_work: Callable[[Path], None] | None = None) -> None:
    """Removes drafts of processes that have ended, and what was renamed to be removed.

    ``end_work`` ends what still works in such a draft.
    """
    for folder in dead_drafts(parent):
        if end_work is not None:
            end_work(folder)
        shutil.rmtree(folder, ignore_errors=True)
    for folder in folders_named(parent, OLD):
        if _OURS.fullmatch(folder.name):
            shutil.rmtree(folder, ignore_errors=True)


def put_in_place(draft: Path, final: Path) -> None:
    """Renames ``draft`` to ``final``, in place of what is there, which comes back where that fails.

    Raises SegmentationError("FILE_LOCKED").
    """
    old = _old_name(final)
    if final.exists():
        retry_while_locked(lambda: final.rename(old))
    try:
        retry_while_locked(lambda: draft.rename(final))
    except BaseException:
        if old.exists():
            retry_while_locked(lambda: old.rename(final))
        raise
    shutil.rmtree(old, ignore_errors=True)  # what is locked goes with the next clean()


def discard(folder: Path) -> None:
    """Removes a folder: at once under its name, then from the disk. Raises SegmentationError("FILE_LOCKED")."""
    if not folder.exists():
        return
    old = _old_name(folder)
    retry_while_locked(lambda: folder.rename(old))
    retry_while_locked(lambda: shutil.rmtree(old))


def _old_name(folder: Path) -> Path:
    return folder.with_name(f"{OLD}{folder.name.lstrip('.')}-{secrets.token_hex(3)}")


def folders_named(parent: Path, start: str) -> list[Path]:
    try:
        return [entry for entry in parent.iterdir() if entry.name.startswith(start) and entry.is_dir()]
    except OSError:
        return []


def _has_living_owner(draft: Path) -> bool:
    owner = read_identity(draft / OWNER)
    return owner is not None and is_alive(owner)
