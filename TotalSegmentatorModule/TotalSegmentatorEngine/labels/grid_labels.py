"""Labels of a region at the network's spacing: in each voxel the label with the largest averaged prediction."""

from __future__ import annotations

import numpy as np

from TotalSegmentatorEngine.inference.tile_runner import Head
from TotalSegmentatorEngine.labels.argmax import LabelSink, ResampledSink, SlabCallback, resampled_sink
from TotalSegmentatorEngine.preprocessing.network_input import NetworkInput, Piece, Region
from TotalSegmentatorEngine.preprocessing.regions import shape_of


class GridLabels:
    """A part's labels over a region of the network's grid. Used as SmoothLabels is: ``sink`` and ``take`` for each
    piece of the region, then ``labels``, uint8 in the grid's axes, and ``box``, the region."""

    def __init__(self, region: Region) -> None:
        self.box = region
        self._labels: np.ndarray | None = None

    @property
    def labels(self) -> np.ndarray:
        if self._labels is None:
            raise ValueError("no piece of the region has been predicted")
        return self._labels

    def sink(
        self, _piece: Piece, source: NetworkInput, head: Head | None, on_slab: SlabCallback
    ) -> LabelSink | ResampledSink:
        """A sink for the network's run over ``source``, which lies in the rows ``piece`` of the region."""
        if source.back is None:
            return LabelSink(source.shape, head, on_slab)
        return resampled_sink(source.back.matrices(), head, on_slab)

    def take(self, sink: LabelSink | ResampledSink, piece: Piece, source: NetworkInput) -> None:
        """Copies what the sink found in the rows that are the piece's own and not its neighbours'."""
        found = source.restore(sink.labels)
        shape = shape_of(self.box)
        if found.shape == shape:  # the only piece
            self._labels = found
            return
        if self._labels is None:
            self._labels = np.zeros(shape, dtype=np.uint8)
        offset = piece.kept.start - piece.rows.start
        self._labels[piece.kept] = found[offset : offset + piece.kept.stop - piece.kept.start]
