"""The fast model's result comes first, the fine one is as it would be without it, and what can be shared runs once.

Models that answer by CT number alone (hu_models.py): what each of them finds is known.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from hu_models import block_volume, make_hu_model
from job_recorder import JobRecorder
from one_model import model_task
from TotalSegmentatorEngine.ct_input.reading import ReadInput
from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.job.reporting import SilentReporter
from TotalSegmentatorEngine.job.task import SegmentationResult
from TotalSegmentatorEngine.models.find_model import Part
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.part_prediction import PartPrediction
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorEngine.pipeline.run_job import plan, run_job, segment
from TotalSegmentatorEngine.worker.job_files import WorkerJobFiles
from TotalSegmentatorWire import retry
from TotalSegmentatorWire.choice.preview_models import preview_model
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.job_folder import (
    CT_HEADER,
    CT_VOXELS,
    RESULT_DRAFT,
    RESULT_LABELS,
    create_owned_folder,
    new_id,
)
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.plan import LOCALIZATION, PREVIEW, SEGMENTATION
from TotalSegmentatorWire.messages.segment import CtHeader, SegmentRequest, header_to_json
from TotalSegmentatorWire.tables.catalogue import read_catalogue

pytestmark = pytest.mark.usefixtures("fresh_measurements", "one_thread")

FINE, FAST, FASTEST = "117-1.5mm", "117-3mm", "117-6mm"
KIDNEY, STONE = 640, 400
"""CT numbers; the fast model takes the second for the kidney, too."""
BLOCK, OTHER = (slice(8, 24), slice(8, 24), slice(8, 24)), (slice(30, 40), slice(8, 24), slice(8, 24))
KIDNEY_VOXELS, OTHER_VOXELS = 16**3, 10 * 16**2

Show = Callable[[SegmentationResult], None]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_hu_model(folder, FINE, {"kidney_left": KIDNEY}, (32, 32, 32))
    make_hu_model(folder, FAST, {"kidney_left": STONE})
    return folder


@pytest.fixture
def models(tmp_path: Path, installed: Path) -> Path:
    """A test may damage them."""
    return Path(shutil.copytree(installed, tmp_path / "models"))


@pytest.fixture
def parts_run(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The networks that run, in their order."""
    runs: list[str] = []
    predict = PartPrediction.predict

    def noted(self: PartPrediction, part: Part, region: object) -> object:
        runs.append(part.name)
        return predict(self, part, region)

    monkeypatch.setattr(PartPrediction, "predict", noted)
    return runs


def ct(slices: int = 48) -> Volume:
    return block_volume((slices, 32, 32), [(BLOCK, KIDNEY), (OTHER, 300)])


def job(
    models: Path, show: Show, names: list[str] | None = None, slices: int = 48, **options
) -> tuple[SegmentationResult, JobRecorder]:
    chosen = JobOptions(runtime="eager", self_check=False, preview=True, **options)
    prepared = prepare(model_task(FINE, models, names, "cpu", chosen, is_reviewed=True))
    recorder = JobRecorder()
    return segment(ct(slices), prepared, EngineCache(), recorder.reporter, show), recorder


def without_preview(models: Path) -> SegmentationResult:
    options = JobOptions(runtime="eager", self_check=False, second_opinion="off")
    return segment(ct(), prepare(model_task(FINE, models, None, "cpu", options)), EngineCache(), SilentReporter())


def part_of(model: str) -> str:
    return read_catalogue()[model].parts[0].name


def voxels(result: SegmentationResult) -> dict[str, int]:
    return {found.name: found.voxels for found in result.found}


