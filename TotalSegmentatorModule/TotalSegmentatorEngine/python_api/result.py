"""What a segmentation in plain Python returns."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from TotalSegmentatorWire.choice.structure_choice import StructureChoice
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.agreement import Agreement
from TotalSegmentatorWire.messages.review import Flag
from TotalSegmentatorWire.messages.segment import FoundStructure

from TotalSegmentatorEngine.ct_input.reading import ReadInput
from TotalSegmentatorEngine.job.reporting import SilentReporter
from TotalSegmentatorEngine.job.task import SegmentationResult
from TotalSegmentatorEngine.series_selection.series_choice import SeriesChoice

if TYPE_CHECKING:
    from TotalSegmentatorEngine.imaging.geometry import Geometry


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The structures that were found in one CT, on exactly its grid. It holds the CT and one byte a voxel and layer."""

    result: SegmentationResult
    """With its layers: arrays of uint8, (k, j, i)."""
    ct: ReadInput
    source: Path
    series: SeriesChoice
    choice: StructureChoice = StructureChoice()  # noqa: RUF009 - frozen
    """What was chosen over all models."""

    @property
    def structures(self) -> tuple[FoundStructure, ...]:
        """With ``name``, ``model``, ``layer``, ``label``, ``voxels``, ``volume_ml`` and ``mean_hu``."""
        return tuple(self.result.found)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(found.name for found in self.result.found)

    @property
    def absent(self) -> tuple[str, ...]:
        """Names of structures that were looked for and not found."""
        return tuple(self.result.absent)

    @property
    def flags(self) -> tuple[Flag, ...]:
        """Of the review, where one was asked for: what is likely wrong."""
        return self.result.flags or ()

    @property
    def agreement(self) -> Agreement | None:
        """How well approximate labels agree with the exact ones, by a sample; None where the labels are exact or were
        not checked."""
        return self.result.agreement

    @property
    def geometry(self) -> Geometry:
        """Shape (k, j, i) and the 4x4 matrix from voxels (i, j, k) to millimetres in RAS."""
        return self.ct.volume.geometry

    def mask(self, name: str) -> np.ndarray:
        """The voxels of one structure: bool, (k, j, i) of the CT. Raises KeyError for one that was not found."""
        for found in self.result.found:
            if found.name == name:
                return self.result.layers[found.layer] == found.label
        raise KeyError(name)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a segmentation for Slicer (.seg.nrrd) or a label image (.nrrd, .nii.gz); returns its path.

        Raises SegmentationError: OUTPUT_FORMAT, OUTPUT_NOT_WRITABLE, OUTPUT_IS_INPUT, DISK_FULL, among others.
        """
        from TotalSegmentatorEngine.job.result_file import write_result

        target = Path(path)
        _check_not_input(target, self.source)
        write_result(target, self.result, self.geometry, series_instance_uid=self.ct.series_instance_uid)
        return target

    def export(self, path: str | os.PathLike[str], to: str, **options: Any) -> list[Path]:
        """Write the structures in another format ("rtstruct", "seg", "sr", "stl", "volumes", "review", ...).

        What was segmented by a preset goes out with its unions and under its names. ``options`` are fields of
        ExportOrder, such as ``external=True`` or ``template="planning"``. Returns what was written. Raises
        SegmentationError: EXPORT_..., TEMPLATE_..., OUTPUT_NOT_WRITABLE, DISK_FULL, among others.
        """
        from TotalSegmentatorEngine.export.commands import CtPlace, check_before_job, export_result
        from TotalSegmentatorEngine.export.order import ExportOrder, with_preset

        order = ExportOrder(format=to, output=Path(path), **options)
        order = with_preset(order, self.choice.preset, self.choice.structures)
        place = CtPlace(self.source, self.series)
        check_before_job(order, place)
        return export_result(order, self.result, self.ct, place, SilentReporter()).files


def _check_not_input(path: Path, source: Path) -> None:
    from TotalSegmentatorEngine.ct_input.overwriting import is_input

    try:
        is_same = is_input(path, source)
    except OSError as error:
        raise SegmentationError("OUTPUT_NOT_WRITABLE") from error
    if is_same:
        raise SegmentationError("OUTPUT_IS_INPUT", file="output")
