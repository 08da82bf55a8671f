"""``logic.process(..., preview=True)``: the preview is in the scene while the script waits, which gets the result."""

from __future__ import annotations

import slicer
from time_bounds import READY_SECONDS


def is_preview(node) -> bool:
    from TotalSegmentatorModuleLib.tags.preview_mark import is_preview

    return is_preview(node)


def started(somebody, hold):
    """The logic whose job shows its preview; and the preview's vtkMRMLSegmentationNode."""
    hold.write_text("", encoding="utf-8")
    logic = slicer.util.getModuleLogic("TotalSegmentatorModule")
    assert logic.process(somebody.ct, model="104-1.5mm", preview=True, wait=False) is None
    assert somebody.app.wait_until(lambda: bool(somebody.nodes), READY_SECONDS), somebody.user.describe()
    (preview,) = somebody.nodes
    assert is_preview(preview) and logic.is_busy
    return logic, preview


def test_the_result_takes_the_place_of_the_preview(somebody, tmp_path):
    hold = tmp_path / "hold"
    logic, preview = started(somebody, hold)
    hold.unlink()
    node = logic.wait()
    assert somebody.nodes == [node] and not is_preview(node)
    assert preview.GetScene() is None or preview is node


def test_a_script_gets_the_result_beside_a_preview_that_somebody_has_edited(somebody, tmp_path):
    hold = tmp_path / "hold"
    logic, preview = started(somebody, hold)
    somebody.draw(preview)
    hold.unlink()
    node = logic.wait()
    assert node is not preview and not is_preview(node)
    assert set(somebody.nodes) == {node, preview}
