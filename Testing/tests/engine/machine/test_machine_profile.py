"""What is remembered of a machine, and what happens to a file that others write, damage or forbid."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from places import MODULE_FOLDER
from seeded_models import configuration_settings, dataset_json_of, plans_of, write_folder
from time_bounds import READY_SECONDS
from TotalSegmentatorEngine.machine import profile as machine_profile
from TotalSegmentatorEngine.machine.profile import MachineProfile, NetworkRecord
from TotalSegmentatorEngine.models.model_folder import ModelFolder, architecture_key, read_model_folder

RUN = ("openvino", "exact", "cpu")
PLACE = ("0123456789abcdef", *RUN)


def file_in(folder: Path) -> Path:
    """The one file of measurements."""
    return next(folder.glob("*.json"))


def written(folder: Path) -> dict:
    """A profile with something in each table, saved; returns what the file holds."""
    profile = MachineProfile.load(folder)
    profile.remember_network(*PLACE, 2.0, 3.0, 10)
    profile.remember_activations(*PLACE, 1000)
    profile.remember_choice(PLACE[0], "exact", "cpu", "openvino")
    profile.remember_rate("restoring", 100, 5.0)
    profile.remember_bytes("loaded", 77)
    profile.save()
    return json.loads(file_in(folder).read_text())


# -- what is remembered ------------------------------------------------------------------------------------------------


def test_a_new_machine_knows_nothing_and_writes_nothing(tmp_path: Path) -> None:
    profile = MachineProfile.load(tmp_path / "cache")
    assert profile.network(*PLACE) is None
    assert profile.chosen_runtime(PLACE[0], "exact", "cpu") is None
    assert profile.rate("restoring") is None
    assert profile.bytes_of("loaded") is None
    profile.save()
    assert list(tmp_path.iterdir()) == []


def test_everything_remembered_is_there_in_the_next_process(tmp_path: Path) -> None:
    written(tmp_path / "a" / "cache")
    profile = MachineProfile.load(tmp_path / "a" / "cache")
    record = NetworkRecord(seconds_per_tile=2.0, first_tile_seconds=3.0, activation_bytes=1000, tiles_measured=10)
    assert profile.network(*PLACE) == record
    assert profile.network(PLACE[0], "eager", *RUN[1:]) is None
    assert profile.chosen_runtime(PLACE[0], "exact", "cpu") == "openvino"
    assert profile.rate("restoring") == 0.05
    assert profile.bytes_of("loaded") == 77


def test_what_earlier_programs_wrote_of_times_is_not_used_and_the_rest_is(tmp_path: Path) -> None:
    """They counted the making of labels as the last tile's time."""
    content = written(tmp_path)
    place = "|".join(PLACE)
    content["networks"] = {place: {**GOOD, "seconds_per_tile": 67.0}}
    content["rates"] = {"restoring": 0.5, "loaded": 3}
    file_in(tmp_path).write_text(json.dumps(content))
    profile = MachineProfile.load(tmp_path)
    assert profile.network(*PLACE) == NetworkRecord(None, None, 1000, 10)
    assert profile.rate("restoring") is None and profile.rate("loaded") is None
    assert profile.chosen_runtime(PLACE[0], "exact", "cpu") == "openvino"
    assert profile.bytes_of("loaded") == 77
    profile.remember_network(*PLACE, 2.0, 3.0, 5)
    profile.save()
    assert MachineProfile.load(tmp_path).network(*PLACE) == NetworkRecord(2.0, 3.0, 1000, 15)


def test_memory_counts_at_once_when_it_grows_and_slowly_when_it_shrinks() -> None:
    profile = MachineProfile()
    for count in (1000, 4000, 1000):
        profile.remember_activations(*PLACE, count)
        profile.remember_bytes("loaded", count)
    assert 2000 < profile.network(*PLACE).activation_bytes < 4000
    assert 2000 < profile.bytes_of("loaded") < 4000
    profile.remember_activations(*PLACE, 5000)
    assert profile.network(*PLACE).activation_bytes == 5000


