"""A Slicer that is killed while its queue runs, in the moment in which a result is complete and not yet in the scene.

Run with the work folder, a folder of files, the model folder and the mark of its processes. Of the six CTs the first is
cancelled, the second cannot be segmented, the third is finished, and the fourth is the one of that moment.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from desktop import Desktop
from job_support import MARK

FILES = ("cancelled", "bad", "finished", "interrupted")


def main(work_folder: Path, files: Path, model: str, mark: str) -> None:
    with Desktop() as app:
        import slicer
        from queue_support import QueueUser, distinct_ct
        from recovery_support import use_work_folder
        from TotalSegmentatorModuleLib.background import installed_engine
        from TotalSegmentatorModuleLib.background.engine_environment import EngineEnvironment
        from TotalSegmentatorModuleLib.segment import result_import

        environment = EngineEnvironment(sys.executable, {**os.environ, MARK: mark})
        installed_engine.engine_environment = lambda: environment
        use_work_folder(work_folder)
        app.dicom_database.add_folder(files / "dicom")
        user = QueueUser(app, mark)
        user.open_queue()
        for name in FILES:
            slicer.util.loadVolume(str(files / f"{name}.nrrd")).SetName("Smith^John")
        user.add_ct(distinct_ct(1), "Smith^John")  # in memory alone
        user.choose_model_folder(model)
        user.tick("DICOM database")
        user.expand("DICOM database")
        user.expand("Phantom")
        user.add("Loaded CTs", "7: ")
        user.start()
        user.wait_for_running(0)
        user.select(0)
        app.click(user.queue_ui.removeButton)
        user.wait_for_running(2, 90)

        def kill(*_) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        assert app.wait_until(lambda: user.states()[2] == "Finished", 60), user.describe()
        result_import.add_to_scene = kill
        app.wait_until(lambda: False, 60)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4])
