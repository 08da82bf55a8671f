"""How fast a DICOM node takes a CT in: ours, which has every slice on the disk before it answers, and Orthanc."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import ct_variants
import numpy as np
import psutil
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage

from benchmarks.inputs.workload import Workload
from benchmarks.measuring.report import median

TITLE, NODE_TITLE, LOOPBACK = "PACS", "TOTALSEG", "127.0.0.1"


def measure(workload: Workload) -> None:
    from orthanc import ARCHIVE_TITLE, running_orthanc

    report, slices = workload.report, 8 if workload.small else 200
    files = _series(workload.folder / f"receiving-{slices}", slices)
    size = sum(path.stat().st_size for path in files) / 1e6
    report.say(f"{slices} slices of 512 x 512, {size:.0f} MB, one association, {workload.repeat} times each in turn")
    ours, theirs = [], []
    scratch = workload.folder / "receiving"
    scratch.mkdir(exist_ok=True)
    node, port, control = _start_node(scratch)
    try:
        with running_orthanc(scratch) as orthanc:
            for _ in range(workload.repeat):
                ours.append(_send(port, NODE_TITLE, files))
                theirs.append(_send(orthanc.dicom_port, ARCHIVE_TITLE, files))
                orthanc.forget()
        control.send("end")
        processor, peak = control.recv()
    finally:
        node.kill()
    runs = (("ours", median(ours)), ("Orthanc", median(theirs)))
    report.table(
        ("node", "median s", "MB/s"),
        [(name, f"{seconds:.2f}", f"{size / seconds:.0f}") for name, seconds in runs],
    )
    report.figure("processor time of ours", 1000 * processor / (workload.repeat * slices), "ms a slice")
    report.figure("memory that ours takes more while it receives", peak / 1e6, "MB")
    report.ratio("time against Orthanc", runs[0][1] / runs[1][1])


def _series(folder: Path, slices: int) -> list[Path]:
    if not folder.exists():
        array = np.random.default_rng(0).integers(-1000, 1000, (slices, 512, 512)).astype(np.int16)
        ct_variants.write_dicom_series(folder, array, np.diag([0.8, 0.8, 3.0, 1.0]), lambda dataset, number: None)
    return sorted(folder.iterdir())


def _send(port: int, title: str, files: Sequence[Path]) -> float:
    """Seconds from the first object to the last answer."""
    entity = AE(TITLE)
    entity.add_requested_context(CTImageStorage, "1.2.840.10008.1.2.1")
    association = entity.associate(LOOPBACK, port, ae_title=title)
    began = time.perf_counter()
    for path in files:
        if association.send_c_store(path).Status != 0:
            raise RuntimeError("an object was refused")
    seconds = time.perf_counter() - began
    association.release()
    return seconds


def _start_node(folder: Path) -> tuple[multiprocessing.Process, int, Connection]:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_node, args=(folder, there), daemon=True)
    process.start()
    return process, here.recv(), here


def _node(folder: Path, control: Connection) -> None:
    """In a process of its own. Each series that came is removed, so that the next one is new."""
    from ipaddress import ip_network
    from tempfile import TemporaryDirectory

    from TotalSegmentatorEngine.dicom_node.incoming.incoming_folder import IncomingFolder
    from TotalSegmentatorEngine.dicom_node.network.listener import Listener
    from TotalSegmentatorEngine.dicom_node.settings.node_settings import Limits, Listening, Sender

    with TemporaryDirectory(dir=folder) as made:
        limits = Limits(free_disk_gb=0.0)
        incoming = IncomingFolder(Path(made), limits)
        listener = Listener(Listening(port=0, senders=(Sender(TITLE, ip_network(LOOPBACK)),)), limits, incoming)
        listener.start()
        control.send(listener.port)
        process = psutil.Process()
        before = peak = process.memory_info().rss
        while not control.poll(0.01):
            peak = max(peak, process.memory_info().rss)
            for series in incoming.complete(0.05):
                incoming.remove(series)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        control.send((usage.ru_utime + usage.ru_stime, peak - before))
