"""The tasks of TotalSegmentator in the set-up: what comes with them, what is told before, and what a removal means."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from TotalSegmentatorSetup.cli.printed_pages import models_page, plan_page
from TotalSegmentatorSetup.install.installation import Installation
from TotalSegmentatorSetup.install.options import InstallOptions
from TotalSegmentatorSetup.models.model_store import ModelStore
from TotalSegmentatorSetup.models.records import ModelRecords, PartRecord
from TotalSegmentatorSetup.network.access import NetworkSettings
from TotalSegmentatorSetup.network.downloads import RemoteFile, download
from TotalSegmentatorSetup.support.progress import SetupReporter
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.catalogue import catalogue_model, read_catalogue

REPORTER = SetupReporter(lambda event: None)


def put(models: Path, *ids: str) -> Path:
    """As if they were installed."""
    for folder in (path for model in ids for path in read_catalogue()[model].part_folders(models)):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "plans.json").write_text("{}")
    return models


def installation(tmp_path: Path, *models: str) -> Installation:
    return Installation(InstallOptions(models, models_folder=tmp_path / "models", engines_folder=tmp_path / "engine"))


def store_in(folder: Path) -> ModelStore:
    return ModelStore(folder, NetworkSettings(), REPORTER, None)


def test_coarse_models_come_with_a_task_and_before_it(tmp_path):
    assert installation(tmp_path, "teeth").asked_models == ["117-6mm", "craniofacial_structures", "teeth"]
    put(tmp_path / "models", "117-6mm")
    items = installation(tmp_path, "head_muscles", "abdominal_muscles").plan()["items"][1:]
    assert [(item["id"], item["installed"]) for item in items] == [
        *(("117-6mm", True), ("head_muscles", False), ("body-6mm", False), ("abdominal_muscles", False))
    ]
    assert items[2]["purpose"].startswith("without it, these models cannot run: Trunk: muscles;")
    assert items[3]["small_training_set"] and not items[1]["small_training_set"]


def test_licence_checksum_and_citation_are_shown_before_a_download(tmp_path):
    page = plan_page(installation(tmp_path, "lung_vessels_LEGACY").plan())
    assert "Lungs: vessels (older model): to install, download from github.com, size not published" in page
    assert "licence Apache-2.0 according to the publisher; the licence of the training data was not checked" in page
    assert "no checksum is published: HTTPS to github.com only" in page
    assert "to cite: https://www.sciencedirect.com/science/article/pii/S0720048X22001097" in page
    assert "Replaced by lung_vessels" in page
    body = plan_page(installation(tmp_path, "body").plan())
    assert "no checksum" not in body and "233 MB download from github.com" in body


def test_every_archive_comes_over_https_from_one_host():
    for model in read_catalogue().values():
        for url in (url for part in model.parts for url in part.urls):
            assert urlsplit(url).scheme == "https" and urlsplit(url).hostname in ("github.com", "zenodo.org")


def test_list_names_licensed_tasks_and_recorded_digests(tmp_path):
    store, digest = store_in(put(tmp_path, "breasts")), "ab" * 32
    part = catalogue_model("breasts").parts[0].name
    record = PartRecord(part, "breasts", digest, "github.com", "2026-01-01T00:00:00Z", "Apache-2.0", {})
    ModelRecords(tmp_path).remember(record)
    lines = models_page(store.states(), {}).splitlines()
    assert [line.split()[0] for line in lines if "needs a licence from the publisher" in line][:2] == [
        *("heartchambers_highres", "appendicular_bones")
    ]
    assert f"{part}: {digest}" in lines
    assert next(line for line in lines if line.startswith("breasts ")).split()[2] == "yes"
    fields = next(state for state in store.states() if state.id == "teeth").to_json()
    assert fields["needed_models"] == ["117-6mm", "craniofacial_structures"] and fields["small_training_set"]


def test_task_that_needs_a_licence_is_not_downloaded(tmp_path):
    with pytest.raises(SegmentationError) as caught:
        installation(tmp_path, "brain_structures").install_models()
    assert caught.value.code == "MODEL_LICENSED" and caught.value.problem.values == {"model": "brain_structures"}


def test_removing_a_coarse_model_warns_of_those_that_need_it(tmp_path):
    store = store_in(put(tmp_path, "117-6mm", "teeth", "craniofacial_structures", "breasts"))
    warnings = store.remove("117-6mm")
    assert [(each.code, each.values["others"]) for each in warnings] == [
        ("MODEL_STILL_NEEDED", "craniofacial_structures, teeth")
    ]
    assert store.remove("breasts") == []


def test_removing_a_shared_network_names_the_other_model(tmp_path):
    store = store_in(put(tmp_path, "vertebrae_pp", "vertebrae_body"))
    assert catalogue_model("vertebrae_pp_refined").is_installed(tmp_path)
    assert [each.code for each in store.remove("vertebrae_pp")] == ["MODEL_SHARED"]
    assert not catalogue_model("vertebrae_pp_refined").is_installed(tmp_path)


def test_download_without_a_checksum_stays_with_the_named_host(server, tmp_path):
    server.serve("real.zip", b"archive")
    elsewhere = server.url.replace("localhost", "127.0.0.1")
    assert elsewhere != server.url
    url = server.serve("model.zip", b"", redirect=f"{elsewhere}/real.zip")
    digest = hashlib.sha256(b"archive").hexdigest()

    with pytest.raises(SegmentationError) as caught:
        download(RemoteFile("model.zip", [url]), tmp_path / "a", NetworkSettings(), REPORTER, lambda seconds: None)
    assert caught.value.code == "DOWNLOAD_LEFT_HOST"
    assert caught.value.problem.values == {"host": "localhost", "other": "127.0.0.1", "file": "model.zip"}

    known = RemoteFile("model.zip", [url], sha256=digest)
    assert download(known, tmp_path / "b", NetworkSettings(), REPORTER, lambda seconds: None).sha256 == digest
