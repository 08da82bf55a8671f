"""Downloads from a server that misbehaves: what is resumed, what is refused, and what the user is told."""

from __future__ import annotations

import errno
import hashlib
import io
import random
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from misbehaving_server import make_certificate, misbehaving_server, proxy_that_asks_for_a_password
from places import MODULE_FOLDER
from TotalSegmentatorSetup.network.access import NetworkSettings
from TotalSegmentatorSetup.network.downloads import RemoteFile, download
from TotalSegmentatorSetup.support.progress import SetupReporter
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.segment import WarningEvent
from TotalSegmentatorWire.messages.setup import SetupProgressEvent, SetupStep

CONTENT = random.Random(5).randbytes(700_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def events():
    return []


def reporter_of(events, is_cancelled=lambda: False):
    reporter = SetupReporter(events.append, is_cancelled)
    reporter.begin(SetupStep.DOWNLOADING_MODEL, "model")
    return reporter


SIZE = len(CONTENT)
USUAL_NETWORK = NetworkSettings()


def fetch(url, folder, events, size=SIZE, digest=DIGEST, network=USUAL_NETWORK, **reporter):
    file = RemoteFile("model.zip", [url], size, digest)
    return download(file, folder, network, reporter_of(events, **reporter), pause=lambda seconds: None)


def code_of(*arguments, **named):
    with pytest.raises(SegmentationError) as caught:
        fetch(*arguments, **named)
    return caught.value.code


def warnings_in(events):
    return [event.problem["code"] for event in events if isinstance(event, WarningEvent)]


def test_a_file_arrives_whole_and_nothing_else_is_left(server, tmp_path, events):
    got = fetch(server.serve("model.zip", CONTENT), tmp_path / "Sa É 患者", events)

    assert got.path.read_bytes() == CONTENT
    assert got.sha256 == DIGEST
    assert [path.name for path in got.path.parent.iterdir()] == ["model.zip"]
    last = [event for event in events if isinstance(event, SetupProgressEvent)][-1]
    assert (last.done_bytes, last.total_bytes) == (len(CONTENT), len(CONTENT))


def test_a_file_that_is_there_is_not_downloaded_again(server, tmp_path, events):
    url = server.serve("model.zip", CONTENT)
    fetch(url, tmp_path, events)
    fetch(url, tmp_path, events)

    assert server.sent == len(CONTENT)


def test_a_connection_that_is_cut_is_resumed(server, tmp_path, events):
    url = server.serve("model.zip", CONTENT, cut_after=100_000)

    assert fetch(url, tmp_path, events).path.read_bytes() == CONTENT
    assert server.sent == len(CONTENT)
    assert len(server.requests) == 7


def test_a_connection_that_gives_nothing_is_given_up_and_what_arrived_is_kept(server, tmp_path, events):
    url = server.serve("model.zip", CONTENT, cut_after=300_000, failures=1)
    served = server.files["/model.zip"]
    served.status = None

    class Stops:
        """After the first cut the server sends nothing at all any more."""

        def __call__(self, seconds):
            served.cut_after, served.failures = 0, None

    file = RemoteFile("model.zip", [url], len(CONTENT), DIGEST)
    with pytest.raises(SegmentationError) as caught:
        download(file, tmp_path, NetworkSettings(), reporter_of(events), pause=Stops())

    assert caught.value.code == "DOWNLOAD_CUT"
    assert (tmp_path / "model.zip.part").stat().st_size == 300_000
    served.cut_after = None
    assert fetch(url, tmp_path, events).path.read_bytes() == CONTENT
    assert server.sent == len(CONTENT)


def test_a_server_without_ranges_sends_it_again_and_says_so_once(server, tmp_path, events):
    url = server.serve("model.zip", CONTENT, has_ranges=False, cut_after=100_000, failures=2)

    assert fetch(url, tmp_path, events).path.read_bytes() == CONTENT
    assert warnings_in(events) == ["DOWNLOAD_FROM_START"]


def test_a_file_that_changed_in_between_is_not_glued_to_the_old_one(server, tmp_path, events):
    url = server.serve("model.zip", b"x" * len(CONTENT), cut_after=100_000)
    assert code_of(url, tmp_path, events, digest=None, is_cancelled=lambda: server.sent >= 200_000) == "SETUP_CANCELLED"
    server.serve("model.zip", CONTENT)

    assert fetch(url, tmp_path, events, digest=None).path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, "DOWNLOAD_NOT_FOUND"), (410, "DOWNLOAD_NOT_FOUND"), (403, "DOWNLOAD_REFUSED"), (401, "DOWNLOAD_REFUSED")],
)
def test_a_refusal_is_reported_at_once(server, tmp_path, events, status, code):
    assert code_of(server.serve("model.zip", CONTENT, status=status), tmp_path, events) == code
    assert len(server.requests) == 1


def test_a_failing_server_is_asked_again(server, tmp_path, events):
    url = server.serve("model.zip", CONTENT, status=503, failures=3)

    assert fetch(url, tmp_path, events).path.read_bytes() == CONTENT


