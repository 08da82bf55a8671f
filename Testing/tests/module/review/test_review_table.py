"""The table of the Review section: likely faults first, what each row says, what is found in it."""

from __future__ import annotations

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from review_support import FIRST_SIX
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.tables.review_state import ReviewState


def test_a_new_result_is_opened_with_likely_faults_first(ready):
    assert not ready.ui.collapsibleButton.collapsed
    assert ready.groups() == ["Wrong? (1)", "Check (2)", "Cut by the scan (1; 1 more above)", "No remarks (3)"]
    assert ready.rows() == ["kidney right", "gallbladder", "missing: aorta"]
    assert ready.ui.headlineLabel.text == "1 wrong?, 2 to check, 2 cut by the scan"
    assert ready.ui.progressLabel.text == "0 of 7 judged"


def test_a_new_result_scrolls_the_section_into_sight(reviewer):
    reviewer.app.resize_window(1024, 700)
    reviewer.add_result(height=700)
    area = reviewer.ui.collapsibleButton.parent()
    while not area.inherits("QScrollArea"):
        area = area.parent()
    reviewer.wait(lambda: area.verticalScrollBar().value > 0)
    assert not reviewer.tree.visibleRegion().isEmpty()


def test_a_row_says_what_the_engine_measured(ready):
    ready.open_group("Cut by")
    _state, _level, name, volume, hu, dice = ready.cells("spleen")
    assert (name, hu, dice) == ("spleen", "40", "0.98")
    voxels = slicer.util.arrayFromSegmentBinaryLabelmap(ready.node, "spleen", ready.ct) != 0
    assert float(volume) == pytest.approx(voxels.sum() * 4 * 4 * 2.5 / 1000, abs=0.5)


def test_numbers_tell_the_published_range_and_its_source(ready):
    def tool_tip(name: str, column: int) -> str:
        index = ready.index(name)
        return index.sibling(index.row(), column).data(qt.Qt.ToolTipRole) or ""

    import qt

    ready.open_group("Cut by")
    ready.open_group("No remarks")
    volume = ready.cells("liver")[3]
    assert tool_tip("liver", 3).startswith(f"{volume} ml. Published for adults: 738 to 2461 ml (autopsy of adults")
    assert "only a part" not in tool_tip("liver", 3)
    assert tool_tip("spleen", 3).endswith("The scan shows only a part of this structure.")
    assert tool_tip("liver", 4).startswith("Mean of 40 HU. This tissue can have -20 to 250 HU (unenhanced")
    assert tool_tip("gallbladder", 4).startswith("Mean of 40 HU. This tissue can have at least -40 HU")
    assert tool_tip("gallbladder", 3) == ""  # none is published
    assert "does not say how good this result is" in tool_tip("liver", 5)


def test_a_search_without_a_hit_says_so(ready):
    ready.ui.filterLineEdit.setText("tibia")
    ready.settle()
    assert ready.rows() == []
    assert ready.ui.hintLabel.text == "No structure fits what the boxes above ask for."
    ready.ui.filterLineEdit.setText("")
    assert not ready.ui.hintLabel.visible
    assert ready.rows()


def test_columns_with_nothing_in_them_make_room(ready):
    assert not ready.tree.isColumnHidden(5)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "by hand")
    node.GetSegmentation().AddEmptySegment("lesion", "lesion")
    ready.ui.segmentationSelector.setCurrentNode(node)
    ready.settle()
    assert ready.rows() == ["lesion"]
    assert ready.tree.isColumnHidden(3)
    assert ready.tree.isColumnHidden(4)
    assert ready.tree.isColumnHidden(5)


def test_a_missing_structure_has_a_row_and_can_be_judged(ready):
    assert ready.cells("missing: aorta") == ["", "", "missing: aorta", "", "", ""]
    ready.click_row("missing: aorta")
    assert not ready.ui.editButton.enabled
    ready.app.click(ready.ui.approveButton)
    assert ready.ui.progressLabel.text == "1 of 7 judged"
    assert ready.groups()[1] == "Check (2), 1 open"


def test_headings_open_and_close_by_a_click(ready):
    ready.open_group("No remarks")
    assert ready.rows()[-3:] == ["kidney left", "liver", "stomach"]
    ready.open_group("Wrong?")
    assert "kidney right" not in ready.rows()
    ready.set_state("liver", ReviewState.APPROVED)
    assert "kidney right" not in ready.rows() and "liver" in ready.rows()


def test_a_result_that_nobody_checked_says_so(reviewer):
    reviewer.add_result(flags=None)
    assert reviewer.ui.headlineLabel.text == "Not checked for likely faults"
    assert reviewer.groups() == ["Not checked (6)"]
    assert reviewer.rows() == list(FIRST_SIX)
    assert not reviewer.ui.approveAllButton.visible


def test_a_checked_result_without_remarks_says_so(reviewer):
    reviewer.add_result(flags=())
    assert reviewer.ui.headlineLabel.text == "No remarks"
    assert reviewer.groups() == ["No remarks (6)"]


