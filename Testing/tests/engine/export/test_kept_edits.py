"""The edits of reviews: kept where somebody turns that on, without patient, and shown over time."""

from __future__ import annotations

import csv
import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from export_case import error_code
from export_support import write_ct_series
from sheet_support import NAMES, identifiers_of, write_result
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.export.edits.table import EditRow, add_edits
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorWire.edits_file import edits_file
from TotalSegmentatorWire.errors.problem import ERRORS
from TotalSegmentatorWire.tables.result_tags import PREFIX
from TotalSegmentatorWire.tables.review_state import ReviewState

SHAPE = (10, 40, 40)
GRID = Geometry(SHAPE, [[-1, 0, 0, 20.0], [0, -1, 0, 20.0], [0, 0, 2.0, 0.0], [0, 0, 0, 1]])
SPLEEN, KIDNEY, LIVER, AORTA = 1, 2, 5, 7
PATIENT = {"PatientName": "Quastel^Oswin", "PatientID": "MRN-4471823", "StudyDate": "20190308"}
STATES = {
    "spleen": ReviewState.APPROVED,
    "kidney_right": ReviewState.REJECTED,
    "liver": ReviewState.APPROVED,
    "aorta": ReviewState.UNREVIEWED,
}


@pytest.fixture(autouse=True)
def user_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("TotalSegmentatorWire.edits_file.data_folder", lambda: tmp_path / "user data")
    return tmp_path / "user data"


