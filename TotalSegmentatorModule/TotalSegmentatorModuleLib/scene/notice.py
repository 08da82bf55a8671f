"""When Slicer hears of changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def told_once(node) -> Iterator[None]:
    """Whoever observes ``node`` (vtkMRMLNode) hears of all that is changed within only once, at the end: each view of a
    segmentation goes through all of its segments at every notice."""
    was_modifying = node.StartModify()
    try:
        yield
    finally:
        node.EndModify(was_modifying)
