"""Remove...: what the panel asks, what it keeps, and that nothing of the module is left on the disk.

The real set-up removes; what was installed are small files with the same records.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from fake_setup import put_engine

CATALOGUE_MODEL = "104-3mm"


@pytest.fixture
def installed(installer, monkeypatch, without_engine):
    """A computer with the engine, a model of the catalogue and two of the user's own; returns the panel's user."""
    from TotalSegmentatorModuleLib.setup import commands

    cache = installer.folder / "cache"
    cache.mkdir()
    (cache / "machine-12ab.json").write_text("{}", encoding="utf-8")
    environment = {**os.environ, "TOTALSEGMENTATOR_CACHE": str(cache)}
    real = commands.SetupProgram(sys.executable, environment)
    monkeypatch.setattr(commands, "setup_program", lambda: real)
    put_engine(installer.folder / "engine")
    put_models(installer.folder / "models")
    installer.open_section()
    return installer


def put_models(folder):
    from TotalSegmentatorWire.tables.catalogue import read_catalogue

    model = read_catalogue()[CATALOGUE_MODEL]
    records = []
    for leaf in (*model.part_folders(folder), folder / "Dataset777_Mine" / "t", folder / "Dataset778_Other" / "t"):
        leaf.mkdir(parents=True)
        (leaf / "plans.json").write_text("{}", encoding="utf-8")
        (leaf / "weights").write_bytes(b"0" * 3_000_000)
        is_own = "Mine" in leaf.parent.name or "Other" in leaf.parent.name
        record = {"name": leaf.parent.name, "model": None if is_own else model.id, "archive_sha256": None}
        records.append({**record, "source": "folder", "installed": "", "files": {"t/weights": [3_000_000, "0"]}})
    (folder / "installed.json").write_text(json.dumps({"version": 1, "parts": records}), encoding="utf-8")


class Answer:
    """Somebody at the dialog: ``boxes`` are ticked or not, then ``answer`` is clicked."""

    def __init__(self, answer: int, **boxes: bool) -> None:
        self.answer, self.boxes = answer, boxes
        self.seen: dict[str, bool] = {}
        self.text = ""

    def __call__(self, dialog):
        import qt

        self.text = "\n".join(label.text for label in dialog.findChildren(qt.QLabel))
        for box in dialog.findChildren(qt.QCheckBox):
            self.seen[box.objectName] = box.checked
            self.text += "\n" + box.text
            box.setChecked(self.boxes.get(box.objectName.replace("own:", ""), box.checked))
        return self.answer


@contextlib.contextmanager
def at_the_dialog(installer, answer):
    with installer.app.everyday_mode(answer):
        installer.app.click(installer.ui.setup.removeButton)
        yield


def remains(installer):
    """Files of the product: engine, models, caches, logs and job folders."""
    work = Path(slicer.app.cachePath) / "TotalSegmentatorModule"
    folders = [installer.folder / name for name in ("engine", "models", "cache")]
    return sorted(str(path) for top in (*folders, work) for path in (top, *top.rglob("*")) if path.exists())


def test_own_models_are_shown_with_size_and_place_and_counted(installed):
    ui = installed.ui.setup
    details = ui.detailsLabel.text
    assert "the engine and 3 models" in ui.stateLabel.text
    for name in ("Dataset777_Mine", "Dataset778_Other"):
        assert "{}, 3 MB, in {}".format(name, installed.folder / "models" / name) in details
    assert "models 9 MB" in details


def test_cancelling_the_dialog_removes_nothing(installed):
    import qt

    before = remains(installed)
    with at_the_dialog(installed, Answer(qt.QDialog.Rejected, Dataset777_Mine=True)):
        pass
    assert remains(installed) == before


def test_own_models_are_asked_about_by_name_and_kept_by_default(installed):
    import qt

    answer = Answer(qt.QDialog.Accepted)
    with at_the_dialog(installed, answer):
        installed.wait(lambda: "own models were kept" in installed.ui.setup.noteLabel.text)

    assert answer.seen["own:Dataset777_Mine"] is answer.seen["own:Dataset778_Other"] is False
    assert answer.seen["engine"] is answer.seen["models"] is True
    assert "Dataset777_Mine (3 MB)" in answer.text and "your own presets are kept" in answer.text
    assert "0 MB" not in answer.text
    installed.wait(lambda: not (Path(slicer.app.cachePath) / "TotalSegmentatorModule").exists())
    own = [str(installed.folder / "models" / name) for name in ("Dataset777_Mine", "Dataset778_Other")]
    others = [path for path in remains(installed) if not path.startswith(tuple(own))]
    assert others == [str(installed.folder / "models"), str(installed.folder / "models" / "installed.json")]
    assert "Dataset777_Mine" in installed.ui.setup.detailsLabel.text
    assert installed.ui.setup.removeButton.enabled


def test_after_everything_was_ticked_nothing_is_left(installed):
    import qt
    from TotalSegmentatorModuleLib import settings
    from TotalSegmentatorModuleLib.setup.commands import log_path

    log_path().parent.mkdir(parents=True, exist_ok=True)
    log_path().write_text("set-up\n", encoding="utf-8")
    installed.ui.setup.proxyLineEdit.setText("http://proxy.example:8080")
    answer = Answer(qt.QDialog.Accepted, Dataset777_Mine=True, Dataset778_Other=True, settings=True)
    with at_the_dialog(installed, answer):
        installed.wait(lambda: "removed" in installed.ui.setup.noteLabel.text)

    assert answer.seen["settings"] is False
    installed.wait(lambda: remains(installed) == [])
    assert settings.keys() == []
    assert installed.ui.setup.proxyLineEdit.text == ""
    assert not installed.ui.setup.removeButton.enabled


def test_one_own_model_can_be_removed_alone_and_another_one_is_chosen_then(installed):
    import qt

    own = installed.folder / "models" / "Dataset777_Mine"
    installed.user.choose_model_folder(str(own / "t"))
    with at_the_dialog(installed, Answer(qt.QDialog.Accepted, engine=False, models=False, Dataset777_Mine=True)):
        installed.wait(lambda: "removed" in installed.ui.setup.noteLabel.text)

    assert not own.exists()
    assert (installed.folder / "models" / "Dataset778_Other").is_dir()
    assert (installed.folder / "engine" / "py3.11-fake-0123456789ab").is_dir()
    assert installed.user.parameters.model == CATALOGUE_MODEL
    assert "Dataset777_Mine" not in installed.ui.setup.detailsLabel.text
    assert "models 6 MB" in installed.ui.setup.detailsLabel.text


def test_settings_alone(installed):
    import qt
    from TotalSegmentatorModuleLib import settings

    installed.ui.setup.indexUrlLineEdit.setText("https://index.example/simple")
    times = settings.review_times_file()
    times.parent.mkdir(parents=True)
    times.write_text('{"seconds": {"liver": 5}}', encoding="utf-8")
    with at_the_dialog(installed, Answer(qt.QDialog.Accepted, engine=False, models=False, settings=True)):
        pass

    assert settings.keys() == []
    assert not times.parent.exists()
    assert (installed.folder / "engine" / "py3.11-fake-0123456789ab").is_dir()


def test_diagnostics_ask_about_the_model_in_use(installer):
    installer.user.add_ct()
    installer.user.choose_model_folder("/somewhere/Dataset777_Mine/t")
    installer.open_section()
    installer.app.click(installer.ui.setup.diagnosticsButton)
    installer.wait(lambda: "clipboard" in installer.ui.setup.noteLabel.text)

    (call,) = (call for call in installer.calls if call[0] == "doctor")
    assert call[call.index("--model") + 1] == "/somewhere/Dataset777_Mine/t"
