"""A whole job whose networks run on the department server: the CT is read and checked here, the result written here."""

from __future__ import annotations

from TotalSegmentatorWire.messages.department_server import DepartmentServer

from TotalSegmentatorEngine.department_server.server_connection import connected
from TotalSegmentatorEngine.department_server.server_job import ServerJob
from TotalSegmentatorEngine.department_server.server_task import check_models, order_of
from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.job.reporting import Reporter
from TotalSegmentatorEngine.job.task import SegmentationResult, SegmentationTask
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.run_job import JobFiles, read_ct, write_result
from TotalSegmentatorEngine.review.measures.findings import Findings, LabelledStructure


def run_on_server(
    task: SegmentationTask, files: JobFiles, server: DepartmentServer, cache: EngineCache, reporter: Reporter
) -> SegmentationResult:
    """As ``run_job``; of ``task``, the models folder and the device count for nothing.

    Of the CT only voxels and geometry leave this computer. Raises SegmentationError: what ``files``, ``connected`` and
    ``ServerJob.run`` raise.
    """
    reporter.check_cancelled()
    check_models(task)
    ct = read_ct(task, files, reporter)
    cache.remember_findings(ct.volume, None)  # of another result on this CT
    order = order_of(task, ct.volume.geometry)
    with connected(server, reporter.check_cancelled) as client:
        result = ServerJob(client, order, reporter).run(ct.volume)
    if task.is_reviewed:
        cache.remember_findings(ct.volume, _findings(result, ct.volume, reporter))
    write_result(result, ct, files, reporter)
    return result


def _findings(result: SegmentationResult, volume: Volume, reporter: Reporter) -> Findings:
    """For the next review on this computer, after an edit: what the server has measured stays there."""
    structures = [LabelledStructure(found.name, found.layer, found.label) for found in result.found]
    sought = [structure.name for structure in result.structures]
    return Findings(
        result.layers, structures, volume.geometry, volume, sought, check_cancelled=reporter.check_cancelled
    )
