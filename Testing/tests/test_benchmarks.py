"""The benchmarks' own arithmetic, their list, and what they change in the engine; nothing is measured here."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from benchmarks import main as benchmarks
from benchmarks.engine.known_structures import KNOWN_LABELS_VARIABLE, know_structures, on_grid, widen_nothing
from benchmarks.engine.measured_engine import STRATEGY_VARIABLE, choose_strategy
from benchmarks.figures import cropping, prediction
from benchmarks.inputs import large_ct, published_models
from benchmarks.measuring import processor_clock
from benchmarks.measuring.agreement import agreement
from benchmarks.measuring.clocked_networks import clocked_run
from benchmarks.measuring.network_clock import FILE_VARIABLE, LIMIT_VARIABLE, NetworkClock
from benchmarks.measuring.process_tree_memory import descendants
from benchmarks.measuring.report import Report
from places import TESTING
from seeded_models import configuration_settings, dataset_json_of, make_model_folder, plans_of
from TotalSegmentatorEngine.models.find_model import find_model
from TotalSegmentatorWire.tables.catalogue import read_catalogue
from TotalSegmentatorWire.tables.structures import structure_table

# -- the list ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", benchmarks.BENCHMARKS)
def test_each_benchmark_names_a_function(name):
    module, _, function = benchmarks.BENCHMARKS[name].function.rpartition(".")
    assert callable(getattr(importlib.import_module("benchmarks.figures." + module), function))


def test_list_names_every_benchmark(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["run.py", "--list"])
    assert benchmarks.main() == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == list(benchmarks.BENCHMARKS)


def test_one_that_goes_wrong_does_not_keep_the_others_from_running(monkeypatch, capsys):
    def go_wrong(workload):
        workload.report.ratio("half measured", 0.1, 0.2)
        raise ValueError("no such thing")

    ran = []
    module = SimpleNamespace(go_wrong=go_wrong, run=ran.append)
    monkeypatch.setitem(sys.modules, "benchmarks.figures.made_up", module)
    entries = {name: benchmarks.EngineBenchmark("what", "made_up." + name, 1) for name in ("go_wrong", "run")}
    monkeypatch.setattr(benchmarks, "BENCHMARKS", entries)
    monkeypatch.setattr(sys, "argv", ["run.py"])
    assert benchmarks.main() == 1
    said = capsys.readouterr().out
    assert "ratio half measured = 0.100 (target <= 0.2)" in said
    assert "ValueError: no such thing" in said
    assert said.splitlines()[-1] == "could not be run: go_wrong"
    assert len(ran) == 1


# -- the report --------------------------------------------------------------------------------------------------------


def test_ratios_are_the_closing_lines_and_judged_by_their_targets(capsys):
    report = Report()
    report.ratio("time", 0.3334, 0.33)
    report.ratio("time of another", 0.3299, 0.33)
    report.ratio("equal voxels", 0.99899, 0.999, ">=")
    report.ratio("shown", 1.5)
    report.figure("time to read", 2.5, "s")
    report.table(["run", "s"], [["ours", 1.25]])
    report.close()
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["ours", "1.25"]
    assert lines[2:] == [
        "ratio time = 0.333 (target <= 0.33)",
        "ratio time of another = 0.330 (target <= 0.33)",
        "ratio equal voxels = 0.99899 (target >= 0.999)",
        "ratio shown = 1.500 (no target)",
        "figure time to read = 2.500 s (no target)",
    ]
    assert report.missed == [lines[2], lines[4]]
    report.close()
    assert capsys.readouterr().out == ""


# -- time in the networks ----------------------------------------------------------------------------------------------


def test_skipped_tiles_cost_what_the_later_computed_ones_did(tmp_path):
    calls = [("liver", 3.0, True), ("liver", 2.0, True), ("liver", 0.25, False), ("liver", 0.25, False)]
    calls.append(("aorta", 4.0, True))
    clock_file = tmp_path / "clock.jsonl"
    lines = [{"network": n, "tiles": 1, "seconds": s, "is_computed": c} for n, s, c in calls]
    clock_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = clocked_run(20.0, clock_file)
    assert run.outside_seconds == pytest.approx(20.0 - 3.0 - 2.0 - 0.5 - 4.0)
    assert run.network_seconds == pytest.approx(3.0 + 2.0 + 2 * 2.0 + 4.0)
    assert run.seconds == pytest.approx(10.5 + 13.0)
    assert run.tiles == 5
    assert run.arithmetic() == (
        "10.5 s outside the networks + 3 computed tiles 9.0 s + 2 x 2.00 s (liver) = 23.5 s for 5 tiles"
    )
    assert not clock_file.exists()


def test_tiles_that_run_together_count_each(tmp_path):
    clock_file = tmp_path / "clock.jsonl"
    lines = [
        {"network": "n", "tiles": 4, "seconds": 8.0, "is_computed": True},
        {"network": "n", "tiles": 2, "seconds": 0.0, "is_computed": False},
    ]
    clock_file.write_text("\n".join(map(json.dumps, lines)))
    run = clocked_run(10.0, clock_file)
    assert run.seconds == pytest.approx(2.0 + 8.0 + 2 * 2.0)


def test_clock_computes_so_many_tiles_and_hands_out_copies_of_the_last(tmp_path, monkeypatch):
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "clock.jsonl"))
    monkeypatch.setenv(LIMIT_VARIABLE, "2")
    clock = NetworkClock("n", copy=list)
    computed = iter([["first"], ["second"], ["third"]])
    answers = [clock.call(lambda: next(computed), 1) for _ in range(3)]
    answers[-1].append("changed by its user")
    assert [answers[0], clock.call(lambda: next(computed), 1)] == [["first"], ["second"]]
    clock.forget()
    assert clock.call(lambda: next(computed), 1) == ["third"]
    noted = [json.loads(line) for line in (tmp_path / "clock.jsonl").read_text().splitlines()]
    assert [line["is_computed"] for line in noted] == [True, True, False, False, True]


def test_module_is_changed_before_its_user_sees_it(tmp_path):
    (tmp_path / "changed_module.py").write_text("def answer():\n    return 1\n")
    (tmp_path / "user.py").write_text("from changed_module import answer\nprint(answer())\n")
    program = (
        "import runpy, sys; sys.path[:0] = sys.argv[1:]\n"
        "from benchmarks.measuring.network_clock import after_import\n"
        "after_import('changed_module', lambda module: setattr(module, 'answer', lambda: 2))\n"
        "runpy.run_module('user')"
    )
    command = [sys.executable, "-c", program, str(tmp_path), str(TESTING)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "2\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
def test_memory_is_that_of_grandchildren_too():
    program = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        found = descendants(os.getpid())
        assert process.pid in found
        assert len(descendants(process.pid)) == 2
        process.communicate(b"\n")


# -- agreement ---------------------------------------------------------------------------------------------------------


def test_agreement_of_two_small_label_maps():
    reference = np.array([[[0, 0, 1, 1, 1, 1, 2, 2, 0, 0]]], np.uint8)
    ours = np.array([[[0, 0, 1, 1, 1, 0, 2, 1, 3, 0]]], np.uint8)
    same = agreement(ours, reference)
    assert same.voxels == pytest.approx(7 / 10)
    assert same.foreground == pytest.approx(4 / 7)  # of the seven that either calls a structure
    assert same.dice == {1: pytest.approx(2 * 3 / 8), 2: pytest.approx(2 * 1 / 3)}
    assert same.sizes == {1: 4, 2: 2}
    assert (same.worst(1), same.worst(3), same.worst(5)) == (pytest.approx(2 / 3), pytest.approx(3 / 4), 1.0)
    assert same.count(3) == 1
    assert same.mean() == pytest.approx((3 / 4 + 2 / 3) / 2)


def test_agreement_refuses_other_grids():
    with pytest.raises(ValueError, match="shape"):
        agreement(np.zeros((2, 2, 2), np.uint8), np.zeros((2, 2, 3), np.uint8))


# -- CTs ---------------------------------------------------------------------------------------------------------------


def test_cropped_and_thinned_ct_keeps_each_voxel_where_it_is(tmp_path):
    array = np.arange(6 * 8 * 10, dtype=np.int16).reshape(6, 8, 10)
    ijk_to_ras = np.array([[-0.8, 0, 0, 30], [0, -0.8, 0, 40], [0, 0, 1.5, -50], [0, 0, 0, 1.0]])
    source = tmp_path / "ct.nii"
    large_ct.write_nifti(source, array.shape, iter(array), ijk_to_ras, np.int16)
    cropped, matrix = large_ct.read_nifti(large_ct.cropped_ct(tmp_path / "part.nii", source, (2, 3, 9), (1, 2, 3)))
    assert cropped.shape == (2, 3, 4)
    for k, j, i in np.ndindex(cropped.shape):
        there = np.argwhere(array == cropped[k, j, i])[0][::-1]
        assert matrix @ [i, j, k, 1] == pytest.approx(ijk_to_ras @ [*there, 1], abs=1e-4)


# -- models ------------------------------------------------------------------------------------------------------------


def test_seeded_network_knows_air_and_says_of_the_rest_what_it_said_before(monkeypatch):
    settings = configuration_settings((32, 32, 32), old_format=True) | {"UNet_base_num_features": 32}
    plans = plans_of(settings)
    dataset_json = dataset_json_of(["structure {}".format(number) for number in range(20)])
    tile, is_air = published_models.phantom_tile(plans, (32, 32, 32), seed=7)
    with torch.no_grad():
        logits = published_models.seeded_network(plans, dataset_json, seed=7)(tile)[0]
        monkeypatch.setattr(published_models, "know_air", lambda *_: None)
        before = published_models.seeded_network(plans, dataset_json, seed=7)(tile)[0]
    assert 0.2 < float(is_air.float().mean()) < 0.8
    is_background = logits.argmax(dim=0) == 0
    assert float(is_background[is_air].float().mean()) > 0.6 > 0.4 > float(is_background[~is_air].float().mean())
    same = logits[1:].argmax(dim=0) == before[1:].argmax(dim=0)
    assert float(same.float().mean()) > 0.999, "but for rounding"


def test_family_of_one_network_has_its_rows_shared_out(tmp_path):
    names = [structure.name for structure in structure_table("structures_104")]
    source = make_model_folder(tmp_path / "Dataset900_Source", names[::-1])
    models = cropping.family_of(source, tmp_path / "models")
    assert cropping.family_of(source, models) == models, "what is there stays"
    whole = head_of(source)
    catalogue = read_catalogue()
    coarse, fine = catalogue[cropping.COARSE], catalogue[cropping.FAMILY]
    shared_out = []
    for path in (*coarse.part_folders(models), *fine.part_folders(models)):
        known, rows = json.loads((path / "dataset.json").read_text())["labels"], head_of(path)
        assert len(rows) == len(known) and known.pop("background") == 0
        assert torch.equal(rows[0], whole[0])
        for name, label in known.items():
            assert torch.equal(rows[label], whole[104 - names.index(name)]), name
        shared_out.append(list(known))
    assert shared_out[0] == names
    assert sorted(name for part in shared_out[1:] for name in part) == sorted(names)
    assert find_model(cropping.FAMILY, models).parts_to_run


def head_of(folder: Path) -> torch.Tensor:
    """The last layer's weights (labels, features, 1, 1, 1)."""
    content = torch.load(folder / "fold_0" / "checkpoint_final.pth", weights_only=False)
    return content["network_weights"]["decoder.seg_layers.0.weight"]


