"""Which runs are worth a try in reduced precision, by what tiles have taken."""

from __future__ import annotations

import pytest
from seeded_models import make_model_folder
from TotalSegmentatorEngine.machine.profile import MachineProfile
from TotalSegmentatorEngine.models.model_folder import ModelFolder, architecture_key, read_model_folder
from TotalSegmentatorEngine.plan import automatic_precision
from TotalSegmentatorEngine.plan.automatic_precision import may_be_reduced
from TotalSegmentatorWire.messages.options import JobOptions

EXACT_SECONDS = 3.5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    return read_model_folder(make_model_folder(tmp_path_factory.mktemp("models") / "D"))


@pytest.mark.parametrize(
    ("tiles", "share", "is_tried"),
    [
        (8, None, False),
        (8, 1 / 3, False),
        (27, None, True),
        (27, 1 / 3, True),
        (27, 0.73, False),
        (200, 0.73, True),
        (200, 0.8, False),
    ],
)
def test_it_is_tried_where_it_saves_more_than_its_check_takes(
    folder: ModelFolder, monkeypatch: pytest.MonkeyPatch, tiles: int, share: float | None, is_tried: bool
) -> None:
    """``share``: of the time of an exact tile; None: it has never run here, on a processor with AMX. Of 8 tiles, 2 are
    computed both ways before the run and after it, so that even a third saves nothing."""
    monkeypatch.setattr(automatic_precision, "has_bf16", lambda: True)
    monkeypatch.setattr(automatic_precision, "has_amx", lambda: True)
    machine, key = MachineProfile(), architecture_key(folder)
    machine.remember_network(key, "openvino", "exact", "cpu", EXACT_SECONDS, EXACT_SECONDS, 9)
    if share is not None:
        machine.remember_network(key, "openvino", "reduced", "cpu", share * EXACT_SECONDS, share * EXACT_SECONDS, 2)
    assert may_be_reduced(JobOptions(), folder, tiles, "cpu", "openvino", machine) == is_tried
    assert not may_be_reduced(JobOptions(precision="exact"), folder, tiles, "cpu", "openvino", machine)


def test_nothing_is_tried_before_a_tile_was_timed(folder: ModelFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automatic_precision, "has_bf16", lambda: True)
    assert not may_be_reduced(JobOptions(), folder, 10**6, "cpu", "openvino", MachineProfile())
