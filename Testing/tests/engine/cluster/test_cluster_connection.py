"""Connections to a Dask scheduler: what is refused before anything is sent, mutual TLS, and what each failure says."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from cryptography.hazmat.primitives import serialization
from places import MODULE_FOLDER
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.cluster import versions
from TotalSegmentatorEngine.cluster.connection import connect, present_workers
from TotalSegmentatorEngine.cluster.dask_settings import settle
from TotalSegmentatorEngine.cluster.local_cluster import start_cluster
from TotalSegmentatorEngine.cluster.own_certificate import own_security
from TotalSegmentatorEngine.cluster.probe import check_answer
from TotalSegmentatorEngine.cluster.server_address import ServerAddress, parse_address
from TotalSegmentatorEngine.cluster.tls_files import TlsFiles, tls_files
from TotalSegmentatorEngine.cluster.versions import check_workers
from TotalSegmentatorWire.errors.problem import ERRORS, SegmentationError

SECONDS = 3.0
NO_FILES = TlsFiles(Path("ca.pem"), Path("cert.pem"), Path("key.pem"))


def code_of(address: ServerAddress | str, tls: TlsFiles | None, seconds: float = SECONDS) -> str:
    """The code with which a connection is refused, or ``connected``."""
    address = parse_address(address) if isinstance(address, str) else address
    try:
        connect(address, tls, seconds).close()
    except SegmentationError as error:
        return error.code
    return "connected"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a socket or asks for a name fails the test."""

    def refuse(*arguments, **_):
        pytest.fail(f"the network was used: {arguments}")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)


# -- addresses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected", "is_loopback"),
    [
        ("tcp://127.0.0.1:1234", ServerAddress("tcp", "127.0.0.1", 1234), True),
        (" tcp://LocalHost ", ServerAddress("tcp", "LocalHost", 8786), True),
        ("tcp://[::1]:9/", ServerAddress("tcp", "::1", 9), True),
        ("tcp://127.255.0.3", ServerAddress("tcp", "127.255.0.3", 8786), True),
        ("tls://gpu-1.clinic.example:8786", ServerAddress("tls", "gpu-1.clinic.example", 8786), False),
        ("tls://[fd00::7]", ServerAddress("tls", "fd00::7", 8786), False),
        ("tcp://0.0.0.0:1", ServerAddress("tcp", "0.0.0.0", 1), False),
        ("tcp://127.1:1", ServerAddress("tcp", "127.1", 1), False),
        ("tcp://2130706433:1", ServerAddress("tcp", "2130706433", 1), False),
        ("tcp://localhost.example:1", ServerAddress("tcp", "localhost.example", 1), False),
    ],
)
def test_addresses(text: str, expected: ServerAddress, is_loopback: bool):
    address = parse_address(text)

    assert (address, address.is_loopback) == (expected, is_loopback)
    assert parse_address(address.uri) == address


@pytest.mark.parametrize(
    "text",
    [
        *("", "127.0.0.1:8786", "http://127.0.0.1:8787", "tcp://", "tcp://:8786", "tcp://a:0", "tcp://a:65536"),
        *("tcp://a:x", "tcp://user@a:1", "tcp://a:1/status", "tcp://::1:1", "tcp://[:::]:1", "tcp://[1.2.3.4]:1"),
        *("tcp://a b:1", "tcp://a:1\ntcp://b:1", "tls://-a", "tcp://a," + "b" * 300),
    ],
)
def test_what_is_no_address(text: str):
    with pytest.raises(SegmentationError, match="tls://NAME:8786") as caught:
        parse_address(text)
    assert caught.value.code == "SCHEDULER_ADDRESS_INVALID"


@pytest.mark.parametrize("host", ["192.0.2.1", "gpu.clinic.example", "0.0.0.0", "[2001:db8::1]", "127.1"])
@pytest.mark.parametrize("tls", [None, NO_FILES], ids=["no files", "files"])
def test_no_packet_leaves_without_mutual_tls(host: str, tls: TlsFiles | None, no_network: None):
    assert code_of(f"tcp://{host}:8786", tls) == "SCHEDULER_NEEDS_TLS"
    assert code_of(f"tls://{host}:8786", None) == "SCHEDULER_NEEDS_TLS"


