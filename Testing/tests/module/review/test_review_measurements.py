"""Volumes and CT numbers as a table, a chart and a file."""

from __future__ import annotations

import csv

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import numpy as np
import slicer
import vtk
from review_support import ReviewUser


@pytest.fixture
def figures(ready):
    return ready.user.ui.review_figures


def only(node_class: str):
    nodes = [node for node in slicer.util.getNodesByClass(node_class) if not node.GetHideFromEditors()]
    assert len(nodes) == 1, [node.GetName() for node in nodes]
    return nodes[0]


def table() -> dict[str, dict[str, str]]:
    """The cells of the only table by structure and heading."""
    node = only("vtkMRMLTableNode")
    titles = [node.GetColumnTitle(node.GetColumnName(n)) for n in range(node.GetNumberOfColumns())]
    rows = [[node.GetCellText(row, n) for n in range(len(titles))] for row in range(node.GetNumberOfRows())]
    return {cells[0]: dict(zip(titles, cells, strict=True)) for cells in rows}


def bars(series_name: str) -> dict[str, tuple[float, float]]:
    """Where the bars of one series begin and end, by structure."""
    series = next(
        node for node in slicer.util.getNodesByClass("vtkMRMLPlotSeriesNode") if node.GetName() == series_name
    )
    content = series.GetTableNode().GetTable()
    names = content.GetColumnByName(series.GetLabelColumnName())
    values = content.GetColumnByName(series.GetXColumnName())
    found = {}
    for row in range(0, content.GetNumberOfRows(), 3):
        ends = values.GetValue(row), values.GetValue(row + 1)
        if not np.isnan(ends[0]):
            found[names.GetValue(row)] = ends
    return found


def test_the_table_shows_values_beside_published_ranges_in_a_view_that_goes_again(ready, figures):
    manager = slicer.app.layoutManager()
    before = manager.layout
    ready.app.click(figures.tableButton)
    assert manager.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpTableView
    rows = table()
    assert set(rows) == {"spleen", "kidney right", "kidney left", "gallbladder", "liver", "stomach"}
    volume = ready.cells("kidney right")[3]
    kidney = rows["kidney right"]
    assert kidney["Volume (ml)"] == volume and kidney["Published (ml)"] == "52 to 261"
    assert (kidney["Mean HU"], kidney["Usual HU"]) == ("40", "-20 to 350")
    assert (kidney["Remark"], kidney["Status"]) == ("Wrong?", "Not reviewed")
    assert "autopsy" in kidney["Source of the published volume"] and "Prokop" in kidney["Source of the usual HU"]
    assert rows["stomach"]["Published (ml)"] == rows["stomach"]["Source of the usual HU"] == ""
    selection = slicer.app.applicationLogic().GetSelectionNode()
    assert selection.GetActiveTableID() == only("vtkMRMLTableNode").GetID()
    ready.app.click(figures.chartButton)
    assert manager.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpPlotView
    ready.app.click(figures.chartButton)
    assert manager.layout == before


def test_the_table_follows_the_review_and_is_not_made_twice(ready, figures):
    ready.app.click(figures.tableButton)
    only("vtkMRMLTableNode").SetName("My table")
    ready.click_row("kidney right")
    ready.press("A")
    ready.wait(lambda: table()["kidney right"]["Status"] == "Approved")
    ready.app.click(figures.tableButton)
    ready.app.click(figures.tableButton)
    assert only("vtkMRMLTableNode").GetName() == "My table"
    slicer.mrmlScene.RemoveNode(only("vtkMRMLTableNode"))
    ready.app.click(figures.tableButton)
    assert "volumes and CT numbers" in only("vtkMRMLTableNode").GetName()


def test_new_measurements_are_shown(ready, figures):
    from TotalSegmentatorModuleLib.tags.segment_tags import read_json_tag, write_json_tag
    from TotalSegmentatorModuleLib.tags.structure_measures import MEASURES_TAG

    ready.app.click(figures.chartButton)
    ready.app.click(figures.tableButton)
    content = read_json_tag(ready.segment("liver"), MEASURES_TAG)
    write_json_tag(ready.segment("liver"), MEASURES_TAG, content | {"volume_ml": 1500.0, "mean_hu": 60.0})
    ready.wait(lambda: table()["liver"]["Volume (ml)"] == "1500")
    assert table()["liver"]["Mean HU"] == "60"
    ready.wait(lambda: bars("Within the range").get("liver", (0, 0))[1] == 1500.0)
    assert "liver" not in bars("Outside the range")


