"""A structure that is clicked in the tree is asked for first, of the job that runs or of the next one, in the stand-in
desktop."""

from __future__ import annotations

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import json

from fake_setup import put_models
from time_bounds import READY_SECONDS
from TotalSegmentatorWire.messages.segment import Stage
from TotalSegmentatorWire.tables.catalogue import read_catalogue
from TotalSegmentatorWire.user_folders import default_models_folder


def row_of(user, title: str):
    """Index of a structure in the open tree."""
    import qt

    model = user.ui.inputs.structuresTreeView.model()

    def search(above):
        for row in range(model.rowCount(above)):
            index = model.index(row, 0, above)
            found = search(index) if model.rowCount(index) else (index if model.data(index) == title else None)
            if found is not None:
                return found
        return None

    found: list = []
    assert user.app.wait_until(lambda: found.append(search(qt.QModelIndex())) or found[-1] is not None, READY_SECONDS)
    return found[-1]


def click(user, title: str) -> None:
    user.ui.inputs.structuresTreeView.clicked.emit(row_of(user, title))
    user.app.process_events()


def start_job(user, monkeypatch, act: str) -> None:
    """For two structures, until it does the ``act``; the tree is open."""
    from TotalSegmentatorModuleLib.panel.inputs import InputsSection
    from TotalSegmentatorWire.messages.model_request import ModelRequest

    put_models(read_catalogue(), default_models_folder())
    user.app.leave_module()
    user.app.enter_module()
    user.add_ct()
    request = ModelRequest(json.dumps({"stage": Stage.PREDICTING, "act": act}), ("spleen", "liver"))
    monkeypatch.setattr(InputsSection, "requests", lambda _inputs, _structures=None: (request,))
    user.app.click(user.ui.inputs.treeButton)
    user.click_apply()
    user.wait_for_stage("Segmenting")


def test_a_click_in_the_tree_is_a_wish_while_a_job_runs(user, monkeypatch):
    start_job(user, monkeypatch, "until clicked")
    hint, tree = user.ui.inputs.structuresHintLabel, user.ui.inputs.structuresTreeView
    chosen = user.parameters.structures
    assert tree.enabled and tree.toolTip and not hint.visible
    assert "computed next" in tree.toolTip
    click(user, "spleen")
    assert hint.visible and "spleen" in hint.text and "together at the end" in hint.text
    user.wait_until_ready()
    log = user.ui.log.textEdit
    assert log.toPlainText().count("asked first: spleen") == 1
    assert user.parameters.structures == chosen
    assert not hint.visible and "computed next" not in tree.toolTip

    user.run_job()
    assert user.error_code == ""
    assert log.toPlainText().count("asked first: spleen") == 2, "what was clicked before Apply comes first, too"


@pytest.mark.parametrize(
    ("act", "title"),
    [pytest.param("slow", "spleen", id="one network"), pytest.param("until clicked", "trachea", id="not of the job")],
)
def test_nothing_is_said_of_a_click_that_changes_nothing(user, monkeypatch, act, title):
    start_job(user, monkeypatch, act)
    click(user, title)
    assert not user.ui.inputs.structuresHintLabel.visible
