"""The rows of the table over all structures: what they are, and what each of their columns means.

Columns that the Imaging Data Commons has as well are called as there, so that its public table of TotalSegmentator's
results (National Lung Screening Trial, 126,000 CTs, 9.6 million rows) can be joined: release 0.0.1 of
github.com/ImagingDataCommons/CloudSegmentatorResults, qual_checks_and_quantitative_measurements.parquet (columns: its
part1_derivedDataGenerator.ipynb; measures: pyradiomics). Names, SNOMED CT codes and their meanings are those of all 104
structures in the SEG objects that the table was made of (github.com/ImagingDataCommons/CloudSegmentator,
dicomseg_metadata_whole_slicerAsRef.json).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from TotalSegmentatorWire.agreement.kept import agreement_of
from TotalSegmentatorWire.tables.structures import known_structures

from TotalSegmentatorEngine.batch.store.outcome import Outcome, StructureOutcome
from TotalSegmentatorEngine.batch.table.measured_structures import CUT_RULE
from TotalSegmentatorEngine.export.files.data_table import NUMBER, TEXTS, WHOLE, YES_NO, Column, Row, Value
from TotalSegmentatorEngine.imaging.geometry import MM3_PER_ML

_ALONG_BODY = frozenset(("head", "feet"))

COLUMNS = (
    Column("id", description="of the CT: the first 12 digits of the digest of its files, and the name of its folder"),
    Column("CT_SeriesInstanceUID", description="as IDC has it; empty unless names are kept (--keep-names)"),
    Column("totalsegSegmentLabel", description="as IDC has it: the structure, as TotalSegmentator 1 names it"),
    Column("bodyPart", description="as IDC has it: meaning of the SNOMED CT code, without the side"),
    Column("laterality", description="as IDC has it: Left, Right, or empty"),
    Column("bodyPart_code", description="SNOMED CT code of bodyPart"),
    Column("label", WHOLE, description="value of the structure's voxels in its layer of the segmentation"),
    Column("layer", WHOLE, description="of the segmentation, from 0: structures of one layer do not overlap"),
    Column("voxel_num", WHOLE, "1", "as IDC has it: number of voxels"),
    Column("Volume from Voxel Summation", NUMBER, "mm3", "as IDC has it", digits=0),
    Column("volume_ml", NUMBER, "ml", "the same volume", digits=3),
    Column("Mean", NUMBER, "HU", "as IDC has it", digits=2),
    Column("Median", NUMBER, "HU", "as IDC has it", digits=2),
    Column("10th percentile", NUMBER, "HU", "as IDC has it", digits=2),
    Column("90th percentile", NUMBER, "HU", "as IDC has it", digits=2),
    Column("Interquartile range", NUMBER, "HU", "as IDC has it: 75th minus 25th percentile", digits=2),
    *(Column(f"p{percent}_hu", NUMBER, "HU", f"{percent}th percentile", digits=2) for percent in (5, 25, 75, 95)),
    Column(
        "segmentation_completeness",
        description="as IDC has it: pass where the CT has a slice above and below the structure, else fail",
    ),
    Column("is_cut", YES_NO, description="whether the scan ends within the structure, along the body or at a side"),
    Column("level", description="the worst remark of the check: wrong, check, cut, or empty"),
    Column("flags", TEXTS, description="rules of the check that have a remark"),
    Column("review_state", description="unreviewed unless somebody has looked at it"),
    Column("model", description="that found the structure"),
    Column("profile", description="pipeline of the model: how it resamples, steps and averages"),
    Column("model_digest", description="SHA-256 of the plans and weights of all models of the run"),
    Column(
        "options_digest", description="SHA-256 of all that the result depends on beside the CT: model, options, exports"
    ),
    Column("engine_version"),
    Column("package_versions", TEXTS, description="of what computed the result, each as name=version"),
    Column("spacing_i_mm", NUMBER, "mm", "of the CT, along its rows", digits=4),
    Column("spacing_j_mm", NUMBER, "mm", "of the CT, along its columns", digits=4),
    Column("spacing_k_mm", NUMBER, "mm", "of the CT, between its slices", digits=4),
    Column(
        "agreement",
        NUMBER,
        "1",
        "of approximate labels with the exact ones, from a sample of the CT: share of the voxels in a structure whose "
        "label is the exact one; empty where the labels are exact or were not checked",
        digits=5,
    ),
    Column("agreement_low", NUMBER, "1", "lower end of the 95 % interval of agreement", digits=5),
    Column("agreement_high", NUMBER, "1", "upper end of the 95 % interval of agreement", digits=5),
    Column("approximations", TEXTS, description="by which the labels were computed: reduced, crop, regions"),
    Column("error", description="code, where an export of the CT failed after it had been segmented"),
)


def rows_of(outcome: Outcome, series_uid: str | None) -> Iterator[Row]:
    """One for each structure that was found, by the names of COLUMNS, in the order of ``outcome``."""
    spacing = outcome.spacing_mm or (None, None, None)
    packages = {name: version for name, version in outcome.versions.items() if name != "engine"}
    shared: dict[str, Value] = {
        "id": outcome.id,
        "CT_SeriesInstanceUID": series_uid or None,
        "model_digest": outcome.model_digest or None,
        "options_digest": outcome.options_digest,
        "engine_version": outcome.versions.get("engine"),
        "package_versions": tuple(f"{name}={version}" for name, version in sorted(packages.items())),
        **{f"spacing_{axis}_mm": size for axis, size in zip("ijk", spacing, strict=True)},
        **_agreement(outcome),
        "error": None if outcome.error is None else outcome.error.code,
    }
    ends = {str(flag.get("structure")): _sides(flag) for flag in outcome.flags if flag.get("rule") == CUT_RULE}
    for structure in outcome.structures:
        how = {"model": structure.model or outcome.model, "profile": structure.profile or outcome.profile}
        yield {**shared, **how, **_named(structure.name), **_measured(structure), **_checked(structure, ends)}


def _agreement(outcome: Outcome) -> dict[str, Value]:
    """Of the whole CT, in each of its rows."""
    agreement = agreement_of(outcome.agreement)
    share = None if agreement is None else agreement.foreground
    return {
        "agreement": None if share is None else share.value,
        "agreement_low": None if share is None else share.low,
        "agreement_high": None if share is None else share.high,
        "approximations": () if agreement is None else agreement.approximations,
    }


def _named(name: str) -> dict[str, Value]:
    """A model of one's own can have structures that no label table knows."""
    row = known_structures().get(name)
    return {
        "totalsegSegmentLabel": name,
        "bodyPart": None if row is None else row.type[1],
        "bodyPart_code": None if row is None else row.type[0],
        "laterality": (row.modifier[1] or None) if row is not None else None,
    }


