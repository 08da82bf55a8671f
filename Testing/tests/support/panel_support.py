"""What the tests of the panel share: somebody who clicks, and an engine that does what a test asks.

The model's path carries the plan of the fake engine (fake_engine.py), so that a click is enough to make it do anything.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import slicer
from desktop import Desktop
from job_support import MARK, engine_environment, marked_processes, soft_tissue_with_air, usual_priority
from places import FAKES, MODULE_FOLDER
from time_bounds import READY_SECONDS
from TotalSegmentatorWire.tables.catalogue import read_catalogue

if TYPE_CHECKING:
    from TotalSegmentatorModuleLib.background.engine_environment import EngineEnvironment

MarkedEngine = Callable[[str], "EngineEnvironment"]
"""Makes an engine whose processes carry the given mark in their environment."""
MODULE = MODULE_FOLDER / "TotalSegmentatorModule.py"
FAKE_SETUP = FAKES / "fake_setup.py"
GRID = np.array([[-4.0, 0, 0, 100.0], [0, -4.0, 0, 120.0], [0, 0, 2.5, -300.0], [0, 0, 0, 1]])


class PanelUser:
    """Somebody in front of the panel."""

    def __init__(self, app: Desktop, mark: str) -> None:
        self.app = app
        self.mark = mark
        self.widget = app.open_module(MODULE)

    @property
    def ui(self):
        return self.widget.ui

    @property
    def parameters(self):
        return self.widget.logic.getParameterNode()

    def add_ct(self, array=None, name="CT abdomen", matrix=GRID):
        ct = self.app.add_volume(soft_tissue_with_air() if array is None else array, matrix, name)
        self.app.process_events()
        return ct

    def choose_model_folder(self, folder: str) -> None:
        self.choose_family(self.ui.advanced.familyComboBox.count - 1)
        self.ui.advanced.modelFolderPathLineEdit.currentPath = folder
        self.app.process_events()

    def choose_model(self, model: str) -> None:
        """An id of the catalogue: its family in the list, then its quality."""
        from TotalSegmentatorModuleLib.model_choice.families import models_by_family

        family = read_catalogue()[model].family
        self.choose_family(self.ui.advanced.familyComboBox.findData(family))
        place = [each.id for each in models_by_family()[family]].index(model)
        inputs = self.ui.inputs
        button = (inputs.fineRadioButton, inputs.mediumRadioButton, inputs.coarseRadioButton)[place]
        if button.visible:
            self.app.click(button)

    @property
    def chosen_model(self) -> str:
        """Id of the model that the family and the quality show; empty for a model folder."""
        from TotalSegmentatorModuleLib.model_choice.families import models_by_family

        combo = self.ui.advanced.familyComboBox
        models = models_by_family().get(combo.itemData(combo.currentIndex), ())
        inputs = self.ui.inputs
        buttons = (inputs.fineRadioButton, inputs.mediumRadioButton, inputs.coarseRadioButton)
        return next((model.id for model, button in zip(models, buttons) if button.checked), "")  # noqa: B905 - some hide

    def choose_family(self, index: int) -> None:
        self.ui.advanced.familyComboBox.setCurrentIndex(index)
        self.ui.advanced.familyComboBox.activated.emit(index)
        self.app.process_events()

    def choose_preset(self, title: str) -> None:
        """In the list of presets."""
        combo = self.ui.inputs.presetComboBox
        index = combo.findText(title)
        assert index >= 0, title
        combo.setCurrentIndex(index)
        combo.activated.emit(index)
        self.app.process_events()

    def plan(self, stage: str = "", act: str = "") -> None:
        """Tell the engine what to do at which stage of the next job."""
        self.choose_model_folder(json.dumps({"stage": stage, "act": act}))

    def click_apply(self) -> None:
        self.app.click(self.ui.progress.applyButton)

    def wait_until_ready(self, seconds: float = 30.0) -> None:
        assert self.app.wait_until(lambda: self.ui.progress.applyButton.text == "Apply", seconds), self.describe()

    @property
    def is_running(self) -> bool:
        return self.ui.progress.applyButton.text != "Apply"

    def run_job(self) -> None:
        self.click_apply()
        self.wait_until_ready()

    def wait_for_stage(self, text: str, seconds: float = 30.0) -> None:
        assert self.app.wait_until(lambda: self.ui.progress.stageLabel.text.startswith(text), seconds), self.describe()

    def describe(self) -> str:
        shown = (self.ui.progress.applyButton.text, self.ui.progress.stageLabel.text, self.error_code)
        return "button {!r}, stage {!r}, error {!r}, log:\n{}".format(*shown, self.ui.log.textEdit.toPlainText())

    @property
    def error_code(self) -> str:
        code = self.ui.messages.errorCodeLabel.text.replace("\u200b", "")  # where a narrow panel may break the line
        return code.split()[-1] if self.ui.messages.errorFrame.visible else ""

    @property
    def segmentations(self) -> list:
        return slicer.util.getNodesByClass("vtkMRMLSegmentationNode")


@contextlib.contextmanager
def desktop() -> Iterator[Desktop]:
    """The application; no exception may have happened in a slot."""
    with usual_priority(), Desktop() as application:
        yield application
        assert not application.errors


@contextlib.contextmanager
def panel_user(
    app: Desktop, monkeypatch, engine: MarkedEngine | None = None, starts_early: bool = False
) -> Iterator[PanelUser]:
    """The module opened with ``engine``, or the fake one; no process may be left when the application has quit.

    ``starts_early``: the engine is started before it is asked for.
    """
    from TotalSegmentatorModuleLib import settings
    from TotalSegmentatorModuleLib.background import installed_engine
    from TotalSegmentatorModuleLib.setup import commands

    mark = uuid.uuid4().hex
    environment = engine(mark) if engine is not None else engine_environment(sys.executable, mark)
    monkeypatch.setattr(installed_engine, "engine_environment", lambda: environment)
    folder = Path(slicer.app.temporaryPath) / "installation"
    folder.mkdir()
    monkeypatch.setenv("TOTALSEGMENTATOR_ENGINES", str(folder / "engine"))
    monkeypatch.setenv("TOTALSEGMENTATOR_MODELS", str(folder / "models"))
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
    monkeypatch.setattr(commands, "setup_program", lambda: fake_setup_program(folder, mark))
    settings.turn(settings.EARLY_START_OFF, is_on=not starts_early)
    yield PanelUser(app, mark)
    app.quit()
    assert wait_for(lambda: not marked_processes(mark)), "a process was left behind"


def fake_setup_program(folder: Path, mark: str):
    """The set-up of fake_setup.py; what it does stands in ``folder``."""
    from TotalSegmentatorModuleLib.setup.commands import SetupProgram

    environment = {**os.environ, MARK: mark, "FAKE_SETUP": str(folder)}
    return SetupProgram(sys.executable, environment, FAKE_SETUP)


@contextlib.contextmanager
def answered_questions(monkeypatch) -> Iterator[list[bool]]:
    """What the user answers to the next questions, first one first. In testing mode Slicer itself would not ask."""
    waiting: list[bool] = []
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda *_, **__: waiting.pop(0))
    yield waiting
    assert waiting == []


def wait_for(condition: Callable[[], bool], seconds: float = READY_SECONDS) -> bool:
    """Wait without the event loop."""
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.05)
    return condition()


def folders_of(kind: str) -> list[Path]:
    """Folders of "jobs" or "results"."""
    parent = Path(slicer.app.cachePath) / "TotalSegmentatorModule" / kind
    return list(parent.iterdir()) if parent.is_dir() else []