def test_the_fast_result_comes_first_and_the_fine_one_is_the_same_for_it(models: Path, parts_run: list[str]) -> None:
    """It serves the review as the second opinion as well: the fast network runs once, before all others."""
    shown: list[tuple[SegmentationResult, list[str]]] = []
    result, recorder = job(models, lambda preview: shown.append((preview, list(parts_run))), second_opinion="on")
    ((preview, run_before),) = shown
    assert run_before == [part_of(FAST)]
    assert parts_run.count(part_of(FAST)) == 1
    assert len(parts_run) == 6
    assert preview.models == [FAST]
    assert voxels(preview) == {"kidney_left": pytest.approx(KIDNEY_VOXELS + OTHER_VOXELS, rel=0.25)}
    assert preview.found[0].digest
    assert preview.flags is None
    assert voxels(result) == {"kidney_left": KIDNEY_VOXELS}
    assert [flag.structure for flag in result.flags if flag.rule == "second_opinion"] == ["kidney_left"]
    assert np.array_equal(result.layers[0], without_preview(models).layers[0])
    (planned,) = recorder.plans
    assert [each.purpose for each in planned.passes] == [PREVIEW] + [SEGMENTATION] * 5
    assert recorder.tiles == (planned.tiles, planned.tiles), "the tiles that were planned were run"
    fractions = [event.fraction for event in recorder.progress]
    assert fractions == sorted(fractions)
    assert recorder.warnings == []


def test_a_named_structure_is_localized_once_by_the_preview(models: Path, parts_run: list[str]) -> None:
    shown: list[SegmentationResult] = []
    result, recorder = job(models, shown.append, ["kidney_left"], slices=112)
    assert parts_run == [part_of(FAST), read_catalogue()[FINE].parts[0].name]
    assert [each.purpose for each in recorder.plans[-1].passes] == [PREVIEW, SEGMENTATION]
    assert recorder.plans[-1].passes[1].is_cropped
    assert list(voxels(shown[0])) == ["kidney_left"]
    assert voxels(result) == {"kidney_left": KIDNEY_VOXELS}


def test_both_are_localized_by_one_pass_of_a_coarser_model(models: Path) -> None:
    """As the 3 mm job alone would be."""
    make_hu_model(models, FASTEST, {"kidney_left": KIDNEY})
    volume = block_volume((112, 72, 72), [(BLOCK, KIDNEY)])
    options = JobOptions(runtime="eager", self_check=False, preview=True)
    planned = plan(volume, prepare(model_task(FINE, models, ["kidney_left"], "cpu", options)))
    assert [each.purpose for each in planned.passes] == [LOCALIZATION, PREVIEW, SEGMENTATION]
    assert [each.model for each in planned.passes] == [FASTEST, FAST, FINE]


def test_time_and_memory_of_the_preview_are_in_the_plan(models: Path) -> None:
    job(models, lambda _preview: None, second_opinion="off")  # paces are known from here on
    options = JobOptions(runtime="eager", self_check=False, second_opinion="off")
    alone = plan(ct(), prepare(model_task(FINE, models, None, "cpu", options)))
    both = plan(ct(), prepare(model_task(FINE, models, None, "cpu", dataclasses.replace(options, preview=True))))
    assert both.seconds > alone.seconds
    assert both.peak_bytes >= alone.peak_bytes


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), "PREVIEW_MEMORY_SHORT"),
        (SegmentationError("OUTPUT_NOT_WRITABLE"), "PREVIEW_FAILED"),
        (ValueError("unforeseen"), "PREVIEW_FAILED"),
    ],
)
def test_the_job_goes_on_where_its_preview_fails(models: Path, error: Exception, code: str) -> None:
    def fail(_preview: SegmentationResult) -> None:
        raise error

    result, recorder = job(models, fail, ["kidney_left"])
    assert voxels(result) == {"kidney_left": KIDNEY_VOXELS}
    assert recorder.warnings == [code]