def test_a_long_list_is_filled_in_steps_and_at_once_where_it_is_needed(reviewer):
    node = reviewer.add_result(flags=None, count=60)
    reviewer.wait(lambda: len(reviewer.rows()) == 60)
    assert reviewer.rows()[:6] == list(FIRST_SIX)
    last = reviewer.rows()[-1]
    for step in ("key", "sorting"):
        reviewer.ui.segmentationSelector.setCurrentNode(None)
        reviewer.ui.segmentationSelector.setCurrentNode(node)
        assert 0 < len(reviewer.rows()) < 60
        if step == "key":
            reviewer.app.click(reviewer.ui.previousButton)
            assert reviewer.chosen == last
        else:
            reviewer.tree.header().sectionClicked.emit(2)
            reviewer.wait(lambda: len(reviewer.rows()) == 60)
            assert reviewer.rows() == sorted(reviewer.rows(), key=str.casefold)


def test_words_find_rows_below_closed_headings_too(ready):
    ready.ui.filterLineEdit.setText("kidney")
    ready.settle()
    assert ready.rows() == ["kidney right", "kidney left"]
    assert ready.groups() == ["Wrong? (1)", "No remarks (1 of 3)"]
    ready.ui.filterLineEdit.setText("")
    ready.settle()
    assert ready.rows() == ["kidney right", "gallbladder", "missing: aorta"]


def test_filters_by_remark_status_and_group(ready):
    ready.choose(ready.ui.levelComboBox, "Cut by the scan")
    assert ready.rows() == ["spleen"]
    ready.choose(ready.ui.levelComboBox, "Any remark")
    ready.set_state("gallbladder", ReviewState.APPROVED)
    ready.choose(ready.ui.stateComboBox, "Still open")
    assert ready.rows() == ["kidney right", "missing: aorta"]
    ready.choose(ready.ui.stateComboBox, "Approved")
    assert ready.rows() == ["gallbladder"]
    ready.choose(ready.ui.stateComboBox, "Any status")
    ready.choose(ready.ui.groupComboBox, "Vessels")
    assert ready.rows() == ["missing: aorta"]


def test_rows_are_sorted_below_their_headings(ready):
    ready.open_group("No remarks")
    header = ready.tree.header()
    header.sectionClicked.emit(2)
    ready.settle()
    assert ready.rows() == ["kidney right", "missing: aorta", "gallbladder", "kidney left", "liver", "stomach"]
    header.sectionClicked.emit(2)
    ready.settle()
    assert ready.rows() == ["kidney right", "gallbladder", "missing: aorta", "stomach", "liver", "kidney left"]
    header.sectionClicked.emit(5)
    ready.settle()
    assert [ready.cells(name)[5] for name in ready.rows()[-3:]] == sorted(
        ready.cells(name)[5] for name in ("kidney left", "liver", "stomach")
    )


def test_names_of_tg263_mark_what_the_scan_cuts(ready):
    ready.app.click(ready.ui.tg263Button)
    assert ready.rows() == ["Kidney~_R", "Gallbladder", "missing: A_Aorta"]
    ready.app.click(ready.ui.tg263Button)
    assert ready.rows()[0] == "kidney right"


def test_remarks_stand_below_in_words_the_worst_first(ready):
    ready.click_row("kidney right")
    assert ready.remarks() == [
        "A coarser model finds another shape of kidney right: 9 ml lie more than 6 mm apart.",
        "The scan ends within kidney right (below).",
    ]
    assert ready.ui.structureLabel.text == "kidney right: not reviewed"


def test_more_remarks_than_places_are_all_shown(reviewer):
    flags = [Flag("cut_by_scan", Level.CHECK, "liver", (), None, {"sides": str(number)}) for number in range(9)]
    reviewer.add_result(flags=flags)
    reviewer.click_row("liver")
    assert all(f"({number})" in " ".join(reviewer.remarks()) for number in range(9))
    assert len(reviewer.remarks()) == len(reviewer.user.ui.review_remarks)


def test_a_rule_of_another_version_shows_the_engines_sentence(reviewer):
    reviewer.add_result(flags=[Flag("rule_of_tomorrow", Level.CHECK, "liver", (), None, {})])
    reviewer.click_row("liver")
    assert reviewer.remarks() == ["Remark on liver."]


def test_a_sentence_begins_with_a_capital_letter(reviewer):
    numbers = {"pieces": 3, "expected": 1}
    reviewer.add_result(flags=[Flag("divided", Level.CHECK, "liver", (), None, numbers)])
    reviewer.click_row("liver")
    assert reviewer.remarks() == ["Liver is in 3 large parts where at most 1 is usual."]


def test_without_a_remark_that_is_said(ready):
    ready.open_group("No remarks")
    ready.click_row("liver")
    assert ready.remarks() == ["The check for likely faults has no remark on this structure."]


def test_a_repair_has_a_button_beside_its_remark(ready):
    from TotalSegmentatorModuleLib.review.details import RepairOffer

    asked, started = [], []

    def offer(node, row, shown):
        asked.append((node, row.key, shown.flag.rule))
        if shown.flag.rule != "second_opinion":
            return None
        return RepairOffer("Smooth...", "Makes it smooth.", lambda: started.append(row.key))

    ready.panel.review.set_repairs(offer)
    ready.click_row("kidney right")
    first, second = (ui.repairButton for ui in ready.user.ui.review_remarks[:2])
    assert (first.text, first.toolTip) == ("Smooth...", "Makes it smooth.")
    assert not second.visible
    ready.app.click(first)
    assert started == ["kidney_right"]
    assert (ready.node, "kidney_right", "cut_by_scan") in asked
