"""From an archive to the node and back. Orthanc is a real archive, on this computer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from batch_bench import make_bench
from dicom_peers import archive, send, send_cut_off
from node_bench import NodeBench, all_text
from orthanc import ARCHIVE_TITLE, Orthanc, free_ports, running_orthanc
from pydicom.uid import generate_uid
from series_support import chest, write_series
from TotalSegmentatorEngine.dicom_node.settings.node_settings import DICOM, DICOMWEB, Destination, Listening

FORMATS = ("rtstruct", "seg", "sr")
PATIENT, PATIENT_ID = "Mustermann^Erika", "PID-4711"


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> NodeBench:
    return NodeBench(make_bench(tmp_path, monkeypatch, capsys))


@pytest.fixture(scope="module")
def started_orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as orthanc:
        yield orthanc


@pytest.fixture
def orthanc(started_orthanc: Orthanc) -> Iterator[Orthanc]:
    yield started_orthanc
    started_orthanc.forget()


@pytest.fixture
def series(tmp_path: Path):
    """Three patients' series."""

    def make(number: int) -> list[Path]:
        folder = tmp_path / f"patient-{number}"
        folder.mkdir()
        names = {"PatientName": PATIENT, "PatientID": f"{PATIENT_ID}-{number}", "StudyInstanceUID": generate_uid()}
        return write_series(folder, chest(number), SeriesInstanceUID=generate_uid(), **names)

    return [make(number) for number in range(3)]


def to_archive(port: int, formats: tuple[str, ...] = FORMATS) -> Destination:
    return Destination("archive", DICOM, formats, address="127.0.0.1", port=port, ae_title=ARCHIVE_TITLE)


def test_an_archive_gets_the_results_of_what_it_sent(node: NodeBench, orthanc: Orthanc, series: list[list[Path]]):
    settings = node.settings(export=FORMATS, destinations=(to_archive(orthanc.dicom_port),))
    ours = [orthanc.import_files(files) for files in series[:2]]
    with node.running(settings) as running:
        assert [orthanc.send(one, running.port) for one in ours] == [0, 0]
        send_cut_off(running.port, series[2][:4])
        assert orthanc.send(ours[0], running.port) == 0  # once more
        node.wait_for(lambda: node.states() == ["done", "done", "incomplete"])
        node.wait_for(lambda: all(row.deliveries[0]["state"] == "sent" for row in node.status.series if row.cases))
        node.wait_for(lambda: any("RECEIVE_INCOMPLETE" in line for line in node.said))
    assert node.segmented == 2
    for modality in ("RTSTRUCT", "SEG", "SR"):
        assert len(orthanc.objects(modality)) == 2
    for structures in orthanc.objects("RTSTRUCT"):
        (frame,) = structures.ReferencedFrameOfReferenceSequence
        (referenced,) = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence
        (source,) = [files for files in series if _uid(files) == referenced.SeriesInstanceUID]
        assert {item.ReferencedSOPInstanceUID for item in referenced.ContourImageSequence} == {
            pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in source
        }
        assert structures.PatientID == pydicom.dcmread(source[0]).PatientID
        assert structures.ApprovalStatus == "UNAPPROVED"
        assert structures.StructureSetLabel == "AI, UNREVIEWED"
        assert structures.StructureSetDescription.startswith("For research use only; not a medical device.")
        assert [roi.ROIName for roi in structures.StructureSetROISequence]
    for modality in ("RTSTRUCT", "SEG", "SR"):
        for sent in orthanc.objects(modality):
            assert sent.SeriesDescription.startswith("AI, UNREVIEWED")
    assert {sr.VerificationFlag for sr in orthanc.objects("SR")} == {"UNVERIFIED"}
    assert {sr.PreliminaryFlag for sr in orthanc.objects("SR")} == {"PRELIMINARY"}


def test_results_go_to_a_dicomweb_server(node: NodeBench, orthanc: Orthanc, series: list[list[Path]]):
    web = Destination("web", DICOMWEB, ("rtstruct",), url=orthanc.web_url)
    with node.running(node.settings(destinations=(web,))) as running:
        send(running.port, series[0])
        node.wait_for(lambda: any("objects sent to web" in line for line in node.said))
    (structures,) = orthanc.objects("RTSTRUCT")
    assert structures.SeriesDescription.startswith("AI, UNREVIEWED")


def test_nothing_is_sent_without_a_destination(node: NodeBench, series: list[list[Path]]):
    with node.running(node.settings()) as running:
        send(running.port, series[0])
        node.wait_for(lambda: node.states() == ["done"])
    assert not any(node.folder.outgoing.iterdir())
    (case_id,) = node.status.series[0].cases
    assert (node.folder.results / case_id / "rs.dcm").is_file()


def test_a_series_that_appears_in_a_watched_folder_is_segmented(node: NodeBench, series: list[list[Path]]):
    watch = series[0][0].parent
    with node.running(node.settings(listening=Listening(), watch=watch)) as running:
        assert running.port is None
        node.wait_for(lambda: node.states() == ["done"])
    assert sorted(watch.iterdir()) == series[0]
    (row,) = node.status.series
    assert row.images == len(series[0])


def test_nothing_that_is_kept_or_said_names_the_patient(node: NodeBench, series: list[list[Path]], caplog):
    caplog.set_level("DEBUG")
    with archive() as (port, _):
        with node.running(node.settings(destinations=(to_archive(port, ("rtstruct",)),))) as running:
            send(running.port, series[0])
            send_cut_off(running.port, series[1][:3])
            node.wait_for(lambda: any("objects sent" in line for line in node.said))
            node.wait_for(lambda: any("RECEIVE_INCOMPLETE" in line for line in node.said))
    names = " ".join(str(path.relative_to(node.folder.path)) for path in node.folder.path.rglob("*"))
    own = [record.getMessage() for record in caplog.records if record.name.startswith("TotalSegmentator")]
    text = "\n".join([all_text(node.folder.path), names, *node.said, *own])
    for word in ("Mustermann", PATIENT_ID, _uid(series[0]), _uid(series[1])):
        assert word not in text


def test_a_destination_that_is_away_gets_everything_once_when_it_is_back(node: NodeBench, series: list[list[Path]]):
    (port,) = free_ports(1)
    with node.running(node.settings(destinations=(to_archive(port, ("rtstruct",)),))) as running:
        send(running.port, series[0])
        node.wait_for(lambda: any("SEND_UNREACHABLE" in line for line in node.said))
        assert node.status.series[0].deliveries[0]["state"] == "waiting"
    with archive([0xA700]) as (port, stored):
        with node.running(node.settings(destinations=(to_archive(port, ("rtstruct",)),))):
            node.wait_for(lambda: any("objects sent" in line for line in node.said))
        assert any("SEND_OBJECT_REFUSED" in line for line in node.said)
        with node.running(node.settings(destinations=(to_archive(port, ("rtstruct",)),))) as running:
            send(running.port, series[0])
            node.wait_for(lambda: node.states() == ["done"])
    assert len(stored) == 1
    assert node.segmented == 1


def _uid(files: list[Path]) -> str:
    return str(pydicom.dcmread(files[0], stop_before_pixels=True).SeriesInstanceUID)
