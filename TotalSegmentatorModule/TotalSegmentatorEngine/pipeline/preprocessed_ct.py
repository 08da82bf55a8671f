"""The preprocessing of a job: the CT on the networks' grid, and a network's input made of it."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import numpy as np
from TotalSegmentatorWire.messages.segment import Stage

from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.models.find_model import Model
from TotalSegmentatorEngine.models.model_folder import ModelFolder
from TotalSegmentatorEngine.pipeline.job_context import JobContext
from TotalSegmentatorEngine.plan.rates import plans_resampling_work, resampling_work
from TotalSegmentatorEngine.plan.tile_counts import Regions, network_shape
from TotalSegmentatorEngine.preprocessing.cut_volume import Box, cut_volume
from TotalSegmentatorEngine.preprocessing.network_input import (
    NetworkInput,
    OrientedImage,
    Piece,
    Region,
    image_key,
    image_place,
    input_key,
    network_grid,
    oriented_image,
    pieces_of,
    resamples_by_plans,
    tile_source,
)
from TotalSegmentatorEngine.preprocessing.normalisation import normalise
from TotalSegmentatorEngine.preprocessing.regions import contains, shape_of


def resampled_ahead(
    volume: Volume, model: Model, on_slab: Callable[[float], None]
) -> tuple[Hashable, OrientedImage] | None:
    """The image that ``PreprocessedCt`` will ask the cache for, and its key there; None where there is nothing to
    resample. ``on_slab`` gets the done share of it; it may raise."""
    folder = model.folders_to_run[0]
    grid = network_grid(volume.geometry, model.profile, folder)
    if not grid.is_resampled:
        return None
    return image_key(model.profile, folder), oriented_image(volume, grid, model.profile, grid.whole, on_slab)


class PreprocessedCt:
    """The job's CT, or a ``box`` of it, on the grid of ``model``, resampled once for all of the model's parts.

    The whole image is shared with other steps of the job and with later jobs, where these get the same.
    """

    def __init__(self, model: Model, context: JobContext, box: Box | None = None) -> None:
        self.model = model
        self.volume = cut_volume(context.volume, box)
        self.grid = network_grid(self.volume.geometry, model.profile, model.folders_to_run[0])
        self._context = context
        self._place = image_place(box, model.profile, model.folders_to_run[0])
        self._is_cut = box is not None
        self._image: OrientedImage | None = None

    @property
    def whole_by_part(self) -> Regions:
        """The whole grid as the region of each part."""
        return {part.name: self.grid.whole for part in self.model.parts_to_run}

    def prepare(self, region: Region) -> None:
        """Resamples ``region`` of the grid, unless that has been done. Raises SegmentationError("CANCELLED")."""
        if self._image is not None and contains(self._image.region, region):
            return
        images = self._context.images
        self._image = None  # before the new one is made
        if region == self.grid.whole or images.holds(self._place):
            self._image = images.image(self._place, lambda: self._resampled(self.grid.whole), self._own_bytes)
        else:
            self._image = self._resampled(region)
        self._context.reporter.progress(Stage.RESAMPLING, 1.0)

    def pieces(self, region: Region) -> list[Piece]:
        """The pieces of a region that are predicted one after the other. As published, the number of all parts
        decides whether a large image is split."""
        return pieces_of(shape_of(region), self.model.profile, len(self.model.parts) if self._is_whole(region) else 1)

    def network_input(self, folder: ModelFolder, region: Region, piece: Piece) -> NetworkInput:
        """A piece of ``region`` as the folder's network wants it. Raises SegmentationError("CANCELLED")."""
        self.prepare(region)
        image, profile = self._image.crop(region), self.model.profile

        def make() -> NetworkInput:
            if not resamples_by_plans(profile, folder):
                return tile_source(image, piece.rows, profile, folder, self._on_slab)
            shape = [image.array[piece.rows].shape[axis] for axis in folder.transpose_forward]
            planned = network_shape(self.grid, region, folder, profile)
            with self._context.measurements.work(plans_resampling_work(folder, shape, planned)):
                return tile_source(image, piece.rows, profile, folder, self._on_slab)

        if self._is_cut or not self._is_whole(region):
            return make()
        key = input_key(profile, folder, piece)
        return self._context.cache.image(self._context.volume, key, make, lambda source: source.own_bytes)

    def tiles_of_whole(self, folder: ModelFolder, piece: Piece) -> CtTiles:
        """A piece of the whole grid, of which tiles are resampled as they are read: for a few of them. What nnU-Net
        itself resamples or normalises as a whole has no such (``reads_singly``), and the border of zeros of a padded CT
        is not cropped."""
        return CtTiles(self, folder, piece)

    def image_of(self, region: Region) -> np.ndarray:
        """A region of the grid as the networks' image, in its own type; resampled unless it is held."""
        if self._image is not None and contains(self._image.region, region):
            return self._image.crop(region).array
        listen = self._context.reporter.check_cancelled
        return oriented_image(self.volume, self.grid, self.model.profile, region, lambda _share: listen()).array

    def _is_whole(self, region: Region) -> bool:
        return region == self.grid.whole

    def _resampled(self, region: Region) -> OrientedImage:
        context, profile = self._context, self.model.profile

        self._on_slab(0.0)
        if not self.grid.is_resampled:
            return oriented_image(self.volume, self.grid, profile, region, self._on_slab)
        with context.measurements.work(resampling_work(self.grid, profile, region)):
            return oriented_image(self.volume, self.grid, profile, region, self._on_slab)

    def _on_slab(self, fraction: float) -> None:
        self._context.reporter.check_cancelled()
        self._context.reporter.progress(Stage.RESAMPLING, fraction)

    def _own_bytes(self, image: OrientedImage) -> int:
        """Memory of the image beyond the CT's own."""
        return 0 if np.may_share_memory(image.array, self.volume.array) else image.array.nbytes


class CtTiles:
    """The tiles of a network over the whole CT, read one at a time (inference.sliding_window.TileSource)."""

    def __init__(self, ct: PreprocessedCt, folder: ModelFolder, piece: Piece) -> None:
        self._ct = ct
        self._folder = folder
        self._first_row = piece.rows.start
        rows = (piece.rows.stop - piece.rows.start, *ct.grid.shape[1:])
        self.shape: tuple[int, int, int] = tuple(rows[axis] for axis in folder.transpose_forward)

    def read(self, slices: tuple[slice, slice, slice]) -> np.ndarray:
        """float32 voxels as the network wants them."""
        rows, *others = (slices[axis] for axis in self._folder.transpose_backward)
        region = (slice(rows.start + self._first_row, rows.stop + self._first_row), *others)
        return normalise(self._ct.image_of(region).transpose(self._folder.transpose_forward), self._folder)
