"""Runs a prepared task's networks over a CT. The only module of the pipeline that needs torch."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import torch
from TotalSegmentatorWire.catalogue import Profile
from TotalSegmentatorWire.errors import SegmentationError
from TotalSegmentatorWire.messages import Stage

from .cache import EngineCache
from .devices import choose_device, use_physical_cores
from .geometry import Volume
from .labelling import LabelSink, ResampledLabelSink
from .memory import check_memory, estimated_bytes, memory_short
from .merging import merge_part
from .models import Model, Part
from .network import LoadedModel, load_model
from .preparation import (
    NetworkInput,
    OrientedImage,
    Piece,
    expected_shapes,
    image_key,
    input_key,
    network_input,
    oriented_image,
    pieces_of,
)
from .reporting import Reporter
from .sliding_window import Window, predict
from .task import PreparedTask

logger = logging.getLogger(__name__)


def predict_labels(
    volume: Volume, prepared: PreparedTask, cache: EngineCache, reporter: Reporter
) -> tuple[np.ndarray, torch.device]:
    """uint8 labels of the model's whole label set on the CT's grid (k, j, i), and the device that was used.

    Raises SegmentationError: DEVICE_UNAVAILABLE, DEVICE_MEMORY_SHORT, MEMORY_SHORT, MODEL_DAMAGED, MODEL_UNSAFE,
    CANCELLED.
    """
    device = choose_device(prepared.task.device)
    use_physical_cores()
    try:
        return _predict(volume, prepared, device, cache, reporter), device
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        logger.warning("memory ran out: %s", error)
        if device.type == "cuda" and isinstance(error, torch.OutOfMemoryError):
            torch.cuda.empty_cache()  # what this process kept for its next tensors is free for all
            free, _total = torch.cuda.mem_get_info(device)
            raise SegmentationError("DEVICE_MEMORY_SHORT", free_gb=free / 1024**3) from error
        raise memory_short(cache.granted_bytes) from error


def _is_out_of_memory(error: Exception) -> bool:
    """torch says so by an own class on GPUs, and by the text of a RuntimeError on the CPU."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)


def _predict(
    volume: Volume, prepared: PreparedTask, device: torch.device, cache: EngineCache, reporter: Reporter
) -> np.ndarray:
    parts = _needed_parts(prepared.model)
    profile = prepared.model.profile
    _check_memory(volume, parts, profile, cache, device)
    models = _load_models(parts, device, cache, reporter)
    image = _oriented_image(volume, profile, parts[0], cache, reporter)
    merged = _predict_parts(volume, image, prepared.model, models, cache, reporter)
    reporter.progress(Stage.RESTORING, 0.0)
    reporter.check_cancelled()
    return image.restore(merged)


def _needed_parts(model: Model) -> list[Part]:
    return [part for part in model.parts if part.folder is not None]


def _check_memory(
    volume: Volume, parts: list[Part], profile: Profile, cache: EngineCache, device: torch.device
) -> None:
    needed = 0
    for part in parts:
        shape, image_shape = expected_shapes(volume, profile, part.folder)
        loaded = cache.holds_model(part.folder, device)
        needed = max(needed, estimated_bytes(shape, image_shape, part.folder, loaded, on_cpu=device.type == "cpu"))
    check_memory(needed, cache.granted_bytes)
    cache.granted_bytes = max(cache.granted_bytes, needed)


def _load_models(parts: list[Part], device: torch.device, cache: EngineCache, reporter: Reporter) -> list[LoadedModel]:
    models = []
    for index, part in enumerate(parts):
        reporter.progress(Stage.LOADING_MODEL, index / len(parts))
        folder = part.folder

        def load(folder=folder) -> LoadedModel:
            return load_model(folder, device, on_fold=reporter.check_cancelled)

        models.append(cache.model(folder, device, load, keep=len(parts)))
    reporter.progress(Stage.LOADING_MODEL, 1.0)
    return models


def _oriented_image(
    volume: Volume, profile: Profile, part: Part, cache: EngineCache, reporter: Reporter
) -> OrientedImage:
    def on_slab(fraction: float) -> None:
        reporter.check_cancelled()
        reporter.progress(Stage.RESAMPLING, 0.8 * fraction)

    on_slab(0.0)
    return cache.image(
        volume,
        image_key(profile, part.folder),
        lambda: oriented_image(volume, profile, part.folder, on_slab),
        lambda image: 0 if image.array is volume.array else image.array.nbytes,
    )


@dataclass(frozen=True, eq=False)
class _Run:
    """One network over one piece of the image."""

    part: Part
    model: LoadedModel
    piece: Piece
    window: Window


def _predict_parts(
    volume: Volume,
    image: OrientedImage,
    model: Model,
    networks: list[LoadedModel],
    cache: EngineCache,
    reporter: Reporter,
) -> np.ndarray:
    """Labels of the parts that are needed on the image's grid, merged in task order.

    As published, the number of all parts decides whether a large image is cut, so that few structures come out as in
    the full run.
    """
    profile = model.profile
    runs = [
        _Run(part, loaded, piece, Window(part.folder.patch_size, profile.step, profile.average))
        for part, loaded in zip(_needed_parts(model), networks, strict=True)
        for piece in pieces_of(image.array.shape, profile, len(model.parts))
    ]

    def input_of(run: _Run) -> NetworkInput:
        reporter.check_cancelled()
        return cache.image(
            volume,
            input_key(profile, run.part.folder, run.piece),
            lambda: network_input(image, run.piece, profile, run.part.folder),
            lambda made: made.array.nbytes,
        )

    first_input = input_of(runs[0])
    reporter.progress(Stage.RESAMPLING, 1.0)
    # the box of the first run stands for the others': exact for one piece, and near enough for a progress bar
    tiles = [run.window.tile_count(first_input.array.shape) for run in runs]
    merged = np.zeros(image.array.shape, dtype=np.uint8)
    for index, run in enumerate(runs):
        this_input = first_input if index == 0 else input_of(run)
        tiles[index] = run.window.tile_count(this_input.array.shape)
        labels = _predict_piece(this_input, run, sum(tiles[:index]), sum(tiles), reporter)
        kept = run.piece.kept
        offset = kept.start - run.piece.rows.start
        piece_labels = this_input.restore(labels)[offset : offset + kept.stop - kept.start]
        merge_part(merged[kept], piece_labels, run.part.labels)
    reporter.progress(Stage.PREDICTING, 1.0, sum(tiles), sum(tiles))
    return merged


def _predict_piece(
    this_input: NetworkInput, run: _Run, tiles_before: int, tiles: int, reporter: Reporter
) -> np.ndarray:
    """uint8 labels in the network's axes, on the grid of the input's box."""

    def on_tile(finished: int) -> None:
        reporter.check_cancelled()
        done = tiles_before + finished
        reporter.progress(Stage.PREDICTING, done / max(tiles, 1), done, tiles)

    if this_input.back is None:
        sink = LabelSink(this_input.array.shape)
    else:
        sink = ResampledLabelSink(this_input.back.matrices(), on_slab=reporter.check_cancelled)
    predict(this_input.array, run.model, run.window, sink, on_tile)
    return sink.labels
