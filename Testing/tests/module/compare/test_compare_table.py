"""The result of a comparison: the sentence and the table in the panel, which are copied and saved."""

from __future__ import annotations

from pathlib import Path

import fake_export
import pytest
import slicer

COLUMNS = fake_export.TABLE.splitlines()[0]
EMPTY_ROWS = """\
spleen,Spleen,0.0000,,,180.0000,0.0000,180.0000,
liver,Liver,,,,0.0000,0.0000,0.0000,
"""


def shown(comparer) -> list[list[str]]:
    table = comparer.ui.compare_table.resultTable
    items = [[table.item(row, column) for column in range(table.columnCount)] for row in range(table.rowCount)]
    return [[item.text() for item in row if item is not None] for row in items]


def tool_tips(comparer) -> list[str]:
    table = comparer.ui.compare_table.resultTable
    return [table.item(row, 1).toolTip() for row in range(table.rowCount)]


def compare_with(comparer, rows: str) -> None:
    (comparer.folder / "table.csv").write_text(f"{COLUMNS}\n{rows}", encoding="utf-8")
    comparer.compare()
    assert comparer.error_code == "", comparer.describe()


def test_panel_shows_the_worst_first_and_says_what_is_missing(ready):
    assert not ready.ui.compare_table.comparisonWidget.visible
    ready.compare()

    assert ready.ui.compare_table.comparisonWidget.visible
    said = ready.ui.compare_table.sidesLabel.text
    assert said == "{} compared with RS of the department.dcm:".format(ready.node.GetName())
    assert shown(ready) == [
        ["kidney_right", "0.810", "7.5", "+25.0"],
        ["spleen", "0.951", "2.5", "−5.2"],
        ["kidney_left", "only in the segmentation"],
        ["PTV, boost", "only in the other"],
    ]
    assert tool_tips(ready)[1].splitlines() == [
        "spleen compared with Spleen",
        "Dice: 0.951",
        "95 % Hausdorff distance: 2.5 mm",
        "Mean surface distance: 0.4 mm",
        "Surface Dice at 2 mm: 0.987",
        "Added path length: 96 mm",
        "Volumes: 180 ml and 190 ml (−10 ml, −5.2 %)",
    ]
    assert tool_tips(ready)[3].splitlines() == ["PTV, boost", "Volume: 55.5 ml", "Only in the other."]


def test_missing_values_are_dashes_with_a_reason(ready):
    compare_with(ready, EMPTY_ROWS)

    assert shown(ready) == [["spleen", "0.000", "–", "–"], ["liver", "–", "–", "–"]]
    assert [tool_tip.splitlines()[-1] for tool_tip in tool_tips(ready)] == [
        "No voxels in the other.",
        "No voxels in either of them.",
    ]
    (node,) = ready.tables
    texts = [node.GetTable().GetColumn(column).GetValue(row) for column in range(12) for row in range(2)]
    assert not [text for text in texts if "nan" in text.lower()]


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ("spleen,Spleen,0.9,1,1,1,1,0,0\n", "1 structure compared: Dice 0.900 (spleen)."),
        ("spleen,Spleen,,,,0,0,0,\n", "None of the structures contains any voxels."),
        (
            "b,B,0.7,1,1,1,1,0,0\na,A,0.9,1,1,1,1,0,0\nc,,,,,2,,,\n",
            "2 structures compared: mean Dice 0.800, lowest 0.700 (b). Without a counterpart: 1.",
        ),
    ],
)
def test_summary_is_short(ready, rows: str, text: str):
    compare_with(ready, rows)
    assert ready.task_ui.resultLabel.text == text


def test_copied_table_can_be_pasted_into_a_spreadsheet(ready):
    ready.compare()
    ready.app.click(ready.ui.compare_table.copyButton)
    lines = [line.split("\t") for line in slicer.app.clipboard().text().splitlines()]

    assert lines[0][:4] == ["Segmentation", "Compared with", "Dice", "95 % Hausdorff distance (mm)"]
    assert lines[1] == [
        "kidney_right",
        "Kidney_R",
        "0.810",
        "7.5",
        "1.2",
        "0.654",
        "812",
        "150",
        "120",
        "+30",
        "+25.0",
        "",
    ]
    assert lines[4] == ["", "PTV, boost", *[""] * 6, "55.5", "", "", "only in the other"]
    assert {len(line) for line in lines} == {12}


def test_saved_table_is_the_programs_own(ready, tmp_path):
    ready.compare()
    path = tmp_path / "agreement.csv"
    with ready.app.dialog_answers(str(path)):
        ready.app.click(ready.ui.compare_table.saveButton)

    assert path.read_bytes().decode("utf-8") == fake_export.TABLE.replace("\n", "\r\n")
    with ready.app.dialog_answers(""):  # the dialog was cancelled
        ready.app.click(ready.ui.compare_table.saveButton)
    assert ready.error_code == ""


def test_table_that_cannot_be_saved_is_reported_and_stays(ready, tmp_path):
    ready.compare()
    folder = tmp_path / "agreement.csv"
    folder.mkdir()
    with ready.app.dialog_answers(str(folder)):
        ready.app.click(ready.ui.compare_table.saveButton)

    assert ready.error_code == "OUTPUT_NOT_WRITABLE"
    assert [path for path in Path(tmp_path).iterdir() if path.name.endswith(".part")] == []
    assert len(shown(ready)) == 4


def test_next_comparison_takes_the_old_table_away(ready):
    ready.compare()
    ready.acts("fail")
    ready.compare()

    assert ready.error_code == "EXPORT_SEGMENT_EMPTY"
    assert not ready.ui.compare_table.comparisonWidget.visible


def test_next_table_has_rows_of_its_own(ready):
    compare_with(ready, "a,,,,,1,,,\n")
    table = ready.ui.compare_table.resultTable
    assert table.columnSpan(0, 1) == 3
    compare_with(ready, "b,B,0.7,1,1,1,1,0,0\na,,,,,1,,,\n")
    assert [table.columnSpan(row, 1) for row in range(2)] == [1, 3]
    assert shown(ready) == [["b", "0.700", "1.0", "0.0"], ["a", "only in the segmentation"]]


def test_long_table_scrolls(ready):
    ready.app.resize_window(870, 768)
    ready.app.set_panel_width(370)
    rows = "".join(f"structure with a long name {n},x,0.{n:03d},1,1,1,1,0,0\n" for n in range(1, 60))
    compare_with(ready, rows)
    ready.app.process_events()

    table = ready.ui.compare_table.resultTable
    assert table.rowCount == 59
    assert table.height < 250
    assert ready.app.panel_width == 370
    assert ready.app.cut_off() == []