@pytest.mark.parametrize("nonsense", [math.nan, math.inf, -1.0])
def test_what_cannot_have_been_measured_is_not_learnt(tmp_path: Path, nonsense: float) -> None:
    before = written(tmp_path)
    profile = MachineProfile.load(tmp_path)
    profile.remember_network(*PLACE, nonsense, 1.0, 5)
    profile.remember_network(*PLACE, 1.0, nonsense, 5)
    profile.remember_activations(*PLACE, nonsense)
    profile.remember_rate("restoring", nonsense, 1.0)
    profile.remember_rate("restoring", 1.0, nonsense)
    profile.remember_rate("restoring", 0, 1.0)
    profile.remember_bytes("loaded", nonsense)
    profile.remember_rate("another", 1, 1.0)
    profile.save()
    before["rates"]["another"] = [[1.0, 1.0]]
    assert json.loads(file_in(tmp_path).read_text()) == before


# -- several processes -------------------------------------------------------------------------------------------------


def test_what_another_process_wrote_meanwhile_stays(tmp_path: Path) -> None:
    written(tmp_path)
    one, other = MachineProfile.load(tmp_path), MachineProfile.load(tmp_path)
    one.remember_rate("one", 1, 1.0)
    other.remember_rate("other", 1, 2.0)
    one.save()
    other.save()
    assert (other.rate("one"), other.rate("other")) == (1.0, 2.0)
    last = MachineProfile.load(tmp_path)
    assert (last.rate("one"), last.rate("other"), last.bytes_of("loaded")) == (1.0, 2.0, 77)


SAVING_PROGRAM = """
import sys
from TotalSegmentatorEngine.machine.profile import MachineProfile
for number in range(15):
    profile = MachineProfile.load()
    profile.remember_rate(f"{sys.argv[1]} {number}", 1, 1.0)
    profile.save()
"""


def test_processes_that_save_at_once_lose_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(MODULE_FOLDER), "TOTALSEGMENTATOR_CACHE": str(tmp_path)}
    commands = [[sys.executable, "-c", SAVING_PROGRAM, name] for name in "abc"]
    processes = [subprocess.Popen(command, env=environment) for command in commands]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    rates = json.loads(file_in(tmp_path).read_text())["rates"]
    assert set(rates) == {f"{name} {number}" for name in "abc" for number in range(15)}
    assert len(list(tmp_path.iterdir())) == 2, "the file and its lock"


@pytest.mark.skipif(os.name == "nt", reason="locks a file as POSIX does")
def test_a_lock_that_nobody_opens_is_not_waited_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    monkeypatch.setattr(machine_profile, "LOCK_SECONDS", 0.1)
    written(tmp_path)
    with next(tmp_path.glob("*.lock")).open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        profile = MachineProfile.load(tmp_path)
        profile.remember_rate("late", 1, 1.0)
        begun = time.monotonic()
        profile.save()
        assert 0.1 <= time.monotonic() - begun < READY_SECONDS
    assert MachineProfile.load(tmp_path).rate("late") == 1.0


def test_machines_that_share_a_folder_keep_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(machine_profile, "machine_fingerprint", lambda: "another")
        assert MachineProfile.load(tmp_path).rate("restoring") is None
        profile = MachineProfile.load(tmp_path)
        profile.remember_rate("restoring", 1, 9.0)
        profile.save()
    assert MachineProfile.load(tmp_path).rate("restoring") == 0.05


# -- damaged and hostile files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"format": 1, "networks": {',
        b'{"format": 2, "rates": {"restoring": 1.0}}',
        b'{"rates": {"restoring": 1.0}}',
        b'{"format": 1, "networks": [], "choices": 5, "rates": null}',
        b'{"format": 1, "rates": {"restoring": ' + b"9" * 5000 + b"}}",
        b"[" * 200_000,
        b'{"format": 1, "rates": {"restoring": 1.0}}' + b" " * (5 * 1024**2),
    ],
)
def test_a_damaged_file_counts_as_empty_and_is_replaced(tmp_path: Path, content: bytes) -> None:
    written(tmp_path)
    file_in(tmp_path).write_bytes(content)
    profile = MachineProfile.load(tmp_path)
    assert profile.rate("restoring") is None and profile.network(*PLACE) is None
    profile.remember_rate("new", 1, 4.0)
    profile.save()
    assert MachineProfile.load(tmp_path).rate("new") == 4.0


