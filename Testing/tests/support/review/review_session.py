"""A whole review by clicks and keys, from Apply to the scene that is opened again.

The result has vertebrae with the number of the one above, two of which are swapped as well, and a stray piece of the
liver.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import slicer
from desktop import Desktop
from job_support import MARK
from panel_support import PanelUser, panel_user
from phantom import PhantomParameters, make_phantom
from places import DEMO_MODEL, FAKES
from repair_support import TABLE, RepairUser, wait_for_second_check
from TotalSegmentatorModuleLib.background.engine_environment import EngineEnvironment

CT = PhantomParameters(
    seed=20_001,
    spacing_mm=(3.0, 3.0, 3.0),
    orientation="LPS",
    field_of_view_mm=((-260.0, 260.0), (-160.0, 160.0), (-100.0, 400.0)),
)
"""From T3 to the sacrum."""
SPINE = [
    *(f"vertebrae_C{n}" for n in range(1, 8)),
    *(f"vertebrae_T{n}" for n in range(1, 13)),
    *(f"vertebrae_L{n}" for n in range(1, 6)),
]
SWAPPED = ("vertebrae_L2", "vertebrae_L3")
"""As the result calls them; they are L4 and L3."""
NUMBERED_FIRST = "vertebrae T2"
"""The highest vertebra, which is T3."""
EDITED = "liver"
_STRAY_CENTRE, _STRAY_RADIUS = (64, 47, 104), 4
"""(k, j, i) and voxels: in the fat beside the bowel."""
_JOB_SECONDS = 120.0


class ReviewSession(RepairUser):
    """Somebody with a CT in front of the panel. ``true_labels``: uint8 (k, j, i)."""

    def __init__(self, user: PanelUser, ct, true_labels: np.ndarray) -> None:
        super().__init__(user)
        self.ct = ct
        self._truth = true_labels
        self._show: Callable[[str], None] = lambda name: None

    def run(self, answers: list[bool], folder: Path, show: Callable[[str], None] | None = None) -> None:
        """All steps. ``answers`` gets what the user says to questions, ``folder`` the scene; ``show`` is called with a
        name when the panel shows what a step is about."""
        self._show = show or self._show
        self.apply()
        self.swap()
        self.renumber()
        self.edit()
        self.approve(answers)
        self.save_and_open(folder)

    def apply(self) -> None:
        self.user.choose_model_folder(str(DEMO_MODEL))
        self.user.click_apply()
        self.user.wait_until_ready(_JOB_SECONDS)
        assert self.user.segmentations, self.user.describe()
        (self.node,) = self.user.segmentations
        self.settle()
        self.wait(lambda: self.tree.model().rowCount() > 0)
        self._show("1-review")

    def swap(self) -> None:
        self._choose(_shown(SWAPPED[0]))
        self.click_repair("Swap...")
        self._show("2-swap-preview")
        self._apply_repair()

    def renumber(self) -> None:
        self.wait(lambda: "Wrong? (2)" in self.groups())  # now that all are in order, the ribs can tell
        self._choose(NUMBERED_FIRST)
        self.click_repair("Renumber...")
        self._show("3-renumber-preview")
        self._apply_repair()
        self._show("4-renumbered")

    def edit(self) -> None:
        """In the Segment Editor; the hand's strokes are voxels here, since the stand-in's effects draw nothing."""
        self._choose(EDITED)
        self.press("E")
        self._show("5-segment-editor")
        stray = self.mask(EDITED) & ~self.true_mask(EDITED)
        slicer.util.updateSegmentBinaryLabelmapFromArray(
            (self.mask(EDITED) & ~stray).astype(np.uint8), self.node, EDITED, self.ct
        )
        self.app.click(self.user.ui.edit_bar.backButton)
        self.settle()
        wait_for_second_check(self)
        self._show("6-edited")

    def approve(self, answers: list[bool]) -> None:
        for row in (EDITED, *map(_shown, SWAPPED)):
            self._choose(row)
            self.press("A")
        answers.append(True)
        self.app.click(self.ui.approveAllButton)
        self.settle()
        self._show("7-approved")

    def save_and_open(self, folder: Path) -> None:
        scene = self.app.save_scene(folder / "scene")
        self.app.load_scene(scene, clear=True)
        (self.node,) = self.user.segmentations
        (self.ct,) = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        self.ui.segmentationSelector.setCurrentNode(self.node)
        self.ui.collapsibleButton.collapsed = False
        self.settle()
        self._show("8-opened-again")

    def true_mask(self, name: str) -> np.ndarray:
        """bool (k, j, i): the structure without faults."""
        return self._truth == TABLE[name]

    def _choose(self, row: str) -> None:
        self.tree.scrollTo(self.index(row))
        self.click_row(row)

    def _apply_repair(self) -> None:
        self.app.click(self.repair_ui.applyRepairButton)
        self.settle()
        wait_for_second_check(self)


def _shown(name: str) -> str:
    return name.replace("_", " ")


@contextmanager
def review_session(app: Desktop, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[ReviewSession]:
    """With the real engine, whose networks find the faults; ``folder`` is for files."""
    phantom = make_phantom(CT)
    np.save(folder / "planted.npy", _with_faults(phantom.labels))
    variables = {"PLANTED_LABELS": str(folder / "planted.npy")}

    def engine(mark: str) -> EngineEnvironment:
        return EngineEnvironment(
            sys.executable, {**os.environ, **variables, MARK: mark}, program=FAKES / "planted_engine.py"
        )

    with panel_user(app, monkeypatch, engine) as user:
        yield ReviewSession(user, user.add_ct(phantom.ct, "CT thorax and abdomen", phantom.ijk_to_ras), phantom.labels)


def _with_faults(labels: np.ndarray) -> np.ndarray:
    """``labels`` (k, j, i) as the networks find them."""
    names = np.arange(256, dtype=np.uint8)
    for true, found in zip(SPINE[1:], SPINE, strict=False):
        names[TABLE[true]] = TABLE[found]
    one, two = (names == TABLE[name] for name in SWAPPED)
    names[one], names[two] = (TABLE[name] for name in reversed(SWAPPED))
    found = names[labels]
    apart = np.indices(found.shape) - np.reshape(_STRAY_CENTRE, (3, 1, 1, 1))
    found[(apart**2).sum(axis=0) <= _STRAY_RADIUS**2] = TABLE[EDITED]
    return found
