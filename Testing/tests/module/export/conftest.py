"""Somebody who exports; what needs the desktop is imported late, so that tests without it can be collected."""

from __future__ import annotations

import os
import sys

import pytest


@pytest.fixture
def exporter(user, tmp_path, monkeypatch):
    from export_user import ExportUser
    from TotalSegmentatorModuleLib.background import installed_engine

    somebody = ExportUser(user, tmp_path)
    monkeypatch.setattr(installed_engine, "engine_environment", lambda: somebody.environment)
    return somebody


@pytest.fixture
def real_exporter(user, tmp_path, monkeypatch):
    """With the real export program, and the section open; who is asked before something goes out agrees."""
    import slicer
    from export_user import ExportUser
    from job_support import MARK
    from TotalSegmentatorModuleLib.background import installed_engine
    from TotalSegmentatorModuleLib.background.engine_environment import EngineEnvironment

    environment = EngineEnvironment(sys.executable, {**os.environ, MARK: user.mark})
    monkeypatch.setattr(installed_engine, "engine_environment", lambda: environment)
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda *_, **__: True)
    somebody = ExportUser(user, tmp_path)
    somebody.open_section()
    return somebody


@pytest.fixture
def ready(exporter, monkeypatch):
    """With a result on a CT, and the section open; who is asked before something goes out agrees."""
    import slicer

    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda *_, **__: True)
    exporter.ct = exporter.user.add_ct()
    exporter.node = exporter.add_result(exporter.ct)
    exporter.open_section()
    return exporter


@pytest.fixture
def never_asked(monkeypatch):
    import slicer

    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda *_, **__: pytest.fail("a question was asked"))


@pytest.fixture
def slow_database(monkeypatch):
    """Takes files for ever, until it is told to stop."""
    import ctk

    class Indexer:
        importing = False

        def addListOfFiles(self, database, files, copy):
            self.importing = True
            begun.append(self)

        def cancel(self):
            self.importing = False

    begun: list[Indexer] = []
    monkeypatch.setattr(ctk, "ctkDICOMIndexer", Indexer)
    return begun
