"""The table over all structures of a run: columns, values and units, and the queries of docs/batch.md."""

from __future__ import annotations

import csv
import json
import re
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import pyarrow
import pytest
from batch_bench import BatchBench
from batch_outcomes import cut_flag, failed, flag, id_of, outcome, structure
from places import REPOSITORY
from pyarrow import parquet
from TotalSegmentatorEngine.batch.store.outcome import Outcome, OutcomeError, to_json
from TotalSegmentatorEngine.batch.table.measured_structures import measured_structures
from TotalSegmentatorEngine.batch.table.write_tables import write_tables
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.messages.segment import FoundStructure

IDC_TEXTS = (
    "PatientID", "CT_SeriesInstanceUID", "totalsegSegmentLabel", "StudyInstanceUID", "SeriesNumber", "bodyPart",
    "laterality", "segmentation_completeness", "laterality_check", "volume_from_voxel_summation_check",
)  # fmt: skip
IDC_MEASURES = (
    "10th percentile", "90th percentile", "Elongation", "Energy", "Flatness", "Intensity Histogram Entropy",
    "Intensity histogram uniformity", "Interquartile range", "Kurtosis", "Least Axis in 3D Length",
    "Major Axis in 3D Length", "Maximum 3D Diameter of a Mesh", "Maximum grey level", "Mean", "Mean absolute deviation",
    "Median", "Minimum grey level", "Minor Axis in 3D Length", "Range", "Robust mean absolute deviation",
    "Root mean square", "Skewness", "Sphericity", "Surface Area of Mesh", "Surface to Volume Ratio", "Variance",
    "Volume from Voxel Summation", "Volume of Mesh",
)  # fmt: skip
IDC_NUMBERS = ("connected_volumes", "voxel_num")
"""The columns of qual_checks_and_quantitative_measurements.parquet (CloudSegmentatorResults, release 0.0.1)."""
IDC_FILE = "qual_checks_and_quantitative_measurements.parquet"
UID = "1.2.840.113654.2.55.{}"


def cohort() -> list[Outcome]:
    liver_flags = (flag("second_opinion", Level.CHECK, "liver", volume_ml=14, distance_mm=6), cut_flag("liver", "left"))
    cut = structure("liver", 900.5, 52.25, is_cut=True, flags=("second_opinion", "cut_by_scan"), level=Level.CHECK)
    made = [
        outcome(1, (structure("liver", 1500.0, 60.0), structure("kidney_left", 160.0, 30.0))),
        outcome(2, (cut,), flags=liver_flags),
        outcome(3, (structure("liver", 4200.0), structure("rib_right_7", 14.0, is_cut=True)),
                flags=(cut_flag("rib_right_7", "head, left"),)),
        failed(4, "INPUT_MISSING_SLICES", missing=3, position_mm=12.0),
        outcome(5, (structure("femur_left", 80.0, is_cut=True),), state="failed",
                error=OutcomeError("EXPORT_NOTHING_SELECTED")),
        failed(6, "INPUT_MISSING_SLICES"),
    ]  # fmt: skip
    return sorted(made, key=lambda each: each.id)


def rows_of(folder: Path) -> dict[tuple[str, str], dict]:
    rows = parquet.read_table(folder / "structures.parquet").to_pylist()
    return {(row["id"], row["totalsegSegmentLabel"]): row for row in rows}


