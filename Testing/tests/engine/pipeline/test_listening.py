"""Each step of a job listens for Cancel and reports, so that a large CT never holds up the worker for long.

How long is not timed here: a step must listen several times on its way through a tall image, and a job must end at
whatever moment it is cancelled.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ct_variants
import numpy as np
import pytest
from catalogue_jobs import EAGER
from engine_support import blobs_volume, turned
from hu_models import make_hu_model
from one_model import model_task
from reading_support import RAS_GRID, small_ct
from seeded_models import configuration_settings, make_model_folder, plans_of
from slicer_route import read_as_slicer_sends
from TotalSegmentatorEngine.ct_input import reading
from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.imaging.raw_voxels import read_raw, write_raw
from TotalSegmentatorEngine.imaging.validation import check_volume
from TotalSegmentatorEngine.imaging.voxel_digest import label_digests
from TotalSegmentatorEngine.job import reporting
from TotalSegmentatorEngine.job.reporting import JobReporter, SilentReporter
from TotalSegmentatorEngine.labels.merging import found_structures, keep_only, merge_part
from TotalSegmentatorEngine.labels.postprocessing import keep_largest_pieces, remove_small_islands
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorEngine.pipeline.run_job import segment
from TotalSegmentatorEngine.preprocessing.normalisation import nonzero_box
from TotalSegmentatorEngine.preprocessing.resampling import whole_number_type
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.segment import ProgressEvent, Stage
from TotalSegmentatorWire.tables.structures import structure_table

pytestmark = pytest.mark.usefixtures("one_thread")

MOMENTS = 9
"""At which each kind of job is cancelled, spread over all chances that it takes to listen."""
TALL = (320, 9, 10)
FEWEST = 320 // 32
"""Times that a step listens on its way through a tall image: a slab of 512 x 512 voxels takes it a third of a
second."""


# -- whole jobs --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """A job with steps of its own."""

    name: str
    scheme: str = "CTNormalization"
    use_mask: bool = False
    spacing: tuple[float, float, float] = (2.0, 2.0, 2.0)
    options: JobOptions = EAGER
    catalogue: bool = False


KINDS = [
    Kind("own model, resampled"),
    Kind("own model, other voxels far apart", spacing=(6.0, 1.5, 1.5)),
    Kind("own model, brains", "ZScoreNormalization", True),
    Kind("own model, OpenVINO", spacing=(3.0, 2.5, 2.0), options=JobOptions(runtime="openvino")),
    Kind(
        "catalogue, smooth and without islands",
        options=JobOptions(runtime="eager", smooth=True, largest_piece=True, smallest_island_mm3=60.0),
        catalogue=True,
    ),
    Kind("catalogue", options=JobOptions(runtime="eager", smallest_island_mm3=60.0), catalogue=True),
]


class CountingReporter(JobReporter):
    """Cancels at the ``last``-th chance to listen."""

    def __init__(self, last: int | None = None) -> None:
        self.chances = 0
        self.events: list = []
        super().__init__("job", self.events.append, self._is_cancelled_now)
        self._last = last

    def _is_cancelled_now(self) -> bool:
        assert threading.current_thread() is threading.main_thread()
        self.chances += 1
        return self.chances == self._last

    @property
    def stages(self) -> list[str]:
        return list(dict.fromkeys(event.stage for event in self.events if isinstance(event, ProgressEvent)))


@pytest.fixture(scope="module")
def hu_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_hu_model(folder, "117-3mm", {"liver": 120.0, "spleen": 200.0, "aorta": 350.0})
    return folder


def job_of(kind: Kind, folder: Path, hu_models: Path) -> tuple[Volume, object]:
    volume = turned(blobs_volume((40, 34, 32), (3.0, 2.5, 2.0)), (1, 0, 2), (True, False, True))
    if kind.catalogue:
        return volume, prepare(model_task("117-3mm", hu_models, device="cpu", options=kind.options))
    settings = configuration_settings(spacing=kind.spacing)
    settings["normalization_schemes"], settings["use_mask_for_norm"] = [kind.scheme], [kind.use_mask]
    plans = plans_of(settings, reader="NibabelIOWithReorient")
    made = make_model_folder(folder / "Dataset900_Seeded", plans=plans)
    return volume, prepare(model_task(str(made), Path(), device="cpu", options=kind.options))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_job_ends_at_every_moment_at_which_it_is_cancelled(
    tmp_path: Path, kind: Kind, hu_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "LABELLING_SHOWN_AFTER", 0.0)
    volume, prepared = job_of(kind, tmp_path, hu_models)
    whole = CountingReporter()
    labels = segment(volume, prepared, EngineCache(), whole).layers[0]
    assert labels.any()
    assert {Stage.RESAMPLING, Stage.PREDICTING, Stage.LABELLING, Stage.RESTORING} <= set(whole.stages)
    cache = EngineCache()
    for last in np.unique(np.linspace(1, whole.chances * 0.95, MOMENTS).round()).astype(int):
        reporter = CountingReporter(int(last))
        with pytest.raises(SegmentationError) as caught:
            segment(volume, prepared, cache, reporter)
        assert caught.value.code == "CANCELLED"
        assert reporter.chances == last, "nothing went on"
    assert np.array_equal(segment(volume, prepared, cache, SilentReporter()).layers[0], labels)


def test_reading_ends_at_every_moment_at_which_it_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults of the series are passed over where the volume is no longer the series; a Cancel never is."""
    series = tmp_path / "series"
    ct_variants.write_dicom_series(series, small_ct(), RAS_GRID)
    heard, last = 0, 0

    def listen() -> None:
        nonlocal heard
        heard += 1
        if heard == last:
            raise SegmentationError("CANCELLED")

    read_transferred = reading.read_transferred
    monkeypatch.setattr("slicer_route.read_transferred", lambda job, header: read_transferred(job, header, listen))
    read_as_slicer_sends(series, tmp_path / "job")
    total, files = heard, len(list(series.iterdir()))
    assert total >= 2 * files, "each header, and the pixels of each file"
    for last in range(1, total + 1):
        heard = 0
        with pytest.raises(SegmentationError) as caught:
            read_as_slicer_sends(series, tmp_path / f"job-{last}")
        assert caught.value.code == "CANCELLED" and heard == last


