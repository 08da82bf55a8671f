"""The voxel order of a user's own model is stored with it, now or later; its own folder stays as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_setup_engine import FakeEngine
from TotalSegmentatorSetup.models.model_store import ModelStore
from TotalSegmentatorSetup.models.records import ModelRecords
from TotalSegmentatorSetup.network.access import NetworkSettings
from TotalSegmentatorSetup.support.progress import SetupReporter
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.segment import WarningEvent
from TotalSegmentatorWire.tables.voxel_orders import VOXEL_ORDER_KEY


def own_model(folder: Path, reader: str = "SimpleITKIO") -> Path:
    own = folder / "Dataset777_Mine" / "nnUNetTrainer__nnUNetPlans__3d_fullres"
    (own / "fold_0").mkdir(parents=True)
    (own / "plans.json").write_text(json.dumps({"image_reader_writer": reader}))
    (own / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "liver": 1}}))
    (own / "fold_0" / "checkpoint_final.pth").write_text("weights")
    return own


def store_of(folder: Path, events: list | None = None) -> ModelStore:
    return ModelStore(
        folder, NetworkSettings(), SetupReporter([].append if events is None else events.append), FakeEngine()
    )


def warnings_in(events: list) -> list[str]:
    return [event.problem["code"] for event in events if isinstance(event, WarningEvent)]


def stored_order(installed: str) -> str | None:
    return json.loads((Path(installed) / "dataset.json").read_text()).get(VOXEL_ORDER_KEY)


def code_of(action, *arguments) -> str:
    with pytest.raises(SegmentationError) as caught:
        action(*arguments)
    return caught.value.code


def test_the_order_is_stored_in_the_copy_beside_what_was_there(tmp_path):
    own = own_model(tmp_path / "mine")
    before = (own / "dataset.json").read_text()
    events = []

    installed = store_of(tmp_path / "models", events).add(own.parent, "LPS")

    assert stored_order(installed) == "LPS"
    assert json.loads((Path(installed) / "dataset.json").read_text())["labels"] == {"background": 0, "liver": 1}
    assert (own / "dataset.json").read_text() == before
    assert warnings_in(events) == []


@pytest.mark.parametrize(
    ("reader", "warned"), [("SimpleITKIO", True), ("NibabelIO", True), ("NibabelIOWithReorient", False)]
)
def test_adding_warns_where_the_order_is_needed_and_unknown(tmp_path, reader, warned):
    events = []
    store_of(tmp_path / "models", events).add(own_model(tmp_path / "mine", reader).parent)
    assert warnings_in(events) == (["MODEL_ORIENTATION_UNKNOWN"] if warned else [])


def test_an_order_that_came_with_the_folder_is_kept_and_needs_no_warning(tmp_path):
    first = store_of(tmp_path / "models").add(own_model(tmp_path / "mine").parent, "LAS")
    events = []
    second = store_of(tmp_path / "elsewhere", events).add(Path(first).parent)
    assert stored_order(second) == "LAS"
    assert warnings_in(events) == []


def test_the_order_of_an_installed_model_can_be_set_later(tmp_path):
    store = store_of(tmp_path / "models")
    installed = store.add(own_model(tmp_path / "mine").parent)
    assert stored_order(installed) is None

    assert store.add(Path(installed), "file") == installed
    assert stored_order(installed) == "file"
    assert store.add(Path(installed).parent, "PIR") == installed
    assert stored_order(installed) == "PIR"
    recorded = ModelRecords(tmp_path / "models").of("Dataset777_Mine")
    (table,) = (size for name, (size, _digest) in recorded.files.items() if name.endswith("dataset.json"))
    assert table == (Path(installed) / "dataset.json").stat().st_size


def test_a_reader_that_turns_every_image_needs_none_and_takes_no_other(tmp_path):
    store, own = store_of(tmp_path / "models"), own_model(tmp_path / "mine", "NibabelIOWithReorient").parent
    assert code_of(store.add, own, "LPS") == "MODEL_ORIENTATION_FIXED"
    assert not any((tmp_path / "models").glob("Dataset*"))
    assert stored_order(store.add(own, "RAS")) is None


def test_a_folder_among_the_models_that_was_not_added_is_not_changed(tmp_path):
    by_hand = own_model(tmp_path / "models")
    before = (by_hand / "dataset.json").read_text()
    assert code_of(store_of(tmp_path / "models").add, by_hand, "RAS") == "MODEL_ORIENTATION_FIXED"
    assert (by_hand / "dataset.json").read_text() == before
