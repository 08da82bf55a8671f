"""What is to be exported and how: the choices of the panel's Export section."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from TotalSegmentatorWire.tables.export_formats import (
    CONTOUR_OPTIONS,
    ENCODING,
    KEEP_EDITS,
    KEYHOLE,
    LPS,
    OBSERVER,
    SEG_FILE,
    SET_LABEL,
    SPACE,
    TG263,
    WITH_PATIENT,
)

from TotalSegmentatorModuleLib.export.formats import ExportFormat

LONGEST_SET_LABEL = 16
"""DICOM's SH, PS3.5 section 6.2."""


@dataclass(frozen=True)
class ExportOptions:
    """The choices beside what goes out. What a format does not take is left out of its command."""

    format: ExportFormat
    names: str = TG263
    has_outline: bool = False
    set_label: str = ""
    """At most LONGEST_SET_LABEL characters; empty for the default one."""
    holes: str = KEYHOLE
    is_smooth: bool = False
    smallest_island_mm2: int = 0
    space: str = LPS
    observer: str = ""
    """Of a measurement report: a person's name as DICOM has it; empty to name the program only."""
    with_patient: bool = False
    """Whether a review sheet names the patient and the study."""
    keeps_edits: bool = False
    """Whether a review sheet adds to the table of edits."""
    seg: str = ""
    """Path of the DICOM SEG that a measurement report refers to; empty to write one beside it."""


@dataclass(frozen=True)
class ExportOrder:
    segmentation: object
    """vtkMRMLSegmentationNode"""
    segment_ids: tuple[str, ...]
    """What goes out, in this order; a template may leave out more."""
    ct: object
    """vtkMRMLScalarVolumeNode on whose grid and to whose series the structures go out."""
    options: ExportOptions
    folder: Path
    """Where the file or the folder is put."""
    name: str = ""
    """Of the file or the folder, without a suffix; empty for the segmentation's."""
    states: tuple[str, ...] = ()
    """Values of ReviewState that go out; empty for all but rejected ones."""
    template: str = ""
    """Path of a template file; empty for everything."""
    adds_to_database: bool = False

    @property
    def needs_dicom(self) -> bool:
        """Whether the CT's DICOM files are read."""
        return self.options.format.kind.is_dicom or self.names_patient

    @property
    def names_patient(self) -> bool:
        return self.options.format.kind.is_sheet and self.options.with_patient


def export_arguments(order: ExportOrder, transferred: Path, output: Path) -> list[str]:
    """Arguments of the engine's command ``export``."""
    options, kind = order.options, order.options.format.kind
    words = ["export", "--transferred", str(transferred), "--to", kind.id, "--names", options.names]
    if order.states:
        words += ["--states", ",".join(order.states)]
    if order.template:
        words += ["--template", order.template]
    if options.format.takes_outline and options.has_outline:
        words.append("--external")
    given = {
        SET_LABEL: [options.set_label.strip()] if options.set_label.strip() else None,
        ENCODING: [options.format.encoding],
        SPACE: [options.space],
        OBSERVER: [options.observer.strip()] if options.observer.strip() else None,
        SEG_FILE: [options.seg] if options.seg else None,
        WITH_PATIENT: [] if options.with_patient else None,
        KEEP_EDITS: [] if options.keeps_edits else None,
        **_contour_arguments(options),
    }
    for option in kind.options:
        if given[option] is not None:
            words += [option, *given[option]]
    return [*words, str(output)]


def _contour_arguments(options: ExportOptions) -> dict[str, list[str] | None]:
    """Options to their values; None for what is left out."""
    holes, smooth, island = CONTOUR_OPTIONS
    size = options.smallest_island_mm2
    return {
        holes: [options.holes],
        smooth: [] if options.is_smooth else None,
        island: [str(size)] if size else None,
    }
