"""The structure that the user asks for while a job runs is computed next; the labels do not depend on it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from catalogue_jobs import MODEL
from engine_support import blobs_volume
from seeded_models import make_catalogue_model
from TotalSegmentatorEngine.job.reporting import JobReporter
from TotalSegmentatorEngine.job.task import SegmentationResult, SegmentationTask
from TotalSegmentatorEngine.labels.merging import merge_part
from TotalSegmentatorEngine.models.find_model import Part
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.part_prediction import PartPrediction
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorEngine.pipeline.run_job import segment
from TotalSegmentatorEngine.preprocessing.network_input import Region
from TotalSegmentatorEngine.worker.request_queue import AcceptedJob
from TotalSegmentatorWire.messages.model_request import ModelRequest
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.plan import SEGMENTATION, plan_from_json
from TotalSegmentatorWire.messages.segment import PlanEvent, PlanRequest, ProgressEvent, Stage

pytestmark = pytest.mark.usefixtures("fresh_measurements", "one_thread")

FAMILY = "104-3mm"
PARTS = ("organs", "vertebrae", "cardiac", "muscles", "ribs")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for model in (MODEL, FAMILY):
        make_catalogue_model(folder, model)
    return folder


class Watched:
    """A job, what ran in it in which order, and what its progress said of that."""

    def __init__(self, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._models = models
        self.asked: list[str] = []
        self.clicks: dict[str, str] = {}
        """By the part that has just run: the structure that is clicked then."""
        self.ran: list[str] = []
        self.events: list[object] = []
        predict = PartPrediction.predict

        def noted(prediction: PartPrediction, part: Part, region: Region):
            predicted = predict(prediction, part, region)
            self.ran.append(short(part.name))
            if self.ran[-1] in self.clicks:
                self.asked.insert(0, self.clicks[self.ran[-1]])
            return predicted

        monkeypatch.setattr(PartPrediction, "predict", noted)

    def run(self, *requests: ModelRequest, smooth: bool = False) -> SegmentationResult:
        self.ran.clear()
        self.events.clear()
        clock = itertools.count(0.0, 1.0)
        reporter = JobReporter("1", self.events.append, clock=lambda: next(clock), asked_first=lambda: self.asked)
        options = JobOptions(runtime="eager", smooth=smooth)
        task = SegmentationTask(requests or (ModelRequest(MODEL),), self._models, "cpu", options)
        return segment(blobs_volume((20, 24, 22), (2.4, 2.0, 1.9)), prepare(task), EngineCache(), reporter)

    @property
    def shown(self) -> list[str]:
        """Parts of which the progress said that they are being loaded."""
        told = [each for each in self.events if isinstance(each, ProgressEvent) and each.stage == Stage.LOADING_MODEL]
        return [short(event.part) for event in told]

    @property
    def planned(self) -> list[str]:
        last = [event for event in self.events if isinstance(event, PlanEvent)][-1]
        return [short(each.part) for each in plan_from_json(last.plan).passes if each.purpose == SEGMENTATION]


def short(name: str) -> str:
    return next((part for part in PARTS if part in name), name)


@pytest.fixture
def job(models: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(models, monkeypatch)


def assert_same(one: SegmentationResult, other: SegmentationResult) -> None:
    assert [layer.tobytes() for layer in one.layers] == [layer.tobytes() for layer in other.layers]
    assert one.found == other.found and one.absent == other.absent and one.models == other.models


@pytest.mark.parametrize("smooth", [False, True])
def test_the_part_of_the_clicked_structure_comes_next(job: Watched, smooth: bool):
    usual = job.run(smooth=smooth)
    assert job.ran == list(PARTS) and usual.layers[0].any()

    job.asked = ["rib_left_4"]
    job.clicks = {"ribs": "heart", "cardiac": "no_such_structure"}
    assert_same(job.run(smooth=smooth), usual)
    assert job.ran == ["ribs", "cardiac", "organs", "vertebrae", "muscles"]
    assert job.shown == job.ran and job.planned == job.ran


def test_the_model_of_the_clicked_structure_comes_next(job: Watched):
    requests = (ModelRequest(MODEL, ("spinal_cord", "vertebrae_L1")), ModelRequest(FAMILY, ("liver", "spleen")))
    usual = job.run(*requests)
    family = job.ran[-1]
    assert job.ran[0] in PARTS and family not in PARTS
    job.asked = ["spleen"]
    assert_same(job.run(*requests), usual)
    assert job.ran[0] == family and job.planned[0] == family
    assert sorted(job.ran) == sorted({*job.ran}), "each once"


def test_what_was_found_already_changes_nothing(job: Watched):
    job.clicks = {"organs": "liver"}
    job.run()
    assert job.ran == list(PARTS)


def test_any_order_of_parts_merges_to_the_same():
    random = np.random.default_rng(0)
    parts = [random.integers(0, 3, (6, 5, 4), dtype=np.uint8) for _ in range(3)]
    numbers = [{1: 2 * place + 1, 2: 2 * place + 2} for place in range(3)]

    def merged(order: Sequence[int]) -> np.ndarray:
        labels = np.zeros((6, 5, 4), np.uint8)
        for place in order:
            earlier = [label for before in numbers[:place] for label in before.values()]
            merge_part(labels, parts[place], numbers[place], overwritten=earlier)
        return labels

    expected = np.zeros((6, 5, 4), np.uint8)
    for part, own in zip(parts, numbers, strict=True):
        merge_part(expected, part, own)
    assert all(np.array_equal(merged(order), expected) for order in itertools.permutations(range(3)))


def test_what_was_asked_for_last_counts_most(tmp_path: Path):
    job = AcceptedJob(PlanRequest("1", str(tmp_path), "", [1, 1, 1], [0.0] * 16, [], ""))
    for name in ("liver", "spleen", "liver", "aorta"):
        job.ask_first(name)
    assert job.asked_first() == ("aorta", "liver", "spleen")
