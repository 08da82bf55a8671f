"""The choices of the Export section that are kept in the settings, not in the scene."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from slicer.i18n import tr as _
from TotalSegmentatorWire.tables.export_formats import (
    CONTOUR_OPTIONS,
    KEYHOLE,
    LPS,
    OWN,
    RAS,
    SET_LABEL,
    SPACE,
    TG263,
    WITH_PATIENT,
    XOR,
)

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.export.dicom_database import has_database
from TotalSegmentatorModuleLib.export.formats import EXPORT_FORMATS, ExportFormat, format_of, format_titles
from TotalSegmentatorModuleLib.export.order import ExportOptions
from TotalSegmentatorModuleLib.qt_helpers.path_line import follow_path
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.scene.dicom.database import OPENED_OR_CLOSED, DatabaseWatch
from TotalSegmentatorModuleLib.scene.segments import KnownTemplate, known_templates

ALL, VISIBLE, SELECTED, APPROVED, OWN_TEMPLATE = "all", "visible", "selected", "approved", "own template"
"""Choices of structures; any other value is the name of a template of the product."""
USUAL_SHEET = "review-pdf"
_YES = "yes"


class ExportFields:
    """``on_changed`` is called after each change. The choice SELECTED is not kept."""

    def __init__(self, ui: Widgets, options_ui: Widgets, on_changed: Callable[[], None]) -> None:
        self._ui = ui
        self._options_ui = options_ui
        self._on_changed = on_changed
        holes, smooth, island = CONTOUR_OPTIONS
        self._rows = {
            SET_LABEL: (ui.setLabelLabel, ui.setLabelLineEdit),
            holes: (options_ui.holesLabel, options_ui.holesComboBox),
            smooth: (options_ui.smoothLabel, options_ui.smoothCheckBox),
            island: (options_ui.islandLabel, options_ui.islandSpinBox),
            SPACE: (options_ui.spaceLabel, options_ui.spaceComboBox),
            WITH_PATIENT: (ui.patientCheckBox,),  # not kept: whoever wants the patient named says so each time
        }
        self._templates = known_templates()
        self._offered = ALL
        """What was chosen without the user."""
        titles = format_titles()
        formats = [(titles[known.id], known.id) for known in EXPORT_FORMATS]
        self._fill(ui.formatComboBox, formats, settings.EXPORT_FORMAT)
        self._fill(ui.structuresComboBox, _choice_titles(self._templates), settings.EXPORT_CHOICE)
        names = [(_("TG-263"), TG263), (_("As in the segmentation"), OWN)]
        self._fill(ui.namesComboBox, names, settings.EXPORT_NAMES)
        hole_titles = [(_("Keyhole"), KEYHOLE), (_("Separate contours (XOR)"), XOR)]
        self._fill(options_ui.holesComboBox, hole_titles, settings.EXPORT_HOLES)
        self._fill(options_ui.spaceComboBox, [("LPS", LPS), ("RAS", RAS)], settings.EXPORT_SPACE)
        self._keep_check(ui.outlineCheckBox, settings.EXPORT_OUTLINE)
        self._keep_check(ui.databaseCheckBox, settings.EXPORT_TO_DATABASE)
        self._keep_check(options_ui.smoothCheckBox, settings.EXPORT_SMOOTH)
        self._keep_path(ui.folderPathLineEdit, settings.EXPORT_FOLDER)
        self._keep_path(ui.templatePathLineEdit, settings.EXPORT_TEMPLATE)
        ui.setLabelLineEdit.setText(settings.text(settings.EXPORT_SET_LABEL))
        ui.setLabelLineEdit.connect("textChanged(QString)", self._on_set_label)
        options_ui.islandSpinBox.setValue(int(settings.text(settings.EXPORT_ISLAND) or 0))
        options_ui.islandSpinBox.connect("valueChanged(int)", self._on_island)
        self._watch = DatabaseWatch(self.show, OPENED_OR_CLOSED)
        self.show()

    # -- what is chosen ------------------------------------------------------------------------------------------------

    @property
    def format(self) -> ExportFormat:
        return format_of(_data(self._ui.formatComboBox))

    @property
    def choice(self) -> str:
        return _data(self._ui.structuresComboBox)

    @property
    def template(self) -> KnownTemplate | None:
        """The chosen template of the product."""
        return next((known for known in self._templates if known.path.stem == self.choice), None)

    @property
    def template_path(self) -> str:
        """Path of the chosen template, which may be the user's own; empty if none is chosen."""
        if self.choice == OWN_TEMPLATE:
            return self._ui.templatePathLineEdit.currentPath.strip()
        return str(self.template.path) if self.template is not None else ""

    @property
    def folder(self) -> Path | None:
        text = self._ui.folderPathLineEdit.currentPath.strip()
        return Path(text) if text else None

    @property
    def adds_to_database(self) -> bool:
        return self.format.kind.is_dicom and has_database() and self._ui.databaseCheckBox.checked

    def options(self) -> ExportOptions:
        ui, options_ui = self._ui, self._options_ui
        return ExportOptions(
            format=self.format,
            names=_data(ui.namesComboBox),
            has_outline=ui.outlineCheckBox.checked,
            set_label=ui.setLabelLineEdit.text,
            holes=_data(options_ui.holesComboBox),
            is_smooth=options_ui.smoothCheckBox.checked,
            smallest_island_mm2=options_ui.islandSpinBox.value,
            space=_data(options_ui.spaceComboBox),
            with_patient=ui.patientCheckBox.checked,
            keeps_edits=settings.is_on(settings.REVIEW_EDITS),
        )

    def sheet_options(self) -> ExportOptions:
        """Those of a review sheet that was asked for elsewhere: the usual one, without the patient, whatever is chosen
        here."""
        return ExportOptions(format_of(USUAL_SHEET), keeps_edits=settings.is_on(settings.REVIEW_EDITS))

    def offer_template(self, template: str) -> None:
        """Choose a template, or all structures where it is empty, unless the user has ever chosen otherwise. It does
        not count as the user's choice."""
        combo, offered = self._ui.structuresComboBox, template or ALL
        if settings.text(settings.EXPORT_CHOICE) or self.choice != self._offered or offered == self._offered:
            return
        self._offered = offered
        was_blocked = combo.blockSignals(True)
        combo.setCurrentIndex(max(combo.findData(self._offered), 0))
        combo.blockSignals(was_blocked)
        self._changed()

    # -- showing -------------------------------------------------------------------------------------------------------

    def show(self) -> None:
        """Show only the fields that the format and the choice of structures need."""
        self._watch.follow()
        ui, options = self._ui, self.format.kind.options
        for option, row in self._rows.items():
            for widget in row:
                widget.setVisible(option in options)
        ui.outlineCheckBox.setVisible(self.format.takes_outline)
        for widget in (ui.templateLabel, ui.templatePathLineEdit):
            widget.setVisible(self.choice == OWN_TEMPLATE)
        ui.segmentsTable.setVisible(self.choice == SELECTED)
        ui.databaseCheckBox.setVisible(self.format.kind.is_dicom)
        ui.databaseCheckBox.setEnabled(has_database())
        self._options_ui.collapsibleButton.setVisible(bool({*CONTOUR_OPTIONS, SPACE} & {*options}))
        count = self._count_of_more()
        # options are kept: a closed section must not hide that some are not at their defaults
        title = _("More options ({count} changed)").format(count=count) if count else _("More options")
        self._options_ui.collapsibleButton.text = title

    def close(self) -> None:
        self._watch.close()

    def _count_of_more(self) -> int:
        options = self.options()
        values = (options.holes != KEYHOLE, options.is_smooth, options.smallest_island_mm2 > 0, options.space != LPS)
        more = zip((*CONTOUR_OPTIONS, SPACE), values, strict=True)
        return sum(is_chosen for option, is_chosen in more if option in self.format.kind.options)

    # -- keeping -------------------------------------------------------------------------------------------------------

    def _fill(self, combo, items: list[tuple[str, str]], key: str) -> None:
        for title, value in items:
            combo.addItem(title, value)
        combo.setCurrentIndex(max(combo.findData(settings.text(key)), 0))

        def on_index(_index: int) -> None:
            settings.set_text(key, "" if _data(combo) == SELECTED else _data(combo))
            self._changed()

        combo.connect("currentIndexChanged(int)", on_index)

    def _keep_check(self, box, key: str) -> None:
        def on_toggled(is_checked: bool) -> None:
            settings.set_text(key, _YES if is_checked else "")
            self._changed()

        box.setChecked(settings.text(key) == _YES)
        box.connect("toggled(bool)", on_toggled)

    def _keep_path(self, line, key: str) -> None:
        def on_path(path: str) -> None:
            settings.set_text(key, path)
            self._changed()

        line.currentPath = settings.text(key)
        follow_path(line, on_path)

    def _on_set_label(self, text: str) -> None:
        settings.set_text(settings.EXPORT_SET_LABEL, text)

    def _on_island(self, value: int) -> None:
        settings.set_text(settings.EXPORT_ISLAND, str(value) if value else "")
        self._changed()

    def _changed(self) -> None:
        self.show()
        self._on_changed()


def _data(combo) -> str:
    return combo.itemData(combo.currentIndex) or ""


def _choice_titles(templates: list[KnownTemplate]) -> list[tuple[str, str]]:
    titles = [
        (_("All"), ALL),
        (_("Visible"), VISIBLE),
        (_("Selected"), SELECTED),
        (_("Approved"), APPROVED),
    ]
    for known in templates:
        titles.append((_("Template: {title}").format(title=known.title), known.path.stem))
    return [*titles, (_("Custom template"), OWN_TEMPLATE)]
