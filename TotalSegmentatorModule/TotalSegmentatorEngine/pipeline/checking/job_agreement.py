"""What the checks of a job's steps say together."""

from __future__ import annotations

from collections.abc import Sequence

from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.agreement import APPROXIMATIONS, Agreement

from TotalSegmentatorEngine.agreement.estimate import Population, estimated
from TotalSegmentatorEngine.pipeline.checking.step_check import StepCheck


def job_agreement(checks: Sequence[StepCheck], least_agreement: float) -> Agreement | None:
    """None where no step was checked."""
    if not checks:
        return None
    cells = [cell for check in checks for cell in check.cells]
    populations = [check.population for check in checks]
    whole = Population(
        sum(each.voxels for each in populations),
        sum(each.approximate_foreground for each in populations),
        max(each.tile_spread for each in populations),
    )
    found = estimated(cells, whole)
    return Agreement(
        approximations=tuple(each for each in APPROXIMATIONS if any(each in check.approximations for check in checks)),
        tiles=len(cells),
        of_tiles=sum(check.of_tiles for check in checks),
        voxels=found.voxels,
        foreground=found.foreground,
        lowest_structure=found.lowest_structure,
        lowest=found.lowest,
        threshold=least_agreement,
        seconds=round(sum(check.seconds for check in checks), 2),
    )


def agreement_problem(agreement: Agreement) -> Problem | None:
    """The warning where fewer voxels of structures than the user wants have their exact label.

    The estimate decides, not an end of its interval: the lower end would warn of most approximations, the upper one
    only when the labels are bad for certain, and a warning costs no more than a second, exact run.
    """
    found = agreement.foreground
    if found.value >= agreement.threshold:
        return None
    values = {"percent": found.value, "low": found.low, "high": found.high, "threshold": agreement.threshold}
    return Problem("AGREEMENT_LOW", {name: _percent(value) for name, value in values.items()})


def _percent(share: float) -> float:
    """To a tenth, and never 100 where it is less."""
    return min(round(100.0 * share, 1), 99.9) if share < 1.0 else 100.0
