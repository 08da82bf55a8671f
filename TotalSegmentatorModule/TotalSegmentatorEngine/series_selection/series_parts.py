"""Takes one DICOM series apart: the stacks of parallel slices that it holds, copies, and images that are no slices.

One series can hold several volumes: two acquisitions or phases, two kernels, axial and coronal planes. It can also hold
a localizer, a dose page or a screenshot.
"""

from __future__ import annotations

import filecmp
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.dicom_series.headers import SliceHeader
from TotalSegmentatorEngine.dicom_series.pixels import read_slice
from TotalSegmentatorEngine.dicom_series.series_labels import LABELS, UNSHOWN
from TotalSegmentatorEngine.dicom_series.slice_order import (
    SAME_ORIENTATION,
    SAME_PIXEL_SPACING_MM,
    SAME_POSITION_MM,
)
from TotalSegmentatorEngine.series_selection.interleaving import FEWEST_SLICES, separate
from TotalSegmentatorEngine.series_selection.stack_line import StackLine

PROOFS_OF_DIFFERENCE = 3
"""Where so many pairs of slices with the same labels at the same places differ, there are no copies."""

BESIDE_MM = 0.5
"""A page lies farther from the line of the slices, or exactly upon a slice."""

_PLANES = ("sagittal", "coronal", "axial")
"""By the axis, in LPS, that is nearest to the normal."""


@dataclass(frozen=True, eq=False)
class Aside:
    """An image of the series that is not taken for a slice."""

    header: SliceHeader
    kind: str
    """What it is: "localizer"."""
    detail: str
    """What tells it from the slices, as a clause: "it has no position"."""
    may_be_slice: bool
    """True where nothing else tells it from them, so that it can be a slice with a damaged header."""


@dataclass(frozen=True, eq=False)
class Part:
    """A stack of parallel slices of one size."""

    slices: tuple[SliceHeader, ...]
    """Ordered along their normal."""
    words: tuple[str, ...] = ()
    """What tells it from the other parts of its series: "acquisition 2"."""

    @property
    def along(self) -> np.ndarray:
        """Positions along the normal in mm, shape (slices,)."""
        return positions_along(self.slices)


@dataclass(frozen=True, eq=False)
class SeriesContent:
    """What the images of one series are."""

    parts: list[Part]
    """Volumes; empty where the series holds none."""
    aside: list[Aside] = field(default_factory=list)
    duplicates: list[SliceHeader] = field(default_factory=list)
    """Copies of slices: the same position, labels and pixels."""
    together: list[SliceHeader] = field(default_factory=list)
    """The slices of all parts, where the parts lie in one stack without a repeated position."""


def positions_along(slices: Sequence[SliceHeader]) -> np.ndarray:
    """Positions of parallel slices along their normal in mm, shape (slices,)."""
    normal = np.cross(*slices[0].orientation)
    return np.array([header.position for header in slices]) @ (normal / np.linalg.norm(normal))


def take_apart(images: Sequence[SliceHeader]) -> SeriesContent:
    """``images``: the image headers of one series, in any order. Pixels are read only where two slices coincide."""
    placed = [
        header
        for header in images
        if _is_placed(header) and header.samples == 1 and "LOCALIZER" not in header.labels.image_type
    ]
    clusters = sorted(_clusters(placed), key=len, reverse=True)
    main = clusters[0] if clusters else []
    pages = _pages(main)
    if pages:
        of_pages = {id(page.header) for page in pages}
        main = clusters[0] = [header for header in main if id(header) not in of_pages]
    if len(main) < FEWEST_SLICES:
        return SeriesContent([])
    slices_or_not = {id(header) for header in placed}
    aside = [*pages, *(_aside(header, main) for header in images if id(header) not in slices_or_not)]
    parts: list[Part] = []
    duplicates: list[SliceHeader] = []
    together: list[SliceHeader] = []
    for cluster in clusters:
        if len(cluster) < FEWEST_SLICES:
            aside += [_aside(header, main) for header in cluster]
            continue
        slices, copies, broken = _without_copies(cluster)
        duplicates += copies
        aside += [Aside(header, "damaged copy", "its pixels are damaged", False) for header in broken]
        groups = separate(slices, positions_along(slices))
        kept = [group for group in groups if _is_volume(group)]
        if not kept and _is_volume(slices):
            groups = kept = [slices]
        parts += [Part(tuple(group)) for group in kept]
        aside += [_outsider(header, kept) for group in groups if group not in kept for header in group]
        if len(clusters) == 1 and len(kept) > 1 and np.diff(positions_along(slices)).min() > SAME_POSITION_MM:
            together = slices
    return SeriesContent(_with_words(sorted(parts, key=_age)), aside, duplicates, together)


# -- images that are no slices -----------------------------------------------------------------------------------------


