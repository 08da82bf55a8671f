"""What was exported goes into Slicer's DICOM database while Slicer can be used, and it is told whether it is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import pydicom
import slicer
from export_support import write_ct_series
from time_bounds import BLOCK_SECONDS
from TotalSegmentatorEngine.imaging.geometry import Geometry

SLICES = 200


@pytest.fixture
def series(tmp_path):
    grid = Geometry((SLICES, 8, 8), np.diag([-1.0, -1.0, 1.0, 1.0]))
    return write_ct_series(tmp_path / "CT", np.zeros(grid.shape, np.int16), grid)


class Import:
    """Follows one import from Qt's event loop."""

    def __init__(self, app, paths, is_cancelled: bool = False) -> None:
        from TotalSegmentatorModuleLib.background.task_runner import TaskRunner
        from TotalSegmentatorModuleLib.export.dicom_database import add_to_database
        from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker

        self.result: bool | None = None
        self.turns = 0
        runner = TaskRunner(Ticker, Path(), tidy_up=self._count)
        runner.start(add_to_database(paths), self._on_end)
        app.reset_block_clock()
        if is_cancelled:
            assert app.wait_until(lambda: self.turns > 0, 60.0)
            runner.cancel()
        assert app.wait_until(lambda: self.result is not None, 60.0)
        self.longest_block = app.longest_block_ms() / 1000

    def _count(self) -> None:
        self.turns += 1

    def _on_end(self, end) -> None:
        self.result = end.result


def uids(folder) -> list[str]:
    return [str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in sorted(folder.iterdir())]


def test_a_series_goes_in_without_holding_slicer_up(app, series):
    done = Import(app, [series])

    assert done.result is True
    assert done.turns > 2
    assert done.longest_block < BLOCK_SECONDS
    files = [slicer.dicomDatabase.fileForInstance(uid) for uid in uids(series)]
    assert all(files) and len(set(files)) == SLICES
    assert not any(file.startswith(str(series)) for file in files)  # copies


def test_one_refused_file_of_many_is_noticed(app, series, caplog):
    (series / "zzz.dcm").write_bytes(b"no image")

    assert Import(app, [series]).result is False
    assert all(slicer.dicomDatabase.fileForInstance(uid) for uid in uids_without(series, "zzz.dcm"))
    assert "did not take 1 of" in caplog.text


def uids_without(folder, name: str) -> list[str]:
    (folder / name).unlink()
    return uids(folder)


def test_an_import_that_is_cancelled_ends_at_once(app, series):
    done = Import(app, [series], is_cancelled=True)

    assert done.result is False
    assert not slicer.dicomDatabase.fileForInstance(uids(series)[-1])


def test_a_database_that_fails_is_logged(app, series, monkeypatch, caplog):
    import ctk

    def fail(*_):
        raise RuntimeError("database is locked")

    monkeypatch.setattr(ctk.ctkDICOMIndexer, "addListOfFiles", fail)
    assert Import(app, [series]).result is False
    assert "database is locked" in caplog.text


@pytest.fixture
def modules(monkeypatch):
    """``slicer.modules`` of a Slicer without any plugin; a test adds what an extension would."""
    import importlib.metadata

    class Modules:
        def __init__(self) -> None:
            self.dicomPlugins = {"DICOMScalarVolumePlugin": object}

    def no_distribution(name: str):
        raise importlib.metadata.PackageNotFoundError(name)

    modules = Modules()
    monkeypatch.setattr(slicer, "modules", modules)
    monkeypatch.setattr(importlib.metadata, "distribution", no_distribution)
    return modules


def test_it_is_said_what_opens_a_structure_set(app, modules):
    from TotalSegmentatorModuleLib.export.reopening import reopening_text

    assert reopening_text("RTSTRUCT") == "To open it in Slicer, first install the extension SlicerRT."
    modules.dicomPlugins["DicomRtImportExportPlugin"] = object
    assert "first install the extension SlicerRT" in reopening_text("RTSTRUCT")  # its module could not be loaded
    modules.dicomrtimportexport = object()
    assert reopening_text("RTSTRUCT") == "To open it again, load its series in the DICOM module."


@pytest.mark.parametrize("slicer_version", ["5.10", "5.12"])
def test_it_is_said_what_opens_a_segmentation(app, modules, slicer_version, monkeypatch):
    import importlib.metadata

    from TotalSegmentatorModuleLib.export.reopening import reopening_text

    assert reopening_text("SEG") == "To open it in Slicer, first install the extension QuantitativeReporting."
    modules.dicomPlugins["DICOMSegmentationPlugin"] = object
    assert "dcmqi is missing" in reopening_text("SEG")
    if slicer_version == "5.10":
        modules.segimage2itkimage = object()  # a command-line module of the extension DCMQI
    else:
        monkeypatch.setattr(importlib.metadata, "distribution", lambda name: name)
    assert reopening_text("SEG") == "To open it again, load its series in the DICOM module."


def test_it_is_said_what_opens_a_measurement_report(app, modules):
    from TotalSegmentatorModuleLib.export.reopening import reopening_text

    modules.dicomPlugins["DICOMTID1500Plugin"] = object
    assert reopening_text("SR") == "To open it in Slicer, first install the extension QuantitativeReporting."
    modules.tid1500reader = object()  # a command-line module of the extension DCMQI
    assert reopening_text("SR") == "To open it again, load its series in the DICOM module."


def test_a_slicer_without_any_plugin_is_no_error(app, modules):
    from TotalSegmentatorModuleLib.export.reopening import reopening_text

    del modules.dicomPlugins
    assert "SlicerRT" in reopening_text("RTSTRUCT")


def test_nothing_is_not_a_success(app, tmp_path):
    assert Import(app, [tmp_path]).result is False
