"""The command receive: what it refuses before it starts, what it says when it starts, and its status."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from batch_bench import BatchBench, make_bench
from dicom_peers import LOOPBACK
from orthanc import free_ports
from places import REPOSITORY
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.dicom_node.arguments import ReceiveOptions
from TotalSegmentatorEngine.dicom_node.commands import settings_of
from TotalSegmentatorEngine.dicom_node.node_folder import NodeFolder
from TotalSegmentatorEngine.dicom_node.settings.node_settings import TlsFiles
from TotalSegmentatorEngine.dicom_node.settings.settings_file import check_settings, read_settings
from TotalSegmentatorWire.errors.problem import ERRORS

SENDERS = [{"ae_title": "PACS", "address": LOOPBACK}]
ARCHIVE = {"name": "archive", "kind": "dicom", "address": "pacs", "port": 104, "ae_title": "PACS"}
WEB = {"name": "web", "kind": "dicomweb", "url": "https://pacs.example/dicom-web"}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> BatchBench:
    return make_bench(tmp_path, monkeypatch, capsys)


def settings_file(folder: Path, fields: Any) -> Path:
    path = folder / "node.json"
    path.write_text(fields if isinstance(fields, str) else json.dumps(fields))
    return path


def refused(capsys: pytest.CaptureFixture, folder: Path, *words: object) -> tuple[str, str]:
    """Code and sentences of a command that ends at once."""
    status = main(["receive", *map(str, [folder / "node", *words])])
    err = capsys.readouterr().err
    code = err.split(":")[0].removeprefix("error ")
    assert status == ERRORS[code].exit_code
    return code, err


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"modle": "117-3mm"}, "there is no setting named modle"),
        ({"listen": {"port": "11112"}}, "listen.port must be a whole number from 0 to 65535"),
        ({"listen": {"ae_title": "MORE THAN 16 CHARACTERS"}}, "listen.ae_title: an AE title has 1 to 16"),
        ({"listen": []}, "listen must be an object in braces"),
        ({"senders": [{"ae_title": "PACS"}]}, "senders[0].address must be a text"),
        ({"senders": [{"ae_title": "PACS", "address": "0.0.0.0/0"}]}, "lets everybody in"),
        ({"senders": [{"ae_title": "PACS", "address": "pacs.local"}]}, "senders[0].address: give an IP address"),
        ({"tls": {"certificate": "node.pem"}}, "'tls' needs certificate, key and authorities"),
        ({"times": {"keep_days": -1}}, "times.keep_days must be a number of at least 0"),
        ({"limits": {"associations": 0}}, "limits.associations must be a whole number from 1"),
        ({"export": ["rtstruct", "stl"]}, "export must be a list of rtstruct, seg, sr"),
        ({"options": {"crop": "head"}}, "options.crop has no such value"),
        ({"options": {"smooth": "yes"}}, "options.smooth must be true or false"),
        ({"destinations": [ARCHIVE | {"kind": "ftp"}]}, "destinations[0].kind must be one of dicom, dicomweb"),
        ({"destinations": [ARCHIVE | {"url": "http://x"}]}, "there is no setting named destinations[0].url"),
        ({"destinations": [ARCHIVE]}, "'reviewers' does not say who reviews them"),
        ({"destinations": [ARCHIVE, ARCHIVE], "reviewers": "us"}, "two destinations have the same name"),
        ({"destinations": [ARCHIVE | {"formats": ["sr"]}], "reviewers": "us"}, "a format that is not in 'export'"),
        ({"destinations": [WEB | {"url": "ftp://pacs"}]}, "give a URL that begins with https:// or http://"),
        (
            {"destinations": [WEB | {"url": "http://pacs/dicom-web", "token_file": "t"}]},
            "a password or token is sent over https only",
        ),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, capsys: pytest.CaptureFixture, fields: dict, named: str):
    path = settings_file(tmp_path, {"model": "117-3mm", "senders": SENDERS} | fields)
    code, text = refused(capsys, tmp_path, "--settings", path)
    assert code == "RECEIVE_SETTINGS_INVALID" and named in text
    assert not (tmp_path / "node").exists()


@pytest.mark.parametrize("text", ["", "{", "[" * 100000])
def test_settings_that_are_no_json_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture, text: str):
    assert refused(capsys, tmp_path, "--settings", settings_file(tmp_path, text))[0] == "RECEIVE_SETTINGS_UNREADABLE"


def test_nobody_may_send_unless_named(tmp_path: Path, capsys: pytest.CaptureFixture):
    assert refused(capsys, tmp_path, "--model", "117-3mm")[0] == "RECEIVE_NO_SENDER"


def test_what_is_typed_goes_before_the_file(tmp_path: Path):
    fields = {"model": "117-3mm", "senders": SENDERS, "listen": {"port": 104, "ae_title": "AI"}, "watch": "in"}
    settings = settings_of(
        ReceiveOptions(tmp_path, settings_file(tmp_path, fields), model="104-3mm", port=105, quiet=5.0)
    )
    assert (settings.model, settings.listening.port, settings.listening.ae_title) == ("104-3mm", 105, "AI")
    assert settings.times.quiet_seconds == 5.0
    assert settings.watch == tmp_path / "in"
    assert settings.listening.address == LOOPBACK


def test_a_folder_with_other_things_in_it_is_refused(bench: BatchBench, tmp_path: Path, capsys):
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "thesis.txt").touch()
    words = ("--model", bench.model, "--allow", f"PACS@{LOOPBACK}")
    assert refused(capsys, tmp_path, *words)[0] == "RECEIVE_FOLDER_UNUSABLE"
    assert refused(capsys, tmp_path, "--status")[0] == "RECEIVE_FOLDER_UNUSABLE"


def test_two_nodes_do_not_share_a_folder_or_a_port(bench: BatchBench, tmp_path: Path, capsys):
    folder = NodeFolder(tmp_path / "node")
    folder.prepare()
    words = ("--model", bench.model, "--allow", f"PACS@{LOOPBACK}")
    with folder.held():
        assert refused(capsys, tmp_path, *words)[0] == "RECEIVE_FOLDER_IN_USE"
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        assert refused(capsys, tmp_path, *words, "--port", port)[0] == "RECEIVE_PORT_UNAVAILABLE"


def test_tls_files_must_be_usable(bench: BatchBench, tmp_path: Path, capsys):
    tls = {"certificate": "node.pem", "key": "node.key", "authorities": "ca.pem"}
    fields = {"model": str(bench.model), "senders": SENDERS, "listen": {"port": 0}}
    path = settings_file(tmp_path, fields | {"tls": tls})
    assert refused(capsys, tmp_path, "--settings", path)[0] == "RECEIVE_TLS_UNUSABLE"
    path = settings_file(tmp_path, fields)
    assert refused(capsys, tmp_path, "--settings", path, "--tls", *tls.values())[0] == "RECEIVE_TLS_UNUSABLE"


@pytest.mark.parametrize("watch", ["missing", "node/incoming", "."])
def test_the_watched_folder_must_exist_and_lie_elsewhere(tmp_path: Path, capsys, watch: str):
    (tmp_path / "node" / "incoming").mkdir(parents=True)
    words = ("--model", "117-3mm", "--watch", tmp_path / watch)
    assert refused(capsys, tmp_path, *words)[0] == "RECEIVE_WATCH_UNUSABLE"


def test_the_start_says_who_can_send_where_results_go_and_who_reviews_them(bench: BatchBench, tmp_path: Path, capsys):
    (port,) = free_ports(1)
    others = [
        WEB | {"name": "here", "url": "http://127.0.0.1/dicom-web"},
        WEB | {"name": "plain", "url": "http://pacs.example/dicom-web"},
    ]
    fields = {
        "model": str(bench.model),
        "senders": SENDERS,
        "listen": {"port": port},
        "destinations": [ARCHIVE, WEB, *others],
        "reviewers": "radiologists on duty",
    }
    with stopped_when_it_listens(port):
        status = main(["receive", str(tmp_path / "node"), "--settings", str(settings_file(tmp_path, fields))])
    said = capsys.readouterr().err
    assert status == 0
    for line in (
        f"TOTALSEG listens on 127.0.0.1, port {port}, for 1 allowed sender",
        "results are sent to archive: rtstruct",
        'what is sent is marked "AI, UNREVIEWED"; it must be reviewed by: radiologists on duty',
        "received CTs and results are deleted after 7 days",
        "for research use only; not a medical device",
        "stopped",
    ):
        assert line in said.splitlines()
    in_the_open = [line for line in said.splitlines() if "patient data cross the network in the open" in line]
    assert in_the_open == [
        f"the connection to {name} is not encrypted: patient data cross the network in the open"
        for name in ("archive", "plain")
    ]
    assert stat.S_IMODE((tmp_path / "node").stat().st_mode) == 0o700
    assert main(["receive", str(tmp_path / "node"), "--status"]) == 0
    assert "Nothing is in the folder" in capsys.readouterr().out


@contextmanager
def stopped_when_it_listens(port: int) -> Iterator[None]:
    """Sends SIGTERM to the node that is run within, once it listens: its handler is installed by then."""
    has_ended, was_heard = threading.Event(), threading.Event()

    def stop() -> None:
        while not has_ended.wait(0.02):
            try:
                socket.create_connection((LOOPBACK, port), timeout=1).close()
            except OSError:
                continue
            was_heard.set()
            os.kill(os.getpid(), signal.SIGTERM)
            return

    previous = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # whatever happens, it never ends the tests
    stopper = threading.Thread(target=stop)
    stopper.start()
    try:
        yield
    finally:
        has_ended.set()
        stopper.join()
        signal.signal(signal.SIGTERM, previous)
    assert was_heard.is_set()


def test_the_example_in_the_documents_is_valid(tmp_path: Path):
    text = (REPOSITORY / "docs" / "receive.md").read_text(encoding="utf-8")
    example = text.split("```json\n")[1].split("```")[0]
    settings = read_settings(settings_file(tmp_path, example))
    check_settings(settings)
    assert [destination.name for destination in settings.destinations] == ["planning", "research"]
    assert settings.listening.tls == TlsFiles(
        *(tmp_path / name for name in ("node.pem", "node.key", "hospital-ca.pem"))
    )
