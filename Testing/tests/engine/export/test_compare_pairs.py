"""The command compare over many pairs: known errors, formats, what fails, and that nothing names a patient."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from cohort_support import (
    BLOCKS,
    MODEL,
    PATIENT,
    SHAPE,
    Cohort,
    add_blocks,
    add_phantoms,
    add_real,
    block,
    write_segmentation,
)
from export_case import error_code
from pyarrow import parquet
from sheet_support import identifiers_of
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorWire.errors.problem import ERRORS
from TotalSegmentatorWire.tables.published_scores import published_dice

SUFFIXES = (".html", ".csv", ".parquet")
MOST_BYTES = 5_000_000


def compare(*words: object) -> int:
    return main(["compare", *map(str, words)])


def rows_of(report: Path) -> list[dict[str, str]]:
    with report.with_suffix(".csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def number_of(printed: str, name: str) -> str:
    """What the report calls a pair, as the terminal says."""
    return re.search(rf"^  (\d+)  {re.escape(name)}$", printed, re.MULTILINE)[1]


@dataclass
class Run:
    cohort: Cohort
    report: Path
    printed: str
    status: int
    known: dict[str, dict[str, float]]

    def rows(self, name: str) -> dict[str, dict[str, str]]:
        """Of a pair, by structure."""
        number = number_of(self.printed, name)
        return {row["structure"]: row for row in rows_of(self.report) if row["pair"] == number}

    @property
    def page(self) -> str:
        return self.report.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, example_ct: Path) -> Run:
    """Blocks and phantoms with known errors, a real CT with its reference in three formats, and what fails."""
    folder = tmp_path_factory.mktemp("pairs of Quastel")
    cohort = Cohort(folder / "pairs")
    add_blocks(cohort)
    known = add_phantoms(cohort, 3)
    add_real(cohort, example_ct.parent)
    cohort.pair("Quastel without reference").joinpath("ours.nii.gz").write_bytes(b"")
    damaged = cohort.pair("Quastel damaged")
    for name in ("ct.nii.gz", "ours.nii.gz", "theirs.nii.gz"):
        (damaged / name).write_bytes(b"no image")
    report = folder / "report.html"
    words = ("--labels", "structures_104", "--model", MODEL, "--log", folder / "log.txt")
    with pytest.MonkeyPatch.context() as patched:
        lines: list[str] = []
        patched.setattr("builtins.print", lambda *words, **_options: lines.append(" ".join(map(str, words))))
        status = compare(cohort.folder, "--report", report, *words)
    return Run(cohort, report, "\n".join(lines), status, known)


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_have_the_errors_that_were_worked_out(run: Run, name: str):
    expected, liver = run.cohort.expected[name], run.rows(name)["liver"]
    assert float(liver["dice"]) == pytest.approx(expected.dice, abs=1e-4)
    assert float(liver["volume_difference_percent"]) == pytest.approx(expected.difference_percent, abs=1e-3)
    if expected.added_path_mm is not None:
        assert float(liver["added_path_mm"]) == pytest.approx(expected.added_path_mm, abs=1e-3)
    if expected.surface_dice is not None:
        assert float(liver["surface_dice"]) == pytest.approx(expected.surface_dice, abs=1e-4)
    assert (liver["status"], liver["published_dice"]) == ("compared", f"{published_dice(MODEL)['liver']:.4f}")
    assert run.rows(name)["kidney left"]["status"] == "only ours"
    assert run.rows(name)["other structure 1"]["status"] == "only theirs"


def test_phantoms_have_the_errors_that_numpy_counts(run: Run):
    for name, known in run.known.items():
        found = {structure: float(row["dice"]) for structure, row in run.rows(name).items()}
        assert found == pytest.approx({key.replace("_", " "): value for key, value in known.items()}, abs=1e-4)


def test_the_format_of_the_reference_changes_nothing(run: Run):
    """Our own structure sets give back every voxel."""
    tables = [run.rows(name) for name in ("Real file", "Real SEG", "Real RS")]
    assert len(tables[0]) >= 59
    measures = ("status", "dice", "surface_dice", "added_path_mm", "hausdorff95_mm", "their_volume_ml")
    seen = [{name: [row[column] for column in measures] for name, row in table.items()} for table in tables]
    assert seen[0] == seen[1] == seen[2]


def test_a_pair_that_fails_stops_nothing_and_is_named(run: Run):
    assert run.status == 1
    failed = {row["pair"]: row["problem"] for row in rows_of(run.report) if row["status"] == "failed"}
    expected = {"Quastel without reference": "COHORT_PAIR_INCOMPLETE", "Quastel damaged": "INPUT_UNREADABLE"}
    assert failed == {number_of(run.printed, name): code for name, code in expected.items()}
    assert "Pairs compared: 12 of 14." in run.printed
    for number, code in failed.items():
        assert f"Pair {number}: {code}" in run.printed
        assert re.search(rf'id="pair-{number}">{number}</span>.*?{code}', run.page)
    assert "only ours" in run.page and "only theirs" in run.page


def test_parquet_holds_what_the_csv_holds(run: Run):
    table = parquet.read_table(run.report.with_suffix(".parquet")).to_pylist()
    rows = rows_of(run.report)
    assert len(table) == len(rows) and list(table[0]) == list(rows[0])
    for binary, text in zip(table, rows, strict=True):
        assert {name: value for name, value in binary.items() if isinstance(value, str)} == {
            name: text[name] for name, value in binary.items() if isinstance(value, str)
        }
        for name in ("dice", "added_path_mm", "surface_dice_tolerance_mm"):
            assert binary[name] == (pytest.approx(float(text[name]), abs=1e-4) if text[name] else None)
    assert {row["surface_dice_tolerance_mm"] for row in rows if row["structure"]} == {"2.0000"}


def test_the_page_is_one_small_file_that_asks_for_nothing(run: Run):
    assert len(run.page.encode()) < MOST_BYTES
    assert not re.search(r"<script|<link|<iframe|@import|url\((?!#)", run.page)
    addresses = re.findall(r"""(?:src|href)=["']([^"']+)""", run.page)
    assert addresses and all(each.startswith(("#", "data:image/")) for each in addresses)
    targets = {each for each in addresses if each.startswith("#") and each[1:].split("-")[0] in ("case", "pair")}
    assert targets and all(f'id="{target[1:]}"' in run.page for target in targets)
    assert run.page.count("<svg") == 4, "organs, bones, muscles and vessels"
    assert 'class="below"' in run.page, "the moved phantoms are far below the published values"


def test_nothing_names_a_patient(run: Run):
    identifiers = set(PATIENT.values()) | {"Quastel", "Oswin", "Immergrau"}
    for folder in run.cohort.folder.glob("Quastel*/CT"):
        identifiers |= identifiers_of(folder)
    assert sum(each.startswith(("1.2.826", "2.25")) for each in identifiers) >= 3 * SHAPE[0]
    written = [run.report.with_suffix(suffix) for suffix in SUFFIXES] + [run.report.with_name("log.txt")]
    for path in written:
        data = path.read_bytes()
        if path.suffix == ".parquet":
            data += "\n".join(map(str, parquet.read_table(path).to_pylist())).encode()
        if path.suffix == ".html":
            data = re.sub(rb"base64,[A-Za-z0-9+/=]+", b"", data)
        found = [each for each in identifiers if each.lower().encode() in data.lower()]
        assert found == [], path.name
    assert "other structure 1  Quastel GTV" in run.printed, "only the terminal says what stands for what"


# -- a list, options and refusals --------------------------------------------------------------------------------------


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A list of two pairs without a CT."""
    voxels = block(slice(3, 9), slice(8, 20), slice(8, 20))
    write_segmentation(tmp_path / "ours.seg.nrrd", {"liver": voxels, "Own": voxels})
    write_segmentation(tmp_path / "all.seg.nrrd", {"liver": voxels, "Own": voxels})
    half = voxels & block(slice(3, 6), slice(0, 40), slice(0, 44))
    write_segmentation(tmp_path / "half.seg.nrrd", {"liver": half, "Own": voxels})
    lines = ["name;ct;ours;theirs", "A. Smith;;ours.seg.nrrd;all.seg.nrrd", "B. Smith;;ours.seg.nrrd;half.seg.nrrd"]
    (tmp_path / "list.csv").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path / "list.csv"


def test_a_list_names_the_files_and_the_result_names_the_model(two: Path):
    report = two.with_name("report.html")
    assert compare(two, "--report", report, "--tolerance", "9") == 0
    rows = rows_of(report)
    dice = {(row["pair"], row["structure"]): float(row["dice"]) for row in rows}
    assert dice == pytest.approx(
        {("1", "liver"): 1.0, ("1", "other structure 1"): 1.0, ("2", "liver"): 2 / 3, ("2", "other structure 1"): 1.0},
        abs=1e-4,
    )
    assert {row["model"] for row in rows} == {MODEL}
    assert rows[1]["surface_dice"] == "1.0000", "3 planes of 3 mm are missing"
    assert "Smith" not in report.read_text(encoding="utf-8")


def test_names_are_kept_where_somebody_asks_for_it(two: Path, capsys):
    report = two.with_name("report.html")
    assert compare(two, "--report", report, "--keep-names") == 0
    assert {(row["pair"], row["structure"]) for row in rows_of(report)} == {
        (pair, structure) for pair in ("A. Smith", "B. Smith") for structure in ("liver", "Own")
    }
    assert "B. Smith" in report.read_text(encoding="utf-8")
    assert "keep this list" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("empty", "--report", "report.html"), "COHORT_EMPTY"),
        (("absent", "--report", "report.html"), "INPUT_NOT_FOUND"),
        (("odd.csv", "--report", "report.html"), "COHORT_LIST_INVALID"),
        (("lost.csv", "--report", "report.html"), "COHORT_NOTHING_COMPARED"),
        (("list.csv", "--report", "report.pdf"), "EXPORT_SUFFIX"),
        (("list.csv", "--report", "list.html"), "OUTPUT_IS_INPUT"),
        (("list.csv", "--report", "taken.html"), "EXPORT_WOULD_OVERWRITE"),
        (("list.csv", "--report", "report.html", "--model", "104"), "MODEL_UNKNOWN"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_code(
    two: Path, words: tuple[str, ...], code: str, capsys, monkeypatch
):
    folder = two.parent
    (folder / "empty").mkdir()
    (folder / "odd.csv").write_text("name,ours,theirs\na,b,c\n", encoding="utf-8")
    (folder / "lost.csv").write_text("name,ct,ours,theirs\na,,b.nii.gz,c.nii.gz\n", encoding="utf-8")
    (folder / "taken.csv").write_text("mine", encoding="utf-8")
    monkeypatch.chdir(folder)
    assert compare(*words) == ERRORS[code].exit_code
    assert error_code(capsys) == code
    assert (folder / "taken.csv").read_text(encoding="utf-8") == "mine"
    assert not (folder / "report.html").exists()


def test_two_files_for_one_side_are_not_guessed(tmp_path: Path, two: Path, capsys):
    for name in ("good", "doubtful"):
        folder = tmp_path / "pairs" / name
        folder.mkdir(parents=True)
        for side in ("ours", "theirs"):
            (folder / f"{side}.seg.nrrd").symlink_to(two.with_name("ours.seg.nrrd"))
        (folder / "ours.csv").write_text("a table is no segmentation", encoding="utf-8")
    (tmp_path / "pairs" / "doubtful" / "reference.nii.gz").symlink_to(two)
    assert compare(tmp_path / "pairs", "--report", tmp_path / "report.html") == 1
    assert "Pair 1: COHORT_PAIR_AMBIGUOUS" in capsys.readouterr().out
