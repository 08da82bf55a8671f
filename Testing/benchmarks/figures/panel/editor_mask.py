"""What one stroke in the Segment Editor costs at 512 x 512 x 200 with 104 structures in a layer: with the neighbours
protected by the mask, as the review sets it, against all structures protected. Slicer's own logic does the work."""

from __future__ import annotations

import time

import numpy as np
import slicer
from desktop import Desktop
from TotalSegmentatorWire.tables.structures import structure_table

SHAPE = (200, 512, 512)
GRID = [-0.8, 0, 0, 205, 0, -0.8, 0, 205, 0, 0, 1.5, -150, 0, 0, 0, 1]
NEIGHBOURS = 12
"""Of a vertebra: two more, four ribs, lungs, aorta, oesophagus, muscles of the back."""


def measure(_repeat: int) -> list[dict[str, float]]:
    """Seconds of processor time of a stroke, over those of one with all structures in the mask."""
    from TotalSegmentatorModuleLib.scene.editor_settings import keep_settings, protect_others

    with Desktop() as app:
        node, ids = _segmentation(app)
        editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
        editor.setSegmentationNode(node)
        editor.setCurrentSegmentID(ids[0])
        keep_settings(editor.mrmlSegmentEditorNode())
        seconds = {}
        for name, visible, is_masked in (
            ("no mask", ids, False), ("neighbours", ids[: NEIGHBOURS + 1], True), ("all", ids, True)
        ):  # fmt: skip
            _show(node.GetDisplayNode(), ids, visible)
            protect_others(editor.mrmlSegmentEditorNode(), is_masked)
            seconds[name] = _stroke(editor)
            print("  {:14} {:8.2f} s".format(name, seconds[name]))
    return [{"neighbours against all": seconds["neighbours"] / seconds["all"]}]


def _show(display, ids, visible) -> None:
    was_modifying = display.StartModify()
    for each in ids:
        display.SetSegmentVisibility(each, each in visible)
    display.EndModify(was_modifying)


def _stroke(editor) -> float:
    mask = np.zeros(SHAPE, bool)
    mask[95:105, 250:262, 250:262] = True
    started = time.process_time()
    editor.draw(mask)
    return time.process_time() - started


def _segmentation(app: Desktop):
    """Blocks in a layer, on a CT; returns node and ids."""
    from TotalSegmentatorModuleLib.scene.segmentation_import import ImportTarget, LabelImage, import_result
    from TotalSegmentatorModuleLib.self_test import synthetic_header

    structures = structure_table("structures_104")
    image = LabelImage(SHAPE)
    for number, structure in enumerate(structures):
        row, column = divmod(number, 11)
        image.array[20:180, 51 * row : 51 * row + 40, 46 * column : 46 * column + 40] = structure.label
    matrix = np.array(GRID, float).reshape(4, 4)
    ct = app.add_volume(np.zeros(SHAPE, np.int16), matrix)
    node = import_result([image], synthetic_header(SHAPE, matrix, structures), ImportTarget(ct, None, ""))
    return node, list(node.GetSegmentation().GetSegmentIDs())
