"""The arguments of the command line, their help, and the options that each command gets of them."""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from TotalSegmentatorWire import ENGINE_VERSION
from TotalSegmentatorWire.choice.structure_choice import StructureChoice
from TotalSegmentatorWire.command.argument_types import not_negative, options_from, share
from TotalSegmentatorWire.command.command_run import RunFiles, add_run_files
from TotalSegmentatorWire.command.parser import PROGRAM, CommandParser
from TotalSegmentatorWire.messages.model_request import model_request
from TotalSegmentatorWire.messages.options import CROPS, PRECISIONS, RUNTIMES, SECOND_OPINIONS, JobOptions
from TotalSegmentatorWire.tables.export_formats import FORMATS
from TotalSegmentatorWire.user_folders import default_models_folder

from TotalSegmentatorEngine.batch.arguments import BatchOptions, add_batch_command
from TotalSegmentatorEngine.cli.choice_arguments import add_model, add_structures, check_choice, check_list, choice_from
from TotalSegmentatorEngine.cluster.arguments import add_cluster_commands
from TotalSegmentatorEngine.dicom_node.arguments import ReceiveOptions, add_receive_command
from TotalSegmentatorEngine.export.arguments import (
    REPORT_OPTION,
    TRANSFER_OPTION,
    CohortOptions,
    CompareOptions,
    ExportOptions,
    add_export_commands,
    add_export_options,
    add_series,
    order_from,
)
from TotalSegmentatorEngine.export.edits.arguments import EditsOptions, add_edits_command
from TotalSegmentatorEngine.job.flag_file import flag_file_beside
from TotalSegmentatorEngine.job.task import SegmentationTask
from TotalSegmentatorEngine.review.arguments import ReviewOptions, add_review_command

if TYPE_CHECKING:
    from TotalSegmentatorSetup.cli.arguments import SetupOptions

    from TotalSegmentatorEngine.export.order import ExportOrder


@dataclass(frozen=True)
class SegmentOptions:
    input: Path
    output: Path
    task: SegmentationTask
    files: RunFiles
    order: ExportOrder | None
    """With ``--export``: how the result is exported; None for a file of labels."""
    install: bool
    series: str | None = None
    """Which series of the input's folder."""
    writes_flags: bool = False
    choice: StructureChoice | None = None
    """What the task's requests are made of; None where a model was chosen."""
    json: bool = False
    """Whether the result is described as JSON."""

    @property
    def flag_file(self) -> Path | None:
        """With ``--review``: where the flags go."""
        return flag_file_beside(self.output) if self.writes_flags else None


@dataclass(frozen=True)
class PlanOptions:
    input: Path
    task: SegmentationTask
    json: bool
    series: str | None = None
    choice: StructureChoice | None = None


@dataclass(frozen=True)
class StructuresOptions:
    model: str | None
    models_folder: Path
    json: bool
    choice: StructureChoice | None = None
    """None where a model was chosen, or nothing: then the presets are listed."""


def parse_arguments(
    arguments: list[str],
) -> (
    SegmentOptions
    | BatchOptions
    | PlanOptions
    | StructuresOptions
    | ExportOptions
    | CompareOptions
    | CohortOptions
    | ReviewOptions
    | EditsOptions
    | ReceiveOptions
    | SetupOptions
):
    """The options of the command that ``arguments`` begin with. Wrong ones end the process (status 2)."""
    without_setup = (
        "segment",
        "batch",
        "plan",
        "structures",
        "export",
        "compare",
        "review",
        "edits",
        "receive",
        "cluster-",
    )
    is_cohort = any(word.split("=")[0] == REPORT_OPTION for word in arguments)
    knows_setup = not (arguments and arguments[0].startswith(without_setup))
    parser = command_parser(knows_setup, TRANSFER_OPTION in arguments, is_cohort)
    parsed = parser.parse_args(arguments)
    return parsed.make_options(parsed)


def _task(parsed: argparse.Namespace) -> SegmentationTask:
    folder = parsed.models_folder or default_models_folder()
    requests = () if parsed.model is None else (model_request(parsed.model, parsed.structures),)
    options = options_from(parsed, JobOptions)
    return options_from(parsed, SegmentationTask, requests=requests, models_folder=folder, options=options)


