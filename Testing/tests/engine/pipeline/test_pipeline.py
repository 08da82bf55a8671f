"""The whole engine from volume to labels: against nnU-Net's own predictor, and what jobs promise each other."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import ct_variants
import numpy as np
import pytest
import torch
from engine_support import blobs_volume, turned
from nnunet_reference import nnunet_labels
from one_model import model_task
from seeded_models import configuration_settings, make_model_folder, plans_of
from TotalSegmentatorEngine.ct_input.reading import ReadInput
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.inference.runtimes import recorded_choice
from TotalSegmentatorEngine.job import reporting
from TotalSegmentatorEngine.job.reporting import JobReporter, SilentReporter
from TotalSegmentatorEngine.machine.profile import MachineProfile
from TotalSegmentatorEngine.models.model_folder import read_model_folder
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorEngine.pipeline.run_job import segment
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.plan import plan_from_json
from TotalSegmentatorWire.messages.segment import PlanEvent, ProgressEvent, Stage, WarningEvent
from TotalSegmentatorWire.tables.voxel_orders import VOXEL_ORDER_KEY

pytestmark = pytest.mark.usefixtures("one_thread")

SMALLEST_AGREEMENT = 0.999
SMALLEST_AGREEMENT_WITH_HALF_PRECISION = 0.997
"""nnU-Net's own sums are float16: near-ties of random networks fall otherwise, most of all near the image's corners,
which are a large share of these small images."""


def labels_of(volume: Volume, folder: Path, cache: EngineCache | None = None) -> np.ndarray:
    prepared = prepare(model_task(str(folder), Path()))
    return segment(volume, prepared, cache or EngineCache(), SilentReporter()).layers[0]


@dataclass(frozen=True)
class Case:
    """One combination of what a folder may ask for."""

    name: str
    shape: tuple[int, int, int] = (22, 30, 27)
    spacing: tuple[float, float, float] = (3.0, 3.0, 3.0)
    target: tuple[float, float, float] = (3.0, 3.0, 3.0)
    patch: tuple[int, int, int] = (16, 16, 16)
    reader: str = "SimpleITKIO"
    transpose: tuple[int, int, int] = (0, 1, 2)
    axes: tuple[int, ...] | None = None
    folds: int = 1
    network: str = "plain"
    old_format: bool = False
    resampling: str = "resample_data_or_seg_to_shape"
    zero_border: bool = False


CASES = [
    Case("same spacing"),
    Case("canonical reader", reader="NibabelIOWithReorient"),
    Case("finer model", spacing=(3.0, 2.4, 2.4), target=(2.0, 2.0, 2.0)),
    Case("anisotropic CT", shape=(10, 36, 30), spacing=(8.0, 1.5, 1.7), target=(3.0, 3.0, 3.0)),
    Case("anisotropic model", shape=(24, 26, 30), spacing=(1.5, 1.5, 1.5), target=(6.0, 1.8, 1.8), patch=(8, 16, 16)),
    Case("transposed", shape=(20, 34, 26), target=(3.0, 2.0, 4.0), patch=(16, 16, 8), transpose=(1, 2, 0)),
    Case("transposed and canonical", reader="NibabelIOWithReorient", target=(2.5, 3.0, 4.0), transpose=(2, 0, 1)),
    Case("mirrored", axes=(0, 1, 2), patch=(16, 16, 24)),
    Case("mirrored along one axis", axes=(1,), transpose=(2, 1, 0)),
    Case("two folds", folds=2),
    Case("residual encoder", network="residual"),
    Case("old plans", old_format=True),
    Case("old plans, residual encoder", old_format=True, network="residual"),
    Case("torch resampling", target=(2.0, 3.5, 2.5), resampling="resample_torch_fornnunet"),
    Case("torch, anisotropic", spacing=(9.0, 2.0, 2.0), resampling="resample_torch_fornnunet"),
    Case("smaller than the patch", shape=(9, 40, 11), patch=(16, 24, 16)),
    Case("border of zeros", zero_border=True, shape=(30, 34, 31)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_labels_are_those_of_nnunets_own_predictor(tmp_path: Path, case: Case) -> None:
    settings = configuration_settings(case.patch, case.target, case.network, case.old_format, case.resampling)
    plans = plans_of(settings, reader=case.reader, transpose_forward=case.transpose)
    folder = make_model_folder(
        tmp_path / "Dataset900_Seeded", plans=plans, folds=case.folds, mirroring_axes=case.axes, seed=3
    )
    volume = blobs_volume(case.shape, case.spacing)
    if case.zero_border:
        inside = np.zeros(case.shape, dtype=bool)
        inside[3:27, 5:30, 2:25] = True
        volume = Volume(np.where(inside, volume.array, 0).astype(np.int16), volume.geometry)
    if case.reader == "NibabelIOWithReorient":
        volume = turned(volume, (1, 0, 2), (True, False, True))
    expected = nnunet_labels(folder, volume.array, volume.geometry.ijk_to_ras, half_precision=False)
    labels = labels_of(volume, folder)
    assert labels.shape == volume.array.shape and labels.dtype == np.uint8
    assert len(np.unique(expected)) >= 3, "the reference labels must be worth comparing"
    assert (labels == expected).mean() >= SMALLEST_AGREEMENT
    if case.name == "same spacing":
        as_published = nnunet_labels(folder, volume.array, volume.geometry.ijk_to_ras)
        assert (labels == as_published).mean() >= SMALLEST_AGREEMENT_WITH_HALF_PRECISION


@pytest.mark.parametrize(
    ("axes", "flips"),
    [((0, 1, 2), (False, True, True)), ((2, 0, 1), (True, False, False)), ((0, 1, 2), (False, False, True))],
    ids=["LPS", "permuted", "left-handed"],
)
def test_a_canonical_model_does_not_see_how_the_ct_is_stored(tmp_path: Path, axes, flips) -> None:
    plans = plans_of(configuration_settings(spacing=(2.0, 2.0, 2.0)), reader="NibabelIOWithReorient")
    folder = make_model_folder(tmp_path / "D", plans=plans)
    volume = blobs_volume((20, 24, 22), (3.0, 2.5, 2.0))
    expected = labels_of(volume, folder)
    other = turned(volume, axes, flips)
    stored = labels_of(other, folder)
    again = turned(Volume(expected, volume.geometry), axes, flips)
    assert np.array_equal(stored, again.array)


@pytest.mark.parametrize("order", ["RAS", "LPS", "PIR"])
def test_a_model_gets_every_ct_in_the_voxel_order_that_is_stored_with_it(tmp_path: Path, order: str) -> None:
    plans = plans_of(configuration_settings(spacing=(2.0, 2.0, 2.0)), reader="SimpleITKIO", transpose_forward=(2, 0, 1))
    plain = make_model_folder(tmp_path / "plain", plans=plans)
    stated = make_model_folder(tmp_path / "stated", plans=plans)
    table = json.loads((stated / "dataset.json").read_text())
    (stated / "dataset.json").write_text(json.dumps(table | {VOXEL_ORDER_KEY: order}))
    volume = blobs_volume((20, 24, 22), (3.0, 2.5, 2.0))
    in_order = Volume(*_in_order(volume.array, volume.geometry, order))
    expected = labels_of(in_order, plain)
    for stored in ("LPS", "RAS", "ASL", "LAI"):
        labels = labels_of(Volume(*_in_order(volume.array, volume.geometry, stored)), stated)
        back, _matrix = ct_variants.reordered(
            labels, _in_order(volume.array, volume.geometry, stored)[1].ijk_to_ras, order
        )
        assert np.array_equal(back, expected), stored


def _in_order(array: np.ndarray, geometry: Geometry, order: str) -> tuple[np.ndarray, Geometry]:
    reordered, matrix = ct_variants.reordered(array, geometry.ijk_to_ras, order)
    return reordered, Geometry(reordered.shape, matrix)


@pytest.mark.parametrize(
    ("reader", "spacing"), [("SimpleITKIO", (3.0, 2.5, 2.0)), ("NibabelIOWithReorient", (2.0,) * 3)]
)
def test_a_turned_direction_matrix_changes_no_label(tmp_path: Path, reader: str, spacing) -> None:
    plans = plans_of(configuration_settings(spacing=(2.0, 2.0, 2.0)), reader=reader)
    folder = make_model_folder(tmp_path / "D", plans=plans)
    straight = blobs_volume((20, 24, 22), spacing)
    angle = np.radians(20)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    turn[:3, :3] *= 1 + 1e-8  # files store direction and spacing with rounding errors
    oblique = Volume(straight.array, Geometry(straight.array.shape, turn @ straight.geometry.ijk_to_ras))
    assert np.array_equal(labels_of(oblique, folder), labels_of(straight, folder))


# -- jobs --------------------------------------------------------------------------------------------------------------


class CountingCache(EngineCache):
    """Notes what had to be made anew."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[str] = []

    def image(self, volume, key, make, size):
        return super().image(volume, key, lambda: (self.made.append(key[0]), make())[1], size)

    def runner(self, folder, variant, make, keep=1):
        return super().runner(folder, variant, lambda: (self.made.append("network"), make())[1], keep)


