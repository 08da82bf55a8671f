"""One model over one CT: its parts' networks, each over the whole image or a region of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from TotalSegmentatorWire.messages.plan import Plan
from TotalSegmentatorWire.messages.segment import Stage

from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.inference.sliding_window import Sums, Window, predict, sums_features
from TotalSegmentatorEngine.job.reporting import Reporter
from TotalSegmentatorEngine.labels.argmax import LabelSink, ResampledLabelSink
from TotalSegmentatorEngine.labels.smooth_labels import SmoothLabels
from TotalSegmentatorEngine.machine.profile import MachineProfile
from TotalSegmentatorEngine.models.find_model import Model, Part
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.network_pool import NetworkPool
from TotalSegmentatorEngine.pipeline.resource_probe import ResourceProbe, TileTimer
from TotalSegmentatorEngine.plan.memory_estimate import sums_bytes
from TotalSegmentatorEngine.plan.planner import resampling_rate, smoothing_rate, tiles_of
from TotalSegmentatorEngine.preprocessing.network_input import (
    NetworkInput,
    OrientedImage,
    Piece,
    Region,
    image_key,
    input_key,
    network_grid,
    oriented_image,
    pieces_of,
    tile_source,
)
from TotalSegmentatorEngine.preprocessing.regions import shape_of


class TileCounter:
    """Tiles of the whole job as the reporter hears of them; the total may change while the job runs."""

    def __init__(self, reporter: Reporter, total: int) -> None:
        self._reporter = reporter
        self.total = total
        self.done = 0

    def report(self, in_this_run: int) -> None:
        """``in_this_run`` tiles are finished beside ``done``. Raises SegmentationError("CANCELLED")."""
        self._reporter.check_cancelled()
        finished = self.done + in_this_run
        self.total = max(self.total, finished)
        self._reporter.progress(Stage.PREDICTING, finished / max(self.total, 1), finished, self.total)


@dataclass(frozen=True, eq=False)
class JobContext:
    """What all runs of one job share."""

    volume: Volume
    plan: Plan
    cache: EngineCache
    machine: MachineProfile
    reporter: Reporter
    networks: NetworkPool
    tiles: TileCounter


@dataclass(frozen=True, eq=False)
class PartLabels:
    """What one part says about a region."""

    labels: np.ndarray
    """uint8, the part's own numbers, on the network's grid in the image's axes."""
    region: Region
    smooth: SmoothLabels | None
    """The same at the CT's spacing, where smooth boundaries were asked for."""


