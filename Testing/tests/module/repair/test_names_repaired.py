"""Vertebrae that are swapped or numbered wrong, repaired by clicks and taken back voxel for voxel."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from repair_support import TABLE, RepairUser, centre_of, labels_of, tag_of
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.tables.review_state import ReviewState
from TotalSegmentatorWire.tables.structures import known_structures

RUN = [f"vertebrae_{short}" for short in ("T8", "T9", "T10", "T11", "T12", "L1", "L2", "L3")]
"""Of which the phantom's field of view shows some."""


@pytest.fixture
def reviewer(user):
    return RepairUser(user)


@pytest.fixture
def swapped(reviewer):
    return reviewer.add_swapped()


def test_a_swapped_pair_is_repaired_and_the_repair_undone(reviewer, swapped):
    before = reviewer.everything()
    reviewer.click_row("vertebrae T10")
    reviewer.click_repair("Swap...")
    text = reviewer.repair_ui.repairLabel.text
    assert text.startswith("Vertebrae T10 becomes vertebrae T11, vertebrae T11 becomes vertebrae T10.")
    assert reviewer.everything() == before  # nothing changes before the user agrees

    modified = []
    tags = [reviewer.node.AddObserver(slicer.vtkSegmentation.SegmentModified, lambda *_: modified.append(1))]
    reviewer.app.click(reviewer.repair_ui.applyRepairButton)
    reviewer.node.RemoveObserver(tags[0])
    assert len(modified) == 1
    assert not reviewer.repair_ui.repairFrame.visible
    for name, mask in swapped.items():
        assert np.array_equal(reviewer.mask(name), mask)
        assert reviewer.state(name) is ReviewState.EDITED
        assert reviewer.segment(name).GetName() == name.replace("_", " ")
    assert reviewer.state("liver") is ReviewState.UNREVIEWED
    names = reviewer.node.GetSegmentation()
    assert names.GetSegment("vertebrae_T10").GetRepresentation("Binary labelmap") is names.GetSegment(
        "liver"
    ).GetRepresentation("Binary labelmap")  # still one shared image
    reviewer.click_row("vertebrae T10")
    assert reviewer.remarks()[0].startswith("Changed, not checked again: vertebrae T10 lies below")
    assert reviewer.repair_buttons() == []
    assert "The scan ends within vertebrae T10 (above)." in reviewer.remarks()  # it went with the voxels

    reviewer.press("Ctrl+Z")
    assert reviewer.everything() == before
    assert not reviewer.ui.undoButton.enabled
    assert reviewer.chosen == "vertebrae T10"
    assert reviewer.repair_buttons() == ["Swap..."]


def surface_of(reviewer, name: str):
    return reviewer.segment(name).GetRepresentation("Closed surface")


def test_surfaces_and_layers_of_their_own_go_with_the_bone(reviewer, swapped):
    drawn = swapped["vertebrae_T11"].copy()  # what T10 bears now, reaching into the liver as a layer of its own
    drawn |= reviewer.mask("liver")
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        drawn.astype(np.uint8), reviewer.node, "vertebrae_T10", reviewer.ct
    )
    assert reviewer.node.GetSegmentation().GetNumberOfLayers() == 2
    reviewer.node.CreateClosedSurfaceRepresentation()
    surfaces = {name: surface_of(reviewer, name) for name in swapped}
    before = reviewer.everything()
    reviewer.click_row("vertebrae T10")
    reviewer.click_repair("Swap...")
    reviewer.app.click(reviewer.repair_ui.applyRepairButton)
    assert np.array_equal(reviewer.mask("vertebrae_T11"), drawn)
    assert np.array_equal(reviewer.mask("vertebrae_T10"), swapped["vertebrae_T10"])
    assert surface_of(reviewer, "vertebrae_T11") is surfaces["vertebrae_T10"]
    assert surface_of(reviewer, "vertebrae_T10") is surfaces["vertebrae_T11"]
    assert reviewer.node.GetSegmentation().GetNumberOfLayers() == 2
    reviewer.press("Ctrl+Z")
    assert reviewer.everything() == before
    assert {name: surface_of(reviewer, name) for name in swapped} == surfaces


def test_a_kidney_on_the_wrong_side_without_a_partner_gets_the_other_name(reviewer):
    labels = labels_of("kidney_left", "liver")
    true = labels == TABLE["kidney_left"]
    labels[true] = TABLE["kidney_right"]
    flag = Flag("wrong_side", Level.WRONG, "kidney_right", (), centre_of(true), {"distance_mm": 60})
    reviewer.add_phantom(labels, [flag])
    before = reviewer.everything()
    reviewer.click_row("kidney right")
    reviewer.click_repair("Swap...")
    assert reviewer.repair_ui.repairLabel.text.startswith(
        "Kidney right becomes kidney left. New segment: kidney left. Segment that goes: kidney right."
    )
    reviewer.app.click(reviewer.repair_ui.applyRepairButton)
    reviewer.settle()
    assert reviewer.segment("kidney_right") is None
    assert np.array_equal(reviewer.mask("kidney_left"), true)
    reviewer.press("Ctrl+Z")
    reviewer.settle()
    assert reviewer.everything() == before


def test_cancel_and_another_row_leave_everything_as_it_was(reviewer, swapped):
    before = reviewer.everything()
    reviewer.click_row("vertebrae T10")
    reviewer.click_repair("Swap...")
    reviewer.app.click(reviewer.repair_ui.cancelRepairButton)
    assert not reviewer.repair_ui.repairFrame.visible
    reviewer.click_repair("Swap...")
    reviewer.click_row("missing: aorta")
    assert not reviewer.repair_ui.repairFrame.visible
    assert reviewer.everything() == before
    assert not reviewer.ui.undoButton.enabled


