"""A job in two halves, as a run over many CTs does it: what is done before and after the networks by other threads."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from engine_support import blobs_volume
from one_model import model_task
from seeded_models import configuration_settings, make_model_folder, plans_of
from TotalSegmentatorEngine.ct_input.reading import ReadInput
from TotalSegmentatorEngine.job.reporting import SilentReporter
from TotalSegmentatorEngine.pipeline import preprocessed_ct, run_job, segmentation
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.user_folders import cache_folder

pytestmark = pytest.mark.usefixtures("one_thread")


def test_labels_are_the_same_and_the_ct_is_resampled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ahead in one thread, as where the networks run on a GPU; the second half in another."""
    folder = make_model_folder(tmp_path / "D", plans=plans_of(configuration_settings(spacing=(3.0, 3.0, 3.0))))
    task = model_task(str(folder), Path(), options=JobOptions(profile="totalsegmentator-2.18", runtime="eager"))
    prepared, volume = prepare(task), blobs_volume((20, 24, 22), (3.0, 2.5, 2.0))
    whole = run_job.segment(volume, prepared, EngineCache(), SilentReporter())
    resampled = []
    make = preprocessed_ct.oriented_image

    def noted(*arguments):
        resampled.append(threading.current_thread().name)
        return make(*arguments)

    monkeypatch.setattr(preprocessed_ct, "oriented_image", noted)
    cache = EngineCache()
    assert run_job.resample_ahead(volume, prepared, SilentReporter()) is None, "on a processor it does not pay"
    monkeypatch.setattr(segmentation, "runs_on_gpu", lambda device: True)
    keep = _in_thread(lambda: run_job.resample_ahead(volume, prepared, SilentReporter()))
    cache.remember_ct("one", ReadInput(volume))
    keep(cache)
    finish = run_job.predict(volume, prepared, cache, SilentReporter(), learns=False)
    cache.forget_ct()
    halves = _in_thread(finish)
    assert np.array_equal(halves.layers[0], whole.layers[0])
    assert [each.voxels for each in halves.found] == [each.voxels for each in whole.found]
    assert resampled == ["other"]


def test_what_runs_beside_other_jobs_teaches_the_plans_nothing(tmp_path: Path) -> None:
    folder = make_model_folder(tmp_path / "D")
    prepared = prepare(model_task(str(folder), Path(), options=JobOptions(runtime="eager")))
    volume = blobs_volume((20, 24, 22), (3.0, 3.0, 3.0))
    known = _measurements()
    run_job.predict(volume, prepared, EngineCache(), SilentReporter(), learns=False)()
    assert _measurements() == known
    run_job.predict(volume, prepared, EngineCache(), SilentReporter())()
    assert _measurements() != known


def _measurements() -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted(cache_folder().glob("machine-*.json"))]


def _in_thread(work):
    made = []
    thread = threading.Thread(target=lambda: made.append(work()), name="other")
    thread.start()
    thread.join()
    return made[0]
