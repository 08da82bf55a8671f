"""A result comes into the scene in small steps, and nobody ever sees a part of one."""

from __future__ import annotations

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from panel_support import folders_of
from time_bounds import READY_SECONDS

STEPS = [0, 50, 103]


def _sizes(nodes) -> set[int]:
    return {node.GetSegmentation().GetNumberOfSegments() for node in nodes}


def test_segments_are_listed_a_few_at_a_time_and_a_result_is_never_there_in_part(arrival):
    sizes, items = [], []
    arrival.start()
    while arrival.session.is_busy or arrival.is_telling:
        arrival.app.process_events()
        sizes.append(_sizes(arrival.nodes))
        items += [len(arrival.items(node)) for node in arrival.nodes]

    assert {104} in sizes and all(size in (set(), {104}) for size in sizes)
    assert arrival.plugin.made_at_once == 0  # Slicer finds them made when it is told
    assert items == sorted(items) and len(set(items)) > 50
    (node,) = arrival.nodes
    arrival.assert_whole(node)
    assert list(arrival.items(node)) == list(arrival.segments(node))  # in the order of the segments


def test_replacing_a_result_is_one_change_that_has_to_be_saved(arrival, tmp_path):
    arrival.start()
    arrival.wait_until_told()
    (node,) = arrival.nodes
    node.GetSegmentation().GetSegment("liver").SetName("Liver of the lecture")
    extra = slicer.vtkSegment()
    extra.SetName("drawn")
    extra.AddRepresentation("Binary labelmap", slicer.vtkOrientedImageData())
    node.GetSegmentation().AddSegment(extra, "drawn")
    node.GetSegmentation().RemoveSegment("spleen")
    node.GetDisplayNode().SetSegmentOpacity3D("heart_atrium_left", 0.25)
    arrival.app.save_scene(tmp_path)
    assert not node.GetModifiedSinceRead()
    arrival.plugin.made_at_once = 0

    sizes = set()
    node.AddObserver(node.SegmentationChangedEvent, lambda *_: sizes.add(node.GetSegmentation().GetNumberOfSegments()))
    ends = arrival.replace(node)
    arrival.wait(lambda: ends)
    assert arrival.items(node)["liver"] == arrival.all_segments()["liver"]  # at once: Slicer would rename the segment
    arrival.wait_until_told()

    arrival.assert_whole(node)
    assert (sizes, arrival.plugin.made_at_once) == ({104}, 0)
    assert node.GetModifiedSinceRead()
    assert node.GetDisplayNode().GetSegmentOpacity3D("heart_atrium_left") == 1.0


# -- before it is in the scene -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", STEPS)
def test_cancelled_import_leaves_the_scene_and_the_result_as_they_were(arrival, step):
    arrival.interrupt("preparing", step, arrival.session.cancel)
    arrival.start()
    arrival.wait_until_told()
    assert arrival.nodes == []

    arrival.session.look_for_unimported_results()
    (header,) = arrival.unimported
    arrival.session.import_saved_result(header.job_id, arrival.ct)
    arrival.wait_until_told()
    (node,) = arrival.nodes
    arrival.assert_whole(node)


@pytest.mark.parametrize("step", STEPS)
def test_result_whose_scene_is_closed_waits_for_another_import(arrival, step):
    def close() -> None:
        arrival.session.scene_closed()
        slicer.mrmlScene.Clear(False)

    arrival.interrupt("preparing", step, close)
    job_id = arrival.start()
    arrival.wait_until_told()
    assert arrival.nodes == []
    assert [folder.name for folder in folders_of("results")] == [job_id]

    arrival.session.import_saved_result(job_id)
    arrival.wait_until_told()
    (node,) = arrival.nodes
    arrival.assert_whole(node)
    assert arrival.app.wait_until(lambda: not folders_of("results"), READY_SECONDS)


@pytest.mark.parametrize("step", STEPS)
def test_scene_that_is_saved_meanwhile_holds_nothing_of_the_result(arrival, tmp_path, step):
    arrival.interrupt("preparing", step, lambda: arrival.app.save_scene(tmp_path))
    arrival.start()
    arrival.wait_until_told()
    assert "<Segmentation" not in (tmp_path / "scene.mrml").read_text()
    assert len(arrival.nodes) == 1


def test_ct_that_is_deleted_meanwhile_is_missed(arrival):
    arrival.interrupt("preparing", 50, lambda: slicer.mrmlScene.RemoveNode(arrival.ct))
    arrival.start()
    arrival.wait_until_told()
    (node,) = arrival.nodes
    arrival.assert_whole(node)
    assert ["not in the scene" in note for note in arrival.notes] == [True]


@pytest.mark.parametrize("step", [1, 50, 103])
def test_quitting_meanwhile_takes_no_image_apart_and_keeps_the_result(arrival, step):
    """A vtkSegmentation that is deleted copies each segment out of the image that it shares with the others."""
    arrival.interrupt("preparing", step, arrival.session.shutdown)
    job_id = arrival.start()
    arrival.wait(lambda: not arrival.session.is_busy)
    assert arrival.released == [step]
    assert [folder.name for folder in folders_of("results")] == [job_id]
    assert arrival.nodes == []


def test_cancel_button_in_the_middle_of_the_import_of_a_job(arrival):
    """Here the result goes: the user does not want it."""
    arrival.user.plan()
    arrival.interrupt("preparing", 1, arrival.user.click_apply)
    arrival.user.click_apply()
    arrival.user.wait_until_ready()
    assert arrival.nodes == []
    assert arrival.app.wait_until(lambda: not folders_of("results"), READY_SECONDS)

    arrival.user.run_job()
    assert len(arrival.nodes) == 1


@pytest.mark.parametrize("change", ["edited", "removed"])
def test_output_that_changes_meanwhile_is_not_replaced(arrival, change, monkeypatch):
    import qt

    arrival.user.plan()
    arrival.user.run_job()
    (output,) = arrival.nodes
    changes = {
        "edited": lambda: output.GetSegmentation().GetNthSegment(0).SetName("mine"),
        "removed": lambda: slicer.mrmlScene.RemoveNode(output),
    }
    arrival.user.parameters.outputSegmentation = output
    arrival.interrupt("preparing", 1, changes[change])
    with arrival.app.everyday_mode(lambda box: qt.QMessageBox.Ok):
        arrival.user.click_apply()
    arrival.user.wait_until_ready()

    assert len(arrival.nodes) == (2 if change == "edited" else 1)
    assert output not in arrival.nodes[1:]
    if change == "edited":
        assert output.GetSegmentation().GetNthSegment(0).GetName() == "mine"
    assert "new one was created" in arrival.user.ui.messages.warningLabel.text


def test_a_preview_that_was_left_over_is_not_told_as_a_result(arrival):
    arrival.finish_result(preview_of="the job that was not finished")
    arrival.app.leave_module()
    arrival.app.enter_module()
    arrival.app.click(arrival.user.ui.unimported.importButton)
    texts = arrival.user.ui.messages.resultLabel
    assert arrival.app.wait_until(lambda: bool(texts.text), READY_SECONDS)
    assert texts.text.startswith("Preview: ")
    assert "Do not use it for treatment planning" in texts.text
