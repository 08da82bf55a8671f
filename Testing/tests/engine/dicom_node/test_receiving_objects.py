"""Objects come in over the network; when is their series complete?"""

from __future__ import annotations

import socket
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pydicom
import pytest
from ct_variants import write_enhanced_dicom
from dicom_peers import LOOPBACK, association, send, send_bytes, send_cut_off
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless
from series_support import AXIAL, change, chest, write_page
from TotalSegmentatorEngine.ct_input.reading import read_input
from transfer_syntaxes import make_unsigned, transcode


def test_a_series_is_on_the_disk_before_its_sender_hears_of_it_and_complete_after_a_quiet_time(node, series):
    files = series()
    with association(node.port) as opened:
        for number, path in enumerate(files, 1):
            assert opened.send_c_store(path).Status == 0
            (found,) = node.started_again().states()
            assert node.started_again().count(found) == number
    node.settle()
    assert node.incoming.complete(30) == []
    (complete,) = node.complete()
    stored = sorted(node.incoming.objects_folder(complete).iterdir())
    sent = {dataset.SOPInstanceUID: dataset for dataset in map(pydicom.dcmread, files)}
    for path in stored:
        dataset = pydicom.dcmread(path)
        assert dataset == sent[dataset.SOPInstanceUID]
        assert np.array_equal(dataset.pixel_array, sent[dataset.SOPInstanceUID].pixel_array)
    assert len(stored) == len(files)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless])
def test_compressed_images_stay_as_they_were_sent(node, series, syntax):
    files = series()
    for path in files:
        dataset = pydicom.dcmread(path)
        make_unsigned(dataset)
        dataset.save_as(path)
        transcode(path, syntax)
    assert send(node.port, files, syntaxes=[syntax]) == [0] * len(files)
    (complete,) = node.complete()
    read = read_input(node.incoming.objects_folder(complete)).volume.array
    assert np.array_equal(read, read_input(files[0]).volume.array)
    stored = [pydicom.dcmread(path) for path in node.incoming.objects_folder(complete).iterdir()]
    assert {dataset.file_meta.TransferSyntaxUID for dataset in stored} == {syntax}


def test_an_enhanced_ct_is_a_series_of_one_object(node, tmp_path: Path):
    path = write_enhanced_dicom(tmp_path / "enhanced.dcm", chest(), AXIAL)
    assert send(node.port, [path]) == [0]
    (complete,) = node.complete()
    read = read_input(node.incoming.objects_folder(complete)).volume.array
    assert np.array_equal(read, read_input(path).volume.array)


def test_what_is_stored_is_for_its_user_alone_and_named_after_nobody(node, series):
    files = series(PatientName="Smith^John", PatientID="PID-4711")
    uid = str(pydicom.dcmread(files[0]).SeriesInstanceUID)
    send(node.port, files)
    (complete,) = node.complete()
    assert stat.S_IMODE((node.folder / complete).stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in node.folder.rglob("*.dcm")} == {0o600}
    names = " ".join(str(path.relative_to(node.folder)) for path in node.folder.rglob("*"))
    assert not any(word in names for word in ("Smith", "PID", uid))


def test_a_transfer_that_was_cut_off_waits_for_the_rest(node, series):
    files = series()
    send_cut_off(node.port, files[:3])
    assert node.complete() == []
    assert node.incoming.incomplete(minutes=60) == []
    node.clock.now += 3600
    (late,) = node.incoming.incomplete(minutes=60)
    node.incoming.note(late, is_reported=True)
    assert node.incoming.incomplete(minutes=60) == []
    send(node.port, files[3:])
    assert node.complete() == [late]
    assert node.incoming.count(late) == len(files)


def test_some_of_the_same_again_are_not_the_rest(node, series):
    files = series()
    send_cut_off(node.port, files[:4])
    send(node.port, files[:2])
    assert node.complete() == []
    send(node.port, files[:4])  # everything again: the sender has no more than that
    assert len(node.complete()) == 1


def test_a_series_that_was_open_when_the_power_went_was_cut_off(node, series):
    files = series()
    with association(node.port) as opened:
        for path in files[:5]:
            opened.send_c_store(path)
        after = node.started_again()
        node.clock.now += 1000
        assert after.complete(30) == []
        (found,) = after.incomplete(minutes=10)
        assert after.count(found) == 5


