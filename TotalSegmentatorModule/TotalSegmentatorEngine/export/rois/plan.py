"""The plan of an export: what was chosen becomes ROIs with unique names and numbers, and warnings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from TotalSegmentatorWire import ALGORITHM_NAME, ENGINE_VERSION
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.tables.result_tags import PREVIEW_TAG
from TotalSegmentatorWire.tables.review_state import ReviewState

from TotalSegmentatorEngine.export.core.roi import AUTOMATIC, BODY_OUTLINE, Roi
from TotalSegmentatorEngine.export.core.shown_names import all_listed, listed, shortened
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.export.grid.placement import PlacedSegmentation
from TotalSegmentatorEngine.export.rois.selection import Choice, Selected, select
from TotalSegmentatorEngine.export.rois.template import EVERYTHING, load_template
from TotalSegmentatorEngine.export.rois.template_schema import EXTERNAL
from TotalSegmentatorEngine.export.rois.tg263_names import unique_names


@dataclass(frozen=True)
class RoiPlan:
    rois: list[Roi]
    left_out: list[Problem]
    """Warnings that name every structure that stays out."""
    typed: dict[int, str]
    """The whole name, by number, of those ROIs that go out under another one."""
    longest_name: int

    @property
    def warnings(self) -> list[Problem]:
        """Those of an export that writes every ROI."""
        return self.warnings_about(self.rois)

    def warnings_about(self, written: Sequence[Roi]) -> list[Problem]:
        """``written``: those of the ROIs that went out; the warnings name no other ones."""
        named = {
            "EXPORT_PREVIEW": [roi.name for roi in written if PREVIEW_TAG in roi.tags],
            "EXPORT_CUT": [roi.name for roi in written if roi.is_cut],
            "EXPORT_NEEDS_ATTENTION": [roi.name for roi in written if roi.review_state is ReviewState.NEEDS_ATTENTION],
        }
        warnings = [*self.left_out, *(_named(code, names) for code, names in named.items() if names)]
        changed = [f"{shortened(self.typed[roi.number])} as {roi.name}" for roi in written if roi.number in self.typed]
        if changed:
            values = {"names": ", ".join(changed), "count": len(changed), "longest": self.longest_name}
            warnings.append(Problem("EXPORT_NAMES_CHANGED", values))
        return [*warnings, *_unreviewed(written)]


def plan_rois(
    placed: PlacedSegmentation,
    choice: Choice,
    edited: Collection[str] = (),
    outline: Callable[[], VoxelMask] | None = None,
    hu: Callable[[], np.ndarray] | None = None,
) -> RoiPlan:
    """The ROIs of an export, numbered from 1: the body outline first, then as the template orders them.

    ``edited``: ids of segments whose voxels are not those that the engine made. ``outline`` makes the body's mask; it
    is called when the ROI's voxels are asked for. None where there is no CT to find the body in. ``hu`` gives that CT
    on the grid, (k, j, i), for what a preset derives.

    - Every structure that stays out is named in a warning.
    - Rejected structures stay out unless ``choice.states`` has them. A union is in the worst state of its parts, so
      one rejected part keeps all of it out.
    - A structure that touches the first or last slice or the image's border is cut: ``~`` in its name. A union is also
      cut where a part of it is cut or missing, since its dose statistics are not those of the whole organ. Of a pair
      (Lungs, Kidneys, Femurs) both sides must be there, else the pair is left out: under its name a single organ would
      pass for two. The body outline never gets the sign, as a CT always cuts the body.
    - The parts of a union are among the chosen segments; those of a union that was chosen by its name among all.

    Raises SegmentationError: "EXPORT_STRUCTURE_UNKNOWN" for a chosen name that means nothing,
    "EXPORT_STRUCTURE_LEFT_OUT" for that of a structure that could not be read, "EXPORT_TEMPLATE_EMPTY" where the
    template names nothing that is there, "EXPORT_SEGMENT_EMPTY" where no chosen structure has a voxel,
    "EXPORT_NOTHING_CHOSEN" where none is left for another reason, "EXPORT_NO_BODY" where the outline is to be made and
    cannot.
    """
    selection = select(placed, choice, edited, hu)
    kept = [selected for selected in selection.structures if _goes_out(selected, choice.states)]
    filled = [selected for selected in kept if not selected.part.is_empty]
    empty = [selected.name for selected in kept if selected.part.is_empty] + selection.not_found
    left_out = [selected.name for selected in selection.structures if not _goes_out(selected, choice.states)]
    if not filled and not _is_outline_alone(choice):
        if empty and not left_out:
            raise SegmentationError("EXPORT_SEGMENT_EMPTY", names=listed(empty), count=len(empty))
        if choice.template is not None and choice.structures is None and not selection.structures:
            raise SegmentationError("EXPORT_TEMPLATE_EMPTY")
        raise SegmentationError("EXPORT_NOTHING_CHOSEN")

    names = unique_names([selected.name for selected in filled], choice.longest_name)
    has_outline = choice.external and all(selected.interpreted_type != EXTERNAL for selected in filled)
    first = 2 if has_outline else 1
    rois = [_roi(number, *named) for number, named in enumerate(zip(filled, names, strict=True), start=first)]
    if has_outline:
        rois.insert(0, _body(choice, names, outline))

    typed = {
        number: selected.whole_name
        for number, (selected, name) in enumerate(zip(filled, names, strict=True), start=first)
        if selected.whole_name != name
    }
    missing = {
        "EXPORT_REJECTED_LEFT_OUT" if choice.states is None else "EXPORT_STATES_LEFT_OUT": left_out,
        "EXPORT_EMPTY_LEFT_OUT": empty,
        "EXPORT_TEMPLATE_ABSENT": selection.not_in_segmentation,
    }
    absences = [_named(code, absent) for code, absent in missing.items() if absent]
    return RoiPlan(rois, absences, typed, choice.longest_name)


def _goes_out(selected: Selected, states: Collection[ReviewState] | None) -> bool:
    state = selected.part.review_state
    return state is not ReviewState.REJECTED if states is None else state in states


def _named(code: str, names: Sequence[str]) -> Problem:
    return Problem(code, {"names": all_listed(names), "count": len(names)})


def _is_outline_alone(choice: Choice) -> bool:
    """Whoever chose the outline and no structure gets it; it does not stand in for structures that are empty."""
    return choice.external and choice.structures is not None and not choice.structures


def _unreviewed(rois: Sequence[Roi]) -> Iterator[Problem]:
    """The outline, which has no sources, does not count: nobody reviews it here."""
    open_states = (ReviewState.UNREVIEWED, ReviewState.REJECTED, ReviewState.EDITED)
    unapproved = [roi for roi in rois if roi.sources and roi.review_state in open_states]
    if unapproved:
        edited = sum(roi.review_state is ReviewState.EDITED for roi in unapproved)
        values = {"names": listed(roi.name for roi in unapproved), "edited": edited}
        yield Problem("EXPORT_UNREVIEWED", values | {"unreviewed": len(unapproved) - edited})


def _roi(number: int, selected: Selected, name: str) -> Roi:
    part = selected.part
    return Roi(
        number=number,
        name=name,
        description=part.description,
        colour=selected.colour,
        interpreted_type=selected.interpreted_type,
        algorithm=part.algorithm,
        algorithm_name=part.algorithm_name,
        codes=selected.codes,
        review_state=part.review_state,
        is_cut=part.is_cut,
        sources=part.sources,
        voxels=part.voxels,
        models=part.models,
        tags=part.tags,
        structure=part.structure,
    )


def _body(choice: Choice, names: list[str], outline: Callable[[], VoxelMask] | None) -> Roi:
    if outline is None:
        raise SegmentationError("EXPORT_NO_BODY")
    body = (choice.template or load_template(EVERYTHING)).body
    return Roi(
        number=1,
        name=unique_names([*names, body.name], choice.longest_name)[-1],
        description=f"{BODY_OUTLINE}, {ALGORITHM_NAME} {ENGINE_VERSION}",
        colour=body.colour,
        interpreted_type=EXTERNAL,
        algorithm=AUTOMATIC,
        algorithm_name=ALGORITHM_NAME,
        codes=body.codes,
        review_state=ReviewState.UNREVIEWED,
        is_cut=False,
        sources=(),
        voxels=outline,
    )
