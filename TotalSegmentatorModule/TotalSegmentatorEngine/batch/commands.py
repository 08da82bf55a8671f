"""The command ``batch``: finds the CTs, does them, and says what came of each."""

from __future__ import annotations

import dataclasses
import logging
import time

from TotalSegmentatorWire.command.command_run import CommandRun
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.export import ExportFinishedEvent

from TotalSegmentatorEngine.batch.arguments import BatchOptions
from TotalSegmentatorEngine.batch.counts import Counts
from TotalSegmentatorEngine.batch.device_processes.run_on_devices import devices_for, run_on_devices
from TotalSegmentatorEngine.batch.guarding.guard import report_finished, seconds_since_begin
from TotalSegmentatorEngine.batch.inputs.candidates import InputMissingError
from TotalSegmentatorEngine.batch.inputs.case import Case, FoundInputs
from TotalSegmentatorEngine.batch.inputs.find_cases import find_cases
from TotalSegmentatorEngine.batch.printed_lines import (
    BatchTerminal,
    case_line,
    damaged_table_text,
    found_text,
    problem_line,
    summary_text,
)
from TotalSegmentatorEngine.batch.running.case_task import CaseTask, make_case_task
from TotalSegmentatorEngine.batch.running.open_case import Attempt, Redo
from TotalSegmentatorEngine.batch.running.run_cases import run_cases
from TotalSegmentatorEngine.batch.store.batch_folder import BatchFolder
from TotalSegmentatorEngine.batch.store.claims import no_claim_left
from TotalSegmentatorEngine.batch.store.image_verdicts import read_verdicts, record_verdicts
from TotalSegmentatorEngine.batch.store.input_table import digests_by_stamp, read_inputs, record_inputs
from TotalSegmentatorEngine.batch.summary_files import write_summaries
from TotalSegmentatorEngine.job.error_boundary import problem_of
from TotalSegmentatorEngine.job.reporting import JobReporter

SOME_FAILED = 1
"""Exit status where at least one CT has no result."""
_JOB_ID = "batch"
LOOKING_PAUSE_SECONDS = 0.5
"""Between two lines that say how many files were looked at."""

_log = logging.getLogger(__name__)


def run(options: BatchOptions) -> int:
    """Returns the exit status."""
    return _BatchCommand(options).run()


class _BatchCommand:
    def __init__(self, options: BatchOptions) -> None:
        self._options = options
        self._terminal = BatchTerminal()
        self._run = CommandRun(_JOB_ID, options.files, self._terminal, problem_of)
        self._folder = BatchFolder(options.output)
        self._counts = Counts()
        self._started = time.monotonic()
        self._total = 0
        self._found = FoundInputs()
        self._looked, self._looked_shown = 0, time.monotonic()

    def run(self) -> int:
        with no_claim_left():
            status = self._run.run(self._work)
        if status == 0:
            if not self._options.find_only:
                seconds = time.monotonic() - self._started
                print(summary_text(self._counts, self._found, seconds, self._options.output))
            return SOME_FAILED if self._counts.failed or self._found.problems else 0
        return status

    def _work(self) -> ExportFinishedEvent:
        options = self._options
        if options.cluster is not None:
            options.cluster.check()
        chosen = options.task
        if options.choice is not None:
            chosen = dataclasses.replace(chosen, requests=options.choice.requests(chosen.models_folder))
        task = make_case_task(chosen, options.exports, options.export_options)
        self._folder.create()
        redo = Redo(options.force, options.retry_failed, self._folder.now() - seconds_since_begin())
        cases = self._cases()
        self._total = len(cases)
        try:
            if not options.find_only:
                self._do(cases, task, redo)
        finally:
            if self._counts.total:
                self._write_tables()
        seconds = round(time.monotonic() - self._started, 3)
        return ExportFinishedEvent([str(options.output.absolute())], self._counts.done, [], seconds)

    def _do(self, cases: list[Case], task: CaseTask, redo: Redo) -> None:
        """Here, on several GPUs or on a Dask cluster. Raises SegmentationError: what ``run_cases``, ``run_on_devices``
        and ``run_on_cluster`` raise."""
        cluster, is_cancelled = self._options.cluster, self._run.is_cancelled
        devices = devices_for(task.task.device) if cluster is None else []
        if len(devices) > 1:
            self._terminal.show_note(f"One process on each of {len(devices)} GPUs")
            run_on_devices(cases, task, self._folder, devices, self._on_outcome, is_cancelled, redo)
            return
        if cluster is None:
            run_cases(cases, task, self._folder, self._on_outcome, is_cancelled, self._reporter, redo)
            return
        from TotalSegmentatorEngine.batch.dask_engine.run_on_cluster import run_on_cluster

        say = self._terminal.show_note
        run_on_cluster(cases, task, self._folder, cluster, self._on_outcome, is_cancelled, say, redo)

    def _cases(self) -> list[Case]:
        """Of this shard. Raises SegmentationError: BATCH_NOTHING_FOUND, what ``find_cases`` raises."""
        options = self._options
        known = digests_by_stamp(read_inputs(self._folder))
        verdicts = read_verdicts(self._folder)
        try:
            found = find_cases(options.inputs, options.output, known, options.keep_names, self._listen, verdicts)
        except InputMissingError as error:
            self._terminal.show_note(f"There is no {error.path}")
            raise
        record_verdicts(self._folder, verdicts)
        self._found = found
        for path, problem in found.problems:
            self._terminal.show_note(problem_line(path, problem))
        if not found.cases and not found.problems:
            raise SegmentationError("BATCH_NOTHING_FOUND", passed_over=sum(found.passed_over.values()))
        aside = record_inputs(self._folder, found.rows)
        if aside is not None:
            self._terminal.show_note(damaged_table_text(aside))
        share, count = options.shard
        cases = [case for case in found.cases if int(case.id, 16) % count == share - 1]
        self._terminal.show_note(found_text(found, len(cases), options.shard))
        return cases

    def _listen(self) -> None:
        """Called for each file that is looked at."""
        self._looked += 1
        if time.monotonic() - self._looked_shown >= LOOKING_PAUSE_SECONDS:
            self._looked_shown = time.monotonic()
            self._terminal.show_passing(f"looking for CTs: {self._looked} files")
        if self._run.is_cancelled():
            raise SegmentationError("CANCELLED")

    def _reporter(self, case: Case) -> JobReporter:
        self._terminal.at_case(self._counts.total, self._total)
        return JobReporter(_JOB_ID, self._run.emit, self._run.is_cancelled)

    def _on_outcome(self, case: Case, attempt: Attempt) -> None:
        outcome = attempt.outcome
        self._counts.add(attempt)
        if attempt.ran:
            report_finished()
        self._terminal.at_case(self._counts.total, self._total)
        _log.info("case %s: %s", outcome.id, outcome.state if outcome.error is None else outcome.error.code)
        if attempt.ran or outcome.error is not None:
            self._terminal.show_note(case_line(self._counts.total, self._total, case, attempt))

    def _write_tables(self) -> None:
        """Over all that is done, by whomever: the last process that ends writes all of it."""
        options = self._options
        missing = write_summaries(self._folder, self._found, options.keep_names, options.shard[1] > 1)
        if missing:
            self._terminal.show_note(
                f"Table and report are left as they are: CTs of other shares that are not done: {missing}. Whoever "
                "does the last one writes them."
            )
