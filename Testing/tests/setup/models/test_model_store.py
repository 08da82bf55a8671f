"""Models are installed whole or not at all, from a server, an archive or a folder; and removed without a trace."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from fake_setup_engine import FakeEngine
from places import MODULE_FOLDER
from TotalSegmentatorSetup.models import model_store
from TotalSegmentatorSetup.models.model_store import ModelStore
from TotalSegmentatorSetup.network.access import NetworkSettings
from TotalSegmentatorSetup.support.file_lock import FolderLock
from TotalSegmentatorSetup.support.progress import SetupReporter
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.segment import WarningEvent
from TotalSegmentatorWire.messages.setup import SetupProgressEvent
from TotalSegmentatorWire.tables import catalogue

V2, V1 = "117-3mm", "104-3mm"


def archive_of(path, part, is_v1=False, plans="{}", weights=b"w" * 5000, around=""):
    """An archive as the publishers make them, in small."""
    leaf = f"{around}{part}/" + (
        "nnUNetTrainerV2__nnUNetPlansv2.1" if is_v1 else "nnUNetTrainer__nnUNetPlans__3d_fullres"
    )
    tables = {"plans.pkl": b"p"} if is_v1 else {"plans.json": plans.encode(), "dataset.json": b"{}"}
    fold = "model_final_checkpoint.model" if is_v1 else "checkpoint_final.pth"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in tables.items():
            archive.writestr(f"{leaf}/{name}", content)
        archive.writestr(f"{leaf}/fold_0/{fold}", weights)
        archive.writestr(f"{leaf}/fold_0/progress.png", b"a plot")
    return path.read_bytes()


@pytest.fixture
def published(server, tmp_path, monkeypatch):
    """The catalogue with its archives on the local server; returns what each archive holds."""
    rows = json.loads((catalogue.MODELS_FOLDER / "models.json").read_text(encoding="utf-8"))
    contents = {}
    for model in rows["models"]:
        is_v1 = model["format"] == "nnU-Net v1"
        for part in model["parts"]:
            content = archive_of(tmp_path / "archive.zip", part["name"], is_v1)
            contents[part["name"]] = content
            part["urls"] = [server.serve(f"{part['name']}.zip", content)]
            part["bytes"] = None if is_v1 else len(content)
            part["sha256"] = None if is_v1 else hashlib.sha256(content).hexdigest()
    (tmp_path / "archive.zip").unlink()
    table = tmp_path / "models.json"
    table.write_text(json.dumps(rows), encoding="utf-8")
    real = catalogue.read_catalogue
    for module in (catalogue, model_store, sys.modules["TotalSegmentatorSetup.models.sources"]):
        monkeypatch.setattr(module, "read_catalogue", lambda: real(table))
    return contents


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "Sa É 患者" / "models"


def store_of(folder, events=None, engine=None, **how):
    reporter = SetupReporter((events if events is not None else []).append)
    return ModelStore(folder, NetworkSettings(), reporter, engine or FakeEngine(), **how)


def code_of(action, *arguments):
    with pytest.raises(SegmentationError) as caught:
        action(*arguments)
    return caught.value.code


def state_of(store, model):
    return next(state for state in store.states() if state.id == model)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def part_name(model):
    return catalogue.read_catalogue()[model].parts[0].name


def test_a_model_is_downloaded_checked_and_there(published, folder):
    events, engine = [], FakeEngine()
    store = store_of(folder, events, engine)
    assert not state_of(store, V2).is_installed

    store.install(V2)

    state = state_of(store, V2)
    assert state.is_installed
    assert state.disk_bytes > 5000
    assert names_in(folder) == [part_name(V2), "installed.json"]
    files = sorted(path.name for path in (folder / part_name(V2)).rglob("*") if path.is_file())
    assert files == ["checkpoint_final.pth", "dataset.json", "plans.json"]
    assert catalogue.read_catalogue()[V2].is_installed(folder)
    assert engine.asked[0][2:] == ["--model", V2, "--part", part_name(V2), "--rewrite"]


def test_the_whole_of_five_parts_goes_from_0_to_1(published, folder):
    events = []
    reporter = SetupReporter(events.append)
    store = ModelStore(folder, NetworkSettings(), reporter, FakeEngine())
    reporter.expect(store.tasks("117-1.5mm"))

    store.install("117-1.5mm")

    fractions = [event.fraction for event in events if isinstance(event, SetupProgressEvent)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_a_v1_model_is_converted(published, folder):
    engine = FakeEngine()
    store_of(folder, engine=engine).install(V1)

    assert [asked[0] for asked in engine.asked] == ["convert-model", "check-model"]
    assert catalogue.read_catalogue()[V1].part_folders(folder)[0].is_dir()


def test_an_unknown_digest_is_remembered_and_a_later_difference_refused(published, folder, server):
    events = []
    store = store_of(folder, events)
    store.install(V1)
    assert [e.problem["code"] for e in events if isinstance(e, WarningEvent)] == ["DIGEST_RECORDED"]
    digest = hashlib.sha256(published[part_name(V1)]).hexdigest()
    assert state_of(store, V1).digests == {part_name(V1): digest}

    store.remove(V1)
    assert names_in(folder) == ["installed.json"]
    server.serve(f"{part_name(V1)}.zip", published[part_name(V1)] + b"\0")
    assert code_of(store.install, V1) == "MODEL_DIGEST_CHANGED"
    assert not state_of(store, V1).is_installed


def test_a_model_that_does_not_fit_its_plans_is_not_installed(published, folder, server, tmp_path):
    bad = archive_of(tmp_path / "bad.zip", part_name(V1), plans='{"bad": true}')
    server.serve(f"{part_name(V1)}.zip", bad)

    assert code_of(store_of(folder).install, V1) == "MODEL_DAMAGED"
    assert [name for name in names_in(folder) if not name.startswith(".")] == []


@pytest.mark.parametrize("around", ["", "nnUNet/3d_fullres/"])
def test_an_archive_from_a_stick(published, folder, tmp_path, around):
    archive_of(tmp_path / "from-stick.zip", part_name(V1), is_v1=True, around=around)

    assert store_of(folder).add(tmp_path / "from-stick.zip") == V1
    assert state_of(store_of(folder), V1).is_installed
    assert (tmp_path / "from-stick.zip").is_file()


def test_an_archive_from_a_stick_that_is_not_the_published_one(published, folder, tmp_path):
    archive_of(tmp_path / "changed.zip", part_name(V2), weights=b"other")

    assert code_of(store_of(folder).add, tmp_path / "changed.zip") == "ARCHIVE_NOT_PUBLISHED"


def test_a_model_of_the_users_own_is_copied_and_can_be_removed(published, folder, tmp_path):
    own = tmp_path / "Dataset777_Mine" / "nnUNetTrainer__nnUNetPlans__3d_fullres"
    (own / "fold_0").mkdir(parents=True)
    for name in ("plans.json", "dataset.json", "fold_0/checkpoint_final.pth"):
        (own / name).write_text("{}")
    before = {path: path.read_bytes() for path in own.rglob("*") if path.is_file()}
    store = store_of(folder)

    place = Path(store.add(tmp_path / "Dataset777_Mine"))

    assert place == folder / "Dataset777_Mine" / own.name
    assert (place / "fold_0" / "checkpoint_final.pth").is_file()
    assert {path: path.read_bytes() for path in own.rglob("*") if path.is_file()} == before
    store.verify("Dataset777_Mine")
    store.remove("Dataset777_Mine")
    assert not folder.exists()


def own_model(folder, name="Dataset777_Mine"):
    own = folder / name / "nnUNetTrainer__nnUNetPlans__3d_fullres"
    (own / "fold_0").mkdir(parents=True)
    for file in ("plans.json", "dataset.json", "fold_0/checkpoint_final.pth"):
        (own / file).write_text("{}")
    return own


def test_a_second_model_of_one_name_does_not_replace_the_first(folder, tmp_path):
    store = store_of(folder)
    first = store.add(own_model(tmp_path / "a").parent)
    second = store.add(own_model(tmp_path / "b").parent)
    assert [*store.own_models()] == [Path(first).parent.name, Path(second).parent.name]
    assert all(store.own_models().values()), "bytes on the disk"

    assert Path(first).parent.name == "Dataset777_Mine"
    assert Path(second).parent.name == "Dataset777_Mine-2"
    assert Path(first).is_dir()


def test_a_model_in_the_folder_above_without_a_name_does_not_replace_everything(folder, tmp_path, monkeypatch):
    store = store_of(folder)
    store.add(own_model(tmp_path / "a").parent)
    own_model(tmp_path / "stick", name="").rename(tmp_path / "stick" / "nnUNetTrainer__nnUNetPlans__3d_fullres")
    monkeypatch.chdir(tmp_path / "stick")

    store.add(Path())

    assert "Dataset777_Mine" in names_in(folder)
    assert len([name for name in names_in(folder) if name != "installed.json"]) == 2


def test_a_model_that_lies_among_the_installed_ones_stays_as_it_is(folder):
    own = own_model(folder)
    (own.parent / "notes.txt").write_text("mine")

    assert code_of(store_of(folder).add, own.parent) == "MODEL_DAMAGED"
    assert (own.parent / "notes.txt").is_file()


def test_removing_all_leaves_what_was_not_installed_here(published, folder):
    store = store_of(folder)
    store.install(V2)
    by_hand = own_model(folder, name=part_name(V1)).parent
    (folder / ".new-photos").mkdir()

    store.remove_all()

    assert names_in(folder) == [".new-photos", by_hand.name]


def test_a_changed_archive_is_taken_after_the_old_digest_was_forgotten(published, folder, server, tmp_path):
    store = store_of(folder)
    store.install(V1)
    changed = archive_of(tmp_path / "changed.zip", part_name(V1), is_v1=True, weights=b"new")
    server.serve(f"{part_name(V1)}.zip", changed)

    store.remove(V1, forgets_digest=True)
    store.install(V1)

    assert state_of(store, V1).digests == {part_name(V1): hashlib.sha256(changed).hexdigest()}


def test_what_was_downloaded_is_used_after_a_failure_behind_it(published, folder, server):
    engine = FakeEngine()
    store = store_of(folder, engine=engine)
    object.__setattr__(engine, "ask", lambda *arguments: (_ for _ in ()).throw(SegmentationError("ENGINE_KILLED")))
    assert code_of(store.install, V1) == "ENGINE_KILLED"

    store_of(folder).install(V1)

    assert len(server.requests) == 1
    assert names_in(folder) == [part_name(V1), "installed.json"]


def test_a_folder_without_a_model(folder, tmp_path):
    (tmp_path / "photos").mkdir()

    assert code_of(store_of(folder).add, tmp_path / "photos") == "MODEL_DAMAGED"
    assert code_of(store_of(folder).add, tmp_path / "nowhere") == "INPUT_NOT_FOUND"


def test_from_an_offline_folder_nothing_is_asked_of_the_network(published, folder, tmp_path, server):
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / f"{part_name(V2)}.zip").write_bytes(published[part_name(V2)])
    store = store_of(folder, bundle_folder=tmp_path / "bundle")

    store.install(V2)

    assert state_of(store, V2).is_installed
    assert server.requests == []
    assert code_of(store.install, V1) == "BUNDLE_INCOMPLETE"
    assert names_in(tmp_path / "bundle") == [f"{part_name(V2)}.zip"]


def test_verify_finds_a_changed_and_a_missing_file(published, folder):
    store = store_of(folder)
    assert code_of(store.verify, V2) == "MODEL_MISSING"
    store.install(V2)
    store.verify(V2)

    weights = next(folder.rglob("checkpoint_final.pth"))
    weights.write_bytes(b"v" * 5000)
    assert code_of(store.verify, V2) == "MODEL_DAMAGED"
    weights.unlink()
    assert code_of(store.verify, V2) == "MODEL_DAMAGED"


def test_nothing_is_left_after_all_was_removed_but_own_models_that_were_not_named(published, folder, tmp_path):
    store = store_of(folder)
    store.install(V2)
    kept = Path(store.add(own_model(tmp_path / "a").parent))
    second = Path(store.add(own_model(tmp_path / "b").parent))
    (folder / "installed.json.4711").write_text("half")
    (folder / ".downloads").mkdir()
    assert code_of(store.remove_all, ["Dataset1"]) == "MODEL_UNKNOWN"
    assert state_of(store, V2).is_installed

    store.remove_all([second.parent.name])
    assert names_in(folder) == [kept.parent.name, "installed.json"]
    assert [*store.own_models()] == [kept.parent.name]
    store.verify(kept.parent.name)

    store.remove_all([kept.parent.name])
    assert not folder.exists()


def test_names_that_the_catalogue_does_not_have(folder):
    assert code_of(store_of(folder).install, "117-9mm") == "MODEL_UNKNOWN"
    assert code_of(store_of(folder).remove, "117-9mm") == "MODEL_UNKNOWN"


def test_without_an_engine_nothing_can_be_checked_and_so_nothing_installed(published, folder):
    store = ModelStore(folder, NetworkSettings(), SetupReporter(lambda event: None), None)

    assert code_of(store.install, V2) == "ENGINE_MISSING"


def test_too_full_a_disk_is_reported_first(published, folder, server, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda p: type("U", (), {"free": 10})())

    assert code_of(store_of(folder).install, V2) == "DISK_FULL"
    assert server.requests == []


def test_what_a_killed_process_left_is_cleaned_up_and_its_download_used(published, folder, server):
    content = published[part_name(V2)]
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    dead.wait()
    draft = folder / ".tsm-new-model-abc123"
    draft.mkdir(parents=True)
    (draft / "owner.json").write_text(json.dumps({"pid": dead.pid, "started": "long ago", "host": _host()}))
    (folder / ".downloads").mkdir()
    (folder / ".downloads" / f"{part_name(V2)}.zip.part").write_bytes(content[:2000])
    url = server.url + f"/{part_name(V2)}.zip"
    tag = server.files[f"/{part_name(V2)}.zip"].tag
    version = {"url": url, "validator": tag, "total": len(content)}
    (folder / ".downloads" / f"{part_name(V2)}.zip.part.json").write_text(json.dumps(version))

    store_of(folder).install(V2)

    assert server.requests == [(f"/{part_name(V2)}.zip", "bytes=2000-")]
    assert names_in(folder) == [part_name(V2), "installed.json"]


def _host():
    import platform

    return platform.node()


def _hold(folder, name, seconds, started):
    sys.path.insert(0, str(MODULE_FOLDER))
    lock = FolderLock(Path(folder), name)
    lock.acquire(10.0)
    started.set()
    time.sleep(seconds)
    lock.release()


def test_two_processes_do_not_install_the_same_at_once(published, folder, server):
    folder.mkdir(parents=True)
    context = multiprocessing.get_context("spawn")
    started = context.Event()
    other = context.Process(target=_hold, args=(str(folder), part_name(V2), 1.0, started))
    other.start()
    assert started.wait(20)
    with pytest.raises(SegmentationError) as caught:
        FolderLock(folder, part_name(V2)).acquire(0.0)
    assert caught.value.code == "SETUP_BUSY"

    store_of(folder).install(V2)  # waits for the other

    assert not other.is_alive() or other.join(5) is None
    assert state_of(store_of(folder), V2).is_installed
    assert names_in(folder) == [part_name(V2), "installed.json"]


def test_a_dead_owners_lock_is_taken_over(folder):
    context = multiprocessing.get_context("spawn")
    started = context.Event()
    folder.mkdir(parents=True)
    other = context.Process(target=_hold, args=(str(folder), "m", 60.0, started))
    other.start()
    assert started.wait(20)
    other.kill()
    other.join()

    with FolderLock(folder, "m") as lock:
        lock.acquire(0.0)
    assert names_in(folder) == []