def test_a_row_for_each_structure_by_id_and_label(tmp_path: Path):
    write_tables(tmp_path, iter(cohort()))
    rows = rows_of(tmp_path)
    labels = {"liver": 5, "kidney_left": 3, "rib_right_7": 76, "femur_left": 88}
    expected = [(id_of(n), name) for n, names in ((1, ("liver", "kidney_left")), (2, ("liver",)),
                (3, ("liver", "rib_right_7")), (5, ("femur_left",))) for name in names]  # fmt: skip
    assert sorted(rows) == sorted(expected) and [key[0] for key in rows] == sorted(key[0] for key in rows)
    liver = rows[id_of(2), "liver"]
    assert {name: liver[name] for name in ("bodyPart", "bodyPart_code", "laterality")} == {
        "bodyPart": "Liver", "bodyPart_code": "10200004", "laterality": None,
    }  # fmt: skip
    assert (liver["voxel_num"], liver["volume_ml"], liver["Volume from Voxel Summation"]) == (90050, 900.5, 900500.0)
    assert [liver[name] for name in ("Mean", "Median", "10th percentile", "90th percentile", "p95_hu")] == [
        52.25, 52.25, 28.25, 76.25, 79.25,
    ]  # fmt: skip
    assert liver["Interquartile range"] == pytest.approx(30.0)
    assert (liver["level"], liver["flags"], liver["review_state"]) == (
        "check", ["second_opinion", "cut_by_scan"], "unreviewed",
    )  # fmt: skip
    assert liver["package_versions"] == ["nnunetv2=2.6.2", "torch=2.8.0"] and liver["engine_version"] == "0.1.0"
    assert [liver[f"spacing_{axis}_mm"] for axis in "ijk"] == [0.8, 0.8, 3.0]
    for (_, name), row in rows.items():
        assert row["label"] == labels[name] and row["CT_SeriesInstanceUID"] is None
    assert rows[id_of(3), "rib_right_7"]["laterality"] == "Right"
    assert rows[id_of(5), "femur_left"]["error"] == "EXPORT_NOTHING_SELECTED"


def test_completeness_is_about_the_ends_of_the_scan_along_the_body(tmp_path: Path):
    write_tables(tmp_path, cohort())
    rows = rows_of(tmp_path)
    said = {key: (row["segmentation_completeness"], row["is_cut"]) for key, row in rows.items()}
    assert said[id_of(1), "liver"] == ("pass", False)
    assert said[id_of(2), "liver"] == ("pass", True), "cut at a side only"
    assert said[id_of(3), "rib_right_7"] == ("fail", True)
    assert said[id_of(5), "femur_left"] == (None, True), "nobody says where"


def test_csv_holds_what_parquet_holds(tmp_path: Path):
    uids = {id_of(1): UID.format(1)}
    write_tables(tmp_path, cohort(), uids)
    with (tmp_path / "structures.csv").open(encoding="utf-8", newline="") as stream:
        texts = list(csv.DictReader(stream))
    rows = parquet.read_table(tmp_path / "structures.parquet").to_pylist()
    assert list(texts[0]) == list(rows[0]) and len(texts) == len(rows) == 6
    for text, row in zip(texts, rows, strict=True):
        for name, value in row.items():
            if isinstance(value, bool):
                assert text[name] == ("yes" if value else "no")
            elif isinstance(value, int | float):
                assert float(text[name]) == pytest.approx(value, abs=0.5 if name.startswith("Volume") else 0.005)
            else:
                assert text[name] == (" ".join(value) if isinstance(value, list) else value or "")
    assert {row["CT_SeriesInstanceUID"] for row in rows if row["id"] == id_of(1)} == {UID.format(1)}
    assert {row["CT_SeriesInstanceUID"] for row in rows if row["id"] != id_of(1)} == {None}


def test_the_schema_states_units(tmp_path: Path):
    write_tables(tmp_path, [])
    schema = parquet.read_schema(tmp_path / "structures.parquet")
    units = {field.name: field.metadata[b"unit"].decode() for field in schema if b"unit" in (field.metadata or {})}
    assert units["Volume from Voxel Summation"] == "mm3" and units["volume_ml"] == "ml" and units["Mean"] == "HU"
    for field in schema:
        if pyarrow.types.is_floating(field.type):
            assert units[field.name] in ("mm3", "ml", "HU", "mm", "1"), field.name
    assert b"CloudSegmentatorResults" in schema.metadata[b"names of columns"]


def test_columns_that_idc_has_are_called_as_there(tmp_path: Path):
    write_tables(tmp_path, [])
    names = set(parquet.read_schema(tmp_path / "structures.parquet").names)
    assert names & {*IDC_TEXTS, *IDC_MEASURES, *IDC_NUMBERS} == {
        "CT_SeriesInstanceUID", "totalsegSegmentLabel", "bodyPart", "laterality", "segmentation_completeness",
        "voxel_num", "Volume from Voxel Summation", "Mean", "Median", "10th percentile", "90th percentile",
        "Interquartile range",
    }  # fmt: skip


