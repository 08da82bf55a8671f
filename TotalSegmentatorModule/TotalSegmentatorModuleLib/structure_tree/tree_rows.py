"""The structures that can be chosen, by region and system, as plain rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from slicer.i18n import tr as _
from TotalSegmentatorWire.choice.anatomy import System, anatomy_tree
from TotalSegmentatorWire.tables.structures import known_structures


@dataclass(frozen=True)
class TreeRow:
    """One structure."""

    name: str
    """As its model calls it."""
    title: str
    """As a clinician reads it."""
    tg263_name: str
    words: str
    """What a search looks through, in lower case: all its names, its region and its system."""

    def matches(self, words: Sequence[str]) -> bool:
        """Whether it holds all ``words``, which are in lower case."""
        return all(word in self.words for word in words)


@dataclass(frozen=True)
class TreeGroup:
    """A region, or a system of one; it has groups or rows."""

    title: str
    groups: tuple[TreeGroup, ...] = ()
    rows: tuple[TreeRow, ...] = ()

    def all_rows(self) -> Iterator[TreeRow]:
        """Its own rows and those of its groups, from top to bottom."""
        yield from self.rows
        for group in self.groups:
            yield from group.all_rows()


@cache
def catalogue_tree() -> tuple[TreeGroup, ...]:
    """Each structure that a model of the catalogue finds, once."""
    regions = []
    for region in anatomy_tree():
        systems = tuple(_system(region.title, system) for system in region.systems)
        is_single = len(systems) == 1
        regions.append(TreeGroup(region.title, () if is_single else systems, systems[0].rows if is_single else ()))
    return tuple(regions)


def own_tree(names: Sequence[str]) -> tuple[TreeGroup, ...]:
    """The structures of the user's own model, whose anatomy nobody knows."""
    if not names:
        return ()
    return (TreeGroup(_("Structures of your model"), rows=tuple(_row(name, "") for name in names)),)


def _system(region: str, system: System) -> TreeGroup:
    where = "{} {}".format(region, system.title)
    return TreeGroup(system.title, rows=tuple(_row(name, where) for name in system.structures))


def _row(name: str, where: str) -> TreeRow:
    known = known_structures().get(name)
    title = known.display_name if known is not None else name.replace("_", " ")
    tg263 = known.tg263_name if known is not None else ""
    return TreeRow(name, title, tg263, " ".join((title, name, tg263, where)).casefold())
