"""What the 3-D surfaces of 104 structures at 512 x 512 x 300 cost: against Slicer's own conversion of all of them in
one go, and for how long at a time the event loop waits.

The longest block is Slicer's conversion of the structure that fills the largest box; our own steps take milliseconds.
"""

from __future__ import annotations

import time
from functools import cache

import numpy as np
from desktop import Desktop
from panel_support import MODULE
from phantom import make_phantom
from TotalSegmentatorWire.tables.structures import structure_table

SHAPE = (300, 512, 512)
GRID = [-0.8, 0, 0, 205, 0, -0.8, 0, 205, 0, 0, 1.5, -225, 0, 0, 0, 1]
_SECONDS = 600


def measure(repeat: int) -> list[dict[str, float]]:
    """Processor time over that of Slicer's own conversion, which is measured once."""
    with Desktop() as app:
        slicers = _slicers_own(app)
        return [{"time of Slicer's own": _session(app)[0] / slicers} for _ in range(repeat)]


def measure_blocks(repeat: int) -> list[dict[str, float]]:
    """Milliseconds."""
    with Desktop() as app:
        return [{"longest block": _session(app)[1]} for _ in range(repeat)]


def _session(app: Desktop) -> tuple[float, float]:
    """Seconds of processor time between the click and the last surface, and the longest block in ms."""
    widget = app.open_module(MODULE)
    node = _result(app, widget)
    ui = widget.ui.review_figures
    app.process_events()
    app.reset_block_clock()
    started = time.process_time()
    app.click(ui.threeDButton)
    assert app.wait_until(lambda: ui.threeDButton.text == "Hide 3D", _SECONDS)
    seconds, block = time.process_time() - started, app.longest_block_ms()
    assert all(_surface(node, each).GetNumberOfPolys() for each in node.GetSegmentation().GetSegmentIDs())
    app.close_scene()
    return seconds, block


def _slicers_own(app: Desktop) -> float:
    node = _result(app, None)
    started = time.process_time()
    node.CreateClosedSurfaceRepresentation()
    seconds = time.process_time() - started
    app.close_scene()
    return seconds


def _surface(node, segment_id: str):
    return node.GetSegmentation().GetSegment(segment_id).GetRepresentation("Closed surface")


def _result(app: Desktop, widget):
    from TotalSegmentatorModuleLib.scene.segmentation_import import ImportTarget, LabelImage, import_result
    from TotalSegmentatorModuleLib.self_test import synthetic_header

    labels = _labels()
    image = LabelImage(SHAPE)
    image.array[:] = labels
    structures = [each for each in structure_table("structures_104") if (labels == each.label).any()]
    ct = app.add_volume(np.zeros(SHAPE, np.int16), np.reshape(GRID, (4, 4)), "CT")
    header = synthetic_header(SHAPE, GRID, structures)
    node = import_result([image], header, ImportTarget(ct))
    if widget is not None:
        widget.panel.result_arrived(node, header)
        assert app.wait_until(lambda: widget.ui.review.structuresTree.model().rowCount() > 0, 60)
    return node


@cache
def _labels() -> np.ndarray:
    """The phantom on a finer grid."""
    small = make_phantom().labels
    places = [np.arange(size) * length // size for size, length in zip(SHAPE, small.shape, strict=True)]
    return np.ascontiguousarray(small[np.ix_(*places)]).astype(np.uint8)
