"""The command line of the engine: ``segment``, ``structures`` and ``serve``.

Nothing heavy is imported before it is needed: the input and the model are checked before torch is loaded.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from TotalSegmentatorWire import ENGINE_VERSION
from TotalSegmentatorWire.errors import ERRORS, Problem, SegmentationError
from TotalSegmentatorWire.messages import (
    CancelledEvent,
    FailedEvent,
    FinishedEvent,
    ProgressEvent,
    Stage,
    StartedEvent,
    WarningEvent,
    encode,
    problem_from_json,
)

if TYPE_CHECKING:
    from .task import SegmentationResult

PROGRAM = "TotalSegmentatorEngine"
JOB_ID = "command-line"
"""Names the one job of a command line in its events."""

MODELS_VARIABLE = "TOTALSEGMENTATOR_MODELS"
_STAGE_TITLES = {
    Stage.LOADING_ENGINE: "loading the engine",
    Stage.READING: "reading the CT",
    Stage.CHECKING: "checking the CT",
    Stage.LOADING_MODEL: "loading the model",
    Stage.RESAMPLING: "resampling",
    Stage.PREDICTING: "segmenting",
    Stage.RESTORING: "restoring the grid",
    Stage.WRITING: "writing",
}
_log = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit status of the process (see ``--help``)."""
    if arguments[:1] == ["serve"]:
        from . import worker

        worker.main(arguments[1:])  # never returns
    options = _parser().parse_args(arguments)
    try:
        return _SegmentCommand(options).run() if options.command == "segment" else _list_structures(options)
    except SegmentationError as error:
        _print_problem(error.problem)
        return error.problem.exit_code


