"""Networks that OpenVINO has compiled are kept on disk: the next process gets the same labels without the weights, and
whatever happens to the files, a job goes on as without them."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import seeded_models
from engine_support import blobs_volume
from job_recorder import JobRecorder
from one_model import model_task
from TotalSegmentatorEngine import inference
from TotalSegmentatorEngine.inference import network, runtimes, stored_runners
from TotalSegmentatorEngine.inference.stored import network_file, network_store
from TotalSegmentatorEngine.inference.stored.network_file import NetworkFacts, StoredNetworks
from TotalSegmentatorEngine.inference.stored.network_store import LEAST_FREE_BYTES, NetworkStore
from TotalSegmentatorEngine.inference.stored_runners import ReadyNetworks
from TotalSegmentatorEngine.job.reporting import Reporter, SilentReporter
from TotalSegmentatorEngine.models.model_folder import read_model_folder
from TotalSegmentatorEngine.pipeline import run_job
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorSetup.install.removal import remove_caches
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.user_folders import CACHE_VARIABLE, STORED_NETWORKS

pytest.importorskip("openvino")

KEY, OTHER_KEY = "0" * 32, "f" * 32
CT = blobs_volume((20, 24, 22), (3.0, 3.0, 3.0))


class User:
    """Somebody who segments the same CT in one process after the other."""

    def __init__(self, model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.model = model
        self.folder = cache / STORED_NETWORKS
        self.weights_read = 0
        load_model = network.load_model

        def counted(*arguments):
            self.weights_read += 1
            return load_model(*arguments)

        monkeypatch.setattr(network, "load_model", counted)

    def labels(
        self,
        runtime: str = "openvino",
        precision: str = "auto",
        reporter: Reporter | None = None,
        cache: EngineCache | None = None,
    ) -> np.ndarray:
        """Of a job in a new process, whose cache is empty, unless there is one."""
        options = JobOptions(runtime=runtime, precision=precision)
        prepared = prepare(model_task(str(self.model), Path(), options=options, device="cpu"))
        return run_job.segment(CT, prepared, cache or EngineCache(), reporter or SilentReporter()).layers[0]

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.network"))

    def weights_read_by(self, act: Callable[[], object]) -> int:
        before = self.weights_read
        act()
        return self.weights_read - before


@pytest.fixture(autouse=True)
def versions_are_asked_anew() -> Iterator[None]:
    """A test may change them."""
    yield
    stored_runners.compiling_place.cache_clear()


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> User:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    plans = seeded_models.plans_of(seeded_models.configuration_settings(spacing=(3.0, 3.0, 3.0)))
    model = seeded_models.make_model_folder(tmp_path / "Dataset900_Seeded", plans=plans, folds=2)
    return User(model, tmp_path / "cache", monkeypatch)


# -- jobs --------------------------------------------------------------------------------------------------------------


def test_the_next_process_gets_the_same_labels_without_the_weights(user: User):
    first = user.labels()
    assert (user.weights_read, len(user.files)) == (1, 1)
    assert np.array_equal(user.labels(), first) and first.any()
    assert user.weights_read == 1
    if os.name != "nt":
        assert user.folder.stat().st_mode & 0o077 == 0 and user.files[0].stat().st_mode & 0o077 == 0

    user.labels("eager")
    assert user.weights_read == 2, "PyTorch needs them"
    assert user.labels("auto").shape == first.shape
    assert user.weights_read == 3, "which runtime is the fastest here was not tried before"


def test_other_weights_are_compiled_anew(user: User):
    user.labels()
    other = seeded_models.make_model_folder(user.model.parents[1] / "Dataset901_Other", folds=2, seed=5)
    for fold in ("fold_0", "fold_1"):
        (user.model / fold / "checkpoint_final.pth").write_bytes((other / fold / "checkpoint_final.pth").read_bytes())
    assert user.weights_read_by(user.labels) == 1
    assert len(user.files) == 2


def spoil_a_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-5000] ^= 1
    file.write_bytes(content)


def fill_with_what_openvino_refuses(file: Path) -> None:
    key = file.name.partition(".")[0]
    stored = network_file.read_network_file(file, key)
    junk = [np.frombuffer(os.urandom(len(each)), np.uint8) for each in stored.compiled]
    network_file.write_network_file(file, key, StoredNetworks(stored.facts, stored.head, junk))


@pytest.mark.parametrize("spoil", [spoil_a_byte, fill_with_what_openvino_refuses], ids=lambda spoil: spoil.__name__)
def test_a_spoilt_file_is_thrown_away_and_made_anew(user: User, spoil: Callable[[Path], None]):
    first = user.labels()
    spoil(user.files[0])
    assert np.array_equal(user.labels(), first)
    assert user.weights_read == 2
    assert user.weights_read_by(user.labels) == 0, "it was made anew"


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="Windows guards the user's folder by its own rights")
def test_files_of_another_user_are_not_given_to_openvino(user: User, monkeypatch: pytest.MonkeyPatch):
    user.labels()
    with monkeypatch.context() as patched:
        patched.setattr(os, "getuid", lambda: 12345)
        assert user.weights_read_by(user.labels) == 1


@pytest.mark.parametrize("fault", ["disk full", "no rights", "little room", "not exported"])
def test_a_job_needs_no_room_to_keep_its_network(user: User, monkeypatch: pytest.MonkeyPatch, fault: str):
    def refuse(*_arguments, **_more):
        raise {"disk full": OSError(errno.ENOSPC, "full"), "no rights": PermissionError()}.get(fault, RuntimeError())

    if fault == "not exported":
        from TotalSegmentatorEngine.inference.openvino_runner import OpenVinoRunner

        monkeypatch.setattr(OpenVinoRunner, "stored", refuse)
    elif fault == "little room":
        monkeypatch.setattr(network_store, "free_bytes", lambda _folder: LEAST_FREE_BYTES)
    else:
        monkeypatch.setattr(network_file.os, "fdopen", refuse)
    assert user.labels().any()
    assert user.files == [] and list(user.folder.glob(".draft-*")) == []


def test_a_cache_folder_that_cannot_be_made_costs_nothing_but_time(user: User):
    user.folder.parent.write_text("a file in its place", encoding="ascii")
    assert user.labels().any()
    assert user.weights_read_by(user.labels) == 1


@pytest.mark.parametrize("fault", ["searched", "asked"])
def test_a_cache_that_may_not_be_searched_costs_nothing_but_time(
    user: User, monkeypatch: pytest.MonkeyPatch, fault: str
):
    """The folder of another user with mode 0700; last, a failure that nobody has foreseen."""
    user.labels()
    stat = os.stat

    def refuse(path, *arguments, **more):
        if os.fspath(path).endswith(".network"):
            raise PermissionError(errno.EACCES, "not searchable")
        return stat(path, *arguments, **more)

    def fail(*_arguments):
        raise ValueError("unforeseen")

    if fault == "searched":
        monkeypatch.setattr(os, "stat", refuse)
        monkeypatch.setattr(network_store, "read_network_file", lambda *_arguments: refuse("a.network"))
    else:
        monkeypatch.setattr(NetworkStore, "holds", fail)
        monkeypatch.setattr(NetworkStore, "load", lambda *_arguments: None)
    assert not ReadyNetworks("openvino", "exact").holds(read_model_folder(user.model))
    assert user.labels().any()
    assert user.weights_read == 2


def test_without_openvino_nothing_is_stored_and_nothing_fails(user: User, monkeypatch: pytest.MonkeyPatch):
    ready, folder = ReadyNetworks("openvino", "exact"), read_model_folder(user.model)
    user.labels()
    assert ready.holds(folder)
    for name in ("openvino", "TotalSegmentatorEngine.inference.openvino_runner"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delattr(inference, "openvino_runner")
    stored_runners.compiling_place.cache_clear()
    assert not ready.holds(folder)
    job = JobRecorder()
    assert user.labels(reporter=job.reporter).any()
    assert job.warnings == ["RUNTIME_FALLBACK"]


def test_what_builds_the_network_is_a_part_of_its_name(user: User, monkeypatch: pytest.MonkeyPatch):
    """Another version of it, or other code of ours, may make another network of the same plans."""
    ready, folder = ReadyNetworks("openvino", "exact"), read_model_folder(user.model)
    user.labels()
    assert ready.holds(folder)
    version, read_bytes = stored_runners.version, Path.read_bytes
    for changed in ("nnunetv2", "dynamic_network_architectures", "network.py"):
        with monkeypatch.context() as patched:
            patched.setattr(stored_runners, "version", lambda name, new=changed: version(name) + "x" * (name == new))
            patched.setattr(Path, "read_bytes", lambda path, new=changed: read_bytes(path) + b"#" * (path.name == new))
            stored_runners.compiling_place.cache_clear()
            assert not ready.holds(folder), changed
    stored_runners.compiling_place.cache_clear()
    assert ready.holds(folder)


@pytest.mark.parametrize("runtime", ["openvino", "eager"])
def test_a_precision_that_is_not_to_be_had_is_told_each_time(user: User, monkeypatch: pytest.MonkeyPatch, runtime: str):
    monkeypatch.setattr(runtimes, "has_bf16", lambda: False)
    same_process = EngineCache()
    for cache in (same_process, same_process, EngineCache()):
        job = JobRecorder()
        user.labels(runtime, "reduced", job.reporter, cache)
        assert job.warnings == ["PRECISION_UNAVAILABLE"]
    assert user.weights_read == (1 if runtime == "openvino" else 2)


def test_removing_the_caches_removes_the_networks(user: User):
    user.labels()
    remove_caches()
    assert not user.folder.parent.exists()


# -- the folder --------------------------------------------------------------------------------------------------------


def stored_of(size: int) -> StoredNetworks:
    return StoredNetworks(
        NetworkFacts(2, (0, 2), 10, 1), np.arange(4, dtype=np.float32).reshape(2, 2), [np.full(size, 7, np.uint8)]
    )


def test_the_folder_is_bounded_and_keeps_what_was_used_last(tmp_path: Path):
    store = NetworkStore(tmp_path, most_bytes=100_000)
    (tmp_path / "photo.png").write_bytes(bytes(90_000))
    keys = [str(number) * 32 for number in range(4)]
    for number, key in enumerate(keys[:3]):
        assert store.save(key, stored_of(20_000))
        os.utime(tmp_path / f"{key}.network", (number, number))
    assert store.load(keys[0]) is not None
    assert store.save(keys[3], stored_of(20_000))
    assert [store.holds(key) for key in keys] == [True, False, True, True]
    assert (tmp_path / "photo.png").exists()
    assert not store.save(keys[1], stored_of(200_000)), "larger than the folder may be"
    assert [store.holds(key) for key in keys] == [True, False, True, True]


def test_what_comes_back_is_what_was_stored(tmp_path: Path):
    store, stored = NetworkStore(tmp_path), stored_of(9_000)
    assert store.load(KEY) is None
    assert store.save(KEY, stored)
    back = store.load(KEY)
    assert back.facts == stored.facts and np.array_equal(back.head, stored.head)
    assert [array.tobytes() for array in back.compiled] == [stored.compiled[0].tobytes()]
    back.compiled[0][:] = 0  # OpenVINO may write into what it gets
    assert store.load(KEY).compiled[0].all()


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-4096])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def write_nonsense(file: Path) -> None:
    file.write_bytes(b'{"format": 1, "facts": []}\n' * 300)


def put_another_in_its_place(file: Path) -> None:
    """Whole, and made for something else."""
    stored = StoredNetworks(NetworkFacts(3, (), 10, 0), np.zeros((0, 0), np.float32), [np.ones(9, np.uint8)])
    network_file.write_network_file(file, OTHER_KEY, stored)


@pytest.mark.parametrize(
    "spoil", [spoil_a_byte, cut, empty, write_nonsense, put_another_in_its_place], ids=lambda spoil: spoil.__name__
)
def test_what_is_not_whole_is_removed(tmp_path: Path, spoil: Callable[[Path], None]):
    store = NetworkStore(tmp_path)
    assert store.save(KEY, stored_of(9_000))
    spoil(tmp_path / f"{KEY}.network")
    assert store.load(KEY) is None
    assert not store.holds(KEY)


def test_drafts_of_killed_processes_go(tmp_path: Path):
    old, new = tmp_path / f"{network_file.DRAFT}old", tmp_path / f"{network_file.DRAFT}new"
    for draft in (old, new):
        draft.write_bytes(b"half")
    os.utime(old, (1, 1))
    NetworkStore(tmp_path).save(KEY, stored_of(10))
    assert (old.exists(), new.exists()) == (False, True)
