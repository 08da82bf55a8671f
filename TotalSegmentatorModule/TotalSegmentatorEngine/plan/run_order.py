"""Which network of a job runs next: first what the user asks for while the job runs, else as planned.

The labels do not depend on it: merged_labels.py lets the same part win wherever two overlap.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from TotalSegmentatorWire.messages.plan import Plan, PlannedPass

from TotalSegmentatorEngine.job.reporting import Reporter
from TotalSegmentatorEngine.models.find_model import Part
from TotalSegmentatorEngine.plan.job_steps import JobState, Step

_Key = tuple[str, str, str]
"""Model, purpose and part of a pass."""


class RunOrder:
    """Knows what has run since the plan was made."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._plan: Plan | None = None
        self._ran: list[_Key] = []

    def follows(self, plan: Plan) -> None:
        """``plan`` has been reported, and holds for what is to come."""
        self._plan, self._ran = plan, []

    def next_step(self, steps: Sequence[Step], state: JobState) -> Step | None:
        """Of ``steps``, each after those that it waits for; None where all are done."""
        to_come = [step for step in steps if step not in state.done]
        for name in self._reporter.asked_first():
            for step in to_come:
                if step.gives(name):
                    return _first_needed(step, state)
        return to_come[0] if to_come else None

    def next_part(self, step: Step, left: Sequence[Part]) -> Part:
        """Of ``left``, in the order in which they would run. The plan is reported anew where that is another one than
        the first."""
        asked = (part for name in self._reporter.asked_first() for part in left if step.finds(part, name))
        chosen = next(asked, left[0])
        if chosen is not left[0] and self._plan is not None:
            others = [part for part in left if part is not chosen]
            self._report([_key(step, part) for part in (chosen, *others)])
        return chosen

    def has_run(self, step: Step, part: Part) -> None:
        self._ran.append(_key(step, part))

    def _report(self, to_come: Sequence[_Key]) -> None:
        """The plan with the passes of the step that runs in another order. What has run since it was made stays before
        them, and its time has passed."""
        plan, ran = self._plan, self._ran
        places = [number for number, each in enumerate(plan.passes) if _key_of(each) in {*ran, *to_come}]
        order = {key: number for number, key in enumerate([*ran, *to_come])}
        passes = list(plan.passes)
        moved = sorted((passes[place] for place in places), key=lambda each: order[_key_of(each)])
        for place, each in zip(places, moved, strict=True):
            passes[place] = each
        passed = sum(each.seconds or 0.0 for each in passes if _key_of(each) in ran)
        self._reporter.plan(dataclasses.replace(plan, passes=passes, elapsed_seconds=plan.elapsed_seconds + passed))


def _first_needed(step: Step, state: JobState) -> Step:
    for needed in (*step.waits_for, *step.needs.values()):
        if needed not in state.done:
            return _first_needed(needed, state)
    return step


def _key(step: Step, part: Part) -> _Key:
    return step.model.id, step.purpose, part.name


def _key_of(planned: PlannedPass) -> _Key:
    return planned.model, planned.purpose, planned.part
