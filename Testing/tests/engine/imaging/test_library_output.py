"""What libraries print goes to the log, once, and never to the terminal."""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from pathlib import Path

import ct_variants
import numpy as np
import pydicom
import pytest
from reading_support import RAS_GRID, moved, small_ct
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.ct_input.reading import read_input
from TotalSegmentatorEngine.imaging.library_output import library_lines
from TotalSegmentatorWire.command.log_text import LogFormatter


def print_natively(text: str) -> None:
    """As a C library does: past Python, to the process's standard error."""
    os.write(2, text.encode())


def test_native_lines_are_kept_from_the_terminal_and_logged_once(capfd, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with library_lines() as lines:
        for _ in range(3):
            print_natively("Corrupt JPEG data\n")
        print_natively("\n")
    print_natively("after\n")
    assert lines == ["Corrupt JPEG data"] * 3
    assert capfd.readouterr().err == "after\n"
    (record,) = caplog.records
    assert record.getMessage() == "a library says: Corrupt JPEG data (3 times)"


def test_what_a_line_quotes_is_not_logged(capfd, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with library_lines():
        print_natively("cannot read \"Smith^John\" in 'Smith' [Smith^J]\n")
    assert "Smith" not in caplog.text
    assert "cannot read" in caplog.text


def test_python_warnings_are_logged_by_kind_and_place(capfd, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with library_lines():
        for _ in range(2):
            warnings.warn("the value of Smith^John is odd", UserWarning, stacklevel=1)
    assert capfd.readouterr().err == ""
    (record,) = caplog.records
    assert record.getMessage().startswith("a library says: UserWarning in test_library_output.py, line ")
    assert record.getMessage().endswith("(2 times)")


def test_the_log_of_another_thread_goes_on(capfd) -> None:
    """The worker's log is its standard error; its thread of requests may write while the CT is read."""
    handler = logging.StreamHandler(sys.__stderr__)
    handler.stream = os.fdopen(os.dup(2), "w")  # not pytest's; the descriptor is what counts
    record = logging.LogRecord("name", logging.INFO, "path", 1, "a request came", None, None)
    text = LogFormatter().format(record) + "\n"
    with library_lines() as lines:
        thread = threading.Thread(target=print_natively, args=(text,))
        thread.start()
        thread.join()
    handler.stream.close()
    assert lines == []
    assert capfd.readouterr().err == text


def test_an_exception_goes_through_and_blocks_may_lie_in_each_other(capfd) -> None:
    with pytest.raises(ValueError, match="through"), library_lines() as outer:
        with library_lines() as inner:
            print_natively("inner\n")
        print_natively("outer\n")
        raise ValueError("through")
    assert (inner, outer) == (["inner"], ["outer"])
    assert capfd.readouterr().err == ""


def odd_series(folder: Path) -> Path:
    """pydicom warns about its values, ITK about its steps; it is sound otherwise."""

    def edit(dataset: pydicom.Dataset, number: int) -> None:
        moved({3: (0, 0, 0.05)})(dataset, number)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset.SeriesInstanceUID = dataset.StudyInstanceUID = "1.2.3.04.x"
            dataset.StudyDate, dataset.SliceThickness = "not a date", "1.234567890123456789"

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ct_variants.write_dicom_series(folder, small_ct(), RAS_GRID, edit)


def test_reading_an_odd_series_prints_nothing(tmp_path: Path, capfd, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read_input(odd_series(tmp_path / "ct"))
    assert caught == []
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")
    said = [record.getMessage() for record in caplog.records if "a library says" in record.getMessage()]
    assert said and len(said) == len(set(said))


def test_a_command_sends_warnings_to_its_log(tmp_path: Path, capfd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever library warns, and wherever: here it is the preparation of the model."""
    from TotalSegmentatorEngine.pipeline import run_job

    def prepare(task):
        for _ in range(3):
            warnings.warn("Smith^John", UserWarning, stacklevel=1)
        raise MemoryError

    monkeypatch.setattr(run_job, "prepare", prepare)
    ct = ct_variants.write_image(tmp_path / "ct.nii", np.int16(small_ct()), RAS_GRID)
    log = tmp_path / "log.txt"
    main(["segment", str(ct), str(tmp_path / "out.nii.gz"), "--model", "m", "--log", str(log)])
    assert "Smith" not in capfd.readouterr().err
    written = log.read_text(encoding="utf-8")
    assert written.count("UserWarning in test_library_output.py") == 1
    assert "Smith" not in written