GOOD = {"seconds_per_tile": 2.0, "first_tile_seconds": 3.0, "activation_bytes": 1000, "tiles_measured": 10}


@pytest.mark.parametrize(
    ("table", "value"),
    [
        *(("networks", value) for value in (None, 5, [], "text", {"unknown": 1})),
        *(
            ("networks", {**GOOD, "seconds_per_tile": value})
            for value in (math.nan, math.inf, -1, "2", True, [], 1e300)
        ),
        *(("networks", {**GOOD, "first_tile_seconds": value}) for value in (math.nan, "", 1e300, 10**400)),
        *(("networks", {**GOOD, "activation_bytes": value}) for value in (1.5, -1, 10**30, "", False)),
        *(("networks", {**GOOD, "tiles_measured": value}) for value in (None, 1.5, -1, math.inf)),
        *(("choices", value) for value in (None, 1, ["eager"], "auto", "../../program", {})),
        *(("rates", value) for value in (None, math.nan, math.inf, -0.5, "1", True, [1], 1e200, [], {}, [[1, 1]] * 8)),
        *(("rates", [[1.0, value]]) for value in (None, math.nan, math.inf, -0.5, "1", True, [1], 1e200)),
        *(("rates", [[value, 1.0]]) for value in (None, 0, math.nan, math.inf, -0.5, "1", True, 1e-320, 1e200)),
        *(("bytes", value) for value in (None, math.nan, math.inf, -1, "1", 1.5, {}, 10**20)),
    ],
)
def test_a_damaged_entry_is_dropped_alone(tmp_path: Path, table: str, value: object) -> None:
    content = written(tmp_path)
    name = next(iter(content[table]))
    content[table]["damaged" + name[name.index("|") :] if table in ("networks", "choices") else "damaged"] = value
    file_in(tmp_path).write_text(json.dumps(content))
    profile = MachineProfile.load(tmp_path)
    assert profile.network("damaged", *RUN) is None
    assert profile.network(*PLACE) == NetworkRecord(2.0, 3.0, 1000, 10)
    assert profile.chosen_runtime("damaged", "exact", "cpu") is None
    assert profile.rate("damaged") is None and profile.bytes_of("damaged") is None
    assert profile.chosen_runtime(PLACE[0], "exact", "cpu") == "openvino"
    assert (profile.rate("restoring"), profile.bytes_of("loaded")) == (0.05, 77)


def test_a_file_damaged_while_a_job_runs_loses_nothing(tmp_path: Path) -> None:
    written(tmp_path)
    profile = MachineProfile.load(tmp_path)
    file_in(tmp_path).write_text("damaged")
    profile.remember_rate("new", 1, 4.0)
    profile.save()
    assert MachineProfile.load(tmp_path).rate("restoring") == 0.05


# -- folders that cannot be used ---------------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_made_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    profile = MachineProfile.load(tmp_path / "file" / "cache")
    profile.remember_rate("restoring", 1, 1.0)
    profile.save()
    assert profile.rate("restoring") == 1.0


@pytest.mark.parametrize(("owner", "call"), [(Path, "mkdir"), (os, "open"), (Path, "replace")])
def test_a_folder_that_is_read_only_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: object, call: str
) -> None:
    """As root everything may be written, so the refusal is played."""
    before = written(tmp_path)

    def refuse(*_arguments: object, **_options: object) -> None:
        raise PermissionError

    profile = MachineProfile.load(tmp_path)
    profile.remember_rate("restoring", 1, 1.0)
    with monkeypatch.context() as patched:
        patched.setattr(owner, call, refuse)
        profile.save()
    assert json.loads(file_in(tmp_path).read_text()) == before
    assert len(list(tmp_path.iterdir())) == 2, "nothing half written is left"
    profile.save()
    assert MachineProfile.load(tmp_path).rate("restoring") == profile.rate("restoring")


