"""What leads from a row to an editor and back, as the Review section sees it."""

from __future__ import annotations

from typing import Protocol

from TotalSegmentatorModuleLib.review.table.rows import ReviewRow


class Editing(Protocol):
    """Of one structure at a time, in the panel of another module."""

    @property
    def is_active(self) -> bool:
        """Whether a structure is being edited."""

    @property
    def has_points(self) -> bool:
        """Whether a module that corrects with points is installed."""

    def start(self, node, row: ReviewRow) -> None:
        """``node``: vtkMRMLSegmentationNode; ``row``: of one of its segments."""

    def start_points(self, node, row: ReviewRow) -> None:
        """The same with points."""

    def end(self) -> None:
        """The user is back; nothing where none is edited."""


class NoEditing:
    """For as long as nothing else is set."""

    is_active = False
    has_points = False

    def start(self, _node, _row: ReviewRow) -> None:
        pass

    def start_points(self, _node, _row: ReviewRow) -> None:
        pass

    def end(self) -> None:
        pass
