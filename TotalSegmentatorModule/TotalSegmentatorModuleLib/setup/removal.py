"""Remove...: asks what is to go, removes it, and leaves nothing of the module on the disk that was not kept."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _
from TotalSegmentatorWire.edits_file import edits_file
from TotalSegmentatorWire.job_folder import jobs_folder, results_folder, sweep

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.background.task_runner import TaskRunner, ignore
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.setup.changes import SetupChange, SetupChanges
from TotalSegmentatorModuleLib.setup.commands import LOG_FILE, SetupCommand, remove_command, remove_models_command
from TotalSegmentatorModuleLib.setup.fields import SetupFields
from TotalSegmentatorModuleLib.setup.state import SetupState, setup_state
from TotalSegmentatorModuleLib.setup.texts import removal_question
from TotalSegmentatorModuleLib.texts.quantities import size_text

_TIDY_MS = 200
_TIDY_ATTEMPTS = 50
"""The engine that was just ended, and runs of the set-up, still have folders for a moment."""
_LOGS = (LOG_FILE, "export.log", "comparison.log")
"""Of the set-up, of exports and of comparisons."""
_OWN_MODEL = "own:"


@dataclass(frozen=True)
class RemovalChoice:
    """What the user wants to remove."""

    engine: bool
    catalogue_models: bool
    own_models: tuple[str, ...] = ()
    """Names of their folders."""
    settings: bool = False

    @property
    def removes_something(self) -> bool:
        return self.engine or self.catalogue_models or bool(self.own_models) or self.settings

    def command(self, state: SetupState) -> SetupCommand | None:
        """The command that does it; None where only the settings go."""
        if self.engine:
            return remove_command(self.catalogue_models, self.own_models)
        models = (*(state.model_ids if self.catalogue_models else ()), *self.own_models)
        return remove_models_command(models) if models else None


class Removal:
    """The button Remove... ``on_done`` gets a sentence when something was removed."""

    def __init__(
        self, button: qt.QPushButton, changes: SetupChanges, fields: SetupFields, on_done: Callable[[str], None]
    ) -> None:
        self._changes = changes
        self._fields = fields
        self._on_done = on_done
        self._tidying = TaskRunner(Ticker, settings.work_folder())
        button.connect("clicked(bool)", self._on_remove)

    def close(self) -> None:
        self._tidying.dispose()

    def _on_remove(self) -> None:
        state = setup_state()
        choice = ask_removal(state)
        if choice is None or not choice.removes_something:
            return
        command = choice.command(state)
        if command is None:
            self._finish(choice)
            return
        self._changes.run(
            SetupChange(_("Removing"), lambda: command, lambda _output: self._finish(choice), touches_engine=True)
        )

    def _finish(self, choice: RemovalChoice) -> None:
        work_folder = settings.work_folder()
        self._on_done(_removed_text(choice))
        if choice.settings:
            settings.forget_all()
            self._fields.show_defaults()
        if choice.engine:
            _remove_logs(work_folder)
            self._tidying.stop()
            self._tidying.start(_tidy(work_folder), ignore)


def ask_removal(state: SetupState) -> RemovalChoice | None:
    """Ask what is to go; None where nothing is. What cannot be downloaded again is kept unless it is ticked.

    In testing mode Slicer does not ask, and what is ticked from the beginning goes.
    """
    has_engine, has_models = bool(state.engine_bytes), bool(state.models)
    question = removal_question(state)
    title = _("Remove engine and models?")
    if slicer.app.testingEnabled():
        is_confirmed = slicer.util.confirmOkCancelDisplay(question, windowTitle=title)
        return RemovalChoice(True, True) if is_confirmed else None
    dialog = _RemovalDialog(title, question)
    if has_engine:
        text = _("The engine's packages ({size})").format(size=size_text(state.engine_bytes))
        dialog.add_box("engine", text, str(settings.engines_folder()), True)
    if has_models:
        text = _("Downloaded models ({count}, {size})").format(
            count=len(state.models), size=size_text(state.model_bytes)
        )
        dialog.add_box("models", text, "\n".join(state.models), True)
    for model in state.own_models:
        text = _("Your own model {name} ({size})").format(name=model.name, size=size_text(model.bytes))
        dialog.add_box(_OWN_MODEL + model.name, text, str(model.folder), False)
    if settings.keys() or settings.review_times_file().exists() or edits_file().exists():
        text = _("The settings of this module, such as folders and proxy, and the times and edits of reviews")
        dialog.add_box("settings", text, "", False)
    ticked = dialog.ask()
    if ticked is None:
        return None
    own = tuple(model.name for model in state.own_models if _OWN_MODEL + model.name in ticked)
    return RemovalChoice("engine" in ticked, "models" in ticked, own, "settings" in ticked)


class _RemovalDialog:
    """A question, boxes to tick, Remove and Cancel; Enter and Escape cancel."""

    def __init__(self, title: str, question: str) -> None:
        self._dialog = qt.QDialog(slicer.util.mainWindow())
        self._dialog.setWindowTitle(title)
        self._layout = qt.QVBoxLayout(self._dialog)
        label = qt.QLabel(question)
        label.setWordWrap(True)
        label.setMinimumWidth(360)
        self._layout.addWidget(label)
        self._boxes: dict[str, qt.QCheckBox] = {}

    def add_box(self, name: str, text: str, tool_tip: str, is_ticked: bool) -> None:
        """``name`` tells the box apart, as the object's name too."""
        box = qt.QCheckBox(text)
        box.objectName = name
        box.toolTip = tool_tip
        box.setChecked(is_ticked)
        self._layout.addWidget(box)
        self._boxes[name] = box

    def ask(self) -> set[str] | None:
        """The names of the ticked boxes; None where the user cancels."""
        buttons = qt.QDialogButtonBox()
        remove = buttons.addButton(_("Remove"), qt.QDialogButtonBox.AcceptRole)
        cancel = buttons.addButton(qt.QDialogButtonBox.Cancel)
        remove.setAutoDefault(False)
        cancel.setDefault(True)
        buttons.connect("accepted()", self._dialog.accept)
        buttons.connect("rejected()", self._dialog.reject)
        self._layout.addWidget(buttons)
        answer = self._dialog.exec_()
        ticked = {name for name, box in self._boxes.items() if box.checked}
        self._dialog.deleteLater()
        return ticked if answer == qt.QDialog.Accepted else None


def _removed_text(choice: RemovalChoice) -> str:
    if not (choice.engine and choice.catalogue_models):
        return _("What you chose was removed.")
    if setup_state().own_models:
        return _("The engine and the downloaded models were removed. Your own models were kept.")
    return _("The engine and the models were removed.")


def _tidy(work_folder: Path) -> Generator[int, None, None]:
    """A task: removes the logs and the folders of runs that have ended. Results that wait for their import stay."""
    for _attempt in range(_TIDY_ATTEMPTS):
        sweep(work_folder)
        _remove_logs(work_folder)
        for folder in (jobs_folder(work_folder), results_folder(work_folder), work_folder):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        if not work_folder.exists():
            return
        yield _TIDY_MS


def _remove_logs(work_folder: Path) -> None:
    for log in _LOGS:
        (work_folder / log).unlink(missing_ok=True)