def _is_placed(header: SliceHeader) -> bool:
    if header.position is None or header.orientation is None or header.pixel_spacing is None:
        return False
    return bool(np.linalg.norm(np.cross(*header.orientation)) >= 0.5 and min(header.pixel_spacing) > 0)


def _clusters(headers: Sequence[SliceHeader]) -> list[list[SliceHeader]]:
    """Parallel images of one size and modality."""
    clusters: list[list[SliceHeader]] = []
    for header in headers:
        like = next((cluster for cluster in clusters if _difference(header, cluster[0]) is None), None)
        if like is None:
            clusters.append([header])
        else:
            like.append(header)
    return clusters


def _difference(header: SliceHeader, first: SliceHeader) -> tuple[str, str] | None:
    """What image it is and how it differs, None where it does not."""
    if header.modality != first.modality:
        return "image of another modality", "its modality differs from that of the other slices"
    if np.abs(header.orientation - first.orientation).max() > SAME_ORIENTATION:
        return "image in another orientation", "its orientation differs from that of the other slices"
    if (header.rows, header.columns) != (first.rows, first.columns):
        return "image of another size", "its number of pixels differs from that of the other slices"
    if np.abs(np.subtract(header.pixel_spacing, first.pixel_spacing)).max() > SAME_PIXEL_SPACING_MM:
        return "image of another size", "its pixel spacing differs from that of the other slices"
    return None


def _pages(cluster: Sequence[SliceHeader]) -> list[Aside]:
    """Images of an image type of their own that lie upon a slice, or beside the line of the slices: pages that were
    given any position, or that of the first slice."""
    if len(cluster) < FEWEST_SLICES:
        return []
    types = Counter(header.labels.image_type for header in cluster)
    odd = [header for header in cluster if types[header.labels.image_type] < FEWEST_SLICES]
    rest = [header for header in cluster if types[header.labels.image_type] >= FEWEST_SLICES]
    if not odd or len(rest) < FEWEST_SLICES:
        return []
    line = StackLine(rest)
    return [
        Aside(header, "page", "its image type differs from that of the slices", False)
        for header in odd
        if line.distance(header) > BESIDE_MM or np.abs(line.along - line.place(header)).min() <= SAME_POSITION_MM
    ]


def _aside(header: SliceHeader, main: Sequence[SliceHeader]) -> Aside:
    types = Counter(slice_.labels.image_type for slice_ in main)
    first = main[0]
    is_like = (
        header.labels.image_type == types.most_common(1)[0][0]
        and header.sop_class == first.sop_class
        and (bool(first.sop_class) or header.modality == first.modality)  # a CT of another modality is damaged
    )
    same_size = (header.rows, header.columns) == (first.rows, first.columns)
    if "LOCALIZER" in header.labels.image_type:
        return Aside(header, "localizer", "it is a localizer", False)
    if header.samples > 1:
        return Aside(header, "colour image", "it has several values per pixel", is_like and same_size)
    if not _is_placed(header):
        has_position = header.position is not None
        detail = "its orientation or pixel spacing is missing or invalid" if has_position else "it has no position"
        return Aside(header, "page without position", detail, is_like and same_size)
    kind, detail = _difference(header, first) or ("image of its own", "it differs from the other slices")
    is_parallel = np.abs(header.orientation - first.orientation).max() <= SAME_ORIENTATION
    return Aside(header, kind, detail, is_like and bool(same_size or is_parallel))


def _is_volume(slices: Sequence[SliceHeader]) -> bool:
    """False for images that were taken at one place again and again, to watch the contrast medium arrive."""
    along = np.sort(positions_along(slices))
    return int(np.count_nonzero(np.diff(along) > SAME_POSITION_MM)) + 1 >= FEWEST_SLICES


def _outsider(header: SliceHeader, groups: Sequence[Sequence[SliceHeader]]) -> Aside:
    """A slice of an acquisition that is no volume. Beyond all volumes it can belong to one of them."""
    if not groups:
        return Aside(header, "slice of another acquisition", "it belongs to another acquisition", False)
    normal = np.cross(*groups[0][0].orientation)
    place = float(header.position @ (normal / np.linalg.norm(normal)))
    ranges = [positions_along(group) for group in groups]
    is_within = any(along.min() <= place <= along.max() for along in ranges)
    return Aside(header, "slice of another acquisition", "it belongs to another acquisition", not is_within)


# -- copies ------------------------------------------------------------------------------------------------------------


def _without_copies(
    cluster: Sequence[SliceHeader],
) -> tuple[list[SliceHeader], list[SliceHeader], list[SliceHeader]]:
    """Slices ordered along the normal, copies of them, and copies of them whose pixels are damaged."""
    along = positions_along(cluster)
    order = np.argsort(along, kind="stable")
    slices: list[SliceHeader] = []
    copies: list[SliceHeader] = []
    broken: list[SliceHeader] = []
    place = -np.inf
    here: list[SliceHeader] = []
    different: Counter[tuple] = Counter()
    for number in order:
        header = cluster[number]
        if along[number] - place > SAME_POSITION_MM:
            place, here = along[number], []
        for other in here:
            verdict = _compare(header, other, different)
            if verdict == "copy":
                copies.append(header)
                break
            if verdict == "damaged":
                broken.append(header)
                break
            if verdict == "other damaged":
                broken.append(other)
                slices[slices.index(other)] = here[here.index(other)] = header
                break
        else:
            here.append(header)
            slices.append(header)
    return slices, copies, broken


