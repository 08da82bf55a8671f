"""Published steps change labels in place: where memory runs out among them, they begin again with unchanged ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hu_models import block_volume, make_hu_model
from job_recorder import run
from TotalSegmentatorEngine.job.task import SegmentationResult, SegmentationTask
from TotalSegmentatorEngine.pipeline.finishing import published_post
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorWire.messages.model_request import ModelRequest
from TotalSegmentatorWire.messages.options import JobOptions

pytestmark = pytest.mark.usefixtures("fresh_measurements", "one_thread")

KIDNEY = 640


def trunk_in(result: SegmentationResult) -> np.ndarray:
    (trunk,) = (each for each in result.found if each.name == "body_trunc")
    return result.layers[trunk.layer] == trunk.label


@pytest.mark.parametrize("is_asked_by_another", [False, True])
def test_published_steps_that_run_out_of_memory_begin_again_with_the_networks_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_asked_by_another: bool
) -> None:
    """The first half of the steps is not done twice: what it leaves here would not be there a second time."""
    body = (slice(4, 10), slice(4, 10), slice(4, 10))
    volume = block_volume((16, 16, 16), [(body, KIDNEY)], (6.0, 6.0, 6.0))
    make_hu_model(tmp_path, "body-6mm", {"body_trunc": KIDNEY})
    make_hu_model(tmp_path, "abdominal_muscles", {"psoas_major_left": KIDNEY}, (64, 64, 64))
    requests = ["body-6mm", *(["abdominal_muscles"] if is_asked_by_another else [])]
    prepared = prepare(
        SegmentationTask(tuple(map(ModelRequest, requests)), tmp_path, "cpu", JobOptions(runtime="eager"))
    )
    expected = trunk_in(run(volume, prepared)[0])
    seen, apply = [], published_post.apply_published_steps

    def short_once(labels, *arguments, **named):
        seen.append(labels.copy())
        if len(seen) == 1:
            labels[...] = 0
            raise MemoryError
        apply(labels, *arguments, **named)

    monkeypatch.setattr(published_post, "apply_published_steps", short_once)
    result, reported = run(volume, prepared)
    assert reported.warnings == ["MEMORY_FALLBACK"]
    assert np.array_equal(seen[0], seen[1]) and seen[0].any()
    assert np.array_equal(trunk_in(result), expected) and expected.any()
