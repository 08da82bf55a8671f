"""The tree in which CTs for the queue are ticked: what is loaded, and the CT series of the DICOM database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import qt
from slicer.i18n import tr as _

from TotalSegmentatorModuleLib.job_queue.sequences import proxy_ids, volume_sequences
from TotalSegmentatorModuleLib.scene.dicom.series_loading import (
    StoredSeries,
    StoredStudy,
    stored_patients,
    studies_with_ct,
)
from TotalSegmentatorModuleLib.scene.volumes import dicom_modality, scalar_volumes

VOLUME, SEQUENCE, SERIES = "volume", "sequence", "series"
_KIND_ROLE, _KEY_ROLE = qt.Qt.UserRole + 1, qt.Qt.UserRole + 2
_PATIENT = "patient"
_HEADING = "heading"


@dataclass(frozen=True)
class TickedCt:
    kind: str
    """VOLUME, SEQUENCE or SERIES"""
    key: str
    """Id of the node, or the Series Instance UID."""
    title: str


class CtChoice:
    """Fills a QTreeView. ``on_ticked`` is called when something was ticked or cleared."""

    def __init__(self, view, on_ticked: Callable[[], None]) -> None:
        self._on_ticked = on_ticked
        self._is_filling = False
        self._view = view
        self._model = qt.QStandardItemModel()
        view.setModel(self._model)
        view.setHeaderHidden(True)
        self._model.connect("itemChanged(QStandardItem*)", self._on_item_changed)
        view.connect("expanded(QModelIndex)", self._on_expanded)

    def clear(self) -> None:
        """Nothing is ticked any more."""
        self._model.clear()

    def refresh(self) -> None:
        """Read anew what there is; what is ticked and open stays so as far as it is still there."""
        ticked = {(each.kind, each.key) for each in self.ticked()}
        opened = self._opened_patients()
        self._is_filling = True
        self._model.clear()
        loaded = [(VOLUME, each.GetID(), each.GetName()) for each in _loaded_cts()]
        sequences = [(SEQUENCE, each.GetID(), _sequence_title(each)) for each in volume_sequences()]
        self._add_group(_("Loaded CTs"), loaded)
        self._add_group(_("Loaded sequences (4-D CT)"), sequences)
        patients = stored_patients()
        if patients:
            heading = self._heading(_("DICOM database"), "", is_checkable=False)
            for number, name in patients:
                patient = _item(name or _("No name"), _PATIENT, number)
                patient.appendRow(_item("", _HEADING, ""))  # so that it can be opened; filled when that happens
                heading.appendRow(patient)
                if number in opened:
                    self._fill(patient)
            if opened:
                self._view.expand(heading.index())
        self._is_filling = False
        for item in _below(self._model.invisibleRootItem()):
            if item.data(_KIND_ROLE) == _PATIENT and item.data(_KEY_ROLE) in opened:
                self._view.expand(item.index())
            if (item.data(_KIND_ROLE), item.data(_KEY_ROLE)) in ticked:
                item.setCheckState(qt.Qt.Checked)  # and the headings above
        self._on_ticked()

    @property
    def is_empty(self) -> bool:
        return self._model.rowCount() == 0

    def ticked(self) -> list[TickedCt]:
        """In the order of the tree."""
        return [
            TickedCt(item.data(_KIND_ROLE), item.data(_KEY_ROLE), item.text())
            for item in _below(self._model.invisibleRootItem())
            if item.data(_KIND_ROLE) in (VOLUME, SEQUENCE, SERIES) and item.checkState() == qt.Qt.Checked
        ]

    # -- inside --------------------------------------------------------------------------------------------------------

    def _opened_patients(self) -> set[str]:
        """Numbers of those whose studies are listed."""
        patients = [each for each in _below(self._model.invisibleRootItem()) if each.data(_KIND_ROLE) == _PATIENT]
        return {each.data(_KEY_ROLE) for each in patients if each.child(0) and each.child(0).text()}

    def _add_group(self, title: str, rows: list[tuple[str, str, str]]) -> None:
        if rows:
            heading = self._heading(title, "")
            for kind, key, text in rows:
                heading.appendRow(_item(text, kind, key))
            self._view.expand(heading.index())

    def _heading(self, title: str, key: str, is_checkable: bool = True):
        item = _item(title, _HEADING, key, is_checkable)
        self._model.appendRow(item)
        return item

    def _on_expanded(self, index) -> None:
        self._fill(self._model.itemFromIndex(index))

    def _fill(self, item) -> None:
        """The studies of a patient, when they are asked for: a database may have thousands."""
        if item.data(_KIND_ROLE) != _PATIENT or item.rowCount() != 1 or item.child(0).text():
            return
        was_filling, self._is_filling = self._is_filling, True
        item.removeRow(0)
        for study in studies_with_ct(item.data(_KEY_ROLE)):
            heading = _item(_study_title(study), _HEADING, study.uid)
            for series in study.series:
                heading.appendRow(_item(_series_title(series), SERIES, series.uid))
            item.appendRow(heading)
            self._view.expand(heading.index())
        if not item.rowCount():
            none = _item(_("No CT"), _HEADING, "", is_checkable=False)
            none.setEnabled(False)
            item.appendRow(none)
        self._is_filling = was_filling

    def _on_item_changed(self, item) -> None:
        if self._is_filling:
            return
        self._is_filling = True
        self._fill(item)
        state = item.checkState()
        for below in _below(item):
            if below.isCheckable():
                below.setCheckState(state)
        above = item.parent()
        while above is not None and above:
            if above.isCheckable():
                above.setCheckState(_common_state(above))
            above = above.parent()
        self._is_filling = False
        self._on_ticked()


def _item(text: str, kind: str, key: str, is_checkable: bool = True):
    item = qt.QStandardItem(text)
    item.setData(kind, _KIND_ROLE)
    item.setData(key, _KEY_ROLE)
    item.setCheckable(is_checkable)
    item.setToolTip(text)
    return item


def _below(item) -> list:
    found = []
    for row in range(item.rowCount()):
        child = item.child(row)
        found += [child, *_below(child)]
    return found


def _common_state(item) -> int:
    states = {child.checkState() for child in map(item.child, range(item.rowCount())) if child.isCheckable()}
    return states.pop() if len(states) == 1 else qt.Qt.PartiallyChecked


def _loaded_cts() -> list:
    """All volumes that may be CTs and are no frame of a sequence."""
    proxies = proxy_ids()
    shown = [each for each in scalar_volumes() if not each.GetHideFromEditors() and each.GetID() not in proxies]
    return [each for each in shown if dicom_modality(each) in (None, "CT")]


def _sequence_title(sequence) -> str:
    return _("{name} ({count} frames)").format(name=sequence.GetName(), count=sequence.GetNumberOfDataNodes())


def _study_title(study: StoredStudy) -> str:
    return " ".join(part for part in (study.date, study.description) if part) or _("Study")


def _series_title(series: StoredSeries) -> str:
    name = ": ".join(part for part in (series.number, series.description) if part) or _("Series")
    return _("{series} ({count} images)").format(series=name, count=series.images)
