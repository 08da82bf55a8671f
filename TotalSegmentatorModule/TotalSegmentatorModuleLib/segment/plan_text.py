"""The texts of a job's plan: one line for the panel, details for its tool tip and the log."""

from __future__ import annotations

from slicer.i18n import tr as _
from TotalSegmentatorWire.messages.plan import (
    CROPPING,
    LOCALIZATION,
    PREVIEW,
    SECOND_OPINION,
    SELF_CHECK,
    SUMS_IN_HALF,
    SUMS_ON_DISK,
    Plan,
    PlannedPass,
)

_GIGABYTE = 1e9
"""As system monitors and graphics cards count, and as the errors about memory do."""


def plan_text(plan: Plan) -> str:
    """One line: steps, networks, time and memory. Unknown values are left out."""
    words = [_work_text(plan)]
    if plan.seconds is not None:
        words.append(time_text(plan))
    words.append(_memory_text(plan))
    line = ", ".join(words)
    return _("First estimate: {plan}").format(plan=line) if plan.is_preliminary else line


def plan_details(plan: Plan) -> str:
    """Several lines: pipeline and device, the work of each network, and measures to save memory."""
    lines = [
        _("Pipeline {profile}; {runtime} on {device}, {precision} precision.").format(
            profile=", ".join(dict.fromkeys(plan.profiles.values())),
            runtime=plan.runtime,
            device=plan.device,
            precision=plan.precision,
        )
    ]
    lines += [_pass_text(planned) for planned in plan.passes]
    lines += _memory_measures(plan)
    return "\n".join(lines)


def time_text(plan: Plan) -> str:
    """The time of a plan that has one, marked where networks have not run on this computer."""
    time = about_text(plan.seconds)
    return _("{time} (estimate)").format(time=time) if plan.is_estimated else time


def about_text(seconds: float) -> str:
    """An estimated time to about two digits: "about 40 s", "about 12 min", "about 2 h 10 min"."""
    if seconds < 90:
        return _("about {seconds} s").format(seconds=max(5, round(seconds / 5.0) * 5))
    minutes = round(seconds / 60.0)
    if minutes < 60:
        return _("about {minutes} min").format(minutes=minutes)
    hours, rest = divmod(round(minutes / 10.0) * 10, 60)
    if rest:
        return _("about {hours} h {minutes} min").format(hours=hours, minutes=rest)
    return _("about {hours} h").format(hours=hours)


def _work_text(plan: Plan) -> str:
    steps = _("1 step") if plan.tiles == 1 else _("{count} steps").format(count=plan.tiles)
    networks = len({planned.part for planned in plan.passes})
    if networks == 1:
        return _("{steps} in 1 network").format(steps=steps)
    return _("{steps} in {count} networks").format(steps=steps, count=networks)


def _memory_text(plan: Plan) -> str:
    needed = gigabytes_text(plan.peak_bytes)
    if plan.available_bytes is None:
        return _("needs {needed} GB of memory").format(needed=needed)
    return _("needs {needed} GB of memory ({free} GB free)").format(
        needed=needed, free=gigabytes_text(plan.available_bytes)
    )


def memory_text(count: int) -> str:
    """So many bytes: "3.1 GB of memory"."""
    if count < _GIGABYTE:
        return _("{count} MB of memory").format(count=round(count / 1e6))
    return _("{count} GB of memory").format(count=gigabytes_text(count))


def gigabytes_text(count: int) -> str:
    """Bytes as "3.8"."""
    return "{:.1f}".format(count / _GIGABYTE)


def _pass_text(planned: PlannedPass) -> str:
    words = [_("1 step") if planned.tiles == 1 else _("{count} steps").format(count=planned.tiles)]
    if planned.purpose == CROPPING:
        words.append(_("finds the region of another model"))
    elif planned.purpose == LOCALIZATION:
        words.append(_("coarse localization"))
    elif planned.purpose == PREVIEW:
        words.append(_("preview"))
    elif planned.purpose == SECOND_OPINION:
        words.append(_("second opinion"))
    elif planned.purpose == SELF_CHECK:
        words.append(_("check against exact labels"))
    elif planned.is_cropped:
        words.append(_("part of the scan"))
    if planned.seconds is not None:
        words.append(about_text(planned.seconds))
    return _("{part}: {work}").format(part=planned.part, work=", ".join(words))


def _memory_measures(plan: Plan) -> list[str]:
    measures = []
    if not plan.keeps_networks:
        measures.append(_("To save memory, only one network is loaded at a time."))
    if plan.sums == SUMS_IN_HALF:
        measures.append(_("To save memory, the sums of overlapping tiles are stored in half precision."))
    elif plan.sums == SUMS_ON_DISK:
        measures.append(_("To save memory, the sums of overlapping tiles are stored on disk, which is slower."))
    if plan.sums_on_host:
        measures.append(_("To save GPU memory, the sums of overlapping tiles are stored in main memory."))
    return measures
