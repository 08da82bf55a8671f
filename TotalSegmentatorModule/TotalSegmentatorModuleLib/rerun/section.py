"""Asks which structures of the review are computed again, and tells what came of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import slicer
from slicer.i18n import tr as _
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.review_rules import shown_name

from TotalSegmentatorModuleLib.agreement.texts import agreement_text
from TotalSegmentatorModuleLib.changes.replacement import Replacement
from TotalSegmentatorModuleLib.qt_helpers.questions import confirm_loss
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.rerun.arrival import RerunArrival
from TotalSegmentatorModuleLib.rerun.request import make_request, needs_consent, open_or_rejected
from TotalSegmentatorModuleLib.rerun.surfaces import SurfaceRenewal
from TotalSegmentatorModuleLib.rerun.texts import (
    consent_question,
    no_ct_text,
    nothing_text,
    open_text,
    outcome_text,
    outlook_text,
    selected_text,
)
from TotalSegmentatorModuleLib.review.table.rows import ReviewRow
from TotalSegmentatorModuleLib.scene.segments import reference_volume
from TotalSegmentatorModuleLib.scene.transforms import segmentation_to_ct
from TotalSegmentatorModuleLib.texts.errors import problem_texts

_SELECTED, _OPEN = "selected", "open"


@dataclass(frozen=True)
class RerunCallbacks:
    """What the section asks and tells the panel."""

    rows: Callable[[], tuple[Any, Sequence[ReviewRow], Sequence[ReviewRow]]]
    """The vtkMRMLSegmentationNode under review or None, its rows, and those that are selected."""
    model: Callable[[], tuple[str, Collection[str]]]
    """Title of the chosen model, and the names of all its structures; none where they cannot be known."""
    start: Callable[[Any, list[str], RerunArrival], None]
    """Start a job on a vtkMRMLScalarVolumeNode for structures."""
    on_replaced: Callable[[Replacement], None]
    show_text: Callable[[str], None]


class RerunSection:
    """The widgets of ReviewRerun.ui."""

    def __init__(self, ui: Widgets, callbacks: RerunCallbacks) -> None:
        self._ui = ui
        self._callbacks = callbacks
        self._surfaces = SurfaceRenewal()
        self._node = None
        self._scopes: dict[str, list[ReviewRow]] = {}
        ui.rerunButton.connect("clicked(bool)", self._open)
        ui.runButton.connect("clicked(bool)", self._on_run)
        ui.closeRerunButton.connect("clicked(bool)", self.end)
        ui.scopeComboBox.connect("currentIndexChanged(int)", self._show_outlook)
        self.end()

    def end(self, *_arguments) -> None:
        """The user turns to something else."""
        self._node, self._scopes = None, {}
        self._ui.rerunFrame.setVisible(False)

    def set_enabled(self, is_enabled: bool) -> None:
        """Not while a job runs."""
        self._ui.rerunButton.setEnabled(is_enabled)
        self._ui.runButton.setEnabled(is_enabled)
        if not is_enabled:
            self.end()

    def close(self) -> None:
        self._surfaces.close()

    # -- which structures ----------------------------------------------------------------------------------------------

    def _open(self) -> None:
        node, rows, selected = self._callbacks.rows()
        if node is None:
            return
        self._node = node
        waiting = open_or_rejected(rows)
        self._scopes = {key: chosen for key, chosen in ((_SELECTED, selected), (_OPEN, waiting)) if chosen}
        combo = self._ui.scopeComboBox
        combo.clear()
        if selected:
            combo.addItem(selected_text([row.name for row in selected]), _SELECTED)
        if waiting:
            combo.addItem(open_text(len(waiting)), _OPEN)
        combo.setVisible(bool(self._scopes))
        self._ui.rerunFrame.setVisible(True)
        self._show_outlook()

    def _show_outlook(self, *_arguments) -> None:
        if self._node is None:
            return
        title, known = self._callbacks.model()
        rows = self._chosen()
        unknown = [row.name for row in rows if known and row.key not in known]
        obstacle = self._obstacle()
        self._ui.rerunLabel.setText(obstacle or outlook_text(len(rows) - len(unknown), title, unknown))
        self._ui.runButton.setEnabled(not obstacle and len(rows) > len(unknown))

    def _chosen(self) -> list[ReviewRow]:
        combo = self._ui.scopeComboBox
        return list(self._scopes.get(combo.itemData(combo.currentIndex) or "", ()))

    def _obstacle(self) -> str:
        """Why nothing can be computed again; empty where it can."""
        ct = reference_volume(self._node)
        if ct is None or ct.GetImageData() is None:
            return no_ct_text()
        try:
            segmentation_to_ct(self._node, ct)
        except SegmentationError as error:
            return " ".join(problem_texts(error.problem))
        return ""

    # -- the job -------------------------------------------------------------------------------------------------------

    def _on_run(self) -> None:
        node, rows = self._node, self._chosen()
        if node is None or not slicer.mrmlScene.IsNodePresent(node) or self._obstacle():
            self.end()
            return
        known = self._callbacks.model()[1]
        rows = [row for row in rows if not known or row.key in known]
        protected = [row for row in rows if needs_consent(node, row.key)]
        self.end()
        agreed: set[str] = set()
        if protected:
            question = consent_question([row.name for row in protected], len(rows))
            if confirm_loss(question, _("Replace structures?"), _("Replace"), _("Keep them")):
                agreed = {row.key for row in protected}
            else:
                rows = [row for row in rows if row not in protected]
        if not rows:
            self._callbacks.show_text(nothing_text())
            return
        structures = [row.key for row in rows]
        request = make_request(node, structures, agreed)
        arrival = RerunArrival(request, self._surfaces.begin, self._on_arrived)
        self._callbacks.start(reference_volume(node), structures, arrival)

    def _on_arrived(self, arrival: RerunArrival) -> None:
        action, node = arrival.action, arrival.node
        replaced = action.segment_ids if action is not None else ()
        names = [[_name(node, each) for each in ids] for ids in (replaced, arrival.kept, arrival.absent)]
        text = outcome_text(*names)
        if action is not None and arrival.agreement is not None:
            text = " ".join((text, agreement_text(arrival.agreement)))
        self._callbacks.show_text(text)
        if action is not None and node is not None:
            self._callbacks.on_replaced(action)


def _name(node, structure: str) -> str:
    segment = node.GetSegmentation().GetSegment(structure) if node is not None else None
    return segment.GetName() if segment is not None else shown_name(structure)
