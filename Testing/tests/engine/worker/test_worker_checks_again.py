"""The resident worker reviews a segmentation again: as the command does, with the CT and measurements that it has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from phantom import Phantom, PhantomParameters, make_phantom
from phantom.phantom import read_label_table
from scipy import ndimage
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.ct_input.reading import ReadInput
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.worker.request_queue import AcceptedJob
from TotalSegmentatorEngine.worker.second_check import check_again
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.export import ExportFinishedEvent
from TotalSegmentatorWire.messages.segment import NeedCtEvent, ReviewRequest
from transferred_review import arguments, check, flags_in, write_layers, write_transfer

TABLE = read_label_table()
CT_ID = "the CT"


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    view = ((-200.0, 200.0), (-150.0, 150.0), (0.0, 300.0))
    return make_phantom(PhantomParameters(spacing_mm=(5.0, 5.0, 5.0), orientation="LPS", field_of_view_mm=view))


@pytest.fixture
def cache(phantom: Phantom) -> EngineCache:
    held = EngineCache()
    held.remember_ct(CT_ID, ReadInput(Volume(phantom.ct, Geometry(phantom.ct.shape, phantom.ijk_to_ras))))
    return held


def transferred(folder: Path, phantom: Phantom, labels: np.ndarray, moved_mm: float = 0) -> Path:
    moved = np.eye(4)
    moved[0, 3] = moved_mm
    return write_transfer(folder, labels, moved @ phantom.ijk_to_ras, TABLE)


def with_island(phantom: Phantom) -> np.ndarray:
    labels = phantom.labels.copy()
    labels[1:4, 1:5, 1:4] = TABLE["liver"]
    return labels


def test_flags_are_those_of_the_command(phantom: Phantom, cache: EngineCache, tmp_path: Path):
    """First everything is measured, then only what has changed."""
    by_command = write_transfer(tmp_path / "command", with_island(phantom), phantom.ijk_to_ras, TABLE, phantom.ct)
    assert main(["review", *arguments(by_command, "liver,vertebrae_T12")]) == 0
    expected = flags_in(by_command)
    assert "islands" in {flag.rule for flag in expected}
    for number, labels in enumerate((phantom.labels, with_island(phantom), phantom.labels, with_island(phantom))):
        folder = transferred(tmp_path / str(number), phantom, labels)
        finished = check(folder, "liver,vertebrae_T12", cache, CT_ID)
        assert isinstance(finished, ExportFinishedEvent) and finished.files == [str(folder / "flags.json")]
        if number % 2:
            assert flags_in(folder) == expected
        else:
            assert "islands" not in {flag.rule for flag in flags_in(folder)}


def test_structures_that_overlap_are_measured_each_in_its_layer(phantom: Phantom, cache: EngineCache, tmp_path: Path):
    """The spleen has the liver's value in a layer of its own, and reaches into what lies beside it."""
    value = TABLE["liver"]
    plain = np.where(ndimage.binary_dilation(phantom.labels == TABLE["spleen"]), value, 0).astype(np.uint8)
    divided = plain.copy()
    divided[1:4, 1:5, 1:4] = value
    places = {name: (0, label) for name, label in TABLE.items()} | {"spleen": (1, value)}
    for number, spleen in enumerate((plain, divided, plain)):
        layers = [np.where(phantom.labels == TABLE["spleen"], 0, phantom.labels), spleen]
        by_command = write_layers(tmp_path / f"command {number}", layers, phantom.ijk_to_ras, places, phantom.ct)
        assert main(["review", *arguments(by_command, "liver,spleen")]) == 0
        folder = write_layers(tmp_path / str(number), layers, phantom.ijk_to_ras, places)
        check(folder, "liver,spleen", cache, CT_ID)
        flags = flags_in(folder)
        assert flags == flags_in(by_command)
        assert {flag.structure for flag in flags if flag.rule == "islands"} == (
            {"spleen"} if spleen is divided else set()
        )


def test_without_the_ct_it_says_so(phantom: Phantom, cache: EngineCache, tmp_path: Path):
    folder = transferred(tmp_path / "one", phantom, phantom.labels)
    assert isinstance(check(folder, "liver", cache, "another CT"), NeedCtEvent)
    cache.forget_ct()
    assert isinstance(check(folder, "liver", cache, CT_ID), NeedCtEvent)


def test_a_segmentation_on_another_grid_is_refused(phantom: Phantom, cache: EngineCache, tmp_path: Path):
    check(transferred(tmp_path / "one", phantom, phantom.labels), "liver", cache, CT_ID)
    with pytest.raises(SegmentationError) as refusal:
        check(transferred(tmp_path / "two", phantom, phantom.labels, moved_mm=7.0), "liver", cache, CT_ID)
    assert refusal.value.code == "BAD_REQUEST"
    with pytest.raises(SegmentationError) as refusal:
        check_again(AcceptedJob(ReviewRequest("job", str(tmp_path / "one"), CT_ID, ["--nonsense"])), cache)
    assert refusal.value.code == "BAD_REQUEST"


def test_it_stops_when_asked(phantom: Phantom, cache: EngineCache, tmp_path: Path):
    folder = transferred(tmp_path / "one", phantom, phantom.labels)
    (folder / "cancel").touch()
    with pytest.raises(SegmentationError) as end:
        check(folder, "liver", cache, CT_ID)
    assert end.value.code == "CANCELLED"