def test_two_associations_for_one_series_both_must_end(node, series):
    files = series()
    with association(node.port) as one:
        one.send_c_store(files[0])
        send(node.port, files[1:4])
        node.clock.now += 1000
        assert node.incoming.complete(30) == []
        for path in files[4:]:
            one.send_c_store(path)
    assert len(node.complete()) == 1


def test_a_series_that_comes_again_is_known(node, series):
    files = series()
    send(node.port, files)
    (complete,) = node.complete()
    node.incoming.note(complete, work="done")
    send(node.port, files)
    assert node.complete() == []
    assert node.incoming.count(complete) == len(files)
    change(files[2], ImageComments="corrected")
    send(node.port, files)
    assert node.complete() == [complete]
    assert node.incoming.count(complete) == len(files)


def test_a_series_that_failed_is_tried_again_when_all_of_it_comes_again(node, series):
    files = series()
    send(node.port, files)
    (complete,) = node.complete()
    node.incoming.note(complete, work="failed", code="INPUT_NOT_3D")
    send(node.port, files[:2])
    assert node.complete() == []
    send(node.port, files)
    assert node.complete() == [complete]


def test_work_on_a_series_does_not_count_when_more_came_meanwhile(node, series):
    files = series()
    send(node.port, files[:6])
    (complete,) = node.complete()
    seen = node.incoming.changes(complete)
    send(node.port, files[6:])
    node.incoming.note(complete, seen, work="done")
    assert node.complete() == [complete]


# -- what is not a CT, and what there is no room for -------------------------------------------------------------------


def test_other_objects_are_passed_over(node, tmp_path: Path):
    page = write_page(tmp_path / "page.dcm")
    assert send(node.port, [page]) == [0]
    assert node.incoming.states() == {}


def test_or_not_accepted(make_node, tmp_path: Path):
    node = make_node(other_objects="refuse")
    with association(node.port) as opened:
        accepted = {context.abstract_syntax.name for context in opened.accepted_contexts}
    assert accepted == {"CT Image Storage", "Enhanced CT Image Storage", "Verification SOP Class"}


@pytest.mark.parametrize("limits", [{"queue_gb": 4e-6}, {"free_disk_gb": 1e9}, {"series_objects": 2}])
def test_without_room_the_sender_is_told_and_the_series_is_not_complete(make_node, series, limits):
    node = make_node(**limits)
    files = series()
    assert 0xA700 in send(node.port, files)
    assert node.complete() == []


def test_an_object_that_cannot_be_read_is_refused(node, series):
    files = series()
    dataset = pydicom.dcmread(files[1])
    dataset.SeriesInstanceUID = ""
    with association(node.port) as opened:
        assert opened.send_c_store(files[0]).Status == 0
        assert opened.send_c_store(dataset).Status == 0xC000
    assert node.complete() == []  # nobody knows whether it belonged to the series


def test_an_object_that_the_program_cannot_store_holds_up_its_series(node, series, monkeypatch):
    files = series()
    original = node.incoming.write_draft

    def short_of_memory(parts, needed_bytes):
        raise MemoryError

    with association(node.port) as opened:
        assert opened.send_c_store(files[0]).Status == 0
        monkeypatch.setattr(node.incoming, "write_draft", short_of_memory)
        assert opened.send_c_store(files[1]).Status == 0xC211
        monkeypatch.setattr(node.incoming, "write_draft", original)
        assert opened.send_c_store(files[2]).Status == 0
    assert node.complete() == []


def test_what_was_refused_between_two_objects_of_a_series_holds_up_that_series_alone(node, series):
    one, two = series(), series()
    lost = pydicom.dcmread(one[3])
    lost.SeriesInstanceUID = ""
    with association(node.port) as opened:
        sent = [*one[:3], lost, *one[4:], *two]
        assert [opened.send_c_store(each).Status for each in sent] == [0] * 3 + [0xC000] + [0] * 12
    (complete,) = node.complete()
    assert node.incoming.count(complete) == 8
    send(node.port, one)
    assert len(node.complete()) == 2


# -- who may connect ---------------------------------------------------------------------------------------------------


