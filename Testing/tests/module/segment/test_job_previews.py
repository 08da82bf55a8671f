"""The preview of a job on its way from the worker: complete, of an id of its own, and no matter of the job's end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from job_support import FakeCt, model_settings
from time_bounds import READY_SECONDS
from TotalSegmentatorModuleLib.segment.job_attempt import Attempt
from TotalSegmentatorWire.job_folder import read_owner
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.segment import FinishedEvent, PreviewEvent, ResultHeader, Stage

SETTINGS = model_settings(json.dumps({}), Path("models"), options=JobOptions(preview=True))


def test_preview_lies_complete_while_the_job_goes_on(make_application, tmp_path):
    (tmp_path / "hold").touch()
    application, ct = make_application(hold=str(tmp_path / "hold")), FakeCt()
    shown: list[tuple[ResultHeader, np.ndarray, set[str]]] = []

    def look(header, layers) -> None:
        (folder,) = application.result_folders()
        assert (folder.name, read_owner(folder) is not None) == (header.job_id, True)
        shown.append((header, layers[0], {path.name for path in folder.iterdir()}))

    application.apply_with(ct, SETTINGS, look)
    application.run_until(lambda: bool(shown))
    ((header, labels, files),) = shown
    (job,) = application.job_folders()
    assert header.preview_of == job.name != header.job_id
    assert files == {"labels.raw", "result.json", "computed.json", "owner.json"}
    assert header.found[0].digest
    expected = (ct.array > 0).astype(np.uint8)
    expected[0] = 0
    assert np.array_equal(labels, expected)
    assert application.is_busy
    (tmp_path / "hold").unlink()
    application.run_until_idle()
    ((result, _labels),) = application.listener.results
    assert (result.job_id, result.preview_of) == (job.name, None)
    fractions = [fraction for fraction, _stage in application.listener.progress]
    assert fractions == sorted(fractions)
    assert Stage.PREVIEWING in application.listener.stages
    application.run_until(lambda: not application.result_folders())


def test_a_preview_that_cannot_be_imported_is_told_and_the_job_goes_on(make_application, tmp_path):
    def fail(_header, _layers) -> None:
        raise ValueError

    (tmp_path / "hold").touch()
    application = make_application(hold=str(tmp_path / "hold"))
    application.apply_with(FakeCt(), SETTINGS, fail)
    application.run_until(lambda: bool(application.listener.warnings))
    assert [problem.code for problem in application.listener.warnings] == ["PREVIEW_FAILED"]
    (tmp_path / "hold").unlink()
    application.run_until_idle()
    assert len(application.listener.results) == 1


def test_nothing_is_left_of_a_preview_that_is_told_together_with_the_end(make_application, monkeypatch):
    told, new_events = [], Attempt.new_events

    def together(attempt) -> list:
        told.extend(new_events(attempt))
        return told if any(isinstance(event, FinishedEvent) for event in told) else []

    monkeypatch.setattr(Attempt, "new_events", together)
    application, taken = make_application(), []
    application.apply_with(FakeCt(), SETTINGS, lambda header, _layers: taken.append(header))
    application.run_until_idle()
    assert any(isinstance(event, PreviewEvent) for event in told)
    assert (len(application.listener.results), taken) == (1, [])
    application.run_until(lambda: not application.result_folders(), READY_SECONDS)


def test_nothing_is_left_of_a_preview_that_comes_after_cancel(make_application, monkeypatch, tmp_path):
    (tmp_path / "hold").touch()
    application, taken = make_application(hold=str(tmp_path / "hold")), []
    with monkeypatch.context() as unheard:
        unheard.setattr(Attempt, "new_events", lambda _attempt: [])
        application.apply_with(FakeCt(), SETTINGS, lambda header, _layers: taken.append(header))
        application.run_until(lambda: bool(application.manager.unimported_results()))
    application.cancel()
    application.run_until_idle()
    assert (application.listener.cancelled, taken) == (1, [])
    application.run_until(lambda: not application.result_folders(), READY_SECONDS)
