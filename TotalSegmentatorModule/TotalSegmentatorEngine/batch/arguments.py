"""The arguments of the command ``batch``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.choice.structure_choice import StructureChoice
from TotalSegmentatorWire.command.argument_types import options_from
from TotalSegmentatorWire.command.command_run import RunFiles, add_run_files
from TotalSegmentatorWire.command.parser import PROGRAM
from TotalSegmentatorWire.tables.export_formats import ENCODINGS, HOLES, NAME_KINDS

from TotalSegmentatorEngine.batch.dask_engine.arguments import ClusterOptions, add_cluster_options, cluster_options
from TotalSegmentatorEngine.job.task import SegmentationTask

EXPORT_CHOICES = ("rtstruct", "seg", "sr", "volumes", "review")
_EXPORT_OPTIONS = ("template", "names", "external", "label", "holes", "encoding", "observer", "with_patient")
"""Fields of an ExportOrder that the command line can set."""


@dataclass(frozen=True)
class BatchOptions:
    inputs: tuple[str, ...]
    output: Path
    task: SegmentationTask
    files: RunFiles
    exports: tuple[str, ...] = ()
    export_options: dict[str, Any] = field(default_factory=dict)
    """Those that differ from an ExportOrder's own."""
    shard: tuple[int, int] = (1, 1)
    """Which share of the CTs, from 1, and of how many."""
    force: bool = False
    retry_failed: bool = False
    keep_names: bool = False
    find_only: bool = False
    """Whether the CTs are found and listed, and none is segmented."""
    cluster: ClusterOptions | None = None
    """None: in this process."""
    choice: StructureChoice | None = None
    """What the task's requests are made of; None where a model was chosen."""


def add_batch_command(
    commands: Any,
    add_model: Callable[[argparse.ArgumentParser], None],
    add_job: Callable[[argparse.ArgumentParser], None],
    task_of: Callable[[argparse.Namespace], SegmentationTask],
    check_choice: Callable[[argparse.ArgumentParser, argparse.Namespace], None],
    choice_of: Callable[[argparse.Namespace], StructureChoice | None],
) -> None:
    """``add_model`` and ``add_job`` add the arguments of which ``task_of`` makes the task and ``choice_of`` the choice
    of structures, after ``check_choice``; ``segment`` has them too."""
    batch = commands.add_parser("batch", help="segment many CTs", description=_BATCH)
    batch.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="folder with its subfolders, image file, DICOM file, pattern in quotation marks, or CSV or JSON list",
    )
    batch.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder of the results")
    add_model(batch)
    add_job(batch)
    group = batch.add_argument_group("which CTs")
    group.add_argument(
        "--shard",
        type=_shard,
        default=(1, 1),
        metavar="I/N",
        help="do only the share I of N, for jobs of an array; each CT belongs to one share, whatever else there is",
    )
    group.add_argument("--retry-failed", action="store_true", help="do again what has failed")
    group.add_argument("--force", action="store_true", help="do everything again")
    group.add_argument(
        "--keep-names",
        action="store_true",
        help="write patient, date and series of each CT into DIR/private/inputs.csv, and its Series Instance UID into "
        "the table",
    )
    group.add_argument(
        "--find-only",
        action="store_true",
        help="only find the CTs and fill DIR/private/inputs.csv, before an array of jobs that need not read all files",
    )
    _add_exports(batch)
    add_cluster_options(batch)
    add_run_files(batch)

    def make_options(parsed: argparse.Namespace) -> BatchOptions:
        check_choice(batch, parsed)
        return _options(parsed, task_of(parsed), choice_of(parsed), cluster_options(parsed, batch))

    batch.set_defaults(make_options=make_options)


def _add_exports(batch: argparse.ArgumentParser) -> None:
    group = batch.add_argument_group("what is written beside the segmentation")
    group.add_argument(
        "--export",
        dest="exports",
        type=_exports,
        default=(),
        metavar="FORMAT,FORMAT",
        help=f"{', '.join(EXPORT_CHOICES)}; DICOM formats only for CTs in DICOM",
    )
    group.add_argument("--template", metavar="NAME|FILE", help="structures of the exports and their names")
    group.add_argument("--names", choices=NAME_KINDS, help="TG-263 names (default) or the model's own")
    group.add_argument("--external", action="store_true", default=None, help="add the outline of the body")
    group.add_argument("--set-label", dest="label", metavar="TEXT", help="label or series description of DICOM objects")
    group.add_argument("--holes", choices=HOLES, help="rtstruct: how holes are written")
    group.add_argument("--encoding", choices=ENCODINGS, help="seg: its encoding")
    group.add_argument("--observer", metavar="NAME", help="sr: person who answers for the measurements")
    group.add_argument(
        "--with-patient", action="store_true", default=None, help="review: name the patient and the study on the sheet"
    )


def _options(
    parsed: argparse.Namespace,
    task: SegmentationTask,
    choice: StructureChoice | None,
    cluster: ClusterOptions | None,
) -> BatchOptions:
    named = {name: getattr(parsed, name) for name in _EXPORT_OPTIONS}
    options = {name: value for name, value in named.items() if value is not None}
    if choice is not None and choice.preset and "template" not in options:  # see export.order.with_preset
        options |= {"template": choice.preset, "more_structures": choice.structures}
    files = options_from(parsed, RunFiles)
    return options_from(
        parsed,
        BatchOptions,
        inputs=tuple(parsed.inputs),
        task=task,
        files=files,
        export_options=options,
        cluster=cluster,
        choice=choice,
    )


def _exports(text: str) -> tuple[str, ...]:
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found or not set(found) <= set(EXPORT_CHOICES):
        raise argparse.ArgumentTypeError(f"give one or more of {', '.join(EXPORT_CHOICES)}")
    return tuple(name for name in EXPORT_CHOICES if name in found)


def _shard(text: str) -> tuple[int, int]:
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise argparse.ArgumentTypeError("give a share and their number, such as 1/8 or 8/8")
    return int(number), int(count)


_BATCH = f"""\
Segments every CT of folders and lists, with the networks loaded once. Several patients and series are told apart; what
is no CT is passed over. One CT that cannot be used does not stop the others: the exit status is then 1.

DIR is the only record. It holds a folder for each CT with segmentation.seg.nrrd, done.json and log.txt, and tables and
a page over all. The same command again does only what is missing, what was changed, and what other options would make
different. Several computers may work on one DIR at the same time: each with its own share, or as workers of a Dask
cluster. Whoever controls the scheduler of a Dask cluster can run any program on its workers.

  {PROGRAM} batch ct-folder --output results --model 117-3mm
  {PROGRAM} batch "archive/*/CT" --output results --preset rt-thorax --export rtstruct,volumes
  {PROGRAM} batch list.csv --output results --model 117-3mm --shard 3/8

No file names a patient, a path or a UID, except DIR/private/inputs.csv, which says whose folder is whose, and the
DICOM files that you ask for with --export. The folders are readable by you alone."""
