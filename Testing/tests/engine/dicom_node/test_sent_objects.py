"""What leaves the node, when it gives up, and when it deletes what it received."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pydicom
import pytest
from batch_bench import make_bench
from dicom_peers import archive, send
from node_bench import QUICK, NodeBench
from orthanc import free_ports
from rtstruct_support import conformance_errors
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.dicom_node.settings.node_settings import DICOM, Destination

FORMATS = ("rtstruct", "seg", "sr")


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> NodeBench:
    return NodeBench(make_bench(tmp_path, monkeypatch, capsys))


def to(port: int, formats: tuple[str, ...] = ("rtstruct",)) -> Destination:
    return Destination("archive", DICOM, formats, address="127.0.0.1", port=port, ae_title="ARCHIVE")


def test_a_marked_object_conforms_as_the_export_does_and_says_the_same(node: NodeBench, series):
    (port,) = free_ports(1)  # nobody listens: the marked objects stay where they are
    with node.running(node.settings(export=FORMATS, destinations=(to(port, FORMATS),))) as running:
        send(running.port, series())
        node.wait_for(lambda: node.states() == ["done"])
    (case_id,) = node.status.series[0].cases
    (outgoing,) = node.folder.outgoing.iterdir()
    for exported, name, content in (
        ("rs.dcm", "rtstruct", "contours"),
        ("seg.dcm", "seg", "segmentation"),
        ("sr.dcm", "sr", "measurements"),
    ):
        source, marked = node.folder.results / case_id / exported, outgoing / f"{name}.dcm"
        before, after = pydicom.dcmread(source), pydicom.dcmread(marked)
        assert not conformance_errors(marked) - conformance_errors(source)
        assert after.SOPInstanceUID == before.SOPInstanceUID == after.file_meta.MediaStorageSOPInstanceUID
        changed = {element.keyword for element in after if before.get(element.tag) != element}
        assert changed <= {
            *("SeriesDescription", "StructureSetLabel", "StructureSetDescription", "ContentDescription"),
            *("ImageComments", "CompletionFlagDescription", "PreliminaryFlag"),
        }
        assert {element.keyword for element in before} <= {element.keyword for element in after}
        assert after.SeriesDescription == f"AI, UNREVIEWED: {content}, Dataset901_Bench"


def test_what_cannot_be_sent_is_given_up_visibly_and_tried_again_by_the_next_start(node: NodeBench, series, capsys):
    (port,) = free_ports(1)
    times = dataclasses.replace(QUICK, give_up_hours=0.0)
    with node.running(node.settings(times=times, destinations=(to(port),))) as running:
        send(running.port, series())
        node.wait_for(lambda: any("given up" in line for line in node.said))
    assert main(["receive", str(node.folder.path), "--status"]) == 1
    assert "archive: 0 of 1, given up (SEND_UNREACHABLE)" in capsys.readouterr().out
    with archive() as (port, stored):
        with node.running(node.settings(destinations=(to(port),))):
            node.wait_for(lambda: any("objects sent" in line for line in node.said))
    assert len(stored) == 1
    assert main(["receive", str(node.folder.path), "--status"]) == 0


def test_a_destination_that_does_not_take_a_kind_of_object_is_named(node: NodeBench, series):
    with archive() as (port, stored):  # it takes no measurement reports
        settings = node.settings(export=("rtstruct", "sr"), destinations=(to(port, ("rtstruct", "sr")),))
        with node.running(settings) as running:
            send(running.port, series())
            node.wait_for(lambda: any("SEND_KIND_NOT_ACCEPTED" in line for line in node.said))
        (delivery,) = node.status.series[0].deliveries
    assert (delivery["sent"], delivery["objects"], len(stored)) == (1, 2, 1)


def test_what_is_old_and_sent_is_deleted(node: NodeBench, series):
    settings = node.settings(times=dataclasses.replace(QUICK, keep_days=0.0))
    with archive() as (port, _):
        with node.running(dataclasses.replace(settings, destinations=(to(port),))) as running:
            send(running.port, series())
            node.wait_for(lambda: any("objects sent" in line for line in node.said))
        assert node.states() == ["done"]  # it is looked for what is old now and then, and at the start
        with node.running(settings):
            node.wait_for(lambda: any("deleted after 0 days" in line for line in node.said))
    assert node.states() == []
    for folder in (node.folder.incoming, node.folder.results, node.folder.outgoing):
        assert [path for path in folder.rglob("*") if path.suffix == ".dcm"] == []


def test_a_series_that_cannot_be_segmented_fails_with_its_code(node: NodeBench, series, capsys):
    files = series()
    with node.running(node.settings()) as running:
        send(running.port, files[:3] + files[5:])
        node.wait_for(lambda: node.states() == ["failed"])
        assert node.status.series[0].code == "INPUT_MISSING_SLICES"
        send(running.port, files)
        node.wait_for(lambda: node.states() == ["done"])
    assert main(["receive", str(node.folder.path), "--status", "--json"]) == 0


def test_a_scout_is_passed_over(node: NodeBench, series):
    with node.running(node.settings()) as running:
        send(running.port, series(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])[:1])
        node.wait_for(lambda: node.states() == ["passed_over"])
    assert node.segmented == 0


def test_a_series_that_breaks_the_program_fails_and_the_next_one_is_done(node: NodeBench, series):
    one, two = series(), series()

    def break_once(array) -> None:
        if not node.bench.seen:
            node.bench.seen.append(array)
            raise RuntimeError("of patient Smith")

    node.bench.on_segment = break_once
    with node.running(node.settings()) as running:
        send(running.port, one)
        node.wait_for(lambda: node.states() == ["failed"])
        send(running.port, two)
        node.wait_for(lambda: node.states() == ["done", "failed"])
    assert any("INTERNAL_ERROR" in line for line in node.said)
    assert not any("Smith" in line for line in node.said)


def test_what_waits_for_a_destination_that_is_not_in_the_settings_any_more_is_given_up(node: NodeBench, series, capsys):
    (port,) = free_ports(1)
    with node.running(node.settings(destinations=(to(port),))) as running:
        send(running.port, series())
        node.wait_for(lambda: node.states() == ["done"])
    other = dataclasses.replace(to(port), name="other")
    with node.running(node.settings(destinations=(other,))):
        node.wait_for(lambda: any("do not name their destination any more: 1" in line for line in node.said))
    assert main(["receive", str(node.folder.path), "--status"]) == 1
    assert "archive: 0 of 1, given up" in capsys.readouterr().out
    times = dataclasses.replace(QUICK, keep_days=0.0)
    with node.running(node.settings(times=times, destinations=(other,))):
        node.wait_for(lambda: node.states() == [])
    assert not any(node.folder.outgoing.iterdir())


def test_a_result_that_is_out_of_date_is_not_sent_and_deleted_with_the_series(node: NodeBench, series):
    files = series()
    (port,) = free_ports(1)
    settings = node.settings(times=dataclasses.replace(QUICK, keep_days=0.0))

    def more_comes(array) -> None:
        if not node.bench.seen:
            send(running.port, files[6:])
        node.bench.seen.append(array)

    node.bench.on_segment = more_comes
    with node.running(dataclasses.replace(settings, destinations=(to(port),))) as running:
        send(running.port, files[:6])
        node.wait_for(lambda: node.states() == ["done"])
    (row,) = node.status.series
    assert [path.name[:12] for path in node.folder.outgoing.iterdir()] == [row.cases[-1]]
    assert len(row.cases) == 2
    with node.running(settings):
        node.wait_for(lambda: node.states() == [])
    assert list(node.folder.path.rglob("*.dcm")) == []
    assert not any((node.folder.results / case).exists() for case in row.cases)


def test_a_series_whose_result_cannot_be_put_out_does_not_hold_up_the_next(node: NodeBench, series):
    one, two = series(), series()
    (port,) = free_ports(1)
    settings = node.settings(destinations=(to(port),))
    with node.running(settings) as running:
        send(running.port, one)
        node.wait_for(lambda: node.states() == ["done"])
    (outgoing,) = node.folder.outgoing.iterdir()
    shutil.rmtree(outgoing)
    outgoing.touch()
    shutil.rmtree(node.folder.incoming / node.status.series[0].id)
    with node.running(settings) as running:
        send(running.port, one)
        node.wait_for(lambda: any("cannot be read or written. It is tried again." in line for line in node.said))
        send(running.port, two)
        node.wait_for(lambda: node.states() == ["done", "waiting"])


def test_a_result_whose_file_was_moved_is_computed_again_to_be_sent(node: NodeBench, series):
    files = series()
    with node.running(node.settings()) as running:
        send(running.port, files)
        node.wait_for(lambda: node.states() == ["done"])
    (row,) = node.status.series
    (node.folder.results / row.cases[0] / "rs.dcm").rename(node.bench.folder / "collected.dcm")
    shutil.rmtree(node.folder.incoming / row.id)
    with archive() as (port, stored), node.running(node.settings(destinations=(to(port),))) as running:
        send(running.port, files)
        node.wait_for(lambda: any("objects sent" in line for line in node.said))
    assert (len(stored), node.segmented) == (1, 2)
