"""Somebody who exports; what needs the desktop is imported late, so that tests without it can be collected."""

from __future__ import annotations

import pytest


@pytest.fixture
def exporter(user, tmp_path, monkeypatch):
    from export_user import ExportUser
    from TotalSegmentatorModuleLib.background import installed_engine

    somebody = ExportUser(user, tmp_path)
    monkeypatch.setattr(installed_engine, "engine_environment", lambda: somebody.environment)
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