def test_a_full_disk_leaves_the_tables_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_tables(tmp_path, cohort()[:1])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def broken():
        yield cohort()[1]
        raise OSError(28, "No space left on device")

    with pytest.raises(SegmentationError) as raised:
        write_tables(tmp_path, broken())
    assert raised.value.code == "DISK_FULL"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


# -- what a job found --------------------------------------------------------------------------------------------------


def test_structures_of_a_job_are_measured_and_have_their_flags():
    random = np.random.default_rng(3)
    labels = np.zeros((6, 8, 10), np.uint8)
    labels[1:4, 2:6, 3:9] = 5
    labels[4:6, 2:4, 1:3] = 3
    ct = random.normal(40, 30, labels.shape).astype(np.int16)
    found = [
        FoundStructure(5, "liver", 72, [3, 8, 2, 5, 1, 3], mean_hu=40.0, volume_ml=7.2),
        FoundStructure(3, "kidney_left", 8, [1, 2, 2, 3, 4, 5], mean_hu=41.0, volume_ml=0.8),
    ]
    flags = [Flag("cut_by_scan", Level.CUT, "liver"), Flag("wrong_side", Level.WRONG, "liver"),
             Flag("wrong_side", Level.WRONG, "spleen")]  # fmt: skip
    kidney, liver = measured_structures(found, [labels], ct, flags, {})
    for measured, label in ((kidney, 3), (liver, 5)):
        percents = [int(percent) for percent in measured.percentiles_hu]
        expected = np.percentile(ct[labels == label].astype(float), percents)
        assert list(measured.percentiles_hu.values()) == pytest.approx(expected, abs=0.0051)
        assert {5, 25, 50, 75, 95} <= set(percents)
    assert (liver.name, liver.voxels, liver.volume_ml, liver.mean_hu) == ("liver", 72, 7.2, 40.0)
    assert (liver.flags, liver.level, liver.is_cut) == (("wrong_side", "cut_by_scan"), "wrong", True)
    assert (kidney.flags, kidney.level, kidney.is_cut) == ((), "", False)
    assert liver.state == kidney.state == "unreviewed"


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_writes_the_table_and_names_series_only_where_asked(bench: BatchBench):
    series = bench.dicom("erika/ct", seed=1)
    image = bench.image("ct2.nii.gz", seed=2)
    (bench.inputs / "damaged.nii.gz").write_bytes(b"no image")
    run = bench()
    rows = rows_of(run.folder)
    ids = {path: run.outcome_of(path).id for path in (series, image)}
    assert list(rows) == [(case_id, name) for case_id in sorted(ids.values()) for name in ("liver", "spleen")]
    for (case_id, name), row in rows.items():
        known = next(each for each in run.outcomes[case_id].structures if each.name == name)
        assert (row["voxel_num"], row["Mean"], row["CT_SeriesInstanceUID"]) == (known.voxels, known.mean_hu, None)
        assert row["segmentation_completeness"] == ("fail" if name == "liver" else "pass")
        assert len(row["options_digest"]) == 64 and row["options_digest"] == run.outcomes[case_id].options_digest
    written = [*(run.folder / name for name in ("structures.csv", "structures.parquet"))]
    assert not any(text in path.read_bytes() for path in written for text in (b"erika", b"Mustermann", b"PID-"))
    (uid,) = {row["series"] for row in run.inputs if row["series"]}
    rows = rows_of(bench("--keep-names").folder)
    assert {(case_id, row["CT_SeriesInstanceUID"]) for (case_id, _), row in rows.items()} == {
        (ids[series], uid), (ids[image], None),
    }  # fmt: skip


# -- the queries of the page -------------------------------------------------------------------------------------------


def documented_queries() -> list[str]:
    page = (REPOSITORY / "docs" / "batch.md").read_text(encoding="utf-8")
    section = page.split("\n## One table\n")[1].split("\n## ")[0]
    return re.findall(r"```sql\n(.*?)```", section, re.DOTALL)