# -- what is changed in the engine -------------------------------------------------------------------------------------


def test_known_labels_go_to_the_nearest_voxels_of_a_grid_from_corner_to_corner():
    labels = np.arange(5, dtype=np.uint8).reshape(5, 1, 1)
    flipped = SimpleNamespace(view=lambda array: array[::-1])
    assert on_grid(labels, SimpleNamespace(shape=(3, 1, 1), reorientation=None)).ravel().tolist() == [0, 2, 4]
    assert on_grid(labels, SimpleNamespace(shape=(2, 2, 1), reorientation=flipped))[:, 1].ravel().tolist() == [4, 0]


def test_engine_takes_the_known_structures_for_what_its_coarse_model_found(tmp_path, monkeypatch):
    from TotalSegmentatorEngine.pipeline import coarse_localization
    from TotalSegmentatorEngine.preprocessing import regions
    from TotalSegmentatorWire.tables.structures import structure_table

    monkeypatch.setattr(
        coarse_localization, "localization_of", coarse_localization.localization_of
    )  # put back after the test
    monkeypatch.setattr(regions, "cut_sides", regions.cut_sides)
    numbers = {structure.name: structure.label for structure in structure_table("structures_104")}
    labels = np.zeros((8, 9, 10), np.uint8)
    labels[2:4, 3:6, 4:8] = numbers["kidney_left"]
    labels[0, 0, 0] = numbers["gallbladder"]
    large_ct.write_nifti(tmp_path / "labels.nii", labels.shape, iter(labels), np.eye(4), np.uint8)
    monkeypatch.setenv(KNOWN_LABELS_VARIABLE, str(tmp_path / "labels.nii"))

    know_structures(coarse_localization)
    widen_nothing(regions)
    grid = SimpleNamespace(shape=labels.shape, reorientation=None)
    model = SimpleNamespace(structures=[SimpleNamespace(name="kidney_left"), SimpleNamespace(name="kidney_right")])
    noise = np.full(labels.shape, 7, np.uint8)
    found = coarse_localization.localization_of(noise, grid, model)
    assert found.boxes == {"kidney_left": (slice(2, 4), slice(3, 6), slice(4, 8))}
    assert found.missed(["kidney_left", "kidney_right"]) == ["kidney_right"]
    assert regions.cut_sides(noise, (slice(1, 7),) * 3, labels.shape, [7]) == []


