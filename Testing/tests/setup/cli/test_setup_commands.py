"""The set-up's commands as a user types them and as the panel starts them; this Python has the packages already."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
from setup_support import MODEL, make_computer
from TotalSegmentatorWire.messages.segment import decode
from TotalSegmentatorWire.messages.setup import SETUP_EVENTS, SetupStep


@pytest.fixture
def computer(tmp_path, server):
    return make_computer(tmp_path / "Sa É 患者", Path(sys.executable), server)


@pytest.fixture
def events_file(tmp_path):
    return tmp_path / "events.jsonl"


def events_in(file):
    return [decode(line, SETUP_EVENTS) for line in file.read_text(encoding="ascii").splitlines()]


def installed_on(computer):
    listed = json.loads(computer.run("models", "list", "--json").stdout)
    return [model["id"] for model in listed if model["is_installed"]]


def test_what_would_be_installed_is_shown_and_nothing_is_done(computer, server):
    shown = json.loads(computer.run("setup", "--models", MODEL, "--show", "--json").stdout)

    engine, model = shown["items"]
    assert (engine["kind"], engine["installed"], engine["host"] != "") == ("engine", True, True)
    assert (model["id"], model["installed"], model["host"]) == (MODEL, False, "localhost")
    assert model["licence"] == "Apache-2.0"
    assert "not a medical device" in model["purpose"]
    assert shown["free_bytes"] > 0
    assert server.requests == []
    assert not computer.data.exists()

    page = computer.run("setup", "--models", MODEL, "--show").stdout
    assert "117 structures, 3 mm (fast): to install" in page


def test_setup_installs_a_model_tells_of_it_and_writes_a_log_without_paths(computer, events_file, tmp_path):
    log = tmp_path / "setup.log"
    computer.run("setup", "--models", MODEL, "--events", events_file, "--log", log)

    events = events_in(events_file)
    assert events[-1].KIND == "setup_finished"
    progress = [event for event in events if event.KIND == "setup_progress"]
    steps = list(dict.fromkeys(event.step for event in progress))
    assert steps == [SetupStep.DOWNLOADING_MODEL, SetupStep.UNPACKING_MODEL, SetupStep.CHECKING_MODEL]
    assert progress[-1].fraction == 1.0
    assert str(tmp_path) not in log.read_text(encoding="utf-8")
    listed = json.loads(computer.run("models", "list", "--json").stdout)
    assert [model["id"] for model in listed if model["is_installed"]] == [MODEL]
    table = computer.run("models", "list").stdout.splitlines()
    assert table[0].split()[:3] == ["Model", "Description", "Installed"]
    assert [" yes " in line for line in table if line.startswith((MODEL, "117-6mm"))] == [True, False]
    computer.run("models", "verify", MODEL)
    computer.run("models", "remove", MODEL)
    assert MODEL not in [
        m["id"] for m in json.loads(computer.run("models", "list", "--json").stdout) if m["is_installed"]
    ]


def test_tasks_that_need_a_licence_are_listed_for_programs_too(computer):
    listed = {row["id"]: row for row in json.loads(computer.run("models", "list", "--json").stdout)}
    table = computer.run("models", "list").stdout.splitlines()
    licensed = {id_ for id_, row in listed.items() if row["needs_licence"]}
    assert licensed == {line.split()[0] for line in table if "needs a licence" in line}
    brain = listed["brain_structures"]
    assert "brainstem" in brain["structures"] and not brain["is_installed"] and brain["download_bytes"] is None
    assert not listed[MODEL]["needs_licence"]


def test_a_second_setup_asks_no_server(computer, server, events_file):
    computer.run("setup", "--models", MODEL)
    computer.run("setup", "--models", MODEL, "--events", events_file)

    assert len(server.requests) == 1
    assert [event.KIND for event in events_in(events_file)] == ["setup_finished"]


def test_cancelling_by_the_file_that_the_panel_makes(computer, events_file, tmp_path):
    (tmp_path / "cancel").touch()
    done = computer.run(
        "setup", "--models", MODEL, "--events", events_file, "--cancel-file", tmp_path / "cancel", expected=131
    )

    assert events_in(events_file)[-1].KIND == "cancelled"
    assert "SETUP_CANCELLED" in done.stderr


def test_a_failure_crosses_as_its_code_with_both_sentences(computer, server, events_file):
    server.files["/model.zip"].status = 403
    done = computer.run("setup", "--models", MODEL, "--events", events_file, expected=66)

    failed = events_in(events_file)[-1]
    assert failed.KIND == "failed"
    assert failed.problem["code"] == "DOWNLOAD_REFUSED"
    assert failed.problem["what"] in done.stderr
    assert failed.problem["todo"] in done.stderr


def test_a_model_from_a_file(computer, tmp_path):
    archive = computer.home / "published.zip"

    assert computer.run("models", "add", archive).stdout.strip() == MODEL


def test_a_voxel_order_is_checked_before_anything_is_added(computer, tmp_path):
    archive = computer.home / "published.zip"

    done = computer.run("models", "add", archive, "--orientation", "RAP", expected=2)
    assert "RAS or LPS" in done.stderr
    done = computer.run("models", "add", archive, "--orientation", "lps", expected=101)
    assert "MODEL_ORIENTATION_FIXED" in done.stderr
    assert installed_on(computer) == []
    assert computer.run("models", "add", archive, "--orientation", "ras").stdout.strip() == MODEL


def test_a_crafted_weight_file_is_refused_and_nothing_of_it_runs(computer, tmp_path):
    import pickle
    import zipfile

    class Canary:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "canary",))

    crafted = tmp_path / "crafted.zip"
    leaf = "Dataset777_Mine/nnUNetTrainer__nnUNetPlans__3d_fullres"
    weights = tmp_path / "checkpoint_final.pth"
    with zipfile.ZipFile(weights, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"network_weights": Canary()}))
        archive.writestr("archive/version", "3")
    published = computer.home / "published.zip"
    with zipfile.ZipFile(published) as source, zipfile.ZipFile(crafted, "w") as archive:
        for name in ("plans.json", "dataset.json"):
            archive.writestr(f"{leaf}/{name}", source.read(next(n for n in source.namelist() if n.endswith(name))))
        archive.write(weights, f"{leaf}/fold_0/checkpoint_final.pth")

    done = computer.run("models", "add", crafted, expected=42)

    assert "MODEL_UNSAFE" in done.stderr
    assert not (tmp_path / "canary").exists()
    assert [path.name for path in (computer.data / "TotalSegmentatorModule" / "models").iterdir()] == []


def test_the_doctor_says_what_is_missing_and_then_that_nothing_is(computer):
    ill = json.loads(computer.run("doctor", "--json", expected=1).stdout)
    assert ill["state"] == "model_missing"
    assert [problem["code"] for problem in ill["problems"]] == ["MODEL_MISSING"]

    computer.run("setup", "--models", MODEL)
    well = computer.run("doctor").stdout
    assert "Everything is in place." in well
    assert str(computer.home) not in well

    next(computer.data.rglob("checkpoint_final.pth")).write_bytes(b"cut")
    hurt = json.loads(computer.run("doctor", "--json", expected=1).stdout)
    assert hurt["state"] == "model_damaged"


def test_an_unknown_model_is_reported_with_the_known_ones(computer):
    assert "117-3mm" in computer.run("setup", "--models", "117-9mm", expected=2).stderr
    assert "MODEL_UNKNOWN" in computer.run("models", "remove", "117-9mm", expected=85).stderr


def add_own_model(computer):
    """A copy of the published one under a name that no catalogue has; returns its folder among the models."""
    own = computer.home / "Dataset777_Mine"
    shutil.copytree(next((computer.home / "published").glob("Dataset*")), own)
    return Path(computer.run("models", "add", own).stdout.strip()).parent


def files_of(computer):
    """Everything that lies in the product's folders; libraries keep things of theirs beside them."""
    tops = [folder / "TotalSegmentatorModule" for folder in (computer.data, computer.home / "cache")]
    return sorted(path for top in tops for path in top.rglob("*") if path.is_file())


