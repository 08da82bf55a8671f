"""What a coarse pass found, for the review of the fine result."""

from __future__ import annotations

import numpy as np

from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.models.find_model import Model
from TotalSegmentatorEngine.preprocessing.network_input import NetworkGrid
from TotalSegmentatorEngine.review.measures.findings import Findings, LabelledStructure


def coarse_findings(labels: np.ndarray, grid: NetworkGrid, model: Model, ct: Geometry) -> Findings:
    """``labels`` (z, y, x) uint8 on ``grid`` of the CT's grid ``ct``, numbered as ``model`` numbers its structures."""
    structures = [LabelledStructure(structure.name, 0, structure.label) for structure in model.structures]
    sought = [structure.name for structure in model.structures]
    return Findings([labels], structures, grid_geometry(grid, ct), sought=sought)


def grid_geometry(grid: NetworkGrid, ct: Geometry) -> Geometry:
    """The network's grid in the patient's space: resampling lays the centres of the first and the last voxels of both
    grids upon each other, as scipy.ndimage.zoom does."""
    turned = ct if grid.reorientation is None else grid.reorientation.grid(ct)
    matrix = turned.ijk_to_ras.copy()
    for axis, (size, full) in enumerate(zip(grid.shape, grid.full_shape, strict=True)):
        matrix[:3, 2 - axis] *= (full - 1) / (size - 1) if size > 1 else 1.0
    return Geometry(grid.shape, matrix)