def test_what_was_edited_after_the_words_were_shown_is_not_repaired_unasked(reviewer, swapped):
    reviewer.click_row("vertebrae T10")
    reviewer.click_repair("Swap...")
    reviewer.segment("vertebrae_T11").SetName("eleven")
    before = reviewer.everything()
    reviewer.app.click(reviewer.repair_ui.applyRepairButton)
    assert reviewer.repair_ui.repairLabel.text == ("The segmentation has changed meanwhile. Choose the repair again.")
    assert not reviewer.repair_ui.applyRepairButton.visible
    assert reviewer.everything() == before


def test_a_judgement_after_the_repair_is_undone_first(reviewer, swapped):
    before = reviewer.everything()
    reviewer.click_row("vertebrae T10")
    reviewer.click_repair("Swap...")
    reviewer.app.click(reviewer.repair_ui.applyRepairButton)
    reviewer.click_row("vertebrae T10")
    reviewer.press("A")
    assert reviewer.state("vertebrae_T10") is ReviewState.APPROVED
    reviewer.press("Ctrl+Z")
    assert reviewer.state("vertebrae_T10") is ReviewState.EDITED
    reviewer.press("Ctrl+Z")
    assert reviewer.everything() == before


def test_what_was_drawn_after_the_repair_goes_back_with_the_bone(reviewer, swapped):
    reviewer.click_row("vertebrae T10")
    reviewer.click_repair("Swap...")
    reviewer.app.click(reviewer.repair_ui.applyRepairButton)
    edited = reviewer.mask("vertebrae_T10")
    edited[:, :, : edited.shape[2] // 2] = False
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        edited.astype(np.uint8), reviewer.node, "vertebrae_T10", reviewer.ct
    )
    reviewer.press("Ctrl+Z")
    assert np.array_equal(reviewer.mask("vertebrae_T11"), edited)
    assert np.array_equal(reviewer.mask("vertebrae_T10"), swapped["vertebrae_T11"])


def test_a_run_is_renumbered_with_a_new_segment_and_the_renumbering_undone(reviewer):
    present = [name for name in RUN if (labels_of(name) > 0).any()][:-1]
    assert len(present) > 4
    labels = labels_of(*present, "liver")
    new = [RUN[RUN.index(name) + 1] for name in present]
    shown = {name: name.removeprefix("vertebrae_") for name in RUN}
    numbers = {
        "shift": 1, "pairs_used": 5, "pairs_agreeing": 5, "first": shown[present[0]], "last": shown[present[-1]],
        "new_first": shown[new[0]], "new_last": shown[new[-1]],
    }  # fmt: skip
    place = centre_of(labels == TABLE[present[0]])
    reviewer.add_phantom(
        labels, [Flag("numbering_shifted", Level.WRONG, present[0], tuple(present[1:]), place, numbers)]
    )
    before = reviewer.everything()
    reviewer.click_row(present[0].replace("_", " "))
    reviewer.click_repair("Renumber...")
    text = reviewer.repair_ui.repairLabel.text
    assert text.startswith(f"Vertebrae {shown[present[0]]} becomes vertebrae {shown[new[0]]}, ")
    assert f"vertebrae {shown[present[-1]]} becomes vertebrae {shown[new[-1]]}. New segment: vertebrae" in text
    assert f"Segment that goes: vertebrae {shown[present[0]]}." in text

    shown_anew = []
    tag = reviewer.node.AddObserver(reviewer.node.DisplayModifiedEvent, lambda *_: shown_anew.append(1))
    reviewer.app.click(reviewer.repair_ui.applyRepairButton)
    reviewer.settle()
    reviewer.node.RemoveObserver(tag)
    assert len(shown_anew) == 1  # all structures are not shown on the way from the segment that goes to the new one
    for old, name in zip(present, new, strict=True):
        assert np.array_equal(reviewer.mask(name), labels == TABLE[old])
        assert reviewer.state(name) is ReviewState.EDITED
    assert reviewer.segment(present[0]) is None
    made, neighbour = reviewer.segment(new[-1]), reviewer.segment(new[-2])
    row = known_structures()[new[-1]]
    assert made.GetName() == row.display_name
    assert tuple(round(channel * 255) for channel in made.GetColor()) == row.colour
    assert tag_of(made, "TerminologyEntry") == row.terminology
    for tag in ("TotalSegmentatorModule.Model", "DICOM.SegmentAlgorithmName", "DICOM.SegmentAlgorithmType"):
        assert tag_of(made, tag) == tag_of(neighbour, tag) != ""
    assert tag_of(made, "TotalSegmentatorModule.VoxelDigest") == ""  # the engine did not make it
    ids = reviewer.node.GetSegmentation().GetSegmentIDs()
    assert ids.index(new[-1]) == ids.index(new[-2]) - 1  # as the label table has them
    assert reviewer.chosen == new[0].replace("_", " ")

    reviewer.press("Ctrl+Z")
    reviewer.settle()
    assert reviewer.everything() == before
    assert list(reviewer.node.GetSegmentation().GetSegmentIDs()) == list(before)


def test_a_number_that_no_model_has_is_not_offered(reviewer):
    flag = Flag("ribs_misnumbered", Level.WRONG, "vertebrae_L5", (), None, {"shift": 2, "vertebra": "L5", "new": 26})
    reviewer.add_phantom(labels_of("vertebrae_L5", "vertebrae_L4"), [flag])
    reviewer.click_row("vertebrae L5")
    assert reviewer.repair_buttons() == []


def test_a_repair_fits_into_a_narrow_panel(reviewer, swapped):
    reviewer.click_row("vertebrae T10")
    reviewer.click_repair("Swap...")
    assert reviewer.repair_ui.repairFrame.minimumSizeHint.width() <= 350  # of 370 px, without margins
