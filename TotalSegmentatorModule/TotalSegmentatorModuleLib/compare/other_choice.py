"""What the segmentation is compared with: a file, a segmentation of the scene, an object of Slicer's DICOM database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.compare.task import OtherSide
from TotalSegmentatorModuleLib.qt_helpers.path_line import follow_path
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.scene.dicom.database import DatabaseWatch, open_database
from TotalSegmentatorModuleLib.scene.dicom.structures import RTSTRUCT, StoredStructures, ct_series, stored_structures

FILE, SCENE, DATABASE = "file", "scene", "database"
_UPDATE_MS = 300
"""How long after a change of the database its list is made again."""
_LONGEST_NAME = 16
"""Characters of a name in the list; the whole text is in its tool tip and below the list."""


class OtherChoice:
    """The widgets of Compare.ui for it. ``on_changed`` is called after each change of the choice."""

    def __init__(self, ui: Widgets, on_changed: Callable[[], None]) -> None:
        self._ui = ui
        self._on_changed = on_changed
        self._ct = None
        self._path_kind = (None, False, False)
        self._objects: list[StoredStructures] = []
        self._is_outdated = True
        ui.otherSelector.setMRMLScene(slicer.mrmlScene)
        for title, kind in (
            (_("A file"), FILE),
            (_("A segmentation in the scene"), SCENE),
            (_("Slicer's DICOM database"), DATABASE),
        ):
            ui.otherKindComboBox.addItem(title, kind)
        ui.otherKindComboBox.setCurrentIndex(
            max(ui.otherKindComboBox.findData(settings.text(settings.COMPARE_WITH)), 0)
        )
        ui.filePathLineEdit.nameFilters = [
            _("Structure sets and segmentations ({patterns})").format(patterns="*.dcm *.nrrd *.nii *.nii.gz *.mha"),
            _("All files ({patterns})").format(patterns="*"),  # DICOM files often have no ending
        ]
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self._on_database)
        self._watch = DatabaseWatch(self._expect_change)
        ui.otherKindComboBox.connect("currentIndexChanged(int)", self._on_kind)
        ui.databaseComboBox.connect("currentIndexChanged(int)", self._on_object)
        follow_path(ui.filePathLineEdit, self._on_path)

    # -- what is chosen ------------------------------------------------------------------------------------------------

    @property
    def kind(self) -> str:
        """FILE, SCENE or DATABASE."""
        return self._ui.otherKindComboBox.itemData(self._ui.otherKindComboBox.currentIndex)

    @property
    def chosen(self) -> OtherSide | None:
        """None if nothing is chosen."""
        if self.kind == SCENE:
            node = self._ui.otherSelector.currentNode()
            return OtherSide(node.GetName(), segmentation=node) if node is not None else None
        if self.kind == DATABASE:
            stored = self._object
            return OtherSide(_title(stored), stored.path, is_dicom=True) if stored is not None else None
        path = self._path
        return OtherSide(path.name, path, self._file_facts()[1]) if path is not None else None

    def missing(self, segmentation, ct) -> str:
        """Why there is nothing to compare ``segmentation`` with on ``ct``, in a sentence; empty if there is."""
        if self.kind == SCENE:
            return _missing_node(self._ui.otherSelector.currentNode(), segmentation)
        is_dicom_ct = bool(ct.GetAttribute("DICOM.instanceUIDs"))
        if self.kind == FILE:
            if self._path is None:
                return _("Choose the file to compare with.")
            exists, is_dicom = self._file_facts()
            if not exists:
                return _("The chosen file does not exist.")
            if is_dicom and not is_dicom_ct:
                return _(
                    "The file is DICOM, but the CT does not come from DICOM. Load the CT's DICOM series and choose it."
                )
            return ""
        if open_database() is None:
            return _("Slicer's DICOM database is not open. Open it in the DICOM module.")
        if not is_dicom_ct:
            return _("The CT does not come from DICOM. Load its DICOM series and choose it.")
        if not self._objects:
            if not ct_series(ct):
                return _("The CT's series is not in Slicer's DICOM database. Import it in the DICOM module.")
            return _("Slicer's DICOM database has no structure set or DICOM segmentation of this patient.")
        return ""

    # -- showing -------------------------------------------------------------------------------------------------------

    def choose_scene(self) -> None:
        """What is compared with is a segmentation of the scene."""
        self._ui.otherKindComboBox.setCurrentIndex(self._ui.otherKindComboBox.findData(SCENE))

    def show(self, ct) -> None:
        """Show what the kind of choice needs; ``ct`` (vtkMRMLScalarVolumeNode or None) says whose objects to list."""
        ui, kind = self._ui, self.kind
        ui.filePathLineEdit.setVisible(kind == FILE)
        ui.otherSelector.setVisible(kind == SCENE)
        ui.databaseComboBox.setVisible(kind == DATABASE)
        if ct is not self._ct:
            self._ct, self._is_outdated = ct, True
        self._watch.follow()
        if kind == DATABASE and self._is_outdated:
            self._list_objects()
        ui.otherNoteLabel.setText(self._note())

    def refresh(self) -> None:
        """The user comes back: files and the database may have changed."""
        self._is_outdated = True
        self._path_kind = (None, False, False)

    def scene_closing(self) -> None:
        self._ui.filePathLineEdit.currentPath = ""  # of one patient

    def close(self) -> None:
        self._watch.close()
        self._timer.stop()

    def _note(self) -> str:
        """What the chosen kind needs, or what the chosen object is."""
        if self.kind == SCENE:
            return _("Any CT will do. Both segmentations are compared on its voxels, whatever their own grids are.")
        if self.kind == FILE:
            return _(
                "A segmentation or label image (.seg.nrrd, .nii.gz) goes with any CT. An RT Structure Set or DICOM "
                "Segmentation needs a CT that was loaded from DICOM."
            )
        if self._object is None:
            return _("Lists the RT Structure Sets and DICOM Segmentations of the CT's patient. Needs a CT from DICOM.")
        return _object_text(self._object)

    # -- inside --------------------------------------------------------------------------------------------------------

    @property
    def _path(self) -> Path | None:
        text = self._ui.filePathLineEdit.currentPath.strip()
        return Path(text).absolute() if text else None

    def _file_facts(self) -> tuple[bool, bool]:
        """Whether the chosen file exists, and whether it is DICOM; looked up once."""
        path = self._path
        if self._path_kind[0] != path:
            self._path_kind = (path, path is not None and path.is_file(), path is not None and _is_dicom(path))
        return self._path_kind[1:]

    @property
    def _object(self) -> StoredStructures | None:
        index = self._ui.databaseComboBox.currentIndex
        return self._objects[index] if 0 <= index < len(self._objects) else None

    def _list_objects(self) -> None:
        """The chosen object stays chosen if it is still there."""
        former, combo = self._object, self._ui.databaseComboBox
        self._is_outdated = False
        self._objects = stored_structures(self._ct) if self._ct is not None else []
        combo.blockSignals(True)
        combo.clear()
        for stored in self._objects:
            combo.addItem(_entry(stored))
            combo.setItemData(combo.count - 1, _object_text(stored), qt.Qt.ToolTipRole)
        paths = [stored.path for stored in self._objects]
        if former is not None and former.path in paths:
            combo.setCurrentIndex(paths.index(former.path))
        combo.setEnabled(bool(self._objects))
        combo.blockSignals(False)

    def _expect_change(self) -> None:
        self._is_outdated = True
        self._timer.start(_UPDATE_MS)

    def _on_database(self) -> None:
        if self.kind == DATABASE and self._ui.databaseComboBox.visible:
            self._on_changed()

    def _on_kind(self, _index: int) -> None:
        settings.set_text(settings.COMPARE_WITH, self.kind)
        self._on_changed()

    def _on_object(self, _index: int) -> None:
        self._on_changed()

    def _on_path(self, _path: str) -> None:
        self._path_kind = (None, False, False)
        self._on_changed()


def _missing_node(node, segmentation) -> str:
    if node is None:
        return _("Choose the segmentation to compare with.")
    if node is segmentation:
        return _("Choose two different segmentations.")
    if not node.GetSegmentation().GetNumberOfSegments():
        return _("The segmentation to compare with is empty.")
    return ""


def _is_dicom(path: Path) -> bool:
    """By the prefix of PS3.10 7.1, and by the name where it is missing."""
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM" or path.suffix.lower() == ".dcm"
    except OSError:  # the engine says what is wrong with it
        return path.suffix.lower() == ".dcm"


def _title(stored: StoredStructures) -> str:
    return " ".join(part for part in (stored.modality, stored.description, stored.date) if part)


def _entry(stored: StoredStructures) -> str:
    """Kind, name and date, short enough for a panel of 370 pixels."""
    name = stored.description
    if len(name) > _LONGEST_NAME:
        name = name[: _LONGEST_NAME - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"
    kind = "RS" if stored.modality == RTSTRUCT else "SEG"
    return " ".join(part for part in (kind, name, stored.date) if part)


def _object_text(stored: StoredStructures) -> str:
    kind = _("RT Structure Set") if stored.modality == RTSTRUCT else _("DICOM Segmentation")
    called = _("{kind} '{name}'").format(kind=kind, name=stored.description) if stored.description else kind
    text = _("{object} of {date}.").format(object=called, date=stored.date) if stored.date else called + "."
    if stored.names_ct:
        return text + " " + _("It was made on this CT.")
    return text + " " + _("It does not name this CT: its structures are placed by their coordinates.")
