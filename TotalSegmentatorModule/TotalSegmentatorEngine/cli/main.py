"""The command line of the engine: ``segment``, ``batch``, ``plan``, ``structures``, ``export``, ``compare``,
``review``, ``edits``, ``receive`` and ``serve``, and the set-up's commands.

Nothing heavy is imported before it is needed: the output, the names and the model are checked before torch is loaded.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from TotalSegmentatorWire.command.command_run import open_log
from TotalSegmentatorWire.command.log_text import warnings_to_log
from TotalSegmentatorWire.command.terminal import Terminal
from TotalSegmentatorWire.errors.problem import Problem

from TotalSegmentatorEngine.batch.arguments import BatchOptions
from TotalSegmentatorEngine.cli.arguments import PlanOptions, SegmentOptions, StructuresOptions, parse_arguments
from TotalSegmentatorEngine.cli.preset_page import ChoicePage, presets_json, presets_page
from TotalSegmentatorEngine.cli.printed_pages import plan_page, structures_page
from TotalSegmentatorEngine.cli.segment_command import SegmentCommand, SegmentFiles, check_exists, task_of
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

BROKEN_PIPE = 141
"""Exit status of a program whose reader has gone: 128 and the number of SIGPIPE."""


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
            SegmentFiles(options, len(requests)).check_output()  # before gigabytes are downloaded
        status = install_for([request.model for request in requests], folder)
        if status != 0:
            return status
    return SegmentCommand(options).run()


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

    check_exists(options.input)
    task = task_of(options)
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


class _PlanReporter(SilentReporter):
    """Shows warnings."""

    def warning(self, problem: Problem) -> None:
        Terminal().show_problem(problem, "warning")