def test_the_chart_has_a_bar_and_a_range_for_each_published_structure(ready, figures):
    ready.app.click(figures.chartButton)
    volume = float(ready.cells("kidney right")[3])
    published = bars("Published range")
    assert published == {
        "kidney right": (52, 261),
        "kidney left": (52, 261),
        "spleen": (41, 374),
        "liver": (738, 2461),
    }
    shown = {name: bars(name) for name in ("Within the range", "Outside the range", "Cut by the scan")}
    assert set(shown["Outside the range"]) == {"liver"}
    assert sorted(name for each in shown.values() for name in each) == sorted(published)
    assert all(end[1] == pytest.approx(volume, abs=0.5) for each in shown.values() for end in each.values())
    chart = only("vtkMRMLPlotChartNode")
    assert chart.GetXAxisLogScale() and chart.GetXAxisRange() == (20.0, 5000.0)
    axis = slicer.app.layoutManager().plotWidget(0).plotView().chart().GetAxis(vtk.vtkAxis.LEFT)
    labels = axis.GetTickLabels()
    assert [labels.GetValue(n) for n in range(labels.GetNumberOfValues())] == [*reversed(published)]


def test_table_and_chart_are_found_again_in_a_saved_scene(ready, figures, tmp_path):
    ready.app.click(figures.chartButton)
    ready.app.click(figures.tableButton)
    before = table()
    ready.app.save_scene(tmp_path / "scene")
    ready.app.close_scene()
    assert not figures.tableButton.enabled
    ready.app.load_scene(tmp_path / "scene" / "scene.mrml")
    ready.settle()
    ready.user.ui.review.segmentationSelector.setCurrentNode(slicer.util.getNodesByClass("vtkMRMLSegmentationNode")[0])
    ready.wait(lambda: figures.tableButton.enabled)
    ready.app.click(figures.tableButton)
    ready.app.click(figures.chartButton)
    assert table() == before
    assert only("vtkMRMLPlotChartNode").GetNumberOfPlotSeriesNodes() == 4


def test_the_file_has_numbers_ranges_and_remarks(ready, figures, tmp_path):
    path = tmp_path / "volumes.csv"
    with ready.app.dialog_answers(str(path)):
        ready.app.click(figures.csvButton)
    with path.open(encoding="utf-8", newline="") as stream:
        rows = {row["name"]: row for row in csv.DictReader(stream)}
    kidney = rows["kidney right"]
    assert float(kidney["volume_ml"]) == pytest.approx(float(ready.cells("kidney right")[3]), abs=0.5)
    assert (kidney["usual_low_ml"], kidney["usual_high_ml"], kidney["usual_low_hu"]) == ("52", "261", "-20")
    assert (kidney["tg263"], kidney["mean_hu"], kidney["level"]) == ("Kidney~_R", "40.5", "wrong")
    assert kidney["remarks"] and kidney["review_state"] == "unreviewed"
    assert rows["stomach"]["usual_low_ml"] == rows["stomach"]["volume_source"] == ""
    with ready.app.dialog_answers(str(tmp_path / "missing" / "volumes.csv")):
        ready.app.click(figures.csvButton)
    assert figures.figuresHintLabel.visible and "cannot be written" in figures.figuresHintLabel.text


def test_without_measurements_there_is_nothing_to_show(user):
    reviewer = ReviewUser(user)
    reviewer.ct = user.add_ct(np.full((20, 20, 20), 40, np.int16))
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Drawn")
    node.GetSegmentation().AddEmptySegment("mine")
    reviewer.ui.segmentationSelector.setCurrentNode(node)
    reviewer.settle()
    ui = user.ui.review_figures
    assert [ui.tableButton.enabled, ui.chartButton.enabled, ui.csvButton.enabled] == [False] * 3


def test_updates_that_wait_are_dropped_with_their_segmentation(ready, figures):
    from TotalSegmentatorModuleLib.figures.measurement_buttons import MeasurementButtons

    ready.app.click(figures.tableButton)
    before = table()
    buttons = MeasurementButtons(figures)
    buttons.show(ready.node, ready.panel.review.contents[1][:1])
    buttons.show(None, [])
    ready.settle()
    buttons.close()
    assert table() == before
    assert not ready.app.errors