@pytest.mark.parametrize("what", ["weights", "plans"])
def test_a_damaged_fast_model_is_left_out(models: Path, what: str) -> None:
    """And the fine networks run everywhere, as nothing has told them where."""
    (folder,) = read_catalogue()[FAST].part_folders(models)
    damaged = folder / "fold_0" / "checkpoint_final.pth" if what == "weights" else folder / "plans.json"
    damaged.write_bytes(b"no model")
    shown: list[SegmentationResult] = []
    result, recorder = job(models, shown.append, ["kidney_left"], slices=112)
    assert shown == []
    assert voxels(result) == {"kidney_left": KIDNEY_VOXELS}
    assert recorder.values_of("PREVIEW_MODEL_DAMAGED") == {"model": FAST}
    assert [each.purpose for each in recorder.plans[-1].passes] == [SEGMENTATION]
    assert not recorder.plans[-1].passes[0].is_cropped


def test_memory_that_runs_out_in_the_fast_network_ends_the_preview_alone(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict = PartPrediction.predict

    def short(self: PartPrediction, part: Part, region: object) -> object:
        if part.name == part_of(FAST):
            raise torch.OutOfMemoryError
        return predict(self, part, region)

    monkeypatch.setattr(PartPrediction, "predict", short)
    shown: list[SegmentationResult] = []
    result, recorder = job(models, shown.append, second_opinion="on")
    assert (shown, recorder.warnings) == ([], ["PREVIEW_MEMORY_SHORT"])
    assert voxels(result) == {"kidney_left": KIDNEY_VOXELS}


def test_cancelling_while_the_preview_is_written_ends_the_job(models: Path) -> None:
    def cancelled(_preview: SegmentationResult) -> None:
        raise SegmentationError("CANCELLED")

    with pytest.raises(SegmentationError, match=r"[Cc]ancel") as ended:
        job(models, cancelled, ["kidney_left"])
    assert ended.value.code == "CANCELLED"


@pytest.mark.parametrize("is_removable", [True, False])
def test_a_preview_that_another_program_holds_open_costs_the_result_nothing(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_removable: bool
) -> None:
    """What reads it, a virus scanner on Windows, lets it be neither renamed nor removed."""
    job_folder = create_owned_folder(tmp_path / "jobs", new_id())
    volume, results = ct(), tmp_path / "results"
    volume.array.tofile(job_folder / CT_VOXELS)
    matrix = volume.geometry.ijk_to_ras.ravel().tolist()
    header = CtHeader("ct", list(volume.array.shape), str(volume.array.dtype), matrix, "1.2.3")
    (job_folder / CT_HEADER).write_text(header_to_json(header), encoding="utf-8")
    request = SegmentRequest(new_id(), str(job_folder), str(results), "ct", False, [], str(models))
    files, recorder = WorkerJobFiles(request, EngineCache(), nullcontext()), JobRecorder()
    rmtree = shutil.rmtree

    def locked(*_arguments) -> None:
        raise PermissionError("open in another program")

    def show(preview: SegmentationResult, read: ReadInput) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(Path, "rename", locked)
            patched.setattr(retry.time, "sleep", lambda _seconds: None)
            files.write_preview(preview, read, recorder.reporter)

    monkeypatch.setattr(shutil, "rmtree", rmtree if is_removable else lambda *_arguments, **_more: None)
    options = JobOptions(runtime="eager", self_check=False, preview=True, second_opinion="off")
    task = model_task(FINE, models, ["kidney_left"], "cpu", options)
    run_job(task, files, EngineCache(), recorder.reporter, show)
    assert recorder.warnings == ["IMPLAUSIBLE_HU", "PREVIEW_FAILED"], "the first is of a CT of two blocks"
    assert [folder.name for folder in results.iterdir()] == [request.job_id]
    written = np.fromfile(files.result_folder / RESULT_LABELS, np.uint8)
    assert np.count_nonzero(written) == KIDNEY_VOXELS
    assert (job_folder / RESULT_DRAFT).exists() == (not is_removable)


def test_only_fine_models_of_the_whole_body_have_a_preview() -> None:
    found = {model_id: preview_model(model_id) for model_id in [*read_catalogue(), "my own"]}
    assert {model_id: fast.id for model_id, fast in found.items() if fast is not None} == {
        "104-1.5mm": "104-3mm",
        "117-1.5mm": "117-3mm",
    }
