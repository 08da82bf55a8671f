"""How long a frame of the review's table takes with 118 rows, painting included, and what a key costs.

All rows are below open headings. The table is filled in steps: "fill" is what it takes until the first rows are
painted, "fill block" the longest time without a turn of the event loop until all are there. The stand-in's calls of Qt
from Python take several times as long as Slicer's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from desktop import Desktop
from desktop.pythonqt.slot_runtime import own_time
from panel_support import GRID, MODULE
from review_support import review_of, touching_blocks
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.messages.segment import FoundStructure
from TotalSegmentatorWire.tables.structures import structure_table

SHAPE = (60, 60, 60)
_FRAMES = 40
_LEVELS = (Level.WRONG, Level.CHECK, Level.CUT)


def measure(repeat: int) -> list[dict[str, float]]:
    """Milliseconds of each figure, ``repeat`` times."""
    with Desktop() as app:
        widget = app.open_module(MODULE)
        app.resize_window(1024, 1200)
        rows = []
        for _ in range(repeat):
            _add_result(app, widget)
            rows.append(_session(app, widget.ui.review))
            app.close_scene()
        return rows


def _session(app: Desktop, ui) -> dict[str, float]:
    """Of the result that is shown."""
    node = ui.segmentationSelector.currentNode()
    header = ui.structuresTree.header()
    _open_all(ui.structuresTree, app)
    ui.segmentationSelector.setCurrentNode(None)
    app.process_events()
    app.reset_block_clock()
    figures = {"fill": _milliseconds(lambda: ui.segmentationSelector.setCurrentNode(node), app)}
    _open_all(ui.structuresTree, app)
    figures["fill block"] = app.longest_block_ms()
    figures["scroll frame"] = _scrolled(ui.structuresTree, app)
    columns = (2, 3, 4, 5, 1)
    figures["sort frame"] = max(_milliseconds(lambda n=n: header.sectionClicked.emit(n), app) for n in columns)
    texts = ("r", "ri", "rib", "")
    figures["find frame"] = max(_milliseconds(lambda text=text: ui.filterLineEdit.setText(text), app) for text in texts)
    figures["next"] = max(_milliseconds(ui.nextButton.click, app) for _ in range(10))
    figures["judge"] = max(_milliseconds(ui.laterButton.click, app) for _ in range(10))
    return figures


def _add_result(app: Desktop, widget) -> None:
    """117 structures and one that is missing; each third has a flag."""
    from TotalSegmentatorModuleLib.scene.segmentation_import import ImportTarget, LabelImage, import_result
    from TotalSegmentatorModuleLib.self_test import synthetic_header

    structures = structure_table("structures_117")
    ct = app.add_volume(np.zeros(SHAPE, np.int16), GRID, "CT")
    image = LabelImage(SHAPE)
    image.array[:] = touching_blocks(SHAPE, len(structures))
    header = synthetic_header(SHAPE, GRID, structures)
    found = []
    for structure in structures:
        places = np.argwhere(image.array == structure.label)
        low, high = places.min(axis=0), places.max(axis=0)
        extent = [int(end[axis]) for axis in (2, 1, 0) for end in (low, high)]
        volume_ml = len(places) * abs(np.linalg.det(np.reshape(GRID, (4, 4))[:3, :3])) / 1000
        found.append(FoundStructure(structure.label, structure.name, len(places), extent, "", 40.0, volume_ml))
    flags = [
        Flag("cut_by_scan", _LEVELS[number % 3], structure.name, (), None, {"sides": "above"})
        for number, structure in enumerate(structures[::3])
    ]
    review = review_of([*flags, Flag("missing_partner", Level.CHECK, "rib_left_13", ("rib_right_13",))])
    header = dataclasses.replace(
        header, found=found, models=["117-1.5mm"], profiles={"117-1.5mm": "nnunet"}, review=review
    )
    node = import_result([image], header, ImportTarget(ct))
    widget.panel.result_arrived(node, header)
    tree = widget.ui.review.structuresTree
    assert app.wait_until(lambda: tree.model().rowCount() > 0)


def _open_all(tree, app: Desktop) -> None:
    for _ in range(20):  # the rows below closed headings are made when the application has time
        app.process_events()
    tree.expandAll()
    app.process_events()
    shown = sum(tree.model().rowCount(tree.model().index(n, 0)) for n in range(tree.model().rowCount()))
    assert shown == 118


def _scrolled(tree, app: Desktop) -> float:
    """The longest of many frames, from the top to the bottom."""
    bar = tree.verticalScrollBar()
    steps = np.linspace(0, bar.maximum, _FRAMES).astype(int)
    return max(_milliseconds(lambda value=value: bar.setValue(int(value)), app) for value in steps)


def _milliseconds(action: Callable[[], object], app: Desktop) -> float:
    """Until what the action changes is painted, without the time for which other programs have the processor."""
    started = own_time()
    action()
    app.process_events()
    return (own_time() - started) * 1000.0