def test_all_three_files_are_named(no_network: None):
    assert tls_files(None, None, None) is None
    with pytest.raises(SegmentationError) as caught:
        tls_files(Path("ca.pem"), None, Path("key.pem"))
    assert caught.value.code == "SCHEDULER_NEEDS_TLS"


@pytest.mark.parametrize("command", ["cluster-scheduler", "cluster-worker"])
def test_schedulers_and_workers_keep_to_the_same_rule(command: str, no_network: None, capsys: pytest.CaptureFixture):
    assert main([command, "tcp://192.0.2.1:8786"]) == ERRORS["SCHEDULER_NEEDS_TLS"].exit_code
    assert main([command, "tcp://0.0.0.0:8786"]) == ERRORS["SCHEDULER_NEEDS_TLS"].exit_code
    assert main([command, "tls://head:8786", "--tls-ca", "ca.pem"]) == ERRORS["SCHEDULER_NEEDS_TLS"].exit_code
    assert main([command, "head:8786"]) == ERRORS["SCHEDULER_ADDRESS_INVALID"].exit_code
    assert capsys.readouterr().err.count("mutual TLS") == 3


# -- files -------------------------------------------------------------------------------------------------------------


def test_files_that_cannot_be_used(certificates, tmp_path: Path, no_network: None):
    files, others = certificates()(), certificates()()
    text, locked = tmp_path / "notes.txt", tmp_path / "locked.pem"
    text.write_text("no certificate", encoding="utf-8")
    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    encryption = serialization.BestAvailableEncryption(b"secret")
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    locked.write_bytes(key.private_bytes(*form, encryption))
    wrong = [
        {"ca": tmp_path / "missing.pem"},
        {"cert": tmp_path},
        {"ca": text},
        {"ca": files.key},
        {"cert": text},
        {"key": text},
        {"key": others.key},
        {"key": locked},
    ]
    for change in wrong:
        with pytest.raises(SegmentationError) as caught:
            connect(parse_address("tls://192.0.2.1"), dataclasses.replace(files, **change), SECONDS)
        assert caught.value.problem.values == {"file": next(iter(change.values())).name}
        assert caught.value.code == "TLS_FILE_UNUSABLE"


# -- schedulers --------------------------------------------------------------------------------------------------------


def test_mutual_tls(certificates, scheduler):
    """Neither a client of another authority, nor one with the right authority and another's certificate, nor plain."""
    authority, other = certificates(), certificates()
    address = scheduler(authority())
    assert address.is_tls

    assert code_of(address, authority()) == "connected"
    mine, foreign = authority(), other()
    assert code_of(address, foreign) == "SCHEDULER_CERTIFICATE_REFUSED"
    assert code_of(address, dataclasses.replace(foreign, ca=mine.ca)) == "SCHEDULER_CERTIFICATE_REFUSED"
    assert code_of(dataclasses.replace(address, scheme="tcp"), None, 0.3) == "SCHEDULER_NOT_REACHED"


def test_a_client_without_a_certificate_hears_nothing(certificates, scheduler):
    """It accepts the scheduler's, and has none of its own."""
    files = certificates()()
    context = ssl.create_default_context(cafile=files.ca)
    context.check_hostname = False

    with pytest.raises(SegmentationError) as caught:
        check_answer(scheduler(files), context, SECONDS)
    assert caught.value.code == "SCHEDULER_CERTIFICATE_REFUSED"


@pytest.mark.parametrize("has_package", [True, False])
def test_a_cluster_on_this_computer_has_a_certificate_of_its_own(
    has_package: bool, certificates, monkeypatch: pytest.MonkeyPatch
):
    """By a package or, where it is missing, by openssl; others do not get in."""
    if not has_package:
        if shutil.which("openssl") is None:
            pytest.skip("there is no openssl")
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    settle()
    from distributed import Client

    with own_security() as security, start_cluster([], {}, security) as cluster:
        address = parse_address(cluster.scheduler_address)
        assert address.is_tls
        with Client(cluster, set_as_default=False) as client:
            assert present_workers(client) == {}
        assert code_of(address, certificates()()) == "SCHEDULER_CERTIFICATE_REFUSED"