class ModelRun:
    """Runs parts of ``model`` over regions of the job's CT, and gives labels."""

    def __init__(self, model: Model, context: JobContext) -> None:
        self._model = model
        self._context = context
        self._image: OrientedImage | None = None
        self.parts = model.parts_to_run
        self.grid = network_grid(context.volume.geometry, model.profile, self.parts[0].folder)

    # -- the image -------------------------------------------------------------------------------------------------

    def prepare(self, region: Region) -> None:
        """Resamples the ``region`` that the next runs lie in. A run outside it prepares what it needs by itself."""
        if self._image is not None and _contains(self._image.region, region):
            return
        context, profile = self._context, self._model.profile
        key = image_key(profile, self.parts[0].folder)
        self._image = None  # before the new one is made
        if region == self.grid.whole or context.cache.holds_image(context.volume, key):
            self._image = context.cache.image(context.volume, key, self._whole_image, self._kept_bytes)
        else:
            self._image = self._make_image(region)
        context.reporter.progress(Stage.RESAMPLING, 1.0)

    def _whole_image(self) -> OrientedImage:
        return self._make_image(self.grid.whole)

    def _make_image(self, region: Region) -> OrientedImage:
        context, profile = self._context, self._model.profile

        def on_slab(fraction: float) -> None:
            context.reporter.check_cancelled()
            context.reporter.progress(Stage.RESAMPLING, fraction)

        on_slab(0.0)
        measured = TileTimer()
        image = oriented_image(context.volume, self.grid, profile, region, on_slab)
        if self.grid.is_resampled:
            share = math.prod(shape_of(region)) / math.prod(self.grid.shape)
            voxels = share * math.prod(self.grid.full_shape)
            context.machine.remember_rate(resampling_rate(self.grid, profile), voxels, measured.seconds())
        return image

    def _kept_bytes(self, image: OrientedImage) -> int:
        return 0 if np.may_share_memory(image.array, self._context.volume.array) else image.array.nbytes

    # -- a part ----------------------------------------------------------------------------------------------------

    def expect_more_tiles(self, part: Part, region: Region) -> None:
        """Counts the tiles of a run that the plan does not hold."""
        self._context.tiles.total += tiles_of(self.grid, region, part.folder, self._model.profile, 1)

    def labels_of(self, part: Part, region: Region, is_smooth: bool = False) -> PartLabels:
        """Runs a part's network over ``region`` of its grid. Raises SegmentationError: CANCELLED, MODEL_DAMAGED,
        MODEL_UNSAFE."""
        self.prepare(region)
        image = self._image.crop(region)
        is_whole = region == self.grid.whole
        smooth = None
        if is_smooth and self._model.profile.spacing == "model":
            smooth = SmoothLabels(self.grid, region, part.folder)
        # as published, the number of all parts decides whether a large image is cut
        pieces = pieces_of(image.array.shape, self._model.profile, len(self._model.parts) if is_whole else 1)
        labels = None
        for piece in pieces:
            self._context.reporter.check_cancelled()
            source = self._source(image, part, piece, is_whole)
            found = source.restore(self._run(part, piece, source, smooth))
            if len(pieces) == 1:
                labels = found
                break
            offset = piece.kept.start - piece.rows.start
            labels = np.zeros(image.array.shape, dtype=np.uint8) if labels is None else labels
            labels[piece.kept] = found[offset : offset + piece.kept.stop - piece.kept.start]
        return PartLabels(labels, region, smooth)

    def _source(self, image: OrientedImage, part: Part, piece: Piece, is_whole: bool) -> NetworkInput:
        def make() -> NetworkInput:
            return tile_source(image, piece.rows, self._model.profile, part.folder)

        if not is_whole:
            return make()
        key = input_key(self._model.profile, part.folder, piece)
        return self._context.cache.image(self._context.volume, key, make, lambda source: source.own_bytes)

    def _run(self, part: Part, piece: Piece, source: NetworkInput, smooth: SmoothLabels | None) -> np.ndarray:
        """uint8 labels on the grid of the source's box; into ``smooth``, too, where there is one."""
        profile, context, folder = self._model.profile, self._context, part.folder
        window = Window(folder.patch_size, profile.step, profile.average)
        runner = context.networks.runner(folder, lambda: _middle_tile(source, window))
        head = runner.head if sums_features(runner.head, profile.average) else None
        check = context.reporter.check_cancelled
        if source.back is None:
            sink = LabelSink(source.shape, head)
        else:
            sink = ResampledLabelSink(source.back.matrices(), head, on_slab=check)
        smooth_sink = None if smooth is None else smooth.sink(piece, source, head, check)
        record = ResourceProbe()

        def on_tile(finished: int) -> None:
            record.tile_begins()
            context.tiles.report(finished)

        sinks = _Sinks(sink, smooth_sink)
        plan = context.plan
        predict(source, runner, window, sinks, on_tile, Sums(plan.sums, on_host=plan.sums_on_host))
        tiles = window.tile_count(source.shape)
        context.tiles.done += tiles
        known = sums_bytes(folder, source.shape, profile, plan) + sinks.label_bytes
        record.remember(context.machine, folder, runner, tiles, known, sinks.smooth_seconds)
        if smooth is not None:
            rate = smoothing_rate(folder)
            context.machine.remember_rate(rate, smooth_sink.labels.size, sinks.smooth_seconds)
            smooth.take(smooth_sink, piece, source)
        return sink.labels


class _Sinks:
    """Feeds the sink of a run and, where there is one, that of its smooth labels, whose time is measured."""

    def __init__(self, sink: LabelSink | ResampledLabelSink, smooth: ResampledLabelSink | None) -> None:
        self._sink = sink
        self._smooth = smooth
        self.smooth_seconds = 0.0

    @property
    def label_bytes(self) -> int:
        return self._sink.labels.nbytes + (0 if self._smooth is None else self._smooth.labels.nbytes)

    def add(self, sums: torch.Tensor, weights: torch.Tensor) -> None:
        self._sink.add(sums, weights)
        if self._smooth is not None:
            measured = TileTimer()
            self._smooth.add(sums, weights)
            self.smooth_seconds += measured.seconds()


def _middle_tile(source: NetworkInput, window: Window) -> np.ndarray:
    """float32 tile (z, y, x) of the patch's size from the middle of the image, for a trial of the network."""
    tile = np.zeros(window.patch_size, dtype=np.float32)
    starts = [max((size - patch) // 2, 0) for size, patch in zip(source.shape, window.patch_size, strict=True)]
    box = tuple(
        slice(start, min(start + patch, size))
        for start, patch, size in zip(starts, window.patch_size, source.shape, strict=True)
    )
    tile[tuple(slice(0, part.stop - part.start) for part in box)] = source.read(box)
    return tile


def _contains(outer: Region, inner: Region) -> bool:
    return all(o.start <= i.start and i.stop <= o.stop for o, i in zip(outer, inner, strict=True))
