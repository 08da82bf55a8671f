"""What a report says, gathered in one pass over the records of a run: of each CT little is kept."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from TotalSegmentatorWire.agreement.kept import agreement_of
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.agreement import Agreement
from TotalSegmentatorWire.messages.review import Flag, Level, structures_by_level

from TotalSegmentatorEngine.batch.store.outcome import Outcome, OutcomeError
from TotalSegmentatorEngine.export.page.box_plots import beyond_whiskers


@dataclass(frozen=True)
class CtEntry:
    """One CT. It can have an error and structures: then an export failed."""

    id: str
    error: OutcomeError | None
    structures: int
    flags: tuple[Flag, ...]
    """Those that ask for a look, the most serious first."""
    levels: Mapping[str, int]
    """How many structures have a flag of each level."""
    warnings: tuple[str, ...]
    exports: Mapping[str, str]
    """File names in the CT's folder, by format."""
    shape: tuple[int, int, int] | None
    spacing_mm: tuple[float, float, float] | None
    seconds: float
    agreement: Agreement | None = None
    """Of approximate labels with the exact ones; None where the labels are exact or were not checked."""

    @property
    def is_segmented(self) -> bool:
        return self.error is None or self.structures > 0

    @property
    def is_flagged(self) -> bool:
        return bool(self.flags)


@dataclass(frozen=True)
class StructureVolumes:
    """Of the CTs in which a structure is whole."""

    name: str
    volumes_ml: tuple[float, ...]
    ids: tuple[str, ...]
    """Of their CTs."""
    cut: int
    """In how many more CTs the scan cuts it."""

    @property
    def logarithms(self) -> np.ndarray:
        """Volumes scatter by factors: outliers are looked for among these."""
        return np.log10(self.volumes_ml)

    @property
    def outliers(self) -> list[int]:
        """Indices of the volumes that lie beyond the whiskers of a box plot of ``logarithms``."""
        return beyond_whiskers(self.logarithms.tolist())


@dataclass
class ReportContents:
    entries: list[CtEntry] = field(default_factory=list)
    """In the order of their ids."""
    volumes: list[StructureVolumes] = field(default_factory=list)
    models: Counter[str] = field(default_factory=Counter)
    """CTs by the words for what segmented them: model and versions."""
    passed_over: Mapping[str, int] = field(default_factory=dict)
    copies: int = 0
    missing: tuple[str, ...] = ()
    """Ids of CTs that belong to the run and have no record."""

    @property
    def flagged(self) -> list[CtEntry]:
        """Those with most structures that are likely wrong first."""
        found = [entry for entry in self.entries if entry.is_flagged]
        return sorted(found, key=lambda each: (-each.levels[Level.WRONG], -each.levels[Level.CHECK], each.id))

    @property
    def unflagged(self) -> list[CtEntry]:
        return [entry for entry in self.entries if entry.is_segmented and not entry.is_flagged]

    @property
    def failed(self) -> list[CtEntry]:
        return [entry for entry in self.entries if entry.error is not None]


def gather(
    outcomes: Iterable[Outcome],
    passed_over: Mapping[str, int] | None = None,
    copies: int = 0,
    known_ids: Collection[str] = (),
) -> ReportContents:
    """``passed_over``, ``copies``: as FoundInputs has them; ``known_ids``: of all CTs of the run."""
    contents = ReportContents(passed_over=dict(passed_over or {}), copies=copies)
    whole: dict[str, list[tuple[float, str]]] = defaultdict(list)
    cut: Counter[str] = Counter()
    for outcome in outcomes:
        contents.entries.append(_entry(outcome))
        if outcome.structures or outcome.is_done:
            contents.models[_made_by(outcome)] += 1
        for structure in outcome.structures:
            if structure.is_cut or structure.volume_ml <= 0:
                cut[structure.name] += structure.is_cut
            else:
                whole[structure.name].append((structure.volume_ml, outcome.id))
    for name in sorted({*whole, *cut}):
        volumes, ids = zip(*whole[name], strict=True) if whole[name] else ((), ())
        contents.volumes.append(StructureVolumes(name, volumes, ids, cut[name]))
    contents.missing = tuple(sorted(set(known_ids) - {entry.id for entry in contents.entries}))
    return contents


def _entry(outcome: Outcome) -> CtEntry:
    flags = _flags(outcome)
    asking = [flag for flag in flags if flag.level != Level.CUT]
    return CtEntry(
        id=outcome.id,
        error=outcome.error,
        structures=len(outcome.structures),
        flags=tuple(sorted(asking, key=lambda flag: Level.FROM_WORST.index(flag.level))),
        levels=structures_by_level(flags),
        warnings=outcome.warnings,
        exports=outcome.exports,
        shape=outcome.shape,
        spacing_mm=outcome.spacing_mm,
        seconds=outcome.seconds_total,
        agreement=agreement_of(outcome.agreement),
    )


def _flags(outcome: Outcome) -> list[Flag]:
    """A flag of a later version, which this one cannot read, is left out."""
    found = []
    for fields in outcome.flags:
        try:
            found.append(Flag.from_json(fields))
        except SegmentationError:
            continue
    return found


def _made_by(outcome: Outcome) -> str:
    versions = {name: version for name, version in outcome.versions.items() if name != "engine"}
    packages = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    return f"model {outcome.model}, pipeline {outcome.profile}, engine {outcome.versions.get('engine', '?')}" + (
        f" ({packages})" if packages else ""
    )