def write_idc_table(path: Path) -> None:
    """Made up, with the columns of the real one: livers of 1,000 to 1,980 ml in 50 CTs, one of them the CT 1 here."""
    rows = []
    for number in range(50):
        volume = 1_000_000 + 20_000 * number
        row = dict.fromkeys(IDC_TEXTS, "x") | dict.fromkeys(IDC_MEASURES, Decimal(1)) | dict.fromkeys(IDC_NUMBERS, 1)
        row |= {
            "CT_SeriesInstanceUID": UID.format(number), "totalsegSegmentLabel": "liver", "bodyPart": "Liver",
            "laterality": None, "segmentation_completeness": "pass", "voxel_num": volume, "Mean": Decimal("55.5"),
            "Volume from Voxel Summation": Decimal(volume),
        }  # fmt: skip
        cut = row | {"segmentation_completeness": "fail", "Volume from Voxel Summation": Decimal(5_000_000)}
        rows += [row, cut | {"CT_SeriesInstanceUID": UID.format(1000 + number)}]
    types = dict.fromkeys(IDC_TEXTS, pyarrow.string()) | dict.fromkeys(IDC_MEASURES, pyarrow.decimal128(38, 9))
    types |= dict.fromkeys(IDC_NUMBERS, pyarrow.int64())
    parquet.write_table(pyarrow.Table.from_pylist(rows, pyarrow.schema(list(types.items()))), path)


def write_idc_measurements(path: Path) -> None:
    """Made up, with those columns of IDC's table of single measurements that the query needs, nested as there."""

    def coded(value: str, meaning: str) -> dict[str, str]:
        return {"CodeValue": value, "CodingSchemeDesignator": "SCT", "CodeMeaning": meaning}

    liver, kidney, left = coded("10200004", "Liver"), coded("64033007", "Kidney"), coded("7771000", "Left")
    sites = [(liver, None, 1_400_000), (liver, None, 1_600_000), (kidney, left, 150_000),
             (kidney, coded("24028007", "Right"), 900_000)]  # fmt: skip
    rows = [
        {"SeriesDescription": f"TotalSegmentator(v1.5.6) {kind} Measurements", "Value": Decimal(number * times),
         "Quantity": coded("", quantity), "findingSite": site, "lateralityModifier": side}
        for site, side, number in sites
        for kind, quantity, times in (("shape", "Volume from Voxel Summation", 1), ("First Order", "Mean", 7))
    ]  # fmt: skip
    rows.append(rows[0] | {"SeriesDescription": "Nodule measurements", "Value": Decimal(5)})
    code = pyarrow.struct([(name, pyarrow.string()) for name in liver])
    types = {"SeriesDescription": pyarrow.string(), "Value": pyarrow.decimal128(38, 9), "Quantity": code}
    types |= {"findingSite": code, "lateralityModifier": code}
    parquet.write_table(pyarrow.Table.from_pylist(rows, pyarrow.schema(list(types.items()))), path)


def test_the_documented_queries_join_with_a_table_in_the_layout_of_idc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_tables(tmp_path, cohort(), {id_of(1): UID.format(7)})
    write_idc_table(tmp_path / IDC_FILE)
    write_idc_measurements(tmp_path / "quantitative_measurements.parquet")
    for each in cohort():
        (tmp_path / each.id).mkdir()
        (tmp_path / each.id / "done.json").write_text(json.dumps(to_json(each)))
    monkeypatch.chdir(tmp_path)
    unusual, same_ct, by_code, failures = (duckdb.sql(query) for query in documented_queries())
    assert unusual.columns == ["id", "structure", "volume_ml", "low_ml", "median_ml", "high_ml", "flags", "cts"]
    assert unusual.fetchall() == [(id_of(3), "liver", 4200.0, 1024.5, 1490.0, 1955.5, [], 50)]
    assert dict(zip(same_ct.columns, *same_ct.fetchall(), strict=True)) == {
        "id": id_of(1), "structure": "liver", "model": "104-3mm", "volume_ml": 1500.0, "public_ml": 1140.0,
        "mean_hu": 60.0, "public_mean_hu": 55.5,
    }  # fmt: skip
    assert by_code.columns == ["structure", "cts", "median_ml", "idc_median_ml", "idc_segments"]
    assert by_code.fetchall() == [("kidney_left", 1, 160.0, 150.0, 1), ("liver", 2, 2850.0, 1500.0, 2)]
    ids = sorted([id_of(4), id_of(6)])
    assert failures.fetchall() == [("INPUT_MISSING_SLICES", 2, ids), ("EXPORT_NOTHING_SELECTED", 1, [id_of(5)])]