def test_a_server_that_keeps_failing_is_given_up(server, tmp_path, events):
    assert code_of(server.serve("model.zip", CONTENT, status=500), tmp_path, events) == "DOWNLOAD_SERVER_FAILED"


def test_the_next_mirror_is_tried_and_goes_on_with_the_part(server, tmp_path, events):
    first = server.serve("a/model.zip", CONTENT, cut_after=200_000, failures=1)
    second = server.serve("b/model.zip", CONTENT)

    def first_is_gone_then(seconds):
        server.files["/a/model.zip"].status, server.files["/a/model.zip"].failures = 404, None

    file = RemoteFile("model.zip", [first, second], len(CONTENT), DIGEST)
    got = download(file, tmp_path, NetworkSettings(), reporter_of(events), pause=first_is_gone_then)

    assert got.path.read_bytes() == CONTENT
    assert server.sent == len(CONTENT)
    assert warnings_in(events) == ["MIRROR_TRIED"]


def test_without_a_digest_another_mirror_starts_anew(server, tmp_path, events):
    first = server.serve("a/model.zip", b"x" * len(CONTENT), cut_after=200_000)
    assert code_of(first, tmp_path, events, digest=None, is_cancelled=lambda: server.sent >= 200_000)
    second = server.serve("b/model.zip", CONTENT)

    assert fetch(second, tmp_path, events, digest=None).path.read_bytes() == CONTENT


def test_wrong_size_is_refused_before_the_first_byte(server, tmp_path, events):
    url = server.serve("model.zip", CONTENT)

    assert code_of(url, tmp_path, events, size=len(CONTENT) + 1) == "DOWNLOAD_WRONG_SIZE"
    assert list(tmp_path.iterdir()) == []


def test_wrong_digest_is_refused_and_removed(server, tmp_path, events):
    url = server.serve("model.zip", b"y" * len(CONTENT))

    assert code_of(url, tmp_path, events) == "DOWNLOAD_WRONG_DIGEST"
    assert list(tmp_path.iterdir()) == []


def test_cancelling_keeps_what_has_arrived(server, tmp_path, events):
    url = server.serve("model.zip", CONTENT, pause=0.01)

    assert code_of(url, tmp_path, events, is_cancelled=lambda: server.sent > 200_000) == "SETUP_CANCELLED"
    assert (tmp_path / "model.zip.part").stat().st_size > 0
    assert fetch(url, tmp_path, events).path.read_bytes() == CONTENT
    assert server.sent <= 1.1 * len(CONTENT) + 4 * 65536


def test_too_full_a_disk_is_reported_before_the_first_byte(server, tmp_path, events, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000})())

    assert code_of(server.serve("model.zip", CONTENT), tmp_path, events) == "DISK_FULL"
    assert server.requests == []


def test_a_disk_that_fills_up_in_the_middle_keeps_the_part(server, tmp_path, events, monkeypatch):
    class FullDisk(io.FileIO):
        def write(self, piece) -> int:
            if self.tell() > 100_000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(piece)

    open_file = Path.open

    def open_on_full_disk(self, *how, **options):
        return FullDisk(self, "ab") if self.suffix == ".part" else open_file(self, *how, **options)

    monkeypatch.setattr(Path, "open", open_on_full_disk)
    assert code_of(server.serve("model.zip", CONTENT), tmp_path, events) == "DISK_FULL"
    assert (tmp_path / "model.zip.part").stat().st_size > 100_000


def test_a_folder_that_cannot_be_written_to(server, tmp_path, events):
    (tmp_path / "file").write_text("no folder")

    assert code_of(server.serve("model.zip", CONTENT), tmp_path / "file", events) == "FOLDER_NOT_WRITABLE"


def test_a_file_that_an_antivirus_program_holds_for_a_moment(server, tmp_path, events, monkeypatch):
    refusals = [PermissionError(errno.EACCES, "in use")] * 2
    real = Path.replace

    def replace(self, target):
        if refusals and self.suffix == ".part":
            raise refusals.pop()
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr("TotalSegmentatorWire.retry.time.sleep", lambda seconds: None)
    assert fetch(server.serve("model.zip", CONTENT), tmp_path, events).path.read_bytes() == CONTENT

    monkeypatch.setattr(Path, "replace", lambda self, target: (_ for _ in ()).throw(PermissionError(13, "in use")))
    (tmp_path / "model.zip").unlink()
    assert code_of(server.serve("model.zip", CONTENT), tmp_path, events) == "FILE_LOCKED"


# -- the network -------------------------------------------------------------------------------------------------------


def test_nobody_listens(tmp_path, events):
    assert code_of("http://127.0.0.1:9/model.zip", tmp_path, events) == "NETWORK_NO_ROUTE"


