"""The few labels that can be the largest inside a cell of the network's grid, and their predictions at its corners.

In a cell, the label M with the largest minimum over the corners is nowhere below that minimum. A label whose maximum
over the corners is below it loses to M everywhere inside. Of 105 labels two to five are left as a rule, so that the
samples of a cell need these predictions alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from TotalSegmentatorEngine.inference.tile_runner import Head

MOST_CANDIDATES = 8
"""Of a cell; where more labels can win, all are computed."""

_CELLS_AT_ONCE = 1 << 10
"""With eight corners and 105 labels 3.4 MB, which stay in the processor's cache."""


@dataclass(frozen=True, eq=False)
class CellCandidates:
    """Of some cells, in their order."""

    labels: torch.Tensor
    """uint8 (cells, MOST_CANDIDATES)."""
    predictions: torch.Tensor
    """float32 (cells, 2, 4, MOST_CANDIDATES): of those labels at the corners, x fastest and z slowest."""
    are_all: torch.Tensor
    """bool (cells,): whether no other label can be the largest."""


def cell_candidates(
    table: torch.Tensor, corners: torch.Tensor, head: Head | None, margin: float
) -> CellCandidates | None:
    """Which labels can be the largest in each of the cells.

    ``table`` float32 (voxels, channels): logits, or features of which ``head`` makes logits; ``corners`` int64
    (cells, 8): the voxels at a cell's corners, x fastest and z slowest. Labels that come within ``margin`` of the
    largest prediction, as a share of it (of 1 where it is smaller), are candidates, too. None where there are too few
    labels to choose from.
    """
    outputs = table.shape[1] if head is None else len(head.weight)
    if outputs <= MOST_CANDIDATES:
        return None
    labels = torch.empty((len(corners), MOST_CANDIDATES), dtype=torch.uint8)
    predictions = torch.empty((len(corners), 8, MOST_CANDIDATES))
    are_all = torch.empty(len(corners), dtype=torch.bool)
    for start in range(0, len(corners), _CELLS_AT_ONCE):
        cells = slice(start, start + _CELLS_AT_ONCE)
        rows = table[corners[cells].reshape(-1)]
        at_corners = (rows if head is None else head.logits_of_rows(rows)).reshape(-1, 8, outputs)
        smallest, largest = at_corners.amin(dim=1), at_corners.amax(dim=1)
        limit = smallest.amax(dim=1)
        limit -= margin * torch.maximum(limit.abs(), largest.amax(dim=1).abs()).clamp_(min=1.0)
        best = largest.topk(MOST_CANDIDATES + 1, dim=1)
        are_all[cells] = best.values[:, MOST_CANDIDATES] < limit
        found = best.indices[:, :MOST_CANDIDATES]
        labels[cells] = found.to(torch.uint8).cpu()
        predictions[cells] = at_corners.gather(2, found[:, None].expand(-1, 8, -1)).cpu()
    return CellCandidates(labels, predictions.reshape(-1, 2, 4, MOST_CANDIDATES), are_all)
