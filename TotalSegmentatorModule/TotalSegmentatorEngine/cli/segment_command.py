"""The command ``segment``: one CT from its file to a file of labels or an export."""

from __future__ import annotations

import dataclasses
import functools
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from TotalSegmentatorWire.command.command_run import CommandRun
from TotalSegmentatorWire.command.terminal import Terminal
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.plan import plan_from_json
from TotalSegmentatorWire.messages.segment import FinishedEvent, PlanEvent, ProgressEvent, Stage, StartedEvent

from TotalSegmentatorEngine.cli.printed_pages import lasting_line, plan_line
from TotalSegmentatorEngine.cli.result_page import result_json, result_text
from TotalSegmentatorEngine.job.error_boundary import problem_of

if TYPE_CHECKING:
    from TotalSegmentatorEngine.cli.arguments import PlanOptions, SegmentOptions
    from TotalSegmentatorEngine.ct_input.reading import ReadInput
    from TotalSegmentatorEngine.export.commands import CtPlace
    from TotalSegmentatorEngine.job.reporting import JobReporter
    from TotalSegmentatorEngine.job.task import SegmentationResult, SegmentationTask

JOB_ID = "command-line"
"""Names the one job of a command line in its events."""

_log = logging.getLogger(__name__)


def task_of(options: SegmentOptions | PlanOptions) -> SegmentationTask:
    """With the requests of what was chosen over all models. Raises SegmentationError: what
    ``StructureChoice.requests`` raises."""
    if options.choice is None:
        return options.task
    return dataclasses.replace(options.task, requests=options.choice.requests(options.task.models_folder))


def check_exists(path: Path) -> None:
    """A mistyped path is reported before the model is looked at. Raises SegmentationError("INPUT_NOT_FOUND")."""
    if not path.exists():
        raise SegmentationError("INPUT_NOT_FOUND")


def _check_not_input(name: str, path: Path | None, source: Path) -> None:
    """Raises SegmentationError("OUTPUT_IS_INPUT") where writing to ``path``, the job's ``name``, would change it."""
    from TotalSegmentatorEngine.ct_input.overwriting import is_input

    try:
        is_same = path is not None and is_input(path, source)
    except OSError as error:  # a name that the system cannot hold
        raise SegmentationError("OUTPUT_NOT_WRITABLE") from error
    if is_same:
        raise SegmentationError("OUTPUT_IS_INPUT", file=name)


class SegmentCommand:
    """One run of ``segment``: check, read, segment, write; reported on the terminal and in the events."""

    def __init__(self, options: SegmentOptions) -> None:
        self._options = options
        self._run = CommandRun(JOB_ID, options.files, Terminal(lasting_line), problem_of)
        self._stage = ""

    def run(self) -> int:
        """Returns the exit status; every problem has been printed, logged and emitted."""
        results: list[SegmentationResult] = []
        files = self._options.files
        for name, path in {"log": files.log, "events file": files.events}.items():  # before anything is appended
            _check_not_input(name, path, self._options.input)

        def work() -> FinishedEvent:
            self._emit(StartedEvent(JOB_ID))
            results.append(self._segment())
            return _finished(results[0])

        status = self._run.run(work)
        if status == 0:
            print(json.dumps(result_json(results[0]), indent=1) if self._options.json else result_text(results[0]))
        return status

    def _segment(self) -> SegmentationResult:
        """What takes no time is checked first. torch and the weights are then loaded while the CT is read."""
        from TotalSegmentatorEngine.job.reporting import JobReporter
        from TotalSegmentatorEngine.pipeline.cache import EngineCache
        from TotalSegmentatorEngine.pipeline.run_job import run_job

        options, task = self._options, task_of(self._options)
        files = SegmentFiles(options, len(task.requests))
        files.check_output()
        check_exists(options.input)
        files.check_input()
        reporter = JobReporter(JOB_ID, self._emit, self._run.is_cancelled)
        return run_job(task, files, EngineCache(serves_one_job=True), reporter)

    def _emit(self, event: Any) -> None:
        if isinstance(event, ProgressEvent):
            if event.stage != self._stage:
                _log.info("stage %s", event.stage)
            self._stage = event.stage
        elif isinstance(event, PlanEvent):
            _log.info("plan: %s", plan_line(plan_from_json(event.plan)))
        self._run.emit(event)


