"""What somebody has changed in the output folder of a run outlives the next run."""

from __future__ import annotations

import pytest
from batch_bench import BatchBench


def test_a_segmentation_that_was_corrected_is_kept(bench: BatchBench) -> None:
    """Also a second time, and one that was saved under another name; what was not edited makes no copies."""
    path = bench.image("a.nii.gz", seed=1)
    folder = bench.output / bench("--export", "volumes").outcome_of(path).id
    segmentation = folder / "segmentation.seg.nrrd"
    written = segmentation.read_bytes()
    edited = []
    for count, name in ((1, "segmentation.edited.seg.nrrd"), (2, "segmentation.edited-2.seg.nrrd")):
        edited.append(name)
        segmentation.write_bytes(b"corrected %d times" % count)
        (folder / "mine.seg.nrrd").write_bytes(b"saved as")
        run = bench("--force")
        assert run.outcome_of(path).warnings == ("BATCH_EDIT_KEPT",) and "BATCH_EDIT_KEPT" in run.err + run.out
        assert (folder / name).read_bytes() == b"corrected %d times" % count
        assert segmentation.read_bytes() == written
    assert bench("--force").outcome_of(path).warnings == ()
    own = {"segmentation.seg.nrrd", "done.json", "log.txt", "thumbnail.jpg"}
    assert {each.name for each in folder.iterdir()} == {*own, *edited, "mine.seg.nrrd"}


@pytest.mark.parametrize("record", [None, b"{"], ids=["missing", "damaged"])
def test_a_correction_is_kept_where_nothing_tells_of_it(bench: BatchBench, record: bytes | None) -> None:
    path = bench.image("a.nii.gz", seed=1)
    folder = bench.output / bench().outcome_of(path).id
    (folder / "segmentation.seg.nrrd").write_bytes(b"corrected")
    (folder / "done.json").unlink() if record is None else (folder / "done.json").write_bytes(record)
    bench()
    assert (folder / "segmentation.edited.seg.nrrd").read_bytes() == b"corrected"
