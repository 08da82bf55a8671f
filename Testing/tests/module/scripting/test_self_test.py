"""The self-test that *Reload and Test* runs in Slicer, here in the stand-in desktop, and what it says where it cannot
run; the sample data that it looks for."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest import SkipTest

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from panel_support import MODULE
from places import TESTING
from TotalSegmentatorWire.errors.problem import SegmentationError


@pytest.fixture
def sample_data(monkeypatch) -> list[dict]:
    """Slicer's module Sample Data, which keeps what is registered."""
    registered: list[dict] = []
    slicer.modules.sampleDataSources = {}

    def register(category: str, **source) -> None:
        registered.append(source)
        slicer.modules.sampleDataSources.setdefault(category, []).append(SimpleNamespace(**source))

    module = ModuleType("SampleData")
    module.SampleDataLogic = SimpleNamespace(registerCustomSampleDataSource=register)
    monkeypatch.setitem(sys.modules, "SampleData", module)
    return registered


class Messages(list):
    """What a self-test shows, in the place of its TestCase."""

    def delayDisplay(self, text: str) -> None:
        self.append(text)

    def skipTest(self, reason: str) -> None:
        raise SkipTest(reason)


def test_sample_data_have_address_checksum_licence_and_thumbnail(app, sample_data):
    app.load_module(MODULE)
    slicer.app.startupCompleted.emit()
    (sample,) = sample_data
    digest = sample["checksums"].removeprefix("SHA256:")
    assert len(digest) == 64 and sample["uris"].startswith("https://") and sample["uris"].endswith(digest)
    assert "CC BY-SA 4.0" in sample["sampleName"]
    assert Path(sample["thumbnailFileName"]).read_bytes().startswith(b"\x89PNG")
    assert "CC BY-SA 4.0" in slicer.modules.totalsegmentatormodule.acknowledgementText


def test_without_the_clone_the_segmentation_is_skipped_with_the_reason(app, tmp_path):
    from TotalSegmentatorModuleLib.demo_check import check_demo_segmentation

    with pytest.raises(SkipTest, match="only in a clone"):
        check_demo_segmentation(Messages(), None, tmp_path)


def test_without_the_engine_the_segmentation_is_skipped_with_the_reason(app):
    from TotalSegmentatorModuleLib.demo_check import check_demo_segmentation

    closed = []

    def process(*_arguments, **_options):
        raise SegmentationError("ENGINE_MISSING", package="torch")

    logic = SimpleNamespace(process=process, close=lambda: closed.append(True))
    with pytest.raises(SkipTest, match="No segmentation was tested"):
        check_demo_segmentation(Messages(), logic, TESTING)
    assert closed == [True]


@pytest.fixture
def own_packages():
    """Puts our packages back after a reload, since other tests hold classes of theirs."""
    before = {name: module for name, module in sys.modules.items() if name.startswith("TotalSegmentator")}
    yield
    for name in [name for name in sys.modules if name.startswith("TotalSegmentator")]:
        del sys.modules[name]
    sys.modules.update(before)


@pytest.mark.slow  # the demo model's network runs, in a process that imports torch
def test_reload_and_test_passes_in_a_clone_and_leaves_nothing(app, sample_data, own_packages):
    app.open_module(MODULE)
    slicer.app.startupCompleted.emit()

    slicer.modules.TotalSegmentatorModuleWidget.onReloadAndTest()

    widget = slicer.modules.TotalSegmentatorModuleWidget
    (node,) = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert node.GetSegmentation().GetSegment("liver") is not None
    assert not widget.logic.is_busy
    assert not list(Path(slicer.app.cachePath).rglob("ct.raw"))
