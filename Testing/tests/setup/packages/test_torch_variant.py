"""Which build of PyTorch, which Python and which driver: by the table, for every kind of computer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_wheels import make_resources, variant_row
from TotalSegmentatorSetup.packages.nvidia_driver import Driver, Gpu, gpu_driver
from TotalSegmentatorSetup.packages.python_choice import EnginePython, engine_python, environment_for, native_candidates
from TotalSegmentatorSetup.packages.torch_variant import PlatformFacts, choose, read_torch_variants, torch_variants_for
from TotalSegmentatorSetup.packages.wheels import read_pins
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.resources import ENGINE_FOLDER

AMPERE, PASCAL, BLACKWELL, KEPLER = (8, 6), (6, 1), (12, 0), (3, 5)


def driver(version: str, compute: tuple[int, int] | None) -> Driver:
    return Driver(version, (Gpu("Card", compute),))


@pytest.mark.parametrize(
    ("system", "machine", "found", "variant", "warnings"),
    [
        ("Linux", "x86_64", None, "cpu", []),
        ("Linux", "x86_64", driver("580.65.06", AMPERE), "cu130", []),
        ("Linux", "x86_64", driver("580.65.05", AMPERE), "cu126", []),
        ("Linux", "x86_64", driver("525.60.13", AMPERE), "cu126", []),
        ("Linux", "x86_64", driver("525.60.12", AMPERE), "cpu", ["DRIVER_OLD"]),
        ("Linux", "x86_64", driver("595.10", PASCAL), "cu126", []),
        ("Linux", "x86_64", driver("595.10", None), "cu130", []),
        ("Linux", "x86_64", driver("570.86", BLACKWELL), "cpu", ["DRIVER_OLD"]),
        ("Linux", "x86_64", driver("595.10", BLACKWELL), "cu130", []),
        ("Linux", "x86_64", driver("470.256", KEPLER), "cpu", ["GPU_UNUSABLE"]),
        ("Windows", "x86_64", None, "cpu", []),
        ("Windows", "x86_64", driver("591.86", AMPERE), "cu130", []),
        ("Windows", "x86_64", driver("560.94", AMPERE), "cu126", []),
        ("Windows", "x86_64", driver("528.33", AMPERE), "cu126", []),
        ("Windows", "x86_64", driver("528.32", AMPERE), "cpu", ["DRIVER_OLD"]),
        ("Darwin", "arm64", None, "mps", []),
        ("Darwin", "x86_64", None, "macos-x86_64", []),
    ],
)
def test_every_computer_has_its_row(system, machine, found, variant, warnings):
    choice = choose(PlatformFacts(system, machine, (3, 12), found))

    assert choice.variant.id == variant
    assert [warning.code for warning in choice.warnings] == warnings
    assert all(warning.what and warning.todo for warning in choice.warnings)


def test_the_driver_that_is_needed_is_the_one_that_suits_the_card():
    (warning,) = choose(PlatformFacts("Linux", "x86_64", (3, 12), driver("570.86", BLACKWELL))).warnings

    assert warning.values == {"driver": "570.86", "needed": "580.65.06"}


def test_a_choice_by_hand_goes_before_the_driver():
    facts = PlatformFacts("Linux", "x86_64", (3, 11))

    assert choose(facts, "cu126").variant.tag == "cu126"
    with pytest.raises(SegmentationError, match=r"cu99.*cu130, cu126, cpu"):
        choose(facts, "cu99")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (PlatformFacts("Linux", "x86_64", (3, 9)), "Python 3.9 on Linux x86_64"),
        (PlatformFacts("Linux", "x86_64", (3, 13)), "Python 3.13 on Linux x86_64"),
        (PlatformFacts("Linux", "aarch64", (3, 12)), "Python 3.12 on Linux aarch64"),
        (PlatformFacts("Darwin", "x86_64", (3, 9)), "Python 3.9 on macOS x86_64"),
    ],
)
def test_computers_without_packages_are_reported_so(facts, words):
    with pytest.raises(SegmentationError, match=words) as raised:
        choose(facts)
    assert raised.value.code == "PYTHON_UNSUPPORTED"


def test_the_table_agrees_with_the_files_beside_it():
    """PyTorch's version stands in torch.txt as well, for the programs that have no graphics card to choose for."""
    pins = read_pins(ENGINE_FOLDER / "torch.txt")
    for variant in read_torch_variants():
        lock = read_pins(ENGINE_FOLDER / variant.requirements_file)
        assert f"torch=={variant.torch}" in pins or variant.system == "Darwin"
        assert all(pin.count("==") == 1 for pin in lock) and len(lock) == len(set(lock))
        numpy = next(pin for pin in lock if pin.startswith("numpy=="))
        assert numpy.startswith("numpy==1.") == variant.torch.startswith("2.2."), "torch 2.2 needs numpy below 2"
    assert "cpu" in json.loads((ENGINE_FOLDER / "sources.json").read_text())["torch_indexes"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bytes": "many"}, "bytes of cpu is of the wrong type"),
        ({"color": "red"}, "cpu has wrong keys: \\['color'\\]"),
        ({"device": "tpu"}, "device and driver of cpu"),
        ({"device": "cuda"}, "device and driver of cpu"),
    ],
)
def test_a_mistake_in_the_table_is_named(tmp_path, change, words):
    resources = make_resources(tmp_path, variant_row(**change))

    with pytest.raises(ValueError, match=words):
        read_torch_variants(resources / "sources.json")


