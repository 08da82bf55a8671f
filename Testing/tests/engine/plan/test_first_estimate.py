"""The time of a job whose networks never ran on this machine: by the operations of their plans and a short trial."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from catalogue_jobs import EAGER, folder_job, whole_set
from engine_support import blobs_volume
from job_recorder import run
from one_model import model_task
from seeded_models import configuration_settings, make_catalogue_model, make_model_folder, plans_of
from torch.utils.flop_counter import FlopCounterMode
from TotalSegmentatorEngine.cli.printed_pages import plan_page
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.inference.network import build_network
from TotalSegmentatorEngine.inference.pace_trial import pace_trial
from TotalSegmentatorEngine.machine.profile import MachineProfile
from TotalSegmentatorEngine.models.model_folder import ModelFolder, architecture_key, read_model_folder
from TotalSegmentatorEngine.pipeline import job_planning
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorEngine.pipeline.run_job import plan, plan_ahead
from TotalSegmentatorEngine.plan.network_work import tile_operations
from TotalSegmentatorEngine.plan.rates import network_rate
from TotalSegmentatorWire.user_folders import CACHE_VARIABLE

CPU = torch.device("cpu")
MODELS_OF_TASKS = ("craniofacial_structures", "lung_nodules")


def published_like(old_format: bool, network: str = "plain", patch: tuple[int, int, int] = (32, 32, 64)) -> dict:
    """Plans of four stages whose strides differ by axis, as anisotropic data sets have them."""
    settings = configuration_settings(patch, network=network, old_format=old_format)
    kernels = [[1, 3, 3], [3, 3, 3], [3, 3, 3], [3, 3, 3]]
    strides = [[1, 1, 1], [1, 2, 2], [2, 2, 2], [2, 2, 2]]
    if old_format:
        settings |= {"pool_op_kernel_sizes": strides, "conv_kernel_sizes": kernels, "unet_max_num_features": 20}
        settings |= {"n_conv_per_stage_encoder": [2, 1, 3, 2], "n_conv_per_stage_decoder": [2, 1, 2]}
        return plans_of(settings)
    arguments = settings["architecture"]["arch_kwargs"]
    arguments |= {"n_stages": 4, "features_per_stage": [4, 8, 16, 20], "kernel_sizes": kernels, "strides": strides}
    arguments["n_conv_per_stage_decoder"] = [2, 1, 2]
    arguments["n_conv_per_stage" if network == "plain" else "n_blocks_per_stage"] = [2, 1, 3, 2]
    return plans_of(settings)


def counted_operations(folder: ModelFolder) -> int:
    """As PyTorch counts them while the network runs on a tile without voxels."""
    counter = FlopCounterMode(display=False)
    with counter, torch.device("meta"), torch.inference_mode():
        build_network(folder).eval()(torch.empty((1, 1, *folder.patch_size)))
    return counter.get_total_flops()


@pytest.mark.parametrize("network", ["plain", "residual"])
@pytest.mark.parametrize("old_format", [True, False])
def test_operations_of_the_plans_are_those_that_pytorch_counts(tmp_path: Path, network: str, old_format: bool):
    for number, plans in enumerate(
        (plans_of(configuration_settings(network=network, old_format=old_format)), published_like(old_format, network))
    ):
        folder = read_model_folder(make_model_folder(tmp_path / f"Dataset90{number}_Seeded", plans=plans))
        assert tile_operations(folder) == pytest.approx(counted_operations(folder), rel=1e-6)


def test_a_trial_takes_a_moment_and_its_pace_is_that_of_this_machine():
    pace_trial("eager", "exact", CPU)
    begun = time.process_time()
    operations, seconds = pace_trial("eager", "exact", CPU)
    assert time.process_time() - begun < 4.0  # of all cores together
    convolution = torch.nn.Conv3d(32, 32, 3, padding=1)
    tile = torch.zeros((1, 32, 48, 48, 48))
    with torch.inference_mode():
        convolution(tile)
        begun = time.perf_counter()
        convolution(tile)
        alone = (time.perf_counter() - begun) / (2 * 27 * 32 * 32 * 48**3)
    assert 0.1 < seconds / operations / alone < 10


def test_the_first_plan_has_a_time_marked_as_an_estimate(models: Path, volume: Volume, tmp_path: Path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    tries = []

    def tried(*place) -> tuple[float, float]:
        tries.append(place)
        return 1e9, 0.5

    monkeypatch.setattr(job_planning, "pace_trial", tried)
    prepared = whole_set(models)
    first, again = plan(volume, prepared), plan(volume, prepared)
    assert len(tries) == 1  # it is remembered
    assert first.is_estimated and all(each.is_estimated for each in first.passes)
    folder = prepared.models[0].model.folders_to_run[0]
    tiles = first.passes[0].tiles
    assert first.passes[0].seconds >= tiles * tile_operations(folder) * 0.5e-9
    assert again.passes == first.passes

    run(volume, prepared)
    assert not plan(volume, prepared).is_estimated


def test_without_a_trial_the_time_stays_unknown(models: Path, volume: Volume, tmp_path: Path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(job_planning, "pace_trial", lambda *_place: None)
    planned = plan(volume, whole_set(models))
    assert planned.seconds is None and not planned.is_estimated


@pytest.mark.parametrize(("axes", "images"), [(None, 1), ((0, 2), 4), ((0, 1, 2), 8)])
def test_mirror_images_are_those_that_the_weight_file_allows(tmp_path: Path, axes: tuple[int, ...] | None, images: int):
    """Read of the file's structure alone, in the form that the trainer writes."""
    folders = [
        make_model_folder(tmp_path / f"Dataset90{n}_Seeded", mirroring_axes=each) for n, each in ((0, None), (1, axes))
    ]
    plain, mirrored = map(read_model_folder, folders)
    assert tile_operations(mirrored) == images * tile_operations(plain)


