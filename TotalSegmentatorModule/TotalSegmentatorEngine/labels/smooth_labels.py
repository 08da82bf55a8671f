"""Labels on the CT's own grid with smooth boundaries: the averaged logits are interpolated, then the largest wins."""

from __future__ import annotations

import numpy as np

from TotalSegmentatorEngine.inference.tile_runner import Head
from TotalSegmentatorEngine.labels.argmax import ResampledSink, SlabCallback, resampled_sink
from TotalSegmentatorEngine.labels.restoring import smooth_matrices
from TotalSegmentatorEngine.models.model_folder import ModelFolder
from TotalSegmentatorEngine.preprocessing.network_input import NetworkGrid, NetworkInput, Piece, Region
from TotalSegmentatorEngine.preprocessing.resampling import nearest_indices


class SmoothLabels:
    """A part's labels over the CT voxels that a region of the network's grid covers.

    The interpolation is linear and from corner to corner, as the CT came to the network's grid. ``labels`` is uint8 in
    the grid's axes at the CT's spacing, ``box`` its place in the CT turned to those axes.
    """

    def __init__(self, grid: NetworkGrid, region: Region, folder: ModelFolder) -> None:
        self._grid = grid
        self._region = region
        self._folder = folder
        _matrices, self.box = smooth_matrices(grid, region)
        self.labels = np.zeros([part.stop - part.start for part in self.box], dtype=np.uint8)

    def sink(self, piece: Piece, source: NetworkInput, head: Head | None, on_slab: SlabCallback) -> ResampledSink:
        """A sink for the network's run over ``source``, which lies in the rows ``piece`` of the region."""
        matrices, _box = smooth_matrices(self._grid, self._place(piece, source))
        ordered = tuple(matrices[axis] for axis in self._folder.transpose_forward)
        return resampled_sink(ordered, head, on_slab)

    def take(self, sink: ResampledSink, piece: Piece, source: NetworkInput) -> None:
        """Copies what the sink found, as far as its rows are the piece's own and not its neighbours'."""
        place = self._place(piece, source)
        _matrices, box = smooth_matrices(self._grid, place)
        found = sink.labels.transpose(self._folder.transpose_backward)
        nearest = nearest_indices(self._grid.shape[0], self._grid.full_shape[0])[box[0]] - self._region[0].start
        own = np.flatnonzero((nearest >= piece.kept.start) & (nearest < piece.kept.stop))
        if own.size == 0:
            return
        rows = slice(int(own[0]), int(own[-1]) + 1)
        target = [
            slice(part.start - all_.start, part.stop - all_.start) for part, all_ in zip(box, self.box, strict=True)
        ]
        self.labels[target[0], target[1], target[2]][rows] = found[rows]

    def _place(self, piece: Piece, source: NetworkInput) -> Region:
        """Where the source's box lies on the grid."""
        box = [source.box[axis] for axis in self._folder.transpose_backward]
        starts = [self._region[0].start + piece.rows.start, self._region[1].start, self._region[2].start]
        return tuple(slice(start + part.start, start + part.stop) for start, part in zip(starts, box, strict=True))