def test_who_is_not_allowed_is_refused(node, series):
    with association(node.port, title="EVIL") as opened:
        assert opened.is_rejected
    with association(node.port, called="OTHER") as opened:
        assert opened.is_rejected
    assert send(node.port, series()[:1]) == [0]


def test_a_title_counts_only_at_its_own_address(make_node):
    from ipaddress import ip_network

    from TotalSegmentatorEngine.dicom_node.settings.node_settings import Sender

    senders = (Sender("PACS", ip_network("10.1.2.3")), Sender("CT1", ip_network("127.0.0.0/8")))
    node = make_node(senders=senders)
    with association(node.port, title="PACS") as opened:
        assert opened.is_rejected
    with association(node.port, title="CT1") as opened:
        assert opened.is_established


def test_an_address_that_is_not_allowed_gets_no_answer(make_node):
    from ipaddress import ip_network

    from TotalSegmentatorEngine.dicom_node.settings.node_settings import Sender

    node = make_node(senders=(Sender("PACS", ip_network("10.1.2.3")),))
    with association(node.port) as opened:
        assert not opened.is_established and not opened.is_rejected
    assert send_bytes(node.port, b"") == b""


def test_more_associations_than_allowed_are_refused(make_node):
    node = make_node(associations=2)
    with association(node.port), association(node.port), association(node.port) as third:
        assert third.is_rejected


def test_more_connections_in_a_minute_than_allowed_are_cut(make_node):
    node = make_node(connections_per_minute=3)
    for _ in range(3):
        with association(node.port) as opened:
            assert opened.is_established
    with association(node.port) as opened:
        assert not opened.is_established


# -- what is no DICOM --------------------------------------------------------------------------------------------------

DATA_OF_4_GB = b"\x04\x00\xff\xff\xff\xff" + b"\x00" * 100
MALFORMED = (
    b"",
    b"GET / HTTP/1.1\r\nHost: node\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"\x01\x00\x00\x00\x00\x04\x00\x01\x00\x00",
    b"\x01\x00\xff\xff\xff\xff",
    b"\x01\x00\x00\x00\x00\xff",
    DATA_OF_4_GB,
    b"\x07\x00\x00\x00\x00\x04\x00\x00\x00\x00",
    bytes(range(256)),
)


def test_a_thousand_malformed_connections_leave_it_serving(node, series):
    for number in range(1000):
        with socket.create_connection((LOOPBACK, node.port), timeout=10) as connection:
            connection.sendall(MALFORMED[number % len(MALFORMED)])
    files = series()
    until = 50
    while until:
        with association(node.port) as opened:
            if opened.is_established:
                break
        until -= 1
    assert send(node.port, files) == [0] * len(files)
    assert len(node.complete()) == 1


def test_a_pdu_that_announces_gigabytes_ends_the_connection(node):
    assert send_bytes(node.port, DATA_OF_4_GB) == b""


def test_a_connection_that_says_nothing_is_ended(make_node):
    node = make_node(idle_seconds=0.3)
    assert send_bytes(node.port, b"\x01\x00") == b""


def test_a_connection_brings_no_more_bytes_a_second_than_set(make_node, series):
    node = make_node(megabytes_per_second=2.0)
    files = series(EncapsulatedDocument=b"x" * 600_000)
    began = time.monotonic()
    assert send(node.port, files[:2]) == [0, 0]
    assert time.monotonic() - began > 1.2 / 2.0


def test_an_object_that_is_too_large_ends_the_connection(make_node, series):
    node = make_node(object_mb=1)
    files = series(EncapsulatedDocument=b"x" * 1_200_000)
    with association(node.port) as opened:
        assert "Status" not in opened.send_c_store(files[0])
    assert node.complete() == []


def test_objects_that_arrive_together_take_no_more_memory_than_set(make_node, series):
    node = make_node(memory_mb=1, megabytes_per_second=1.0)
    files = series(EncapsulatedDocument=b"x" * 800_000)[:2]
    with association(node.port) as one, association(node.port) as two, ThreadPoolExecutor() as threads:
        answers = list(threads.map(lambda pair: pair[0].send_c_store(pair[1]), zip((one, two), files, strict=True)))
    assert sorted(answer.get("Status", -1) for answer in answers) == [-1, 0]
    assert send(node.port, files[:1]) == [0]  # there is room again
