"""Loads what a job that somebody may start soon runs first, while nothing else is to be done."""

from __future__ import annotations

import logging

from TotalSegmentatorEngine.inference.stored_runners import ready_networks
from TotalSegmentatorEngine.job.task import SegmentationTask
from TotalSegmentatorEngine.machine.memory import available_memory
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorEngine.plan.memory_estimate import stored_bytes

_log = logging.getLogger(__name__)

_COPIES = 8
"""Of the weights, while a network of published size is read and compiled: measured 7.3, its activations not counted."""
_LARGEST_SHARE = 0.25
"""Of the memory that is free: the user has asked for nothing yet."""


def load_ahead(task: SegmentationTask, cache: EngineCache) -> bool:
    """Starts to load the first network of ``task`` into ``cache``, and returns at once whether it did so, or has it.

    A thread reads what is stored ready to run; else it reads the weights, and compiles them where a job has found that
    OpenVINO is the fastest. What was loaded for another task goes. Nothing is loaded where memory is short. Raises
    SegmentationError: what ``prepare`` raises.
    """
    prepared = prepare(task)
    first = prepared.first_folder
    ready = ready_networks(task.options, task.device, compiles=True)
    cache.weights.keep_only(first, ready)
    if str(first.path.resolve()) in cache.held_folders():
        return True
    free = available_memory()
    if free is not None and _COPIES * stored_bytes(first) > _LARGEST_SHARE * free:
        _log.info("memory is short: nothing is loaded ahead")
        return False
    cache.weights.start(first, ready)
    return True
