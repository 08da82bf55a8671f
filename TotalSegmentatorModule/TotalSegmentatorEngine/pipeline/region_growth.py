"""Predicts a part over a region that grows until it cuts through none of the requested structures."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.tables.structures import Structure

from TotalSegmentatorEngine.models.find_model import Part
from TotalSegmentatorEngine.pipeline.coarse_localization import with_context
from TotalSegmentatorEngine.pipeline.job_context import JobContext
from TotalSegmentatorEngine.pipeline.part_prediction import PartLabels, PartPrediction
from TotalSegmentatorEngine.preprocessing.network_input import Region
from TotalSegmentatorEngine.preprocessing.regions import cut_sides, labels_at, widened

logger = logging.getLogger(__name__)

_MOST_WIDENINGS = 3
"""After that a part runs over the whole image."""


def predict_uncut(
    prediction: PartPrediction, part: Part, region: Region, wanted: Sequence[Structure], context: JobContext
) -> PartLabels:
    """The part's labels over ``region``, or over a larger one where a ``wanted`` structure reaches its border.

    Warns of each growth. Raises SegmentationError: CANCELLED, MODEL_DAMAGED, MODEL_UNSAFE.
    """
    names = {structure.label: structure.name for structure in wanted}
    numbers = [number for number, label in part.labels.items() if label in names]
    grid, step = prediction.grid, prediction.profile.step
    for widening in range(_MOST_WIDENINGS + 1):
        if widening:
            prediction.expect_more_tiles(part, region)
        predicted = prediction.predict(part, region)
        sides = cut_sides(predicted.labels, region, grid.shape, numbers)
        if not sides:
            break
        region = widened(region, sides, grid) if widening + 1 < _MOST_WIDENINGS else grid.whole
        region = with_context(region, grid, part.folder, step)
        cut = labels_at(predicted.labels, sides) & set(numbers)
        logger.info("the region of %s cuts through a structure and grows", part.name)
        cut_names = ", ".join(names[part.labels[number]] for number in sorted(cut))
        context.reporter.warning(Problem("REGION_WIDENED", {"structures": cut_names}))
    return predicted