def _compare(header: SliceHeader, other: SliceHeader, different: Counter[tuple]) -> str:
    """``header`` at the place of ``other``: "different", a "copy", or the same slice with one of the two "damaged".

    ``different`` counts pairs of labels whose slices differed, so that two phases are not compared pixel by pixel.
    """
    if header.path == other.path or np.linalg.norm(header.position - other.position) > SAME_POSITION_MM:
        return "different"
    is_same_image = bool(header.sop_uid) and header.sop_uid == other.sop_uid
    labels = _identity(header), _identity(other)
    if not is_same_image and different[labels] >= (PROOFS_OF_DIFFERENCE if labels[0] == labels[1] else 1):
        return "different"
    if filecmp.cmp(header.path, other.path, shallow=False):
        return "copy"
    one, two = _pixels(header), _pixels(other)
    if one is not None and two is not None:
        if np.array_equal(one, two):
            return "copy"
        different.update({labels, labels[::-1]})
        return "different"
    if not is_same_image or (one is None and two is None):
        return "different"
    return "damaged" if one is None else "other damaged"


def _identity(header: SliceHeader) -> tuple:
    return header.labels.values, header.labels.acquisition


def _pixels(header: SliceHeader) -> np.ndarray | None:
    try:
        return read_slice(header)
    except SegmentationError:
        return None


# -- order and words ---------------------------------------------------------------------------------------------------


def _age(part: Part) -> tuple:
    """Sorts parts as they were acquired and numbered, whatever their files are called."""
    labels = [header.labels for header in part.slices]
    stated_numbers = ((label.acquisition, label.seconds, label.written_seconds, label.instance) for label in labels)
    numbers = [
        min((number for number in stated if number is not None), default=np.inf)
        for stated in zip(*stated_numbers, strict=True)
    ]
    return (*numbers, labels[0].values, float(part.along[0]))


def _with_words(parts: list[Part]) -> list[Part]:
    """The parts with what tells each from the others, three differences at most."""
    if len(parts) < 2:
        return parts
    tables = [_descriptions(part) for part in parts]
    telling = [name for name in tables[0] if len({table[name] for table in tables}) > 1]
    named = [name for name in telling if name != "images"] or telling
    numbered = {name: list(dict.fromkeys(table[name] for table in tables)) for name in UNSHOWN}
    described = []
    for part, table in zip(parts, tables, strict=True):
        words = [
            f"{name} {numbered[name].index(table[name]) + 1}" if name in UNSHOWN else table[name]
            for name in named
            if table[name]
        ]
        described.append(Part(part.slices, tuple(words[:3])))
    return described


def _descriptions(part: Part) -> dict[str, str]:
    """By name, the most telling first; a text that a user can read."""
    first = part.slices[0]
    labels = [header.labels for header in part.slices]
    normal = np.abs(np.cross(*first.orientation))
    common = {name: Counter(label.value(name) for label in labels).most_common(1)[0][0] for name in LABELS}
    shown = {
        "plane": f"{_PLANES[int(np.argmax(normal))]} {first.columns} x {first.rows}",
        "acquisition": _range("acquisition", [label.acquisition for label in labels]),
    }
    for name, value in common.items():
        unit = {"kV": " kV", "slice thickness": " mm thick"}.get(name)
        text = value.replace("\\", "/")
        shown[name] = value if name in UNSHOWN else (text + unit if unit else f"{name} {text}") if value else ""
    seconds = [label.seconds for label in labels if label.seconds is not None]
    written = [label.written_seconds for label in labels if label.written_seconds is not None]
    shown["time"] = f"acquired at {_clock(min(seconds))}" if seconds else ""
    shown["image time"] = f"written at {_clock(min(written))}" if written else ""
    shown["images"] = _range("image", [label.instance for label in labels])
    if not shown["images"]:
        names = sorted(header.path.name for header in part.slices)
        shown["images"] = f"files {names[0]} to {names[-1]}"
    return shown


def _range(noun: str, numbers: Sequence[float | None]) -> str:
    stated = [number for number in numbers if number is not None]
    if not stated:
        return ""
    lowest, highest = min(stated), max(stated)
    return f"{noun} {lowest:g}" if lowest == highest else f"{noun}s {lowest:g} to {highest:g}"


def _clock(seconds: float) -> str:
    of_day = int(seconds % 86400)
    return f"{of_day // 3600:02d}:{of_day // 60 % 60:02d}:{of_day % 60:02d}"