# -- what plans promise ------------------------------------------------------------------------------------------------


def test_a_job_worked_no_longer_than_its_processor_time_and_other_programs_had_the_rest(monkeypatch):
    """Two processors for ten seconds: four of them idle, one and a half ours, six of the job, the rest of others."""
    moments = iter([(100.0, 50.0, 7.0, 3.0), (112.0, 54.0, 13.0, 4.5)])
    now = []

    def times():
        now[:] = next(moments)
        return SimpleNamespace(user=now[3], system=0.0, children_user=now[2], children_system=0.0)

    class SystemTimes(SimpleNamespace):
        def _asdict(self):
            return vars(self)

    monkeypatch.setattr(processor_clock.os, "times", times)
    monkeypatch.setattr(
        processor_clock.psutil, "cpu_times", lambda: SystemTimes(user=now[0] + 4.0, idle=now[1], iowait=0.0, guest=4.0)
    )
    used, others = processor_clock.ProcessorClock().read()
    assert used == 6.0
    assert others == pytest.approx((16.0 - 4.0 - 6.0 - 1.5) / 16.0)


@pytest.mark.parametrize("make", [prediction.jobs, prediction.short_jobs])
def test_each_order_runs_ten_different_jobs(make, monkeypatch, tmp_path):
    workload = SimpleNamespace(
        cropped_ct=lambda name, _size: tmp_path / name,
        ct=lambda slices=300: tmp_path / str(slices),
        labels=lambda: tmp_path / "labels",
        own_model=tmp_path / "own",
    )
    made = make(workload)
    assert len({(job.model, job.ct, tuple(job.arguments)) for job in made}) == len(made) == 10
    for order in prediction.orders(10).values():
        assert sorted(order) == list(range(10))