# -- single steps ------------------------------------------------------------------------------------------------------


def tall_labels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 3, TALL).astype(np.uint8)


def tall_volume() -> Volume:
    return blobs_volume(TALL, (1.0, 1.0, 1.0))


def read_back(folder: Path, listen: Callable[[], None]) -> None:
    shape = (5, 4096, 4096)  # 80 MB
    with (folder / "ct.raw").open("wb") as stream:
        stream.truncate(int(np.prod(shape)))
    assert read_raw(folder / "ct.raw", shape, "uint8", listen).shape == shape


STEPS: dict[str, Callable[[Path, Callable], object]] = {
    "values": lambda _folder, listen: check_volume(tall_volume(), listen),
    "voxels from Slicer": lambda folder, listen: read_back(folder, listen),
    "non-zero box": lambda _folder, listen: nonzero_box(tall_volume().array, listen),
    "whole numbers": lambda _folder, listen: whole_number_type(tall_volume().array, (), listen),
    "merging": lambda _folder, listen: merge_part(tall_labels(), tall_labels(), {1: 1}, listen),
    "requested structures": lambda _folder, listen: keep_only(tall_labels(), [1], listen),
    "largest island": lambda _folder, listen: keep_largest_pieces(tall_labels(), listen),
    "small islands": lambda _folder, listen: remove_small_islands(tall_labels(), 3.0, 1.0, listen),
    "structures found": lambda _folder, listen: found_structures(
        tall_labels(), structure_table("structures_104")[:2], listen
    ),
    "digests": lambda _folder, listen: label_digests(
        tall_labels(), {1: tuple(slice(0, size) for size in TALL)}, tall_volume().geometry, on_plane=listen
    ),
    "result": lambda folder, listen: write_raw(folder / "labels.raw", [np.zeros((90, 1024, 1024), np.uint8)], listen),
}


@pytest.mark.parametrize("name", STEPS)
def test_each_step_listens_on_its_way_through_a_tall_image(tmp_path: Path, name: str) -> None:
    shares: list[float] = []
    STEPS[name](tmp_path, lambda share=0.0: shares.append(share))
    assert len(shares) >= FEWEST
    assert shares == sorted(shares) and shares[0] >= 0.0 and shares[-1] <= 1.0

    class StoppedError(Exception):
        pass

    heard = 0

    def stop(_share: float = 0.0) -> None:
        nonlocal heard
        heard += 1
        if heard == len(shares) // 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        STEPS[name](tmp_path, stop)
    assert heard == len(shares) // 2
