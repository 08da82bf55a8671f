"""A finished result of 104 structures that waits for its import, and what may happen while it is imported."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from job_support import soft_tissue_with_air
from time_bounds import READY_SECONDS
from TotalSegmentatorWire.job_folder import (
    RESULT_HEADER,
    RESULT_LABELS,
    create_owned_folder,
    new_id,
    results_folder,
)
from TotalSegmentatorWire.messages.segment import header_to_json
from TotalSegmentatorWire.tables.structures import structure_table

SHAPE = (20, 24, 28)


class Arrival:
    """Imports results step by step, a segment in each, and calls ``interrupt`` before a step."""

    def __init__(self, user, monkeypatch) -> None:
        """``user``: PanelUser."""
        from TotalSegmentatorModuleLib.scene import segment_notices, segmentation_import
        from TotalSegmentatorModuleLib.segment import result_import
        from TotalSegmentatorModuleLib.segment.job_types import JobCallbacks
        from TotalSegmentatorModuleLib.segment.session import SegmentationSession

        self.user, self.app = user, user.app
        self.notes: list[str] = []
        self.unimported: list = []
        callbacks = JobCallbacks(
            on_note=self.notes.append, on_unimported_results=lambda headers: setattr(self, "unimported", headers)
        )
        self.session = SegmentationSession(callbacks)
        self.ct = user.add_ct(soft_tissue_with_air(SHAPE))
        self.plugin = self.app.world.segmentations_plugin
        self.released: list[int] = []
        """How many segments of an abandoned segmentation were separated from their image."""
        self._interruptions: dict[str, tuple[int, Callable[[], None]]] = {}
        prepared, step_of_notices = result_import.prepared_segmentation, segment_notices.SegmentNotices.step
        told = iter(range(1000))

        def prepare(labels, header):
            return (yield from self._interrupted(prepared(labels, header)))

        def tell(notices) -> int | None:
            if notices.is_busy:
                self._interrupt("telling", next(told))
            return step_of_notices(notices)

        def release(segmentation) -> None:
            release_images(segmentation)
            self.released.append(segmentation.GetNumberOfSegments())

        release_images = result_import.release_images
        for module in (result_import, segmentation_import):
            monkeypatch.setattr(module, "release_images", release)
        monkeypatch.setattr(result_import, "prepared_segmentation", prepare)
        monkeypatch.setattr(segment_notices.SegmentNotices, "step", tell)
        monkeypatch.setattr(result_import, "WORK_SECONDS", 0.0)
        monkeypatch.setattr(segment_notices, "WORK_SECONDS", 0.0)

    def _interrupted(self, preparation):
        step = 0
        try:
            while True:
                try:
                    next(preparation)
                except StopIteration as stop:
                    return stop.value
                self._interrupt("preparing", step)
                yield
                step += 1
        finally:
            preparation.close()

    def _interrupt(self, phase: str, step: int) -> None:
        at, action = self._interruptions.get(phase, (-1, None))
        if step == at:
            del self._interruptions[phase]
            action()

    def interrupt(self, phase: str, step: int, action: Callable[[], None]) -> None:
        """``phase``: "preparing" (nobody sees anything yet) or "telling" (the segments are being listed)."""
        self._interruptions[phase] = (step, action)

    # -- the result ----------------------------------------------------------------------------------------------------

    def finish_result(self, preview_of: str | None = None) -> str:
        """As a worker leaves it; returns the job's id. ``preview_of``: the job whose preview it is."""
        from TotalSegmentatorModuleLib import settings

        header, image = self._result()
        header = dataclasses.replace(header, preview_of=preview_of)
        folder = create_owned_folder(results_folder(settings.work_folder()), header.job_id)
        (folder / RESULT_LABELS).write_bytes(image.array.tobytes())
        (folder / RESULT_HEADER).write_text(header_to_json(header), encoding="utf-8")
        return header.job_id

    def _result(self):
        from panel_support import GRID
        from TotalSegmentatorModuleLib.scene.segmentation_import import LabelImage
        from TotalSegmentatorModuleLib.self_test import synthetic_header, synthetic_labels

        image, structures = LabelImage(SHAPE), structure_table("structures_104")
        synthetic_labels(image.array, len(structures))
        return dataclasses.replace(synthetic_header(SHAPE, GRID, structures), job_id=new_id()), image

    def start(self) -> str:
        job_id = self.finish_result()
        self.session.import_saved_result(job_id, self.ct)
        return job_id

    def replace(self, node) -> list:
        """Import another result into ``node``; the list gets the end."""
        from TotalSegmentatorModuleLib import settings
        from TotalSegmentatorModuleLib.background.task_runner import TaskRunner
        from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
        from TotalSegmentatorModuleLib.scene.output_segmentation import OutputChoice
        from TotalSegmentatorModuleLib.segment.job_types import JobCallbacks
        from TotalSegmentatorModuleLib.segment.result_import import ResultImport

        importer, ends = ResultImport(JobCallbacks()), []
        header, image = self._result()
        self.replacing = TaskRunner(Ticker, settings.work_folder(), tidy_up=importer.step)
        task = importer.task(header, [image], lambda: self.ct, OutputChoice(node), "", lambda _node: None)
        self.replacing.start(task, ends.append)
        return ends

    def wait(self, condition: Callable[[], bool]) -> None:
        assert self.app.wait_until(condition, READY_SECONDS)

    def wait_until_told(self) -> None:
        self.wait(lambda: not self.session.is_busy and not self.is_telling)

    @property
    def is_telling(self) -> bool:
        """Whether a segmentation has segments that are not listed yet."""
        return any(self.items(node).keys() != self.segments(node).keys() for node in self.nodes)

    # -- the scene -----------------------------------------------------------------------------------------------------

    @property
    def nodes(self) -> list:
        return self.user.segmentations

    @staticmethod
    def segments(node) -> dict[str, str]:
        """Names by ids."""
        segmentation = node.GetSegmentation()
        ids = [segmentation.GetNthSegmentID(index) for index in range(segmentation.GetNumberOfSegments())]
        return {each: segmentation.GetSegment(each).GetName() for each in ids}

    @staticmethod
    def items(node) -> dict[str, str]:
        """Names of the items in the subject hierarchy by the ids of their segments."""
        import slicer
        import vtk

        tree, children = slicer.mrmlScene.GetSubjectHierarchyNode(), vtk.vtkIdList()
        tree.GetItemChildren(tree.GetItemByDataNode(node), children)
        items = [children.GetId(index) for index in range(children.GetNumberOfIds())]
        return {tree.GetItemAttribute(item, node.GetSegmentIDAttributeName()): tree.GetItemName(item) for item in items}

    def assert_whole(self, node) -> None:
        assert self.segments(node) == self.all_segments()
        assert self.items(node) == self.all_segments()

    @staticmethod
    def all_segments() -> dict[str, str]:
        return {structure.name: structure.display_name for structure in structure_table("structures_104")}


@pytest.fixture
def arrival(user, monkeypatch):
    arrival = Arrival(user, monkeypatch)
    yield arrival
    arrival.session.dispose()