def _measured(structure: StructureOutcome) -> dict[str, Value]:
    percentile = structure.percentiles_hu.get
    low, high = percentile("25"), percentile("75")
    return {
        "label": structure.label,
        "layer": structure.layer,
        "voxel_num": structure.voxels,
        "Volume from Voxel Summation": round(structure.volume_ml * MM3_PER_ML, 3),
        "volume_ml": structure.volume_ml,
        "Mean": structure.mean_hu,
        "Median": percentile("50"),
        "10th percentile": percentile("10"),
        "90th percentile": percentile("90"),
        "Interquartile range": None if low is None or high is None else high - low,
        "p5_hu": percentile("5"),
        "p25_hu": low,
        "p75_hu": high,
        "p95_hu": percentile("95"),
    }


def _checked(structure: StructureOutcome, ends: dict[str, frozenset[str]]) -> dict[str, Value]:
    return {
        "segmentation_completeness": _completeness(structure, ends),
        "is_cut": structure.is_cut,
        "level": structure.level or None,
        "flags": structure.flags,
        "review_state": structure.state,
    }


def _completeness(structure: StructureOutcome, ends: dict[str, frozenset[str]]) -> str | None:
    """None where it is cut, but nobody says where."""
    sides = ends.get(structure.name)
    if sides is None:
        return None if structure.is_cut else "pass"
    return "fail" if sides & _ALONG_BODY else "pass"


def _sides(flag: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(str(flag.get("numbers", {}).get("sides", "")).split(", "))