def test_something_else_of_that_name_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / f"machine-{machine_profile.machine_fingerprint()}.json").mkdir()
    profile = MachineProfile.load(tmp_path)
    profile.remember_rate("restoring", 1, 1.0)
    profile.save()
    assert profile.rate("restoring") == 1.0


def test_without_a_home_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("TOTALSEGMENTATOR_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    profile = MachineProfile.load()
    profile.remember_rate("restoring", 1, 1.0)
    profile.save()
    assert profile.rate("restoring") == 1.0


# -- what belongs together ---------------------------------------------------------------------------------------------


def folder_of(
    path: Path,
    labels: int = 2,
    patch_size: tuple[int, int, int] = (16, 16, 16),
    old_format: bool = False,
    leaf: str = "nnUNetTrainer__nnUNetPlans__3d_fullres",
    **changes: object,
) -> ModelFolder:
    settings = {**configuration_settings(patch_size, old_format=old_format), **changes}
    names = dataset_json_of([f"label_{number}" for number in range(labels)])
    return read_model_folder(write_folder(path, plans_of(settings, path.name), names, leaf))


def test_networks_that_compute_the_same_have_one_key(tmp_path: Path) -> None:
    keys = [
        architecture_key(folder_of(tmp_path / "a")),
        architecture_key(folder_of(tmp_path / "b", spacing=[1.5, 1.5, 1.5], batch_size=7, labels=9)),
    ]
    assert keys[0] == keys[1] and "|" not in keys[0]


def test_networks_that_take_another_time_have_another_key(tmp_path: Path) -> None:
    folders = [
        folder_of(tmp_path / "plain"),
        folder_of(tmp_path / "patch", patch_size=(16, 16, 32)),
        folder_of(tmp_path / "old", old_format=True),
        folder_of(tmp_path / "features", old_format=True, UNet_base_num_features=8),
        folder_of(tmp_path / "layers", old_format=True, n_conv_per_stage_encoder=[2, 2]),
        folder_of(tmp_path / "mirrors", leaf="nnUNetTrainerNoMirroring__nnUNetPlans__3d_fullres"),
    ]
    more_folds = folder_of(tmp_path / "folds")
    (more_folds.path / "fold_1").mkdir()
    (more_folds.path / "fold_1" / "checkpoint_final.pth").write_bytes(b"")
    folders.append(read_model_folder(more_folds.path))
    keys = [architecture_key(folder) for folder in folders]
    assert len(set(keys)) == len(keys)


def test_other_libraries_and_other_processors_are_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    fingerprint = machine_profile.machine_fingerprint.__wrapped__
    fingerprints = {fingerprint(), machine_profile.machine_fingerprint()}
    assert len(fingerprints) == 1
    for name, answer in (("_version", "9.9"), ("processor_name", "another"), ("_usable_cores", 999)):
        with monkeypatch.context() as patched:
            patched.setattr(machine_profile, name, lambda *_, answer=answer: answer)
            fingerprints.add(fingerprint())
    with monkeypatch.context() as patched:
        patched.setattr(machine_profile, "installed_memory", lambda: None)
        fingerprints.add(fingerprint())
    assert len(fingerprints) == 5


def test_a_damaged_installation_of_a_library_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_profile.metadata, "version", lambda _package: None)
    assert machine_profile.machine_fingerprint.__wrapped__()


def test_nothing_heavy_is_imported() -> None:
    program = "import sys, TotalSegmentatorEngine.machine.profile as p; p.MachineProfile.load()\n"
    program += "assert not {'torch', 'numpy', 'openvino'} & set(sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(MODULE_FOLDER)}
    subprocess.run([sys.executable, "-c", program], env=environment, timeout=60, check=True)
