"""Times, sizes and ranges in words."""

from __future__ import annotations

from slicer.i18n import tr as _
from TotalSegmentatorWire.rounding import rounded
from TotalSegmentatorWire.tables.usual_ranges import Range

_MEGABYTE, _GIGABYTE = 1e6, 1e9


def time_left_text(seconds: float | None) -> str:
    """Time left in words, coarse enough not to flicker; empty while it is unknown."""
    if seconds is None:
        return ""
    if seconds < 10:
        return _("a few seconds left")
    if seconds < 60:
        return _("about {seconds} s left").format(seconds=round(seconds / 5.0) * 5)
    if seconds < 600:
        minutes, rest = divmod(round(seconds / 10.0) * 10, 60)
        return _("about {minutes} min {seconds:02d} s left").format(minutes=minutes, seconds=rest)
    if seconds < 6000:
        return _("about {minutes} min left").format(minutes=round(seconds / 60.0))
    hours, rest = divmod(round(seconds / 300.0) * 5, 60)
    return _("about {hours} h {minutes:02d} min left").format(hours=hours, minutes=rest)


def duration_text(seconds: float) -> str:
    """How long a job took."""
    if seconds < 60:
        return _("{seconds} s").format(seconds=max(1, round(seconds)))
    minutes, rest = divmod(round(seconds), 60)
    return _("{minutes} min {seconds:02d} s").format(minutes=minutes, seconds=rest)


def size_text(count: int | None) -> str:
    """As system monitors count: "0.5 GB", "12 MB"."""
    if count is None:
        return _("unknown size")
    if count >= 0.1 * _GIGABYTE:
        return _("{size:.1f} GB").format(size=count / _GIGABYTE)
    if 0 < count < _MEGABYTE:
        return _("less than 1 MB")
    return _("{size:.0f} MB").format(size=count / _MEGABYTE)


def volume_text(volume_ml: float) -> str:
    """In ml, with as many digits as are of use: 1450, 12.3, 0.34."""
    return f"{volume_ml:.0f}" if volume_ml >= 100 else f"{volume_ml:.1f}" if volume_ml >= 1 else f"{volume_ml:.2g}"


def range_text(usual: Range) -> str:
    """As in "39 to 326" or "at most 302"."""
    low, high = (None if end is None else rounded(end, 3) for end in (usual.low, usual.high))
    if low is None:
        return _("at most {high}").format(high=high)
    if high is None:
        return _("at least {low}").format(low=low)
    return _("{low} to {high}").format(low=low, high=high)