def test_a_second_job_on_the_same_ct_makes_nothing_anew(tmp_path: Path) -> None:
    folder = make_model_folder(tmp_path / "D", plans=plans_of(configuration_settings(spacing=(2.0, 2.0, 2.0))))
    volume, cache = blobs_volume((20, 24, 22), (3.0, 2.5, 2.0)), CountingCache()
    cache.remember_ct("first", ReadInput(volume))
    first = labels_of(volume, folder, cache)
    assert sorted(cache.made) == ["image", "input", "network"]
    assert np.array_equal(labels_of(cache.ct("first").volume, folder, cache), first)
    assert len(cache.made) == 3
    other = blobs_volume((20, 24, 22), (3.0, 2.5, 2.0), seed=9)
    cache.remember_ct("second", ReadInput(other))
    assert cache.ct("first") is None
    assert not np.array_equal(labels_of(other, folder, cache), first)
    assert sorted(cache.made[3:]) == ["image", "input"], "the network stays, the images do not"


@pytest.mark.usefixtures("fresh_measurements")
def test_a_trial_of_runtimes_is_known_before_the_job_ends(tmp_path: Path) -> None:
    """Else it is made again by each job during which Slicer is closed."""
    folder, seen = make_model_folder(tmp_path / "D"), []

    class Watching(SilentReporter):
        def progress(self, stage: str, fraction_of_stage: float, tile: int = 0, tiles: int = 0) -> None:
            if stage == Stage.PREDICTING:
                known = recorded_choice(read_model_folder(folder), "exact", torch.device("cpu"), MachineProfile.load())
                seen.append(known)

    segment(
        blobs_volume((20, 24, 22), (3.0, 3.0, 3.0)), prepare(model_task(str(folder), Path())), EngineCache(), Watching()
    )
    assert seen and None not in seen


