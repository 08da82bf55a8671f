"""An export that is made up: reads what was handed over, and writes down what it found there as its output. Asked to
compare, it writes ``table.csv`` of that folder, or TABLE where there is none.

Started like the real one. FAKE_EXPORT names a folder: ``act`` there says what it does: "write" (a few events, the
output, a warning, the end), "slow" (the same, but only when ``finish`` is there; listens to cancel), "deaf" (for ever,
hears nothing, and so does its child, which has a group of its own), "fail" (an empty structure), "die" (ends without a
word), "mute" (ends well without a word). All begin with a half-written output. Each call's arguments are added to
``calls.jsonl``; ``edited`` there holds ids of segments, one a line, that it tells as edited.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "TotalSegmentatorModule"))

from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.export import EXPORT_JOB, ExportFinishedEvent, ExportProgressEvent, ExportStep
from TotalSegmentatorWire.messages.segment import CancelledEvent, FailedEvent, WarningEvent, encode

FOLDER = Path(os.environ.get("FAKE_EXPORT", "."))
FAILURE = Problem("EXPORT_SEGMENT_EMPTY", {"names": "Liver, Spleen", "count": 2})
WARNING = Problem("EXPORT_UNREVIEWED", {"names": "Liver, Spleen", "unreviewed": 2, "edited": 0})
TABLE = """\
ours,theirs,dice,hausdorff95_mm,mean_surface_distance_mm,our_volume_ml,their_volume_ml,volume_difference_ml,volume_difference_percent,surface_dice,added_path_mm
kidney_right,Kidney_R,0.8100,7.5000,1.2500,150.0000,120.0000,30.0000,25.0000,0.6543,812.4000
spleen,Spleen,0.9512,2.5000,0.4321,180.2000,190.1000,-9.9000,-5.2078,0.9871,96.2000
kidney_left,,,,,140.0000,,,,,
,"PTV, boost",,,,,55.5000,,,,
"""
"""As the command ``compare`` writes it: two pairs, and one structure that only one side has, each."""
HALF = ExportProgressEvent(ExportStep.CONTOURING, "liver", 0.5)


def main(arguments: list[str]) -> int:
    with (FOLDER / "calls.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(arguments) + "\n")
    act = (FOLDER / "act").read_text(encoding="utf-8")
    with Path(value(arguments, "--log")).open("a", encoding="utf-8") as log:
        log.write("export begins\n")
    is_comparison = arguments[0] == "compare"
    output = Path(value(arguments, "--csv")) if is_comparison else Path(arguments[arguments.index("--events") - 1])
    target = output if output.suffix else output / "structures.dcm"
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(b"half")
    emit(arguments, ExportProgressEvent(ExportStep.READING, "", 0.0))
    emit(arguments, HALF)
    if act == "die":
        return 3
    if act == "mute":
        return 0
    if act == "fail":
        emit(arguments, FailedEvent(EXPORT_JOB, FAILURE.to_json()))
        return 151
    if act == "deaf":
        subprocess.run([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True, check=True)
    while act == "slow" and not (FOLDER / "finish").exists():
        if Path(value(arguments, "--cancel-file")).exists():
            emit(arguments, CancelledEvent(EXPORT_JOB))
            return 131
        time.sleep(0.01)
    transferred = Path(value(arguments, "--transferred"))
    if is_comparison:
        table = FOLDER / "table.csv"
        text = table.read_text(encoding="utf-8") if table.exists() else TABLE
        target.write_text(text, encoding="utf-8", newline="\r\n")
    else:
        shutil.copy(transferred / "segmentation.json", target)
    shutil.copytree(transferred, FOLDER / "transferred", dirs_exist_ok=True)
    edited = FOLDER / "edited"
    ids = edited.read_text(encoding="utf-8").split() if edited.exists() else []
    emit(arguments, WarningEvent(EXPORT_JOB, WARNING.to_json()))
    emit(arguments, ExportFinishedEvent([str(output)], 2, ids, 1.5))
    return 0


def emit(arguments: list[str], event: object) -> None:
    with Path(value(arguments, "--events")).open("a", encoding="ascii") as stream:
        stream.write(encode(event) + "\n")


def value(arguments: list[str], name: str) -> str:
    return arguments[arguments.index(name) + 1] if name in arguments else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
