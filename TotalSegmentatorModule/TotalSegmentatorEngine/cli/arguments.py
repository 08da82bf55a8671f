"""The arguments of the command line, their help, and the task that they ask for."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from TotalSegmentatorSetup.support.folders import MODELS_VARIABLE, default_models_folder
from TotalSegmentatorWire import ENGINE_VERSION
from TotalSegmentatorWire.command.argument_types import names, not_negative
from TotalSegmentatorWire.command.command_run import add_run_files
from TotalSegmentatorWire.errors.problem import ERRORS
from TotalSegmentatorWire.messages.options import CROPS, PRECISIONS, RUNTIMES, JobOptions
from TotalSegmentatorWire.tables.export_formats import FORMATS

from TotalSegmentatorEngine.export.arguments import TRANSFER_OPTION, add_export_commands, add_export_options
from TotalSegmentatorEngine.job.task import SegmentationTask

PROGRAM = "TotalSegmentatorEngine"


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """``command`` is "segment", "plan", "structures", "export", "compare" or one of the set-up's. Wrong ones end the
    process (status 2)."""
    without_setup = (["segment"], ["plan"], ["structures"], ["export"], ["compare"])
    return _parser(arguments[:1] not in without_setup, TRANSFER_OPTION in arguments).parse_args(arguments)


def task_of(options: argparse.Namespace) -> SegmentationTask:
    """What ``segment`` and ``plan`` were asked for."""
    return SegmentationTask(
        model=options.model,
        models_folder=models_folder_of(options),
        structures=options.structures,
        device=options.device,
        options=JobOptions(
            runtime=options.runtime,
            precision=options.precision,
            crop=options.crop,
            profile=options.profile,
            smooth=options.smooth,
            largest_piece=options.largest_piece,
            smallest_island_mm3=options.smallest_island,
        ),
    )


def models_folder_of(options: argparse.Namespace) -> Path:
    return options.models_folder or default_models_folder()


# -- the parser --------------------------------------------------------------------------------------------------------


def _parser(knows_setup: bool, is_transfer: bool) -> argparse.ArgumentParser:
    """Without the set-up's commands a segmentation starts a little sooner."""
    described = {"epilog": _exit_codes(), "formatter_class": argparse.RawDescriptionHelpFormatter}
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description="Segments a CT into named structures with an nnU-Net v2 model.", **described
    )
    parser.add_argument("--version", action="version", version=ENGINE_VERSION)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    segment = commands.add_parser("segment", help="segment one CT", **described)
    plan = commands.add_parser("plan", help="tell what a job would do, how long and with how much memory", **described)
    structures = commands.add_parser("structures", help="list the structures of a model")
    commands.add_parser("serve", help="be the resident worker of the Slicer module (not for typing)")

    add_export_commands(commands, is_transfer, **described)
    if knows_setup:
        from TotalSegmentatorSetup.cli.arguments import add_setup_commands

        add_setup_commands(commands, **described)

    for command in (segment, plan):
        command.add_argument("input", type=Path, metavar="INPUT", help="NIfTI, NRRD, MHA or MHD file, or DICOM folder")
    segment.add_argument(
        "output",
        type=Path,
        metavar="OUTPUT",
        help="file ending in .seg.nrrd, .nrrd or .nii.gz; with --export what that format needs",
    )
    for command in (segment, plan, structures):
        _add_model(command)
    for command in (segment, plan):
        command.add_argument("--structures", metavar="NAME,NAME", type=names, help="only these; the default is all")
        command.add_argument("--device", default="auto", type=_device, help="auto (default), cpu, cuda, cuda:N or mps")
        _add_job_options(command)
    segment.add_argument(
        "--install", action="store_true", help="first install what is missing: the engine's packages and the model"
    )
    segment.add_argument("--export", choices=tuple(FORMATS), help="write the structures in this format instead")
    add_export_options(segment)
    plan.add_argument("--json", action="store_true", help="print the plan as JSON, for programs")
    add_run_files(segment)
    return parser


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--model", required=True, help="id of the catalogue, such as 117-3mm, or an nnU-Net v2 model folder"
    )
    command.add_argument(
        "--models-folder",
        type=Path,
        metavar="DIR",
        help=f"where the catalogue's models are installed; default: ${MODELS_VARIABLE}, else a folder of the user",
    )


def _add_job_options(command: argparse.ArgumentParser) -> None:
    """The fields of JobOptions; their defaults stand there."""
    default = JobOptions()
    group = command.add_argument_group("how the job is run (the defaults suit most)")
    group.add_argument(
        "--runtime",
        choices=RUNTIMES,
        default=default.runtime,
        help="program that computes the networks; auto (default) takes the fastest here",
    )
    group.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=default.precision,
        help="reduced is faster, and labels differ a little; auto (default) keeps them",
    )
    group.add_argument(
        "--crop",
        choices=CROPS,
        default=default.crop,
        help="body: each network only where its structures can be; a few voxels may differ",
    )
    group.add_argument(
        "--profile", metavar="ID", help="another pipeline than the model's own: totalsegmentator-1.5, ..."
    )
    group.add_argument("--smooth", action="store_true", help="boundaries without blocky steps; takes longer")
    group.add_argument("--largest-piece", action="store_true", help="of each structure keep only the largest piece")
    group.add_argument(
        "--smallest-island",
        type=not_negative("a volume in cubic millimetres"),
        default=default.smallest_island_mm3,
        metavar="MM3",
        help="remove pieces below this volume in cubic mm (a cube of 10 mm has 1000)",
    )


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
