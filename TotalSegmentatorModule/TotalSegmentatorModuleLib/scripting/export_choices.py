"""What a script asks of an export, as an order of the export's task."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.export_formats import BINARY, FORMATS, KEYHOLE, LPS, TG263
from TotalSegmentatorWire.tables.review_state import ReviewState

from TotalSegmentatorModuleLib.export.formats import EXPORT_FORMATS, ExportFormat
from TotalSegmentatorModuleLib.export.order import ExportOptions, ExportOrder
from TotalSegmentatorModuleLib.scene.segments import all_segments, reference_volume


def export_order(
    segmentation,
    to: str,
    path: str | os.PathLike,
    *,
    ct=None,
    structures: Iterable[str] | None = None,
    states: Iterable[str] = (),
    template: str | os.PathLike = "",
    preset: str | os.PathLike = "",
    names: str = TG263,
    external: bool = False,
    set_label: str = "",
    encoding: str = BINARY,
    holes: str = KEYHOLE,
    smooth_contours: bool = False,
    smallest_island: int = 0,
    space: str = LPS,
    observer: str = "",
    seg: str | os.PathLike = "",
    with_patient: bool = False,
    add_to_database: bool = False,
) -> ExportOrder:
    """The arguments are those of the logic's ``export``.

    Raises SegmentationError: EXPORT_STRUCTURE_UNKNOWN, EXPORT_NOTHING_CHOSEN; ValueError for a format, an encoding or a
    state that does not exist, and where the segmentation does not tell its CT.
    """
    kind = _format(to, encoding, Path(path).name)
    folder, name = _place(Path(path), kind)
    volume = ct if ct is not None else reference_volume(segmentation)
    if volume is None:
        raise ValueError("the segmentation does not tell on which CT it was made: pass ct")
    return ExportOrder(
        segmentation=segmentation,
        segment_ids=_chosen_segments(segmentation, structures),
        ct=volume,
        options=ExportOptions(
            format=kind,
            names=names,
            has_outline=external,
            set_label=set_label,
            holes=holes,
            is_smooth=smooth_contours,
            smallest_island_mm2=smallest_island,
            space=space,
            observer=observer,
            with_patient=with_patient,
            seg=str(Path(seg).absolute()) if seg else "",
        ),
        folder=folder,
        name=name,
        states=tuple(ReviewState(each).value for each in states),
        template=_template(template or preset),
        adds_to_database=add_to_database,
    )


def _format(to: str, encoding: str, file_name: str) -> ExportFormat:
    """Of several sheets the one with the suffix of ``file_name``, else the first."""
    known = [each for each in EXPORT_FORMATS if each.kind.id == to and each.encoding in ("", encoding)]
    fitting = [each for each in known if each.own_suffix and file_name.lower().endswith(each.own_suffix)]
    if known:
        return (fitting or known)[0]
    raise ValueError("no such format: {} {}; there are {}".format(to, encoding, ", ".join(FORMATS)))


def _place(path: Path, kind: ExportFormat) -> tuple[Path, str]:
    """The folder and the name in it without suffix; an empty name where ``path`` is a folder."""
    path = path.expanduser().absolute()
    if kind.suffix and path.name.lower().endswith(kind.suffix) and not path.is_dir():
        return path.parent, path.name[: -len(kind.suffix)]
    return path, ""


def _chosen_segments(segmentation, structures: Iterable[str] | None) -> tuple[str, ...]:
    """Ids of the segments with these ids or names, in the segmentation's order; all of them for None."""
    ids = all_segments(segmentation)
    if structures is None:
        chosen = ids
    else:
        wanted = {structures} if isinstance(structures, str) else set(structures)
        labels = {each: segmentation.GetSegmentation().GetSegment(each).GetName() for each in ids}
        unknown = sorted(wanted - {*ids, *labels.values()})
        if unknown:
            nearest = difflib.get_close_matches(unknown[0], [*ids, *labels.values()]) or sorted(labels.values())[:3]
            raise SegmentationError("EXPORT_STRUCTURE_UNKNOWN", name=unknown[0], nearest=", ".join(nearest))
        chosen = tuple(each for each in ids if each in wanted or labels[each] in wanted)
    if not chosen:
        raise SegmentationError("EXPORT_NOTHING_CHOSEN")
    return chosen


def _template(template: str | os.PathLike) -> str:
    """The path of a file, which the program must find from elsewhere, or the name of a template of the product."""
    return str(Path(template).absolute()) if template and Path(template).is_file() else os.fspath(template)