def _segment_options(parsed: argparse.Namespace) -> SegmentOptions:
    # the names asked for are the model's; all that was segmented is exported
    order = None if parsed.export is None else order_from(parsed, format=parsed.export, structures=None)
    choice = choice_from(parsed)
    if order is not None and choice is not None:
        from TotalSegmentatorEngine.export.order import with_preset

        order = with_preset(order, choice.preset, choice.structures)
    files = options_from(parsed, RunFiles)
    task = _task(parsed)
    if order is not None and order.kind.is_sheet:  # it reports on the check
        task = dataclasses.replace(task, is_reviewed=True)
    return SegmentOptions(
        parsed.input,
        parsed.output,
        task,
        files,
        order,
        parsed.install,
        parsed.series,
        parsed.is_reviewed,
        choice,
        parsed.json,
    )


def _plan_options(parsed: argparse.Namespace) -> PlanOptions:
    return PlanOptions(parsed.input, _task(parsed), parsed.json, parsed.series, choice_from(parsed))


def _structures_options(parsed: argparse.Namespace) -> StructuresOptions:
    is_choice = parsed.preset is not None or parsed.structures is not None
    choice = choice_from(parsed) if is_choice else None
    return StructuresOptions(parsed.model, parsed.models_folder or default_models_folder(), parsed.json, choice)


# -- the parser --------------------------------------------------------------------------------------------------------


def command_parser(knows_setup: bool = True, is_transfer: bool = False, is_cohort: bool = False) -> CommandParser:
    """Without the set-up's commands a segmentation starts a little sooner. The others: as ``add_export_commands``."""
    parser = CommandParser(prog=PROGRAM, description=_PROGRAM_TEXT)
    parser.add_argument("--version", action="version", version=ENGINE_VERSION)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    segment = commands.add_parser("segment", help="segment one CT", description=_SEGMENT)
    plan = commands.add_parser("plan", help="show what a job would do, with its time and memory", description=_PLAN)
    structures = commands.add_parser("structures", help="list the structures of a model", description=_STRUCTURES)

    add_batch_command(commands, add_model, _add_task, _task, check_choice, choice_from)
    add_export_commands(commands, is_transfer, is_cohort)
    add_review_command(commands, is_transfer)
    add_edits_command(commands)
    add_cluster_commands(commands)
    add_receive_command(commands)
    if knows_setup:
        from TotalSegmentatorSetup.cli.arguments import add_setup_commands

        add_setup_commands(commands)

    for command in (segment, plan):
        command.add_argument(
            "input",
            type=Path,
            metavar="INPUT",
            help="NIfTI, NRRD, MHA or MHD file, DICOM folder with its subfolders, or one file of a DICOM series, "
            "which stands for the whole series",
        )
    segment.add_argument(
        "output", type=Path, metavar="OUTPUT", help=".seg.nrrd, .nrrd or .nii.gz file; with --export as for 'export'"
    )
    for command in (segment, plan, structures):
        add_model(command)
    for command in (segment, plan):
        add_series(command, "the default is the only one")
        _add_task(command)
    segment.add_argument(
        "--install", action="store_true", help="first install the packages and the model if they are missing"
    )
    segment.add_argument(
        "--review",
        dest="is_reviewed",
        action="store_true",
        help="also find what is likely wrong in the result, as the command review does, and write it beside OUTPUT, as "
        "NAME.review.json",
    )
    segment.add_argument("--export", choices=tuple(FORMATS), help="write the result in this format")
    add_export_options(segment)
    for command in (segment, plan, structures):
        command.add_argument("--json", action="store_true", help="print JSON, for programs")
    add_run_files(segment)
    add_structures(structures)
    segment.set_defaults(make_options=_checked(segment, _segment_options))
    plan.set_defaults(make_options=_checked(plan, _plan_options))
    structures.set_defaults(make_options=_checked(structures, _structures_options, check_list))
    return parser


def _checked(
    command: argparse.ArgumentParser,
    make_options: Callable[[argparse.Namespace], Any],
    check: Callable[[argparse.ArgumentParser, argparse.Namespace], None] = check_choice,
) -> Callable[[argparse.Namespace], Any]:
    """``make_options`` for arguments that go together; others end the process (status 2)."""

    def make(parsed: argparse.Namespace) -> Any:
        check(command, parsed)
        return make_options(parsed)

    return make