def test_a_cluster_without_a_certificate_is_known(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with own_security() as security:
        assert security is None


@pytest.mark.skipif(os.name == "nt", reason="stopped by a signal")
def test_the_command_serves_until_it_is_stopped(certificates, capsys: pytest.CaptureFixture):
    """It listens where it was told to, and answers those who have a certificate."""
    authority = certificates()
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = ServerAddress("tls", "127.0.0.1", free.getsockname()[1])
    before, seen, has_ended = listening(), [], threading.Event()

    def visit() -> None:
        until = time.monotonic() + 60
        while not seen and not has_ended.is_set() and time.monotonic() < until:
            code = code_of(address, authority(), 5.0)
            seen.extend([code, listening() - before] if code == "connected" else [])
        if not has_ended.is_set():
            os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=visit).start()
    files = authority()
    words = ["--tls-ca", files.ca, "--tls-cert", files.cert, "--tls-key", files.key]
    status = main(["cluster-scheduler", address.uri, *map(str, words)])
    has_ended.set()

    assert (status, seen[0]) == (0, "connected")
    assert {ip for ip, _ in seen[1]} == {"127.0.0.1"} and ("127.0.0.1", address.port) in seen[1]
    assert capsys.readouterr().err.splitlines()[-1] == "stopped"


def listening() -> set[tuple[str, int]]:
    """Where this process listens."""
    sockets = psutil.Process().net_connections("inet")
    return {tuple(socket.laddr) for socket in sockets if socket.status == psutil.CONN_LISTEN}


def test_a_scheduler_without_tls(certificates, scheduler):
    address = scheduler(None)

    assert code_of(address, None) == "connected"
    assert code_of(dataclasses.replace(address, scheme="tls"), certificates()()) == "SCHEDULER_CERTIFICATE_REFUSED"


def test_nobody_answers():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = ServerAddress("tcp", "127.0.0.1", server.getsockname()[1])
        assert code_of(address, None, 0.2) == "SCHEDULER_NOT_REACHED"  # accepts, and says nothing
        threading.Thread(target=answer, args=(server,), daemon=True).start()
        assert code_of(address, None) == "SCHEDULER_NOT_REACHED"
    assert code_of(address, None) == "SCHEDULER_NOT_REACHED"  # closed


def answer(server: socket.socket) -> None:
    """As another kind of server does."""
    for _ in range(2):
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"220 mail.example ESMTP ready\r\n")


def test_settings_are_ours_alone(tmp_path: Path):
    """A user's own files and variables, and what Dask would write."""
    (tmp_path / ".config" / "dask").mkdir(parents=True)
    (tmp_path / ".config" / "dask" / "mine.yaml").write_text("distributed: {worker: {memory: {terminate: 0.5}}}")
    program = (
        "from TotalSegmentatorEngine.cluster.dask_settings import settle\n"
        "settle()\n"
        "import dask.config, logging\n"
        "for name in ('worker.memory.terminate', 'nanny.pre-spawn-environ', 'comm.timeouts.connect'):\n"
        "    print(dask.config.get('distributed.' + name))\n"
        "logging.getLogger('distributed.worker').error('a path')"
    )
    environment = {**os.environ, "HOME": str(tmp_path), "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s"}
    environment["PYTHONPATH"] = str(MODULE_FOLDER)
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)

    assert (run.stdout.splitlines(), run.stderr) == (["False", "{}", "30s"], "")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["mine.yaml"]


def test_versions_of_scheduler_and_workers(scheduler, monkeypatch: pytest.MonkeyPatch):
    """Whoever runs in another thread than the test's plays the other side: it has another version."""
    address = scheduler(None, workers=1)

    def theirs() -> dict[str, str]:
        return {"Python": "3.11" if threading.current_thread() is threading.main_thread() else "3.8"}

    with connect(address, None, SECONDS) as client:
        client.wait_for_workers(1, timeout=60)
        (worker,) = present_workers(client)
        assert check_workers(client, [worker]) == {}
        monkeypatch.setattr(versions, "software", theirs)
        problem = check_workers(client, [worker])[worker].problem
    assert problem.code == "CLUSTER_VERSIONS_DIFFER"
    assert problem.values == {"package": "Python", "theirs": "3.8", "ours": "3.11"}

    old = {"packages": {"dask": "2020.1.0", "distributed": "2020.1.0"}}
    monkeypatch.setattr("distributed.node.get_versions", lambda packages=None: old)
    assert code_of(address, None) == "CLUSTER_VERSIONS_DIFFER"
