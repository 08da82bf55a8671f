"""Opens an editor of Slicer on one segment: the one of the Segment Editor module, or of a module that embeds it."""

from __future__ import annotations

import slicer

from TotalSegmentatorModuleLib.editing.first_effect import FirstEffect
from TotalSegmentatorModuleLib.scene.editor_settings import limit_intensity


def open_editor(node, ct):
    """Turn to the Segment Editor module with ``node`` (vtkMRMLSegmentationNode) and ``ct`` (vtkMRMLScalarVolumeNode;
    None leaves its source volume). Slicer's settings of the editor stay as they are. RuntimeError where Slicer has no
    main window."""
    slicer.util.selectModule("SegmentEditor")
    editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
    editor.setSegmentationNode(node)
    if ct is not None:
        editor.setSourceVolumeNode(ct)


def open_on(editor, node, segment_id: str, ct) -> None:
    """Choose a segment of ``node`` (vtkMRMLSegmentationNode) in ``editor`` (qMRMLSegmentEditorWidget) and show it in
    its list; ``ct``: the source volume (vtkMRMLScalarVolumeNode), None leaves it as it is."""
    editor.setSegmentationNode(node)  # which chooses its first segment
    if ct is not None:
        editor.setSourceVolumeNode(ct)
    tables = slicer.util.findChildren(editor, name="SegmentsTableView")
    for table in tables:
        if segment_id not in table.displayedSegmentIDs():  # what the list's filter hides cannot be chosen
            node.SetSegmentListFilterEnabled(False)
            table.setFilterBarVisible(False)
    editor.setCurrentSegmentID(segment_id)
    for table in tables:
        table.tableWidget().scrollTo(table.sortFilterProxyModel().indexFromSegmentID(segment_id))


def take_up(editor, effect: FirstEffect) -> None:
    """Make ``effect`` the active one of ``editor``; one that this Slicer does not have is passed over."""
    limit_intensity(editor.mrmlSegmentEditorNode(), effect.hu)
    editor.setActiveEffectByName(effect.name)
    active = editor.activeEffect()
    if active is None:
        return
    if effect.operation:
        active.setParameter("Operation", effect.operation)
    if effect.brush_mm is not None:
        active.setCommonParameter("BrushSphere", "1")
        active.setCommonParameter("BrushDiameterIsRelative", "0")
        active.setCommonParameter("BrushAbsoluteDiameter", format(effect.brush_mm, ".1f"))
