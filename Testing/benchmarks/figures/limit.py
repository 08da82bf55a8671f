"""What happens where memory is short: a hard limit on the process, and a worker that the system kills."""

from __future__ import annotations

import os
import signal
import sys
import time

from job_support import model_settings
from TotalSegmentatorWire.errors.problem import ERRORS
from TotalSegmentatorWire.messages.segment import Stage

from benchmarks.engine import our_engine
from benchmarks.engine.our_engine import SceneCt
from benchmarks.inputs.workload import Workload
from benchmarks.measuring.report import GB

LIMIT_BYTES = 4 * 10**9
SMALL_LIMIT_BYTES = 10**9


def measure(workload: Workload) -> None:
    if sys.platform == "win32":
        workload.report.say("not run: there is no RLIMIT_DATA here")
        return
    _hard_limit(workload)
    _killed_worker(workload)


def _hard_limit(workload: Workload) -> None:
    limit = SMALL_LIMIT_BYTES if workload.small else LIMIT_BYTES

    def set_limit() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    run = our_engine.segment(workload, "117-3mm", workload.ct(), "limited.nii.gz", prepare=set_limit, may_fail=True)
    failed = [event["problem"]["code"] for event in run.of_kind("failed")]
    has_result = run.process.status == 0 and run.output.exists()
    is_clear = bool(failed) and failed[-1] in ERRORS and failed[-1] not in ("INTERNAL_ERROR", "ENGINE_START_FAILED")
    what = "a result" if has_result else "error {}".format(failed[-1] if failed else run.process.tail())
    warnings = [event["problem"]["code"] for event in run.of_kind("warning")]
    workload.report.say(
        "  3 mm with RLIMIT_DATA of {:.1f} GB: {} after {:.1f} s, peak {:.2f} GB, warnings {}".format(
            limit / GB, what, run.seconds, run.process.peak_bytes / GB, warnings
        )
    )
    workload.report.ratio("limit: a result or a clear error", float(has_result or is_clear), 1.0, ">=")


def _killed_worker(workload: Workload) -> None:
    """The system kills with SIGKILL the process that takes most memory; here it is this program that does."""
    ct = SceneCt(workload.ct())
    with our_engine.resident_worker(workload) as worker:
        application, listener = worker.application, worker.application.listener
        application.apply_with(ct, model_settings("117-3mm", workload.models_folder, None, "cpu"))
        application.run_until(lambda: Stage.READING in listener.stages, 300)
        time.sleep(0.2)
        os.kill(application.worker_pid(), signal.SIGKILL)
        application.run_until(lambda: listener.ends > 0, 60)
        problem = listener.failures[-1] if listener.failures else None
        said = "nothing" if problem is None else "{}: {} {}".format(problem.code, problem.what, problem.todo)
    workload.report.say("  a killed worker is reported as {}".format(said))
    workload.report.ratio(
        "limit: a killed worker is called short of memory", float("memory" in said.lower()), 1.0, ">="
    )