def test_engine_asks_for_what_the_benchmarks_change():
    """Each changed function is imported by name by its user, so that the change reaches it."""
    from TotalSegmentatorEngine.inference import runtimes
    from TotalSegmentatorEngine.labels import argmax, grid_labels, smooth_labels
    from TotalSegmentatorEngine.pipeline import (
        coarse_localization,
        job_planning,
        network_pool,
        region_growth,
        step_scopes,
    )
    from TotalSegmentatorEngine.plan import memory_strategies
    from TotalSegmentatorEngine.preprocessing import regions

    assert network_pool.choose_runtime is runtimes.choose_runtime
    assert job_planning.execution_strategies is memory_strategies.execution_strategies
    assert step_scopes.localization_of is coarse_localization.localization_of
    assert region_growth.cut_sides is regions.cut_sides
    assert grid_labels.resampled_sink is smooth_labels.resampled_sink is argmax.resampled_sink


def test_only_the_wanted_way_of_running_is_left(monkeypatch):
    from TotalSegmentatorEngine.plan import memory_strategies

    monkeypatch.setattr(
        memory_strategies, "execution_strategies", memory_strategies.execution_strategies
    )  # put back after the test
    monkeypatch.setenv(STRATEGY_VARIABLE, "disk")
    choose_strategy(memory_strategies)
    assert {each.sums for each in memory_strategies.execution_strategies("cpu", "eager", "exact", True)} == {"disk"}