class Reviewed:
    """Five of ten planes of the liver, 10 x 10 pixels, were cut away; the rest is as it was computed."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.computed = np.zeros(SHAPE, np.uint8)
        for number, label in enumerate((SPLEEN, KIDNEY, LIVER, AORTA)):
            self.computed[:, 5 + 8 * number : 11 + 8 * number, 10:20] = label
        self.labels = self.computed.copy()
        self.labels[5:][self.labels[5:] == LIVER] = 0
        self.series = write_ct_series(folder / "CT", np.full(SHAPE, 40, np.int16), GRID, **PATIENT)
        self.sheet = folder / "sheet.json"
        before = write_result(folder / "computed.seg.nrrd", self.computed, GRID)
        after = write_result(folder / "Quastel.seg.nrrd", self.labels, GRID, self.computed, STATES)
        self.words = [str(after), str(self.sheet), "--reference", str(self.series), "--computed", str(before)]

    def make_sheet(self, *more: str, to: str = "review") -> int:
        return main(["export", *self.words, "--to", to, *more])


@pytest.fixture
def reviewed(tmp_path: Path) -> Reviewed:
    return Reviewed(tmp_path / "first")


def kept() -> list[dict[str, str]]:
    with edits_file().open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_nothing_is_kept_until_somebody_asks_for_it(reviewed: Reviewed, user_data: Path):
    assert reviewed.make_sheet() == 0
    assert not user_data.exists()


def test_the_table_says_what_was_decided_and_how_much_was_edited(reviewed: Reviewed):
    assert reviewed.make_sheet("--keep-edits") == 0
    rows = {row["structure"]: row for row in kept()}
    assert {name: (row["decision"], row["edited"]) for name, row in rows.items()} == {
        "spleen": ("approved", "no"),
        "kidney_right": ("rejected", "no"),
        "liver": ("approved", "yes"),
        "aorta": ("unreviewed", "no"),
    }
    liver = rows["liver"]
    assert float(liver["dice"]) == pytest.approx(2 / 3, abs=1e-4)
    assert (liver["computed_ml"], liver["difference_ml"]) == ("1.2000", "-0.6000")  # 60 pixels of 2 mm3 in each plane
    assert liver["added_path_mm"] == "0.0000", "no contour was drawn"
    assert rows["spleen"]["dice"] == ""
    assert {(row["month"], row["model"], row["version"]) for row in rows.values()} == {
        (f"{date.today():%Y-%m}", "104-3mm", "0.1.0")
    }


def test_a_later_sheet_replaces_the_former_one_and_another_result_adds(reviewed: Reviewed, tmp_path: Path):
    for _ in range(2):
        assert reviewed.make_sheet("--keep-edits") == 0
    assert len(kept()) == 4
    assert Reviewed(tmp_path / "second").make_sheet("--keep-edits") == 0
    assert len(kept()) == 8
    assert len({row["review"] for row in kept()}) == 2


def test_a_sheet_of_a_few_structures_replaces_only_theirs(reviewed: Reviewed):
    assert reviewed.make_sheet("--keep-edits") == 0
    whole = kept()
    assert reviewed.make_sheet("--keep-edits", "--structures", "liver,spleen") == 0
    assert sorted(kept(), key=str) == sorted(whole, key=str)


def test_what_somebody_typed_is_on_the_sheet_without_the_patient_and_not_in_the_table(reviewed: Reviewed):
    write_result(
        Path(reviewed.words[0]),
        reviewed.labels,
        GRID,
        more_tags=lambda name: {PREFIX + "Model": "Dataset7_Oswin"} if name.startswith("GTV") else {},
        names=NAMES | {LIVER: "GTV_Quastel1"},
    )
    assert reviewed.make_sheet("--keep-edits") == 0
    text = reviewed.sheet.read_text(encoding="utf-8")
    assert "GTV ***1" in text and "Dataset7_***" in text and "104-3mm" in text
    assert not [word for word in ("Quastel", "Oswin") if word in text]
    assert {(row["structure"], row["model"]) for row in kept()} == {
        ("spleen", "104-3mm"),
        ("kidney_right", "104-3mm"),
        ("other", "own model"),
        ("aorta", "104-3mm"),
    }


def test_nothing_kept_names_a_patient(reviewed: Reviewed, user_data: Path, tmp_path: Path):
    assert reviewed.make_sheet("--keep-edits") == 0
    assert main(["edits", "--report", str(tmp_path / "edits.html"), "--log", str(tmp_path / "log.txt")]) == 0
    identifiers = identifiers_of(reviewed.series) | {"Quastel", "Oswin", "MRN-4471823"}
    texts = [path.read_text(encoding="utf-8") for path in user_data.iterdir()]
    texts += [(tmp_path / name).read_text(encoding="utf-8") for name in ("edits.html", "log.txt")]
    assert len(texts) >= 4
    assert [each for each in identifiers for text in texts if each.lower() in text.lower()] == []
    digest = re.search(r'"digest": "([0-9a-f]+)"', reviewed.sheet.read_text(encoding="utf-8"))[1]
    assert not [text for text in texts if digest[:8] in text], "nor the digest of the series"


def test_a_sheet_is_made_though_the_table_is_damaged(reviewed: Reviewed, user_data: Path, capsys):
    user_data.mkdir()
    edits_file().write_text("a,b\n1,2\n", encoding="utf-8")
    assert reviewed.make_sheet("--keep-edits") == 0
    assert reviewed.sheet.exists()
    assert "warning EXPORT_SHEET_EDITS_NOT_KEPT" in capsys.readouterr().err
    assert edits_file().read_text(encoding="utf-8") == "a,b\n1,2\n"
    assert main(["edits"]) == ERRORS["EDITS_UNREADABLE"].exit_code


def test_only_a_review_sheet_keeps_edits(reviewed: Reviewed, capsys):
    reviewed.words[1] = str(reviewed.sheet.with_suffix(".csv"))
    assert reviewed.make_sheet("--keep-edits", to="volumes") == ERRORS["EXPORT_FORMAT_MISMATCH"].exit_code
    assert error_code(capsys) == "EXPORT_FORMAT_MISMATCH"


# -- over time ---------------------------------------------------------------------------------------------------------

MONTHS = [f"2026-{month:02d}" for month in range(1, 8)]
EDITED = {"liver": [1, 0, 1, 1, 5, 6, 7], "spleen": [3, 3, 2, 3, 3, 2, 3], "aorta": [0] * 7}
"""Of ten reviews a month."""


@pytest.fixture
def followed() -> None:
    for place, month in enumerate(MONTHS):
        for number in range(10):
            rows = []
            for structure, counts in EDITED.items():
                is_edited = number < counts[place]
                row = EditRow(month, f"{place}-{number}", "104-1.5mm", "0.1.0", structure, "approved", is_edited)
                rows.append(row)
            add_edits(edits_file(), rows)


def test_a_rising_rate_is_shown_and_a_steady_one_is_not(followed, tmp_path: Path, capsys):
    assert main(["edits"]) == 0
    lines = {line.split("  ")[0]: line for line in capsys.readouterr().out.splitlines()}
    assert lines["liver"].split() == ["liver", "70", "21", "30", "%", "rising"]
    assert lines["spleen"].split() == ["spleen", "70", "19", "27", "%"]
    assert lines["aorta"].split() == ["aorta", "70", "0", "0", "%"]
    report = tmp_path / "edits.html"
    assert main(["edits", "--report", str(report)]) == 0
    page = report.read_text(encoding="utf-8")
    rising = page[page.index("Rising rates") : page.index("Models and versions")]
    assert "3 of 40 (8 %)" in rising and "18 of 30 (60 %)" in rising
    assert "spleen" not in rising
    assert "70 reviews, 2026-01 to 2026-07: 40 of 210 judged structures changed (19 %)." in page
    assert "7/10" in page and not re.search(r"<script|<link|https?://(?!www\.w3\.org)", page)


def test_deleting_leaves_nothing(followed, user_data: Path, capsys):
    assert edits_file().exists()
    assert main(["edits", "--delete"]) == 0
    assert list(user_data.iterdir()) == []
    assert main(["edits"]) == ERRORS["EDITS_NONE"].exit_code
    assert error_code(capsys) == "EDITS_NONE"
