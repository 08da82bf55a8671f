"""An Agreement as a result's header and the tags of its segments keep it; these read the same in every language."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import quote, unquote

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.agreement import Agreement, Share, agreement_from_json


def agreement_of(fields: dict[str, Any] | None) -> Agreement | None:
    """Of ``ResultHeader.agreement``. None where there is none, and where a result that was kept by another version has
    one that this version cannot read: the result is none the worse."""
    try:
        return None if fields is None else agreement_from_json(fields)
    except SegmentationError:
        return None


def agreement_tag(agreement: Agreement | None) -> str:
    """For instance "foreground=0.994:0.99:0.997 voxels=0.999:0.998:1 lowest=adrenal_gland_left:0.97:0.94:0.985
    tiles=4/120 least=0.98 seconds=3.2 by=reduced+crop": each share with the ends of its 95 % interval; empty for None.
    """
    if agreement is None:
        return ""
    parts = {"foreground": _share(agreement.foreground), "voxels": _share(agreement.voxels)}
    if agreement.lowest is not None:
        parts["lowest"] = f"{quote(agreement.lowest_structure, safe='')}:{_share(agreement.lowest)}"
    parts["tiles"] = f"{agreement.tiles}/{agreement.of_tiles}"
    parts["least"] = f"{agreement.threshold:g}"
    parts["seconds"] = f"{agreement.seconds:.1f}"
    parts["by"] = "+".join(agreement.approximations)
    return " ".join(f"{name}={value}" for name, value in parts.items())


def agreement_from_tag(text: str) -> Agreement | None:
    """What ``agreement_tag`` made. None for anything else: a file's tags may hold anything."""
    try:
        parts = dict(part.split("=", 1) for part in text.split())
        name, lowest = "", None
        if "lowest" in parts:
            name, _, shares = parts["lowest"].partition(":")
            lowest = _read_share(shares)
        tiles, of_tiles = parts["tiles"].split("/")
        threshold, seconds = float(parts["least"]), float(parts["seconds"])
        if not (0 <= threshold <= 1 and math.isfinite(seconds)):
            return None
        return Agreement(
            approximations=tuple(filter(None, parts["by"].split("+"))),
            tiles=int(tiles),
            of_tiles=int(of_tiles),
            voxels=_read_share(parts["voxels"]),
            foreground=_read_share(parts["foreground"]),
            lowest_structure=unquote(name),
            lowest=lowest,
            threshold=threshold,
            seconds=seconds,
        )
    except (KeyError, TypeError, ValueError):
        return None


def _share(share: Share) -> str:
    return ":".join(f"{each:.6g}" for each in (share.value, share.low, share.high))


def _read_share(text: str) -> Share:
    value, low, high = map(float, text.split(":"))
    return Share(value, low, high)
