"""A Slicer that is killed: in the middle of a review, and in the moment in which another result is complete.

Run with the work folder and a file for what the review is like at that moment.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from desktop import Desktop
from job_support import engine_environment
from panel_support import PanelUser


def main(work_folder: Path, report: Path, mark: str) -> None:
    with Desktop() as app:
        from recovery_support import edited_review, everything, is_saved, use_work_folder
        from TotalSegmentatorModuleLib.background import installed_engine
        from TotalSegmentatorModuleLib.segment import result_import

        installed_engine.engine_environment = lambda: engine_environment(sys.executable, mark)
        use_work_folder(work_folder)
        user = PanelUser(app, mark)
        reviewer = edited_review(user)
        reviewer.ct.SetName("Smith^John")
        assert app.wait_until(lambda: is_saved(work_folder, reviewer), 20)
        report.write_text(json.dumps(everything(reviewer.node, reviewer.ct)), encoding="utf-8")

        result_import.add_to_scene = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        user.plan()
        user.click_apply()
        app.wait_until(lambda: False, 60)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
