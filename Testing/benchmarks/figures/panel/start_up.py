"""What the module adds to every start of Slicer, for those too who never open it, and what it loads when it is opened.

In a process of its own, after slicer-core and the stand-in's modules, as Slicer has loaded its own by then.
"""

from __future__ import annotations

import json
import subprocess
import sys

from places import MODULE_FOLDER, TESTING

PROGRAM = """
import json, sys, time
sys.path[:0] = [{testing!r}]
from pathlib import Path
from desktop import Desktop
with Desktop() as app:
    import qt, slicer
    from desktop.application.module_objects import import_module_file, qSlicerScriptedLoadableModule
    from desktop.pythonqt.proxies import wrap
    path = Path({module!r}) / "TotalSegmentatorModule.py"
    qt.QIcon(str(path.parent / "Resources/Icons/TotalSegmentatorModule.png"))  # the stand-in makes the class once
    before, started = set(sys.modules), time.process_time()
    module = import_module_file(path)
    described = module.TotalSegmentatorModule(wrap(qSlicerScriptedLoadableModule(str(path))))
    slicer.app.startupCompleted.emit()
    seconds = time.process_time() - started
    new = sorted(set(sys.modules) - before - {{path.stem}})
    started = time.process_time()
    app.open_module(path)
    print(json.dumps({{"ms": 1000 * seconds, "new": new, "open": 1000 * (time.process_time() - started)}}))
    app.quit()
"""


def measure(repeat: int) -> list[dict[str, float]]:
    """Milliseconds of processor time, and the modules that were imported besides the module's own file."""
    return [_start() for _number in range(repeat)]


def _start() -> dict[str, float]:
    program = PROGRAM.format(testing=str(TESTING), module=str(MODULE_FOLDER))
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    answer = json.loads(output.splitlines()[-1])
    print("  imported at the start: {}".format(", ".join(answer["new"]) or "nothing"))
    print("  opening the panel for the first time: {:.0f} ms".format(answer["open"]))
    return {"start": answer["ms"], "modules imported": float(len(answer["new"]))}
