"""What is to be exported and how: the choices of the panel's Export section."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from TotalSegmentatorModuleLib.export.formats import CONTOURS, NAMES, OUTLINE, SET_LABEL, SPACE, ExportFormat

TG263, OWN = "tg263", "own"
KEYHOLE, XOR = "keyhole", "xor"
LPS, RAS = "lps", "ras"
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
    """Where the file or the folder is put, under a name of its own."""
    states: tuple[str, ...] = ()
    """Values of ReviewState that go out; empty for all but rejected ones."""
    template: str = ""
    """Path of a template file; empty for everything."""
    adds_to_database: bool = False

    @property
    def needs_dicom(self) -> bool:
        return self.options.format.is_dicom


def export_arguments(order: ExportOrder, transferred: Path, output: Path) -> list[str]:
    """Arguments of the engine's command ``export``."""
    options, takes = order.options, order.options.format.takes
    words = ["export", "--transferred", str(transferred), "--to", options.format.kind, *options.format.arguments]
    if order.states:
        words += ["--states", ",".join(order.states)]
    if order.template:
        words += ["--template", order.template]
    if NAMES in takes:
        words += ["--names", options.names]
    if OUTLINE in takes and options.has_outline:
        words.append("--external")
    if SET_LABEL in takes and options.set_label.strip():
        words += ["--set-label", options.set_label.strip()]
    if CONTOURS in takes:
        words += _contour_arguments(options)
    if SPACE in takes:
        words += ["--space", options.space]
    return [*words, str(output)]


def _contour_arguments(options: ExportOptions) -> list[str]:
    words = ["--holes", options.holes]
    if options.is_smooth:
        words.append("--smooth-contours")
    if options.smallest_island_mm2:
        words += ["--smallest-island", str(options.smallest_island_mm2)]
    return words
