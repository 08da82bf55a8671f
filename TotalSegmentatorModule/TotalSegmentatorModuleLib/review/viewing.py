"""What the views show of the structure that is reviewed: its place, alone or among the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from TotalSegmentatorModuleLib.review.table.rows import ReviewRow
from TotalSegmentatorModuleLib.scene.isolation import Isolation
from TotalSegmentatorModuleLib.views.structure_place import place_of_segment, to_world
from TotalSegmentatorModuleLib.views.view_jump import jump_slices, turn_three_d_views

_RADIUS_MM = 60.0
"""Of what the 3-D view shows of a structure whose size is not known."""


class StructureView:
    """Shows one structure at a time, and gives the user's own display settings back at the end."""

    def __init__(self) -> None:
        self._isolation = Isolation()
        self.is_alone_wanted = True
        """Whether the chosen structure is shown without the others; kept from structure to structure."""

    def show(self, node, row: ReviewRow, rows: Sequence[ReviewRow]) -> None:
        """Turn the views to the structure of ``row``: to the place of its first flag that has one, else to its middle;
        and show it alone if that is wanted. ``rows`` are all of ``node`` (vtkMRMLSegmentationNode)."""
        place = next((shown.flag.place_ras_mm for shown in row.flags if shown.flag.place_ras_mm is not None), None)
        if place is not None:
            place = to_world(node, place)
        elif row.has_segment:
            place = place_of_segment(node, row.key)
        display = node.GetDisplayNode()
        was_modifying = display.StartModify() if display is not None else 0
        try:
            if place is not None:
                with _hidden(display):
                    jump_slices(place)
                turn_three_d_views(place, row.measures.radius if row.measures is not None else _RADIUS_MM)
            self.show_alone(node, row, rows)
        finally:
            if display is not None:
                display.EndModify(was_modifying)

    def show_place(self, node, place_ras_mm: tuple[float, float, float]) -> None:
        """Turn the slice views to the place of a flag."""
        jump_slices(to_world(node, place_ras_mm))

    def show_alone(self, node, row: ReviewRow | None, rows: Sequence[ReviewRow]) -> None:
        """Show the structure alone if that is wanted and it has a segment; otherwise what the user had set."""
        if row is None or not row.has_segment or not self.is_alone_wanted:
            self._isolation.end()
            return
        self._isolation.show(node, row.key, _neighbours(row, rows))

    def leave(self) -> None:
        """Give back what the user had set."""
        self._isolation.end()


@contextmanager
def _hidden(display) -> Iterator[None]:
    """While its changes are held back (StartModify), the views do not see that a display node is invisible, but cut no
    surface of it at each step: what is shown afterwards is cut once (vtkMRMLSegmentationsDisplayableManager2D)."""
    if display is None:
        yield
        return
    visibility = display.GetVisibility()
    display.SetVisibility(False)
    try:
        yield
    finally:
        display.SetVisibility(visibility)


def _neighbours(row: ReviewRow, rows: Sequence[ReviewRow]) -> set[str]:
    """Keys of the structures whose boxes share a point with that of ``row``."""
    if row.measures is None:
        return set()
    others = [other for other in rows if other.key != row.key and other.measures is not None]
    return {other.key for other in others if row.measures.overlaps(other.measures)}