def _add_task(command: argparse.ArgumentParser) -> None:
    add_structures(command)
    command.add_argument("--device", type=_device, help="auto (default), cpu, cuda, cuda:N or mps")
    _add_job_options(command)


def _add_job_options(command: argparse.ArgumentParser) -> None:
    """The fields of JobOptions; their defaults stand there."""
    default = JobOptions()
    group = command.add_argument_group("how the job runs")
    group.add_argument(
        "--runtime",
        choices=RUNTIMES,
        default=default.runtime,
        help="software that runs the networks; auto (default) chooses the fastest",
    )
    group.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=default.precision,
        help="reduced is faster, but some labels differ; auto (default) is exact unless a check of this CT finds at "
        "least 99.5 %% of the structures' voxels equal in reduced precision",
    )
    group.add_argument(
        "--crop",
        choices=CROPS,
        default=default.crop,
        help="body: run each network only where its structures can be; a few voxels may differ; whole: over the whole "
        "CT, even if only a few structures are wanted",
    )
    group.add_argument("--profile", metavar="ID", help="pipeline to use instead of the model's own, such as nnunet")
    group.add_argument("--smooth", action="store_true", help="smooth the boundaries, without voxel steps; takes longer")
    group.add_argument("--largest-piece", action="store_true", help="keep only the largest island of each structure")
    group.add_argument(
        "--smallest-island",
        dest="smallest_island_mm3",
        type=not_negative("a volume in cubic millimetres"),
        default=default.smallest_island_mm3,
        metavar="MM3",
        help="remove islands smaller than this volume in cubic mm (a 10 mm cube has 1000)",
    )
    group.add_argument(
        "--second-opinion",
        choices=SECOND_OPINIONS,
        default=default.second_opinion,
        help="with --review: an installed coarser model runs, too, and the review shows where the two differ; auto "
        "(default): where that takes little time",
    )
    group.add_argument(
        "--no-self-check",
        dest="self_check",
        action="store_false",
        help="with --precision reduced, --crop body or --structures: do not compute a few tiles exactly, too, to say "
        "how well the labels agree with the exact ones",
    )
    group.add_argument(
        "--least-agreement",
        type=share,
        default=default.least_agreement,
        metavar="SHARE",
        help="warn where that self-check finds fewer voxels of structures with their exact label (default: "
        f"{default.least_agreement:g})",
    )
    group.add_argument(
        "--accept-size", action="store_true", help="run even if the voxel spacing or the size of the CT is unlikely"
    )


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", text):
        raise argparse.ArgumentTypeError("give auto, cpu, cuda, cuda:N or mps")
    return text


_PROGRAM_TEXT = """\
Segments CTs into named anatomical structures, exports the result for radiotherapy planning and other programs, and
installs what it needs. For research use; not a medical device.

See also COMMAND --help."""
_SEGMENT = f"""\
Segments one CT and writes the structures on exactly the CT's grid. The extension of OUTPUT determines the format:
.seg.nrrd is a segmentation for 3D Slicer with names, colours and codes; .nrrd and .nii.gz are plain label images. With
--export the result is written for another program instead, as the command export does.

  {PROGRAM} segment ct.nii.gz organs.seg.nrrd --model 117-3mm
  {PROGRAM} segment ct-folder rs.dcm --preset rt-thorax --export rtstruct
  {PROGRAM} segment ct-folder rs.dcm --model 117-1.5mm --export rtstruct"""
_PLAN = """\
Reads the CT and shows what a segmentation on this computer would do now: which networks would run on which regions,
with how many tiles, how long it would take and how much memory it would need. Nothing is segmented."""
_STRUCTURES = f"""\
Lists the structures that a model can segment: their label values, their names and their names in radiotherapy
(TG-263). You can use either name wherever you choose structures; case does not matter. A model in the catalogue need
not be installed.

With --preset or --structures alone it says which model finds each structure, whether that is installed and how large
its download is, what is built at export, what is drawn by hand, and what needs a licence from the publisher. Without
any of these it lists the presets.

  {PROGRAM} structures --preset rt-thorax"""