def test_of_a_file_that_says_nothing_all_mirror_images_of_the_trainer_are_expected(tmp_path: Path):
    path = make_model_folder(tmp_path / "Dataset900_Seeded")
    folder = read_model_folder(path)
    known = tile_operations(folder)
    folder.checkpoints[0].write_bytes(b"damaged")
    assert tile_operations(folder) == 8 * known


def test_the_pace_of_a_network_counts_the_mirror_images_that_it_really_makes(tmp_path: Path, monkeypatch):
    """Weights of nnU-Net's default trainer may allow none."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(job_planning, "pace_trial", lambda *_place: (1e9, 0.5))
    path = make_model_folder(tmp_path / "Dataset900_Seeded", mirroring_axes=None)
    folder = read_model_folder(path)
    run(blobs_volume((60, 24, 22), (2.4, 2.0, 1.9)), folder_job(path, EAGER))
    machine = MachineProfile.load()
    tile = machine.network(architecture_key(folder), "eager", "exact", "cpu").seconds_per_tile
    pace = machine.rate(network_rate("eager", "exact", "cpu"))
    assert pace == pytest.approx(tile / tile_operations(folder))


def test_before_the_head_is_found_a_usual_one_is_counted(tmp_path: Path, monkeypatch):
    """The tiles of a whole-body CT at 0.5 mm are many times those of a head; nothing is known of lungs."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(job_planning, "pace_trial", lambda *_place: (1e9, 0.5))
    for model in ("117-6mm", "craniofacial_structures", "lung_nodules"):
        make_catalogue_model(tmp_path, model)
    axes = np.array([[0, 0, -1.5, 0], [1.0, 0, 0, 0], [0, 2.0, 0, 0], [0, 0, 0, 1]])  # i to front, j to head, k to left
    body = Geometry((400, 450, 400), axes)
    head, lungs = (prepare(model_task(model, tmp_path, device="cpu", options=EAGER)) for model in MODELS_OF_TASKS)
    planned = plan_ahead(body, "", head, EngineCache())
    last = planned.passes[-1]
    wanted = [round(mm + 40) * 2 for mm in (232, 200, 155)]
    assert last.shape == pytest.approx(wanted, rel=0.02)
    assert planned.is_preliminary and planned.notes == ["CROP_EXPECTED"]
    assert "at most" not in plan_page(planned) and "usual size of a head" in plan_page(planned)
    bound = plan_ahead(body, "", lungs, EngineCache())
    assert bound.notes == [] and "at most" in plan_page(bound)
    assert not bound.passes[-1].is_cropped
