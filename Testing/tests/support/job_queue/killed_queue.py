"""A Slicer that is killed while its queue runs, in the moment in which a result is complete and not yet in the scene.

Run with the work folder, a folder of files, and the mark of its processes. Of the six CTs the first is cancelled, the
second cannot be segmented, the third is finished, and the fourth is the one of that moment.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from desktop import Desktop
from job_support import engine_environment

FILES = ("cancelled", "bad", "finished", "interrupted")


def main(work_folder: Path, files: Path, mark: str) -> None:
    with Desktop() as app:
        import slicer
        from queue_support import QueueUser, distinct_ct
        from recovery_support import use_work_folder
        from TotalSegmentatorModuleLib.background import installed_engine
        from TotalSegmentatorModuleLib.segment import result_import

        installed_engine.engine_environment = lambda: engine_environment(sys.executable, mark)
        use_work_folder(work_folder)
        app.dicom_database.add_folder(files / "dicom")
        user = QueueUser(app, mark)
        user.open_queue()
        for name in FILES:
            slicer.util.loadVolume(str(files / f"{name}.nrrd")).SetName("Smith^John " + name)
        user.add_ct(distinct_ct(1), "Smith^John memory")  # not in a file
        user.plan("predicting", "slow")
        user.add("Smith^John cancelled")
        user.plan()
        user.add(*("Smith^John " + name for name in (*FILES[1:], "memory")))
        user.tick()
        user.expand("DICOM database")
        user.expand("Phantom")
        user.add("7: Thorax")
        user.start()
        user.wait_for_running(0)
        user.select(0)
        app.click(user.queue_ui.removeButton)

        def kill(*_) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        add_to_scene = result_import.add_to_scene

        def add_first_and_kill(*arguments):
            result_import.add_to_scene = kill
            return add_to_scene(*arguments)

        result_import.add_to_scene = add_first_and_kill
        app.wait_until(lambda: False, 60)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
