"""How long saving a review in the background, and restoring it, keep Slicer's event loop waiting at a time."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from desktop import Desktop

from benchmarks.figures.panel.import_of_labels import IJK_TO_RAS, SHAPE, labels_and_header

TIME_LIMIT_S = 120.0


def measure(repeat: int) -> list[dict[str, float]]:
    """Milliseconds of the longest step: when a result is saved first, after a judgement, after drawing, and of putting
    it back into the scene."""
    labels, header = labels_and_header()
    rows = []
    for _ in range(repeat):
        with Desktop() as app, tempfile.TemporaryDirectory() as folder:
            rows.append(_measure_one(app, Path(folder), labels, header))
    return rows


def _measure_one(app: Desktop, work_folder: Path, labels: np.ndarray, header) -> dict[str, float]:
    from TotalSegmentatorModuleLib.background.task_runner import TaskRunner
    from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
    from TotalSegmentatorModuleLib.recovery.autosave import ReviewAutosave
    from TotalSegmentatorModuleLib.recovery.restoration import restored_review
    from TotalSegmentatorModuleLib.recovery.saved_review import REVIEW_FILE, UnsavedReview, read_review_file
    from TotalSegmentatorModuleLib.scene.review_tags import set_state
    from TotalSegmentatorModuleLib.scene.segment_notices import SegmentNotices
    from TotalSegmentatorModuleLib.scene.segmentation_import import ImportTarget, LabelImage, import_result
    from TotalSegmentatorWire.job_folder import reviews_folder
    from TotalSegmentatorWire.tables.review_state import ReviewState

    ct = app.add_volume(np.zeros(SHAPE, np.int16), IJK_TO_RAS, "CT")
    image = LabelImage(SHAPE)
    image.array[:] = labels
    node = import_result([image], header, ImportTarget(ct))
    autosave = ReviewAutosave(work_folder, print)
    row: dict[str, float] = {}
    written = 0

    def wait_for_save(name: str) -> None:
        nonlocal written
        app.reset_block_clock()
        files = reviews_folder(work_folder)

        def times() -> list[int]:
            return [file.stat().st_mtime_ns for file in files.glob("*/" + REVIEW_FILE)]

        if not app.wait_until(lambda: any(time != written for time in times()), TIME_LIMIT_S):
            raise TimeoutError("the review was not saved")
        (written,) = times()
        app.process_events()
        row[name] = app.longest_block_ms()

    wait_for_save("first")
    set_state(node.GetSegmentation().GetSegment("liver"), ReviewState.APPROVED)
    wait_for_save("judged")
    image.array[100:140, 100:160, 100:160] = 1
    scalars = (
        node.GetSegmentation().GetSegment("liver").GetRepresentation("Binary labelmap").GetPointData().GetScalars()
    )
    scalars.Modified()
    wait_for_save("drawn")
    (folder,) = reviews_folder(work_folder).iterdir()
    unsaved, ends = UnsavedReview(folder, read_review_file(folder)), []
    runner = TaskRunner(Ticker, work_folder)
    app.reset_block_clock()
    runner.start(restored_review(unsaved, ct, SegmentNotices()), ends.append)
    if not app.wait_until(lambda: bool(ends), TIME_LIMIT_S):
        raise TimeoutError("the review was not restored")
    row["restored"] = app.longest_block_ms()
    runner.dispose()
    autosave.close()
    return row
