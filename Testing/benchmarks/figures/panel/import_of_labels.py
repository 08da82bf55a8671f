"""How long the main thread is busy with a finished result: import, replacement, removal, closing the scene; and for how
long at a time, when a session imports it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import numpy as np
from desktop import Desktop
from TotalSegmentatorWire.messages.segment import FoundStructure, ResultHeader
from TotalSegmentatorWire.tables.structures import structure_table

SHAPE = (400, 512, 512)
IJK_TO_RAS = np.array([[-0.8, 0, 0, 200], [0, -0.8, 0, 180], [0, 0, 1.0, -200], [0, 0, 0, 1]], float)

TIME_LIMIT_S = 300.0


def measure(repeat: int) -> list[dict[str, float]]:
    """Seconds of "import", "replace", "remove" and "close scene", ``repeat`` times."""
    with Desktop() as app:
        import slicer
        from TotalSegmentatorModuleLib.scene.segmentation_import import ImportTarget, LabelImage, import_result
        from TotalSegmentatorModuleLib.scene.segmentation_lifetime import application_lifetime

        application_lifetime().start(slicer.mrmlScene)
        labels, header = labels_and_header()

        def new_image() -> LabelImage:
            image = LabelImage(SHAPE)
            image.array[:] = labels
            return image

        rows = []
        for _ in range(repeat):
            ct = app.add_volume(np.zeros(SHAPE, np.int16), IJK_TO_RAS, "CT")
            first, second, third = new_image(), new_image(), new_image()
            row = {}
            row["import"], node = _timed(lambda image=first, ct=ct: import_result([image], header, ImportTarget(ct)))
            row["replace"], _node = _timed(
                lambda image=second, ct=ct, node=node: import_result([image], header, ImportTarget(ct, node))
            )
            row["remove"], _none = _timed(lambda node=node: slicer.mrmlScene.RemoveNode(node))
            import_result([third], header, ImportTarget(ct))
            row["close scene"], _none = _timed(app.close_scene)
            rows.append(row)
        application_lifetime().stop()
        return rows


def measure_blocks(repeat: int) -> list[dict[str, float]]:
    """Milliseconds that the longest step of an import takes: the first one, the second one of the same CT, and that of
    a result with two layers."""
    from TotalSegmentatorWire.job_folder import (
        RESULT_HEADER,
        RESULT_LABELS,
        create_owned_folder,
        new_id,
        results_folder,
    )
    from TotalSegmentatorWire.messages.segment import header_to_json

    labels, header = labels_and_header()
    rows = []
    for _ in range(repeat):
        with Desktop() as app:
            from TotalSegmentatorModuleLib import settings
            from TotalSegmentatorModuleLib.segment.job_types import JobCallbacks
            from TotalSegmentatorModuleLib.segment.session import SegmentationSession

            session = SegmentationSession(JobCallbacks())
            ct = app.add_volume(np.zeros(SHAPE, np.int16), IJK_TO_RAS, "CT")
            row = {}
            for name, layers in (("first", 1), ("second", 1), ("two layers", 2)):
                layered, of_layers = in_layers(labels, header, layers)
                job_id = new_id()
                folder = create_owned_folder(results_folder(settings.work_folder()), job_id)
                layered.tofile(folder / RESULT_LABELS)
                (folder / RESULT_HEADER).write_text(header_to_json(dataclasses.replace(of_layers, job_id=job_id)))
                app.reset_block_clock()
                session.import_saved_result(job_id, ct)
                number = len(row) + 1
                if not app.wait_until(
                    lambda number=number: _number_of_items(number) == len(header.found), TIME_LIMIT_S
                ):
                    raise TimeoutError("the segments did not come")
                row[name] = app.longest_block_ms()
            session.dispose()
            rows.append(row)
    return rows


def _number_of_items(number: int) -> int:
    """How many segments of the last of so many segmentations the subject hierarchy shows."""
    import slicer

    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    if len(nodes) < number:
        return 0
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    return hierarchy.GetNumberOfItemChildren(hierarchy.GetItemByDataNode(nodes[-1]))


def _timed(action: Callable) -> tuple[float, object]:
    started = time.perf_counter()
    result = action()
    return time.perf_counter() - started, result


def in_layers(labels: np.ndarray, header: ResultHeader, layers: int) -> tuple[np.ndarray, ResultHeader]:
    """The same structures in so many layers by turns: uint8 (layer, k, j, i)."""
    layer_of = np.arange(256, dtype=np.uint8) % layers
    layered = np.stack([np.where(layer_of[labels] == layer, labels, 0) for layer in range(layers)])
    found = [dataclasses.replace(each, layer=int(layer_of[each.label])) for each in header.found]
    return layered, dataclasses.replace(header, found=found, layers=layers)


def labels_and_header() -> tuple[np.ndarray, ResultHeader]:
    """104 blocks side by side in a label map of SHAPE, and the header that a worker would write for it."""
    structures = structure_table("structures_104")
    labels = np.zeros(SHAPE, np.uint8)
    found = []
    for structure in structures:
        row, column = divmod(structure.label - 1, 11)
        j, i = 20 + row * 48, 20 + column * 44
        labels[40:360, j : j + 40, i : i + 36] = structure.label
        extent = [i, i + 35, j, j + 39, 40, 359]
        found.append(FoundStructure(structure.label, structure.name, 320 * 40 * 36, extent))
    header = ResultHeader(
        job_id="benchmark",
        ct_id="benchmark",
        shape=list(SHAPE),
        ijk_to_ras=IJK_TO_RAS.ravel().tolist(),
        series_instance_uid=None,
        found=found,
        absent=[],
        models=["benchmark"],
        profiles={"benchmark": "nnunet"},
        engine_version="0",
        device="cpu",
        seconds=0.0,
        created="2026-01-01T00:00:00Z",
        structures=[vars(structure) for structure in structures],
    )
    return labels, header