def test_a_changed_weight_file_is_loaded_again(tmp_path: Path) -> None:
    folder, volume, cache = (
        make_model_folder(tmp_path / "D"),
        blobs_volume((16, 16, 16), (3.0, 3.0, 3.0)),
        EngineCache(),
    )
    before = labels_of(volume, folder, cache)
    other = make_model_folder(tmp_path / "E", seed=77)
    (other / "fold_0" / "checkpoint_final.pth").replace(folder / "fold_0" / "checkpoint_final.pth")
    assert not np.array_equal(labels_of(volume, folder, cache), before)


def test_only_the_requested_structures_come_back(tmp_path: Path) -> None:
    folder, volume = make_model_folder(tmp_path / "D"), blobs_volume((20, 24, 22), (3.0, 3.0, 3.0))
    everything = labels_of(volume, folder)
    prepared = prepare(model_task(str(folder), Path(), ["spleen", "aorta"]))
    result = segment(volume, prepared, EngineCache(), SilentReporter())
    assert np.array_equal(result.layers[0], np.where(np.isin(everything, (2, 3)), everything, 0))
    assert [structure.name for structure in result.structures] == ["spleen", "aorta"]
    assert {found.name for found in result.found} | set(result.absent) == {"spleen", "aorta"}
    for found in result.found:
        i_min, i_max, j_min, j_max, k_min, k_max = found.extent
        places = np.argwhere(result.layers[0] == found.label)
        assert found.voxels == len(places)
        assert places.min(axis=0).tolist() == [k_min, j_min, i_min]
        assert places.max(axis=0).tolist() == [k_max, j_max, i_max]
    assert (result.models, result.profiles, result.device) == (["D"], {"D": "nnunet"}, "cpu")


