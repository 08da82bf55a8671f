"""What a job will need and what the machine has."""

from __future__ import annotations

from pathlib import Path

import pytest
from seeded_models import configuration_settings, dataset_json_of, plans_of
from test_model_folder import write_folder
from TotalSegmentatorEngine import memory
from TotalSegmentatorEngine.devices import check_device_name, choose_device, physical_cores
from TotalSegmentatorEngine.model_folder import read_model_folder
from TotalSegmentatorWire.errors import SegmentationError

GIB = 1024**3


def published_folder(tmp_path: Path, labels: int, old_format: bool = False):
    settings = configuration_settings((128, 128, 128), (1.5, 1.5, 1.5), old_format=old_format)
    if old_format:
        settings["UNet_base_num_features"] = 32
    else:
        settings["architecture"]["arch_kwargs"]["features_per_stage"] = [32, 64]
    names = dataset_json_of([f"label_{number}" for number in range(labels)])
    return read_model_folder(write_folder(tmp_path / f"D{labels}{old_format}", plans_of(settings), names))


def test_the_estimate_grows_little_with_the_length_of_the_scan(tmp_path: Path) -> None:
    folder = published_folder(tmp_path, 24)
    short = memory.estimated_bytes((300, 512, 512), (300, 273, 273), folder)
    long = memory.estimated_bytes((900, 512, 512), (900, 273, 273), folder)
    logits_of_the_long_scan = 25 * 900 * 273 * 273 * 4
    assert 2 * GIB < short < 8 * GIB
    assert long - short < logits_of_the_long_scan / 3
    assert published_folder(tmp_path, 24, old_format=True).labels == folder.labels


def test_plans_of_both_formats_need_the_same(tmp_path: Path) -> None:
    shapes = (200, 400, 400), (200, 273, 273)
    new = memory.estimated_bytes(*shapes, published_folder(tmp_path, 104))
    old = memory.estimated_bytes(*shapes, published_folder(tmp_path, 104, old_format=True))
    assert new == old


def test_memory_is_refused_only_when_it_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 4 * GIB)
    memory.check_memory(3 * GIB)
    with pytest.raises(SegmentationError) as caught:
        memory.check_memory(5 * GIB)
    assert caught.value.code == "MEMORY_SHORT"
    assert "5.0 GB" in caught.value.problem.what
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    memory.check_memory(500 * GIB)


def test_this_machine_tells() -> None:
    free = memory.available_memory()
    assert free is None or free > 64 * 1024**2
    cores = physical_cores()
    assert cores is None or cores >= 1


def test_a_containers_limit_counts(tmp_path: Path) -> None:
    meminfo, cgroup = tmp_path / "meminfo", tmp_path / "cgroup"
    meminfo.write_text("MemTotal: 16000000 kB\nMemAvailable:    8388608 kB\n")
    cgroup.mkdir()
    assert memory._linux_available(meminfo, cgroup) == 8 * GIB
    (cgroup / "memory.max").write_text(f"{4 * GIB}\n")
    (cgroup / "memory.current").write_text(f"{3 * GIB}\n")
    (cgroup / "memory.stat").write_text(f"anon 5\ninactive_file {GIB}\n")
    assert memory._linux_available(meminfo, cgroup) == 2 * GIB
    (cgroup / "memory.max").write_text("max\n")
    assert memory._linux_available(meminfo, cgroup) == 8 * GIB


def test_device_names() -> None:
    for name in ("auto", "cpu", "cuda", "cuda:1", "mps"):
        check_device_name(name)
    for name in ("", "gpu", "cuda:", "cuda:x", "mps:0", "cpu:1"):
        with pytest.raises(SegmentationError):
            check_device_name(name)
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type in ("cpu", "cuda")
