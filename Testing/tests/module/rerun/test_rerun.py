"""Some structures of a review are computed again: what is replaced, what is not, and how it is taken back.

The fake engine finds the spleen where there is soft tissue and the right kidney where there is air.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from job_support import soft_tissue_with_air
from panel_support import folders_of
from review_support import SHAPE, ReviewUser
from time_bounds import READY_SECONDS
from TotalSegmentatorWire.tables.review_state import ReviewState

CT = soft_tissue_with_air(SHAPE)
COMPUTED = {"spleen": CT > 0, "kidney_right": CT < -500}


class RerunUser(ReviewUser):
    """Runs structures again by clicks."""

    @property
    def rerun(self):
        return self.user.ui.review_rerun

    def scopes(self) -> list[str]:
        combo = self.rerun.scopeComboBox
        return [combo.itemText(index) for index in range(combo.count)]

    def start(self, scope: str) -> None:
        """Open the choice if it is not open, and run the job."""
        if not self.rerun.rerunFrame.visible:
            self.app.click(self.rerun.rerunButton)
        self.choose(self.rerun.scopeComboBox, scope)
        self.app.click(self.rerun.runButton)

    def run(self, scope: str) -> str:
        """Returns what the panel says afterwards."""
        self.start(scope)
        self.user.wait_until_ready()
        self.settle()
        return self.user.ui.messages.resultLabel.text

    def voxels(self, segment_id: str) -> np.ndarray:
        return slicer.util.arrayFromSegmentBinaryLabelmap(self.node, segment_id, self.ct) != 0

    def all_voxels(self) -> dict[str, np.ndarray]:
        return {each: self.voxels(each) for each in self.node.GetSegmentation().GetSegmentIDs()}


@pytest.fixture
def ready(user):
    reviewer = RerunUser(user)
    reviewer.ct = user.add_ct(CT)
    user.plan()
    reviewer.add_result()
    reviewer.open_group("Cut by the scan")
    reviewer.open_group("No remarks")
    return reviewer


def assert_same(before: dict[str, np.ndarray], after: dict[str, np.ndarray], *others: str) -> None:
    """All but ``others`` have the voxels that they had."""
    changed = {each for each in {*before, *after} if not np.array_equal(before.get(each), after.get(each))}
    assert changed <= set(others)


def test_selected_structures_are_replaced_and_come_back_by_undo(ready):
    before = ready.all_voxels()
    ready.select("kidney right", "spleen")
    ready.app.click(ready.rerun.rerunButton)
    assert ready.scopes() == ["2 selected structures", "7 open or rejected structures"]
    assert ready.rerun.rerunLabel.text.startswith("The model chosen above (Model folder) computes them")

    assert ready.run("2 selected structures") == "Computed again: spleen, kidney right."
    after = ready.all_voxels()
    assert_same(before, after, "spleen", "kidney_right")
    for name, expected in COMPUTED.items():
        assert np.array_equal(after[name], expected)
        assert ready.state(name) is ReviewState.UNREVIEWED
    assert len(ready.user.segmentations) == 1
    assert ready.user.segmentations[0] is ready.node

    ready.press("Ctrl+Z")
    ready.settle()
    assert_same(before, ready.all_voxels())
    assert ready.app.wait_until(lambda: not folders_of("results"), READY_SECONDS)


def test_remarks_and_the_models_own_shape_follow(ready, answers):
    from TotalSegmentatorModuleLib.tags.review_flags import FLAGS_TAG
    from TotalSegmentatorModuleLib.tags.segment_tags import read_json_tag

    def rules(segment_id: str) -> set[str]:
        return {flag["rule"] for flag in read_json_tag(ready.segment(segment_id), FLAGS_TAG) or ()}

    ready.select("spleen", "kidney right")
    ready.run("2 selected structures")
    assert ready.app.wait_until(lambda: "cut_by_scan" in rules("liver"), 60)  # it depends on nothing but the scan
    assert "cut_by_scan" in rules("spleen")
    assert "second_opinion" not in rules("kidney_right")
    assert "second_opinion" in rules("gallbladder")  # only another job could say it again

    slicer.util.updateSegmentBinaryLabelmapFromArray(np.zeros(SHAPE, np.uint8), ready.node, "spleen", ready.ct)
    ready.click_row("spleen")
    answers.append(True)
    ready.app.click(ready.ui.restoreButton)
    assert np.array_equal(ready.voxels("spleen"), COMPUTED["spleen"])


def test_what_somebody_worked_on_is_replaced_only_after_a_question(ready, answers):
    ready.set_state("spleen", ReviewState.APPROVED)
    ready.set_state("kidney_right", ReviewState.REJECTED)
    before = ready.all_voxels()
    answers.append(False)
    ready.select("spleen", "kidney right")
    assert ready.run("2 selected structures") == "Computed again: kidney right."
    assert_same(before, ready.all_voxels(), "kidney_right")
    assert ready.state("spleen") is ReviewState.APPROVED

    answers.append(False)
    ready.select("spleen")
    ready.start("Selected: spleen")
    assert ready.user.ui.messages.resultLabel.text == "Nothing was computed again: all of these structures are kept."

    answers.append(True)
    ready.select("spleen")
    assert ready.run("Selected: spleen") == "Computed again: spleen."
    assert np.array_equal(ready.voxels("spleen"), COMPUTED["spleen"])
    assert ready.state("spleen") is ReviewState.UNREVIEWED
    ready.press("Ctrl+Z")
    assert np.array_equal(ready.voxels("spleen"), before["spleen"])
    assert ready.state("spleen") is ReviewState.APPROVED


def test_what_is_edited_or_judged_during_the_job_is_kept(ready):
    before = ready.all_voxels()
    ready.user.plan("predicting", "slow")
    ready.select("spleen", "kidney right")
    ready.start("2 selected structures")
    ready.user.wait_for_stage("Segmenting")
    ready.user.click_apply()  # cancel
    ready.user.wait_until_ready()
    assert_same(before, ready.all_voxels())

    ready.user.plan()
    ready.select("spleen", "kidney right")
    ready.start("2 selected structures")
    ready.set_state("spleen", ReviewState.APPROVED)
    ready.user.wait_until_ready()
    kept = "Kept, as they were edited or judged meanwhile: spleen."
    assert ready.user.ui.messages.resultLabel.text == "Computed again: kidney right. " + kept
    assert_same(before, ready.all_voxels(), "kidney_right")


def test_drawing_in_a_neighbour_during_the_job_withdraws_no_consent(ready, answers):
    from TotalSegmentatorModuleLib.scene.output_segmentation import segment_stamp
    from TotalSegmentatorModuleLib.scene.segment_voxels import SegmentVoxels

    ready.set_state("spleen", ReviewState.APPROVED)
    answers.append(True)
    ready.select("spleen")
    ready.start("Selected: spleen")
    stamp = segment_stamp(ready.node, "spleen")
    liver = SegmentVoxels.of(ready.segment("liver"))
    SegmentVoxels.cropped(liver.inside[1:], liver.start, liver.ijk_to_ras).write_to(ready.node, "liver")
    assert segment_stamp(ready.node, "spleen") != stamp
    ready.user.wait_until_ready()
    assert ready.user.ui.messages.resultLabel.text == "Computed again: spleen."


def test_a_segment_of_the_users_own_and_overlaps_stay(ready, answers):
    node = ready.node
    node.GetSegmentation().AddEmptySegment("tumour", "tumour")
    mask = np.zeros(SHAPE, np.uint8)
    mask[2:12, 3:20, 4:25] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, "tumour", ready.ct)
    ready.settle()
    before = ready.all_voxels()
    outlook = "7 open or rejected structures" if "tumour" not in ready.rows() else "8 open or rejected structures"
    answers.append(True)
    ready.run(outlook)
    assert_same(before, ready.all_voxels(), "spleen", "kidney_right")
    assert ready.voxels("tumour").sum() == mask.sum()


def test_the_ct_of_the_segmentation_is_used_and_the_output_is_left_alone(ready):
    ready.user.add_ct(np.full(SHAPE, 40, np.int16), name="another CT")
    ready.user.parameters.inputVolume = slicer.util.getNode("another CT")
    ready.user.parameters.outputSegmentation = ready.node
    ready.app.process_events()
    ready.select("kidney right")
    assert ready.run("Selected: kidney right") == "Computed again: kidney right."
    assert np.array_equal(ready.voxels("kidney_right"), COMPUTED["kidney_right"])
    assert ready.node.GetSegmentation().GetNumberOfSegments() == 6


def test_a_structure_that_is_not_found_again_stays(ready):
    before = ready.all_voxels()
    ready.select("kidney left")
    text = ready.run("Selected: kidney left")
    assert text == "Nothing was replaced. Not found this time, so nothing changed: kidney left."
    assert_same(before, ready.all_voxels())


def test_a_missing_structure_that_is_found_is_added_and_goes_by_undo(ready):
    ready.node.GetSegmentation().RemoveSegment("spleen")
    before = ready.all_voxels()
    from TotalSegmentatorModuleLib.tags.review_flags import REVIEW_ATTRIBUTE

    review = json.loads(ready.node.GetAttribute(REVIEW_ATTRIBUTE))
    flag = {**review["absent"]["flags"][0], "structure": "spleen"}
    review["absent"]["flags"].append(flag)
    ready.node.SetAttribute(REVIEW_ATTRIBUTE, json.dumps(review))
    ready.settle()
    ready.select("missing: spleen")
    ready.user.plan(act="agrees")
    said = ready.run("Selected: spleen")
    assert said.startswith("Computed again: spleen. Labels agree with the exact ones in 99.4")
    assert np.array_equal(ready.voxels("spleen"), COMPUTED["spleen"])
    assert ready.node.GetSegmentation().GetNthSegmentID(0) == "spleen"
    ready.press("Ctrl+Z")
    assert_same(before, ready.all_voxels())


def test_surfaces_are_made_again(ready):
    ready.node.CreateClosedSurfaceRepresentation()
    former = ready.segment("spleen").GetRepresentation("Closed surface")
    ready.select("spleen")
    ready.run("Selected: spleen")

    def surface():
        return ready.segment("spleen").GetRepresentation("Closed surface")

    assert ready.app.wait_until(lambda: surface() is not None, READY_SECONDS)
    assert surface().GetNumberOfPoints() > 0
    assert tuple(surface().GetBounds()) != tuple(former.GetBounds())
    ready.press("Ctrl+Z")
    assert surface() is former


def test_surfaces_that_were_not_finished_go_with_the_panel(ready):
    from TotalSegmentatorModuleLib.rerun.surfaces import SurfaceRenewal

    renewal = SurfaceRenewal()
    renewal.begin(ready.node, ["spleen"])
    assert ready.segment("spleen").GetRepresentation("Closed surface").GetNumberOfPoints() == 0
    renewal.close()
    assert ready.segment("spleen").GetRepresentation("Closed surface") is None


def test_a_result_whose_segmentation_has_gone_becomes_one_of_its_own(ready):
    ready.select("spleen")
    ready.start("Selected: spleen")
    slicer.mrmlScene.RemoveNode(ready.node)
    ready.user.wait_until_ready()
    (node,) = ready.user.segmentations
    assert np.array_equal(slicer.util.arrayFromSegmentBinaryLabelmap(node, "spleen", ready.ct) != 0, COMPUTED["spleen"])


def test_a_result_that_arrives_while_the_scene_is_closed_waits_for_its_import(ready, monkeypatch):
    from TotalSegmentatorModuleLib.rerun import arrival

    def close_scene(*_arguments):
        ready.app.close_scene()
        return False

    ready.select("spleen")
    with monkeypatch.context() as patch:
        patch.setattr(arrival.RerunRequest, "may_replace", close_scene)
        ready.start("Selected: spleen")
        ready.user.wait_until_ready()
    assert ready.user.segmentations == []
    ct = ready.user.add_ct(CT)
    ready.app.leave_module()
    ready.app.enter_module()
    ready.app.click(ready.user.ui.unimported.importButton)
    ready.user.wait_until_ready()
    (node,) = ready.user.segmentations
    assert np.array_equal(slicer.util.arrayFromSegmentBinaryLabelmap(node, "spleen", ct) != 0, COMPUTED["spleen"])


def test_without_its_ct_nothing_runs(ready):
    slicer.mrmlScene.RemoveNode(ready.ct)
    ready.settle()
    ready.select("spleen")
    ready.app.click(ready.rerun.rerunButton)
    assert ready.rerun.rerunLabel.text.startswith("The CT of this segmentation is not in the scene.")
    assert not ready.rerun.runButton.enabled


def test_on_the_department_server_they_are_sent_only_after_consent(ready, answers):
    """The engine refuses the address, which names another computer without the files of TLS."""
    before = ready.all_voxels()
    ready.user.ui.setup.serverLineEdit.setText("tls://ct-server.hospital.example:8786")
    ready.user.ui.inputs.runOnComboBox.setCurrentIndex(1)
    ready.user.ui.inputs.runOnComboBox.activated.emit(1)
    ready.select("spleen")
    ready.app.click(ready.rerun.rerunButton)
    assert "on the department server" in ready.rerun.rerunLabel.text
    answers.append(False)
    assert ready.run("Selected: spleen").startswith("Nothing was sent.")
    answers.append(True)
    ready.run("Selected: spleen")
    assert ready.user.error_code == "SERVER_LACKS_MODEL"
    assert_same(before, ready.all_voxels())


def test_structures_that_overlap_are_replaced_whole(ready):
    """The right kidney, which another model finds, holds all of the spleen."""
    overlapping = {**COMPUTED, "kidney_right": (CT > 0) | (CT < -500)}
    ready.user.plan("", "two layers")
    before = ready.all_voxels()
    ready.select("kidney right", "spleen")
    assert ready.run("2 selected structures") == "Computed again: spleen, kidney right."
    after = ready.all_voxels()
    assert_same(before, after, "spleen", "kidney_right")
    for name, expected in overlapping.items():
        assert np.array_equal(after[name], expected)

    ready.press("Ctrl+Z")
    ready.settle()
    assert_same(before, ready.all_voxels())
