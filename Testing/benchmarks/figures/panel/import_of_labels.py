"""How long the main thread is busy with a finished result: import, replacement, removal, closing the scene."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from desktop import Desktop
from TotalSegmentatorWire.messages.segment import FoundStructure, ResultHeader
from TotalSegmentatorWire.tables.structures import structure_table

SHAPE = (400, 512, 512)
IJK_TO_RAS = np.array([[-0.8, 0, 0, 200], [0, -0.8, 0, 180], [0, 0, 1.0, -200], [0, 0, 0, 1]], float)


def measure(repeat: int) -> list[dict[str, float]]:
    """Seconds of "import", "replace", "remove" and "close scene", ``repeat`` times."""
    with Desktop() as app:
        import slicer
        from TotalSegmentatorModuleLib.scene.segmentation_import import ImportTarget, LabelImage, import_result
        from TotalSegmentatorModuleLib.scene.segmentation_lifetime import application_lifetime

        application_lifetime().start(slicer.mrmlScene)
        labels, header = _labels_and_header()

        def new_image() -> LabelImage:
            image = LabelImage(SHAPE)
            image.array[:] = labels
            return image

        rows = []
        for _ in range(repeat):
            ct = app.add_volume(np.zeros(SHAPE, np.int16), IJK_TO_RAS, "CT")
            first, second, third = new_image(), new_image(), new_image()
            row = {}
            row["import"], node = _timed(lambda image=first, ct=ct: import_result(image, header, ImportTarget(ct)))
            row["replace"], _node = _timed(
                lambda image=second, ct=ct, node=node: import_result(image, header, ImportTarget(ct, node))
            )
            row["remove"], _none = _timed(lambda node=node: slicer.mrmlScene.RemoveNode(node))
            import_result(third, header, ImportTarget(ct))
            row["close scene"], _none = _timed(app.close_scene)
            rows.append(row)
        application_lifetime().stop()
        return rows


def _timed(action: Callable) -> tuple[float, object]:
    started = time.perf_counter()
    result = action()
    return time.perf_counter() - started, result


def _labels_and_header() -> tuple[np.ndarray, ResultHeader]:
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
        model="benchmark",
        profile="nnunet",
        engine_version="0",
        device="cpu",
        seconds=0.0,
        created="2026-01-01T00:00:00Z",
        structures=[vars(structure) for structure in structures],
    )
    return labels, header
