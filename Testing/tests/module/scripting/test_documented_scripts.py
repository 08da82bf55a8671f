"""The Python scripts of the documents run as they are printed, with the real engine and without a main window."""

from __future__ import annotations

import os
import re

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from job_support import MARK, marked_processes
from panel_support import MODULE, wait_for
from phantom import PhantomParameters, make_phantom
from places import REPOSITORY, TESTING

DEMO_MODEL = TESTING / "demo_model" / "Dataset900_PhantomDemo104" / "nnUNetTrainer__nnUNetPlans__3d_fullres"
HEADING = "## From a Python script in Slicer\n"


def scripts_of(document: str) -> list[str]:
    """The Python blocks of the chapter about scripts."""
    text = (REPOSITORY / "docs" / document).read_text(encoding="utf-8")
    chapter = text.split(HEADING, 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^```python\n(.*?)^```", chapter, re.MULTILINE | re.DOTALL)


@pytest.mark.slow  # two jobs and two exports with the real engine: a minute on two busy cores
def test_scripts_of_the_documents_run_as_printed(app, monkeypatch, tmp_path, mark, capsys):
    from TotalSegmentatorModuleLib import settings

    monkeypatch.setenv("HOME", str(tmp_path))  # where the scripts export to
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setattr(slicer.util, "startupEnvironment", lambda: {**os.environ, MARK: mark})
    app.load_module(MODULE)
    settings.set_text(settings.MODEL, "folder")  # the model that was chosen last
    settings.set_text(settings.MODEL_FOLDER, str(DEMO_MODEL))
    abdomen = ((-207.0, 207.0), (-131.0, 131.0), (0.0, 270.0))
    phantom = make_phantom(PhantomParameters(spacing_mm=(5.0, 5.0, 5.0), field_of_view_mm=abdomen))
    app.add_volume(phantom.ct, phantom.ijk_to_ras, "CT")
    assert slicer.util.mainWindow() is None

    names: dict = {}
    first, second = scripts_of("segmentation.md")
    exec(first, names)
    for script in scripts_of("export.md"):
        exec(script, names)
    exec(second, names)

    segments = names["segmentation"].GetSegmentation()
    assert {segments.GetNthSegmentID(index) for index in range(segments.GetNumberOfSegments())} == {
        "kidney_left",
        "kidney_right",
    }
    assert len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode")) == 1
    assert all(path.exists() for path in names["files"]) and len(names["files"]) == 2
    assert "2\n" in capsys.readouterr().out
    assert wait_for(lambda: not marked_processes(mark)), "the last script ends the background process"
