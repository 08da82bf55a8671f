"""What happens in a job without a panel goes to Slicer's log."""

from __future__ import annotations

import logging

from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.plan import Plan

from TotalSegmentatorModuleLib.segment.job_types import JobCallbacks
from TotalSegmentatorModuleLib.segment.plan_text import plan_details, plan_text
from TotalSegmentatorModuleLib.segment.progress_text import log_text
from TotalSegmentatorModuleLib.texts.errors import problem_texts


def log_callbacks() -> JobCallbacks:
    """Failures are left to the script, which gets them as exceptions."""
    return JobCallbacks(
        on_plan=_log_plan,
        on_warning=log_warning,
        on_log=logging.debug,
        on_note=logging.info,
        on_result=lambda _node, header: logging.info(log_text(header)),
    )


def log_warning(problem: Problem) -> None:
    logging.warning(" ".join(problem_texts(problem)))


def _log_plan(plan: Plan) -> None:
    logging.info(plan_text(plan) + "\n" + plan_details(plan))