def test_remove_keeps_an_own_model_until_it_is_named_and_leaves_nothing_else(computer):
    computer.run("setup", "--models", MODEL)
    own = add_own_model(computer)
    cache = computer.home / "cache" / "TotalSegmentatorModule"
    (cache / "compiled" / "ab").mkdir(parents=True)
    for name in ("machine-12ab.json", "machine-12ab.lock", "compiled/ab/code.so"):
        (cache / name).write_text("{}")

    computer.run("remove", "--with-models", "--with-own-model", "Dataset778", expected=85)
    assert installed_on(computer) == [MODEL]
    computer.run("remove", "--with-models")
    assert installed_on(computer) == []
    assert {path for path in files_of(computer) if own not in path.parents} == {own.parent / "installed.json"}
    assert not cache.exists()
    assert "Dataset777_Mine" in computer.run("models", "list").stdout

    computer.run("remove", "--with-models", "--with-own-model", "Dataset777_Mine")
    assert files_of(computer) == []
    assert not (computer.data / "TotalSegmentatorModule").exists()


def test_caches_of_others_in_the_chosen_cache_folder_stay(computer, tmp_path):
    cache = tmp_path / "scratch"
    cache.mkdir()
    for name in ("machine-12ab.json", "photo.png"):
        (cache / name).write_text("{}")

    computer.run("remove", TOTALSEGMENTATOR_CACHE=str(cache))
    assert [path.name for path in cache.iterdir()] == ["photo.png"]


def test_a_local_archive_that_is_another_one_is_not_called_a_download(computer):
    archive = computer.home / "published.zip"
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr("more.txt", "more")

    said = computer.run("models", "add", archive, expected=115).stderr
    assert "ARCHIVE_NOT_PUBLISHED" in said
    assert "downloaded file" not in said
    assert "IT department" not in said


def test_the_doctor_speaks_of_the_model_in_use(computer):
    own = add_own_model(computer)
    leaf = next(own.glob("*/plans.json")).parent
    elsewhere = next((computer.home / "Dataset777_Mine").glob("*/plans.json")).parent
    assert "added model 1 of 1 is complete" in computer.run("doctor").stdout
    used = computer.run("doctor", "--model", leaf).stdout
    assert "The model in use, which was added by the user, is complete" in used
    assert "Everything is in place." in used
    assert "MODEL_MISSING" not in used
    assert "Dataset777" not in used
    assert "a folder of the user's own, can be used" in computer.run("doctor", "--model", elsewhere).stdout
    assert "MODEL_MISSING" in computer.run("doctor", "--model", MODEL, expected=1).stdout

    (elsewhere / "plans.json").write_text("{")
    (leaf / "dataset.json").unlink()
    for broken in (elsewhere, leaf):
        assert json.loads(computer.run("doctor", "--json", "--model", broken, expected=1).stdout)["state"] == (
            "model_damaged"
        )
    assert "MODEL_FOLDER_MISSING" in computer.run("doctor", "--model", computer.home / "gone", expected=1).stdout
    assert "MODEL_UNKNOWN" in computer.run("doctor", "--model", "104-9mm", expected=85).stderr