def _finished(result: SegmentationResult) -> FinishedEvent:
    agreement = None if result.agreement is None else result.agreement.to_json()
    return FinishedEvent(JOB_ID, "", round(result.seconds, 3), agreement)


class SegmentFiles:
    """Fulfils run_job.JobFiles. The result becomes a file of labels or, with ``--export``, of another format."""

    def __init__(self, options: SegmentOptions, models: int) -> None:
        """``models``: how many are asked."""
        from TotalSegmentatorEngine.series_selection.series_choice import SeriesChoice, select_series

        self._options = options
        self._models = models
        self._order = options.order
        self._choice = SeriesChoice(options.series)
        self._select = functools.cache(select_series)

    def check_output(self, shape: tuple[int, int, int] | None = None) -> None:
        """Refuses early what could not be written: of several models, a label image of all that they find.
        ``shape`` (k, j, i) is the CT's."""
        if self._order is None:
            from TotalSegmentatorEngine.job.result_file import check_output

            check_output(self._options.output, shape, self._models)
        elif shape is None:
            from TotalSegmentatorEngine.export.commands import check_before_job

            if self._models > 1 and self._order.holds_one_label and self._order.template is None:
                raise SegmentationError("OUTPUT_ONE_LAYER")
            check_before_job(self._order, self._place())
        else:
            from TotalSegmentatorEngine.export.commands import check_disk_before_job

            check_disk_before_job(self._order, self._options.input, shape, self._models)

    def check_input(self) -> None:
        """Raises SegmentationError("OUTPUT_IS_INPUT") where the result would replace what is read."""
        _check_not_input("output", self._options.output, self._options.input)

    def read(self, reporter: JobReporter) -> ReadInput:
        from TotalSegmentatorEngine.ct_input.reading import read_input

        reporter.progress(Stage.READING, 0.0)
        ct = read_input(self._options.input, self._choice, self._select)
        if ct.note:
            reporter.note(f"CT: {ct.note}")
        reporter.progress(Stage.CHECKING, 1.0)
        self.check_output(ct.volume.geometry.shape)
        return ct

    def write(self, result: SegmentationResult, ct: ReadInput, reporter: JobReporter) -> None:
        from TotalSegmentatorEngine.cli.result_keeping import keep_result
        from TotalSegmentatorEngine.job.flag_file import write_flags

        try:
            if self._order is None:
                self._write_labels(self._options.output, result, ct, reporter.check_cancelled)
            else:
                self._export(result, ct, reporter)
        except Exception as error:
            if not (isinstance(error, SegmentationError) and error.code == "CANCELLED"):
                keep_result(
                    self._options.output,
                    lambda path, checks_room: self._write_labels(path, result, ct, lambda: None, checks_room),
                    reporter,
                )
            raise
        if self._options.flag_file is not None:
            write_flags(self._options.flag_file, result.flags or ())
        reporter.progress(Stage.WRITING, 1.0)

    def _export(self, result: SegmentationResult, ct: ReadInput, reporter: JobReporter) -> None:
        from TotalSegmentatorEngine.export.commands import export_result

        export_result(self._order, result, ct, self._place(), reporter)

    def _place(self) -> CtPlace:
        from TotalSegmentatorEngine.export.commands import CtPlace

        return CtPlace(self._options.input, self._choice, self._select)

    @staticmethod
    def _write_labels(
        path: Path,
        result: SegmentationResult,
        ct: ReadInput,
        check_cancelled: Callable[[], None],
        checks_room: bool = True,
    ) -> None:
        from TotalSegmentatorEngine.job.result_file import write_result

        write_result(path, result, ct.volume.geometry, check_cancelled, ct.series_instance_uid, checks_room)