def test_two_rows_of_one_variant_are_a_mistake(tmp_path):
    resources = make_resources(tmp_path, variant_row(), variant_row())

    with pytest.raises(ValueError, match="two rows"):
        torch_variants_for(PlatformFacts("Linux", "x86_64", (3, 12)), resources)


# -- nvidia-smi --------------------------------------------------------------------------------------------------------


def program(folder: Path, text: str) -> str:
    file = folder / "nvidia-smi"
    file.write_text("#!/bin/sh\n" + text, encoding="utf-8")
    file.chmod(0o755)
    return str(file)


def test_the_driver_and_all_cards_are_read(tmp_path):
    found = gpu_driver(
        program(tmp_path, 'echo "580.95.05, NVIDIA T400, 7.5"; echo "580.95.05, NVIDIA RTX A6000, 8.6"\n')
    )

    assert found.numbers == (580, 95, 5)
    assert found.gpus == (Gpu("NVIDIA T400", (7, 5)), Gpu("NVIDIA RTX A6000", (8, 6)))
    assert found.best.name == "NVIDIA RTX A6000"


def test_an_old_driver_tells_no_compute_capability(tmp_path):
    text = 'case "$1" in *compute_cap*) echo "Field \\"compute_cap\\" is not a valid field to query."; exit 2;; esac\n'
    found = gpu_driver(program(tmp_path, text + 'echo "470.256.02, Tesla K80"\n'))

    assert found == Driver("470.256.02", (Gpu("Tesla K80"),))


@pytest.mark.parametrize(
    "text",
    [
        'echo "NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver."; exit 9\n',
        'echo "No devices were found"\n',
        "exit 0\n",
    ],
)
def test_no_card_or_a_broken_driver_is_no_driver(tmp_path, text):
    assert gpu_driver(program(tmp_path, text)) is None
    assert gpu_driver(str(tmp_path / "nothing")) is None


# -- which Python ------------------------------------------------------------------------------------------------------

SLICERS = EnginePython("/Applications/Slicer.app/python-real", (3, 12), "x86_64")


def fake_python(folder: Path, name: str, told: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\necho {told}\n", encoding="utf-8")
    file.chmod(0o755)
    return str(file)


def test_apple_silicon_takes_the_newest_native_python_that_the_packages_are_for(tmp_path):
    candidates = [
        fake_python(tmp_path, "python3.13", "3 13 arm64"),
        fake_python(tmp_path, "python3.10", "3 10 arm64"),
        fake_python(tmp_path, "python3.11", "3 11 arm64"),
        fake_python(tmp_path, "python3.12", "3 12 x86_64"),
        fake_python(tmp_path, "broken", "; exit 1"),
        str(tmp_path / "gone"),
    ]
    python = engine_python(candidates, is_apple_silicon=lambda: True, own=SLICERS)

    assert (Path(python.path).name, python.version, python.machine) == ("python3.11", (3, 11), "arm64")
    assert not python.is_own and python.command == [python.path]


def test_without_a_native_python_slicers_own_is_used(tmp_path):
    assert engine_python([], is_apple_silicon=lambda: True, own=SLICERS) == SLICERS
    native = fake_python(tmp_path, "python3.11", "3 11 arm64")
    assert engine_python([native], is_apple_silicon=lambda: False, own=SLICERS) == SLICERS


def test_native_pythons_are_looked_for_where_they_are_installed(tmp_path, monkeypatch):
    home, root = tmp_path / "home", tmp_path / "root"
    brew = fake_python(root / "opt/homebrew/bin", "python3.12", "")
    framework = fake_python(root / "Library/Frameworks/Python.framework/Versions/3.11/bin", "python3.11", "")
    uv = fake_python(home / ".local/share/uv/python/cpython-3.10.14-macos-aarch64-none/bin", "python3.10", "")
    on_path = fake_python(tmp_path / "bin", "python3.11", "")
    fake_python(tmp_path / "bin", "python3.14", "")
    (tmp_path / "bin" / "python3.12").symlink_to(brew)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    assert set(native_candidates(home, root)) == {brew, framework, uv, on_path}


def test_another_python_gets_none_of_slicers_environment(monkeypatch):
    for name in ("PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH", "PYTHONINSPECT", "SLICER_HOME"):
        monkeypatch.setenv(name, "/slicer")

    assert {"PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH", "PYTHONINSPECT"}.isdisjoint(environment_for(False))
    own = environment_for(True)
    assert own["PYTHONHOME"] == own["PYTHONPATH"] == "/slicer" and "PYTHONINSPECT" not in own
    monkeypatch.delenv("SLICER_HOME")
    assert "PYTHONPATH" not in environment_for(True), "a user's own packages do not belong to the engine"