def test_a_name_that_does_not_exist(tmp_path, events, monkeypatch):
    monkeypatch.setattr(urllib.request, "getproxies", dict)

    assert code_of("http://no-such-host.invalid/model.zip", tmp_path, events) == "NETWORK_NAME_NOT_FOUND"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_asks_for_a_password(tmp_path, events, scheme):
    with proxy_that_asks_for_a_password() as proxy:
        network = NetworkSettings(proxy=proxy)
        assert code_of(f"{scheme}://models.invalid/m.zip", tmp_path, events, network=network) == "PROXY_PASSWORD_NEEDED"


def test_a_redirect_is_followed(server, tmp_path, events):
    server.serve("real.zip", CONTENT)
    url = server.serve("model.zip", b"", redirect="/real.zip")

    assert fetch(url, tmp_path, events).path.read_bytes() == CONTENT


def certificate_or_skip(folder, **how):
    certificate = make_certificate(folder, **how)
    if certificate is None:
        pytest.skip("this machine has no openssl to make a certificate with")
    return certificate


def test_a_certificate_that_nobody_signed_is_refused_until_it_is_given(tmp_path, events):
    certificate = certificate_or_skip(tmp_path)
    with misbehaving_server(certificate) as server:
        url = server.serve("model.zip", CONTENT)
        assert code_of(url, tmp_path / "a", events) == "CERTIFICATE_NOT_TRUSTED"

        trusting = NetworkSettings(certificate_file=tmp_path / "certificate.pem")
        assert fetch(url, tmp_path / "b", events, network=trusting).sha256 == DIGEST


def test_a_file_that_holds_no_certificate(server, tmp_path, events):
    (tmp_path / "empty.pem").write_text("nothing")
    network = NetworkSettings(certificate_file=tmp_path / "empty.pem")

    assert code_of(server.serve("model.zip", CONTENT), tmp_path, events, network=network) == "CERTIFICATE_NOT_TRUSTED"


@pytest.mark.parametrize(("start", "end"), [("2020", "2021"), ("2044", "2045")])
def test_a_certificate_out_of_its_time_points_at_the_clock(tmp_path, events, start, end):
    certificate = certificate_or_skip(tmp_path, start=f"{start}0101000000Z", end=f"{end}0101000000Z")
    with misbehaving_server(certificate) as server:
        network = NetworkSettings(certificate_file=tmp_path / "certificate.pem")
        with pytest.raises(SegmentationError) as caught:
            fetch(server.serve("model.zip", CONTENT), tmp_path / "a", events, network=network)

    assert caught.value.code == "CLOCK_WRONG"
    assert caught.value.problem.values["date"] == time.strftime("%Y-%m-%d")


def test_an_encrypted_connection_is_not_redirected_to_a_plain_one(tmp_path, events, server):
    certificate = certificate_or_skip(tmp_path)
    plain = server.serve("model.zip", CONTENT)
    with misbehaving_server(certificate) as secure:
        url = secure.serve("model.zip", b"", redirect=plain)
        network = NetworkSettings(certificate_file=tmp_path / "certificate.pem")
        assert code_of(url, tmp_path / "a", events, network=network) == "DOWNLOAD_REFUSED"


def test_a_proxys_password_is_in_no_problem(tmp_path, events):
    with proxy_that_asks_for_a_password() as proxy:
        network = NetworkSettings(proxy=proxy.replace("http://", "http://user:geheim@"))
        with pytest.raises(SegmentationError) as caught:
            fetch("http://models.invalid/m.zip", tmp_path, events, network=network)

    assert "geheim" not in str(caught.value.problem.to_json())


# -- killed ------------------------------------------------------------------------------------------------------------

_PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from TotalSegmentatorSetup.network.downloads import RemoteFile, download
from TotalSegmentatorSetup.network.access import NetworkSettings
from TotalSegmentatorSetup.support.progress import SetupReporter
reporter = SetupReporter(lambda event: None)
reporter.begin("downloading_model", "m")
file = RemoteFile("m.zip", [sys.argv[2]], int(sys.argv[4]), sys.argv[5])
got = download(file, Path(sys.argv[3]), NetworkSettings(), reporter)
print(got.sha256)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills with SIGKILL")
def test_a_download_killed_at_ten_random_points_costs_no_more_than_a_tenth(server, tmp_path):
    content = random.Random(7).randbytes(8_000_000)
    digest = hashlib.sha256(content).hexdigest()
    url = server.serve("m.zip", content, pause=0.001)
    points = sorted(random.Random(11).sample(range(100_000, 7_800_000), 10))
    command = [sys.executable, "-c", _PROGRAM, str(MODULE_FOLDER), url, str(tmp_path), str(len(content)), digest]
    for point in points:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        part = tmp_path / "m.zip.part"
        while process.poll() is None and not (part.is_file() and part.stat().st_size >= point):
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.wait()

    finished = subprocess.run(command, capture_output=True, text=True, check=True)

    assert finished.stdout.strip() == digest
    received = server.sent
    print("{:.4f} times the file were sent".format(received / len(content)))
    assert received <= 1.1 * len(content), "{:.3f} times the file".format(received / len(content))
