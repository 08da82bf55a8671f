"""Runs a job by one memory strategy after the other until the memory is enough; memory_strategies.py orders them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.plan import Plan

from TotalSegmentatorEngine.machine.allocator import trim_memory
from TotalSegmentatorEngine.machine.memory import memory_short
from TotalSegmentatorEngine.machine.out_of_memory import is_out_of_memory
from TotalSegmentatorEngine.pipeline.job_planning import JobPlanning
from TotalSegmentatorEngine.plan.memory_strategies import Strategy

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


class PlanOutgrownError(Exception):
    """What a job has found out needs more memory than its plan has; what is done stays done."""


def run_within_memory(
    run: Callable[[Plan, Strategy], Result], planning: JobPlanning, strategies: Sequence[Strategy]
) -> Result:
    """The result of ``run`` by the first plan whose memory is enough; each plan is reported before it runs.

    Raises SegmentationError: MEMORY_SHORT or DEVICE_MEMORY_SHORT where no strategy is left, and what ``run`` raises.
    """
    while True:
        plan, strategies = planning.first_that_fits(strategies)
        planning.reporter.plan(plan)
        try:
            return run(plan, strategies[0])
        except PlanOutgrownError:
            continue
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            logger.warning("memory ran out: %s", error)
            planning.cache.forget_networks()
            trim_memory()
            strategies = _strategies_left(planning, plan, strategies[1:], error)
        if torch.device(plan.device).type == "cuda":
            torch.cuda.empty_cache()


def _strategies_left(planning: JobPlanning, plan: Plan, strategies: list[Strategy], error: Exception) -> list[Strategy]:
    """What is left to try after ``plan`` ran out of memory; warns the user. Raises SegmentationError."""
    device = torch.device(plan.device)
    if strategies:
        planning.reporter.warning(Problem("MEMORY_FALLBACK"))
        return strategies
    if device.type != "cpu" and planning.requested_device == "auto":
        planning.reporter.warning(Problem("DEVICE_FALLBACK", {"device": plan.device}))
        return planning.strategies(torch.device("cpu"))
    if device.type == "cuda":
        free, _total = torch.cuda.mem_get_info(device)
        raise SegmentationError("DEVICE_MEMORY_SHORT", free_gb=free / 1e9) from error
    raise memory_short(plan.peak_bytes) from error
