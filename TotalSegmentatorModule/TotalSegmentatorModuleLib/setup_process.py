"""One run of the set-up in the background."""

from __future__ import annotations

from pathlib import Path

from TotalSegmentatorWire.job_folder import create_owned_folder, jobs_folder, new_id
from TotalSegmentatorWire.setup_messages import SETUP_EVENTS, SetupFinishedEvent

from .one_shot_process import Conversation, OneShotProcess
from .setup_program import SetupCommand, SetupProgram

_CONVERSATION = Conversation(SETUP_EVENTS, SetupFinishedEvent, "SETUP_DIED")


def start_setup(program: SetupProgram, command: SetupCommand, work_folder: Path, log: Path) -> OneShotProcess:
    """Run ``command`` in a folder of its own below ``work_folder``. Raises OSError if it cannot be started."""
    return OneShotProcess(
        [program.python, str(program.program), *command.arguments],
        program.process_environment(),
        create_owned_folder(jobs_folder(work_folder), new_id()),
        _CONVERSATION,
        log if command.has_events else None,
    )