def test_a_reviewed_result_has_flags_and_mean_hu(tmp_path: Path) -> None:
    folder, volume = make_model_folder(tmp_path / "D"), blobs_volume((20, 24, 22), (3.0, 3.0, 3.0))
    emitted: list = []
    prepared = prepare(model_task(str(folder), Path(), is_reviewed=True))
    result = segment(volume, prepared, EngineCache(), JobReporter("job", emitted.append))
    stages = list(dict.fromkeys(event.stage for event in emitted if isinstance(event, ProgressEvent)))
    assert stages[-2:] == [Stage.RESTORING, Stage.REVIEWING]
    for found in result.found:
        assert found.mean_hu == pytest.approx(volume.array[result.layers[0] == found.label].mean(), abs=0.01)
    borders = result.layers[0].copy()
    borders[1:-1, 1:-1, 1:-1] = 0
    cut = {found.name for found in result.found if (borders == found.label).any()}
    assert {flag.structure for flag in result.flags if flag.rule == "cut_by_scan"} == cut != set()
    assert segment(volume, prepare(model_task(str(folder), Path())), EngineCache(), SilentReporter()).flags is None


def test_progress_rises_through_the_stages_and_counts_tiles(tmp_path: Path) -> None:
    folder, volume = make_model_folder(tmp_path / "D"), blobs_volume((20, 24, 22), (3.0, 3.0, 3.0))
    emitted: list = []
    reporter = JobReporter("job", emitted.append)
    segment(volume, prepare(model_task(str(folder), Path())), EngineCache(), reporter)
    events = [event for event in emitted if isinstance(event, ProgressEvent)]
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions)
    stages = list(dict.fromkeys(event.stage for event in events))
    # a network is loaded when its turn comes, and the image is there before it
    loading = [Stage.LOADING_ENGINE, Stage.RESAMPLING, Stage.LOADING_MODEL]
    assert stages == [*loading, Stage.PREDICTING, Stage.RESTORING]
    last = [event for event in events if event.stage == Stage.PREDICTING][-1]
    assert last.tile == last.tiles == 2 * 2 * 2
    (plan,) = [plan_from_json(event.plan) for event in emitted if isinstance(event, PlanEvent)]
    assert plan.tiles == last.tiles


@pytest.mark.parametrize(
    "stop_at", [Stage.LOADING_MODEL, Stage.RESAMPLING, Stage.PREDICTING, Stage.LABELLING, Stage.RESTORING]
)
def test_a_job_stops_at_the_stage_where_it_is_cancelled_and_the_next_one_works(
    tmp_path: Path, stop_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "LABELLING_SHOWN_AFTER", 0.0)
    plans = plans_of(configuration_settings(spacing=(2.0, 2.0, 2.0)))
    folder, volume = make_model_folder(tmp_path / "D", plans=plans), blobs_volume((20, 24, 22), (3.0, 3.0, 3.0))
    reached: list[str] = []

    def note(event: object) -> None:
        if isinstance(event, ProgressEvent):
            reached.append(event.stage)

    reporter = JobReporter("job", note, lambda: stop_at in reached)
    cache = EngineCache()
    prepared = prepare(model_task(str(folder), Path()))
    with pytest.raises(SegmentationError) as caught:
        segment(volume, prepared, cache, reporter)
    assert caught.value.code == "CANCELLED"
    assert reached[-1] == stop_at
    assert segment(volume, prepared, cache, SilentReporter()).layers[0].any()


def test_the_demo_warning_reaches_the_job(tmp_path: Path) -> None:
    folder = make_model_folder(tmp_path / "D", dataset_json=demo_dataset_json())
    events: list = []
    volume = blobs_volume((16, 16, 16), (3.0, 3.0, 3.0))
    segment(volume, prepare(model_task(str(folder), Path())), EngineCache(), JobReporter("job", events.append))
    warnings = [event for event in events if isinstance(event, WarningEvent)]
    assert [warning.problem["code"] for warning in warnings] == ["DEMO_MODEL"]


def demo_dataset_json() -> dict:
    from seeded_models import dataset_json_of

    return dataset_json_of(["liver", "spleen"]) | {"totalsegmentator_module_demo": True}


def test_a_device_that_is_not_there_is_refused(tmp_path: Path) -> None:
    folder, volume = make_model_folder(tmp_path / "D"), blobs_volume((16, 16, 16), (3.0, 3.0, 3.0))
    prepared = prepare(model_task(str(folder), Path(), device="cuda:99"))
    with pytest.raises(SegmentationError) as caught:
        segment(volume, prepared, EngineCache(), SilentReporter())
    assert caught.value.code == "DEVICE_UNAVAILABLE"