def default_models_folder() -> Path:
    """Where the catalogue's models are looked for: the folder named by TOTALSEGMENTATOR_MODELS, else one per user."""
    chosen = os.environ.get(MODELS_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "TotalSegmentatorModule" / "models"


# -- arguments ---------------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Segments a CT into named structures with an nnU-Net v2 model.",
        epilog=_exit_codes(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=ENGINE_VERSION)
    commands = parser.add_subparsers(dest="command", required=True, metavar="segment | structures | serve")
    segment = commands.add_parser(
        "segment",
        help="segment one CT",
        epilog=_exit_codes(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    segment.add_argument("input", type=Path, metavar="INPUT", help="NIfTI, NRRD, MHA or MHD file, or DICOM folder")
    segment.add_argument("output", type=Path, metavar="OUTPUT", help="file ending in .seg.nrrd, .nrrd or .nii.gz")
    segment.add_argument("--structures", metavar="NAME,NAME", type=_names, help="only these; the default is all")
    segment.add_argument("--device", default="auto", type=_device, help="auto (default), cpu, cuda, cuda:N or mps")
    segment.add_argument("--events", type=Path, metavar="FILE", help="append the progress as JSON lines")
    segment.add_argument("--log", type=Path, metavar="FILE", help="append what happened; holds no patient data")
    structures = commands.add_parser("structures", help="list the structures of a model")
    for command in (segment, structures):
        command.add_argument(
            "--model", required=True, help="id of the catalogue, such as 117-3mm, or an nnU-Net v2 model folder"
        )
        command.add_argument(
            "--models-folder",
            type=Path,
            metavar="DIR",
            help=f"where the catalogue's models are installed; default: ${MODELS_VARIABLE}, else a folder of the user",
        )
    commands.add_parser("serve", help="be the resident worker of the Slicer module (not for typing)")
    return parser


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise argparse.ArgumentTypeError("give at least one name")
    return names


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", text):
        raise argparse.ArgumentTypeError("give auto, cpu, cuda, cuda:N or mps")
    return text


def _exit_codes() -> str:
    """The error table as it stands in --help; ``{named:.1f}`` values become <named>."""
    rows = [(0, "the command did what it was asked to do"), (2, "the arguments are wrong")]
    for definition in ERRORS.values():
        what = re.sub(r"\{(\w+)[^}]*\}", r"<\1>", definition.what)
        rows.append((definition.exit_code, f"{definition.code}: {what}"))
    return "\n".join(["exit codes:", *(f"  {code:3}  {meaning}" for code, meaning in sorted(rows))])


# -- commands ----------------------------------------------------------------------------------------------------------


def _list_structures(options: argparse.Namespace) -> int:
    from .models import structures_of

    structures = structures_of(options.model, options.models_folder or default_models_folder())
    print("\n".join(f"{structure.label:3} {structure.name}" for structure in structures))
    return 0


class _SegmentCommand:
    """One run of ``segment``: read, check, prepare, segment, write; tells of it on the terminal and in the events."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._terminal = _Terminal()
        self._stage = ""
        self._is_interrupted = False

    def run(self) -> int:
        """Returns the exit status; every problem has been printed, logged and emitted."""
        handler = _open_log(self._options.log)
        previous = {number: signal.signal(number, self._interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self._emit(StartedEvent(JOB_ID))
            result = self._segment()
            self._terminal.close_line()
            self._emit(FinishedEvent(JOB_ID, "", round(result.seconds, 3)))
            _print_result(result)
            return 0
        except KeyboardInterrupt:
            return self._fail(Problem("CANCELLED"))
        except SegmentationError as error:
            return self._fail(error.problem)
        except ModuleNotFoundError as error:
            _log.exception("a package is missing")
            return self._fail(Problem("ENGINE_MISSING", {"package": error.name or "?"}))
        except Exception as error:  # noqa: BLE001 - the last boundary: everything ends in a code and two sentences
            _log.exception("unexpected error")
            return self._fail(Problem("INTERNAL_ERROR", {"kind": type(error).__name__}))
        finally:
            for number, action in previous.items():
                signal.signal(number, action)
            logging.getLogger().removeHandler(handler)
            handler.close()

    def _interrupt(self, signal_number: int, frame: object) -> None:
        """Ctrl+C and SIGTERM: temporary files are removed on the way out. A library that turns the exception into one
        of its own, or swallows it, does not change how the command ends."""
        self._is_interrupted = True
        raise KeyboardInterrupt

    def _segment(self) -> SegmentationResult:
        from .reading import read_input
        from .reporting import JobReporter
        from .writing import check_output, write_result

        options, reporter = self._options, JobReporter(JOB_ID, self._emit, lambda: self._is_interrupted)
        check_output(options.output)
        if options.output.exists() and options.input.exists() and options.output.samefile(options.input):
            raise SegmentationError("OUTPUT_NOT_WRITABLE")
        reporter.progress(Stage.READING, 0.0)
        ct = read_input(options.input)
        reporter.progress(Stage.CHECKING, 1.0)
        check_output(options.output, ct.volume.geometry.shape)
        for warning in ct.warnings:
            reporter.warning(warning)
        _log.info("CT of %d x %d x %d voxels (slices, rows, columns)", *ct.volume.geometry.shape)

        from .pipeline import EngineCache, SegmentationTask, prepare, segment

        folder = options.models_folder or default_models_folder()
        prepared = prepare(SegmentationTask(options.model, folder, options.structures, options.device))
        _log.info("model %s, profile %s", prepared.model.id, prepared.model.profile.id)
        result = segment(ct.volume, prepared, EngineCache(), reporter)
        _log.info("%d structures found on %s in %.1f s", len(result.found), result.device, result.seconds)
        reporter.progress(Stage.WRITING, 0.0)
        write_result(options.output, result, ct.volume.geometry, reporter.check_cancelled)
        reporter.progress(Stage.WRITING, 1.0)
        return result

    def _emit(self, event: Any) -> None:
        """Events go to the file, if one was asked for, and in short to the terminal."""
        if self._options.events is not None:
            try:
                with self._options.events.open("a", encoding="ascii", newline="\n") as stream:
                    stream.write(encode(event) + "\n")
            except OSError as error:
                self._options.events = None  # told once; the failure that follows is not written again
                raise SegmentationError("OUTPUT_NOT_WRITABLE") from error
        if isinstance(event, ProgressEvent):
            if event.stage != self._stage:
                _log.info("stage %s", event.stage)
            self._stage = event.stage
            self._terminal.show(event)
        elif isinstance(event, WarningEvent):
            self._terminal.close_line()
            _print_problem(problem_from_json(event.problem), "warning")

    def _fail(self, problem: Problem) -> int:
        if self._is_interrupted:
            problem = Problem("CANCELLED")
        self._terminal.close_line()
        _print_problem(problem)
        _log.error("%s: %s", problem.code, problem.what)
        is_cancelled = problem.code == "CANCELLED"
        try:
            self._emit(CancelledEvent(JOB_ID) if is_cancelled else FailedEvent(JOB_ID, problem.to_json()))
        except SegmentationError:
            _log.error("the last event could not be written")
        return problem.exit_code


def _open_log(path: Path | None) -> logging.Handler:
    """Send this process's log to ``path`` or, where there is none, nowhere: the terminal tells what matters.

    Raises SegmentationError("OUTPUT_NOT_WRITABLE").
    """
    from .log_text import LogFormatter

    handler: logging.Handler = logging.NullHandler()
    if path is not None:
        try:
            handler = logging.FileHandler(path, encoding="utf-8")
        except OSError as error:
            raise SegmentationError("OUTPUT_NOT_WRITABLE") from error
    handler.setFormatter(LogFormatter())
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)
    return handler


# -- the terminal ------------------------------------------------------------------------------------------------------


class _Terminal:
    """Progress on standard error: one line that rewrites itself or, where that is no terminal, a line for each stage
    and each tenth of the job."""

    def __init__(self) -> None:
        self._rewrites = sys.stderr.isatty()
        self._last = ("", -1)
        self._width = 0

    def show(self, event: ProgressEvent) -> None:
        text = f"{event.fraction:4.0%} {_STAGE_TITLES[event.stage]}"
        if event.tiles:
            text += f", tile {event.tile} of {event.tiles}"
        if event.seconds_left is not None:
            text += f", about {event.seconds_left:.0f} s left"
        if self._rewrites:
            print("\r" + text.ljust(self._width), end="", file=sys.stderr, flush=True)
            self._width = len(text)
        elif (event.stage, int(event.fraction * 10)) != self._last:
            print(text, file=sys.stderr, flush=True)
        self._last = (event.stage, int(event.fraction * 10))

    def close_line(self) -> None:
        if self._rewrites and self._width:
            print(file=sys.stderr)
            self._width = 0


def _print_problem(problem: Problem, kind: str = "error") -> None:
    print(f"{kind} {problem.code}: {problem.what} {problem.todo}", file=sys.stderr, flush=True)


def _print_result(result: SegmentationResult) -> None:
    asked = len(result.found) + len(result.absent)
    print(
        f"{len(result.found)} of {asked} structures found in {result.seconds:.0f} s ({result.model}, {result.device})."
    )
    if result.absent:
        print("Not found in this CT: " + ", ".join(result.absent))
