"""The command line of the engine: ``segment``, ``batch``, ``plan``, ``structures``, ``export``, ``compare``,
``review``, ``edits``, ``receive`` and ``serve``, and the set-up's commands.

Nothing heavy is imported before it is needed: the output, the names and the model are checked before torch is loaded.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from TotalSegmentatorWire.command.command_run import CommandRun, open_log
from TotalSegmentatorWire.command.log_text import warnings_to_log
from TotalSegmentatorWire.command.terminal import Terminal
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.plan import plan_from_json
from TotalSegmentatorWire.messages.segment import FinishedEvent, PlanEvent, ProgressEvent, Stage, StartedEvent

from TotalSegmentatorEngine.batch.arguments import BatchOptions
from TotalSegmentatorEngine.cli.arguments import PlanOptions, SegmentOptions, StructuresOptions, parse_arguments
from TotalSegmentatorEngine.cli.preset_page import ChoicePage, presets_json, presets_page
from TotalSegmentatorEngine.cli.printed_pages import lasting_line, plan_line, plan_page, result_text, structures_page
from TotalSegmentatorEngine.cluster.arguments import ClusterSchedulerOptions, ClusterWorkerOptions
from TotalSegmentatorEngine.dicom_node.arguments import ReceiveOptions
from TotalSegmentatorEngine.export.arguments import CohortOptions, CompareOptions, ExportOptions
from TotalSegmentatorEngine.export.edits.arguments import EditsOptions
from TotalSegmentatorEngine.job.error_boundary import problem_of
from TotalSegmentatorEngine.job.reporting import SilentReporter
from TotalSegmentatorEngine.review.arguments import ReviewOptions

if TYPE_CHECKING:
    from TotalSegmentatorSetup.cli.arguments import SetupOptions

    from TotalSegmentatorEngine.ct_input.reading import ReadInput
    from TotalSegmentatorEngine.export.commands import CtPlace
    from TotalSegmentatorEngine.job.reporting import JobReporter
    from TotalSegmentatorEngine.job.task import SegmentationResult, SegmentationTask

BROKEN_PIPE = 141
"""Exit status of a program whose reader has gone: 128 and the number of SIGPIPE."""
JOB_ID = "command-line"
"""Names the one job of a command line in its events."""

_log = logging.getLogger(__name__)


def main(arguments: list[str], is_program: bool = False) -> int:
    """Run one command; returns the exit status of the process (see ``--help-exit-codes``). ``is_program``: they are
    those of this process, which can start its like."""
    try:
        try:
            return _run(arguments, is_program)
        finally:
            print(end="", flush=True)
    except BrokenPipeError:  # nobody reads on, as in "| head"
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python still writes at its end
        return BROKEN_PIPE


def _run(arguments: list[str], is_program: bool) -> int:
    command = arguments[0] if arguments else ""
    if command == "serve":
        from TotalSegmentatorEngine.worker import serve as worker

        worker.main(arguments[1:])  # never returns
    if command in ("convert-model", "check-model", "test-engine"):
        from TotalSegmentatorEngine.model_install.commands import main as run_for_setup

        return run_for_setup(arguments)
    if command == "repair":
        from TotalSegmentatorEngine.repair.commands import main as repair

        return repair(arguments[1:])
    options = parse_arguments(arguments)
    if isinstance(options, BatchOptions) and is_program:
        from TotalSegmentatorEngine.batch.guarding.guard import run_guarded

        status = run_guarded()
        if status is not None:
            return status
    commands: dict[type, Callable[[Any], int]] = {
        SegmentOptions: _segment,
        BatchOptions: _batch,
        PlanOptions: _show_plan,
        StructuresOptions: _list_structures,
        ExportOptions: _export,
        CompareOptions: _export,
        CohortOptions: _export,
        ReviewOptions: _review,
        EditsOptions: _edits,
        ClusterSchedulerOptions: _schedule_cluster,
        ReceiveOptions: _receive,
        ClusterWorkerOptions: _work_for_cluster,
    }
    try:
        return commands.get(type(options), _set_up)(options)
    except BrokenPipeError:
        raise
    except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - the last boundary: see problem_of
        problem = problem_of(error)
        Terminal().show_problem(problem)
        return problem.exit_code


def _segment(options: SegmentOptions) -> int:
    if options.install:
        from TotalSegmentatorSetup.cli.install_first import install_for

        folder, choice = options.task.models_folder, options.choice
        requests = options.task.requests if choice is None else choice.selection(folder).requests
        if len(requests) > 1:
            _SegmentFiles(options, len(requests)).check_output()  # before gigabytes are downloaded
        status = install_for([request.model for request in requests], folder)
        if status != 0:
            return status
    return _SegmentCommand(options).run()


def _batch(options: BatchOptions) -> int:
    from TotalSegmentatorEngine.batch.commands import run

    return run(options)


def _show_plan(options: PlanOptions) -> int:
    from TotalSegmentatorEngine.ct_input.reading import read_input
    from TotalSegmentatorEngine.pipeline.run_job import plan_job
    from TotalSegmentatorEngine.series_selection.series_choice import SeriesChoice

    def read() -> ReadInput:
        ct = read_input(options.input, SeriesChoice(options.series))
        if ct.note:
            Terminal().show_note(f"CT: {ct.note}")
        return ct

    _check_exists(options.input)
    task = _task_of(options)
    handler = open_log(None)
    try:
        with warnings_to_log():
            planned = plan_job(task, read, _PlanReporter())
    finally:
        logging.getLogger().removeHandler(handler)
    print(json.dumps(planned.to_json(), indent=1) if options.json else plan_page(planned))
    return 0


def _export(options: ExportOptions | CompareOptions | CohortOptions) -> int:
    from TotalSegmentatorEngine.export.commands import run
    from TotalSegmentatorEngine.review.source_check import flags_of_source

    return run(options, flags_of_source)


def _review(options: ReviewOptions) -> int:
    from TotalSegmentatorEngine.review.commands import run

    return run(options)


def _edits(options: EditsOptions) -> int:
    from TotalSegmentatorEngine.export.edits.commands import run

    return run(options)


def _schedule_cluster(options: ClusterSchedulerOptions) -> int:
    from TotalSegmentatorEngine.cluster.scheduler_process import run

    return run(options)


def _work_for_cluster(options: ClusterWorkerOptions) -> int:
    from TotalSegmentatorEngine.cluster.worker_process import run

    return run(options)


def _receive(options: ReceiveOptions) -> int:
    from TotalSegmentatorEngine.dicom_node.commands import run

    return run(options)


def _set_up(options: SetupOptions) -> int:
    from TotalSegmentatorSetup.cli.commands import run

    return run(options)


def _check_exists(path: Path) -> None:
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


def _task_of(options: SegmentOptions | PlanOptions) -> SegmentationTask:
    """With the requests of what was chosen over all models. Raises SegmentationError: what
    ``StructureChoice.requests`` raises."""
    if options.choice is None:
        return options.task
    return dataclasses.replace(options.task, requests=options.choice.requests(options.task.models_folder))


def _list_structures(options: StructuresOptions) -> int:
    if options.choice is not None:
        page = ChoicePage(options.choice, options.models_folder)
        print(json.dumps(page.to_json(), indent=1) if options.json else page.text())
        return 0
    if options.model is None:
        print(json.dumps(presets_json(), indent=1) if options.json else presets_page())
        return 0
    return _list_model(options)


def _list_model(options: StructuresOptions) -> int:
    from TotalSegmentatorEngine.models.find_model import structures_of

    structures = structures_of(options.model, options.models_folder)
    if options.json:
        rows = [
            {
                "label": structure.label,
                "name": structure.name,
                "display_name": structure.display_name,
                "tg263_name": structure.tg263_name,
                "group": structure.group,
            }
            for structure in structures
        ]
        print(json.dumps(rows, indent=1))
    else:
        print(structures_page(structures))
    return 0


class _SegmentCommand:
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
            return FinishedEvent(JOB_ID, "", round(results[0].seconds, 3))

        status = self._run.run(work)
        if status == 0:
            print(result_text(results[0]))
        return status

    def _segment(self) -> SegmentationResult:
        """What takes no time is checked first. torch and the weights are then loaded while the CT is read."""
        from TotalSegmentatorEngine.job.reporting import JobReporter
        from TotalSegmentatorEngine.pipeline.cache import EngineCache
        from TotalSegmentatorEngine.pipeline.run_job import run_job

        options, task = self._options, _task_of(self._options)
        files = _SegmentFiles(options, len(task.requests))
        files.check_output()
        _check_exists(options.input)
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


class _PlanReporter(SilentReporter):
    """Shows warnings."""

    def warning(self, problem: Problem) -> None:
        Terminal().show_problem(problem, "warning")


class _SegmentFiles:
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

            check_disk_before_job(self._order, self._options.input, shape)

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
