"""The part of the self-test that runs the engine: the demo model segments a phantom, without network.

Both lie in a clone of the repository only, in the folder Testing beside the module's: a user's Slicer needs neither.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorModuleLib.texts.errors import problem_texts

_TESTING = Path(__file__).resolve().parents[2] / "Testing"
_SPACING_MM = (4.0, 4.0, 4.0)
_ABDOMEN_MM = ((-200.0, 200.0), (-150.0, 150.0), (-60.0, 240.0))
"""Right, front and head, RAS: a third of the phantom, which takes some seconds."""
_WHOLE = ("liver", "spleen", "kidney_left", "kidney_right")
"""Structures that this part shows whole; a mirrored result would swap them."""
_LEAST_DICE = 0.8
_LEAST_FOUND = 50
"""Structures, of some sixty in that part."""


def check_demo_segmentation(case, logic, testing: Path = _TESTING) -> None:
    """Segment a phantom with the demo model through ``logic`` (the module's) and export it. ``case``: TestCase, which
    is skipped, with the reason, where the demo model or the engine's packages are not on this computer."""
    models = sorted(testing.glob("demo_model/Dataset900*/*__*"))
    if not models:
        case.skipTest(_("The demo model is only in a clone of the repository; no segmentation was tested."))
    phantom = _make_phantom(testing)
    ct = slicer.util.addVolumeFromArray(phantom.ct, phantom.ijk_to_ras, "self-test phantom")
    case.delayDisplay(_("The demo model segments a phantom."))
    try:
        node = logic.process(ct, model=models[0], device="cpu")
        _check_result(case, node, ct, phantom.labels)
        _check_export(case, logic, node, ct)
    except SegmentationError as error:
        if error.code != "ENGINE_MISSING":
            raise
        case.skipTest(_("{why} No segmentation was tested.").format(why=" ".join(problem_texts(error.problem))))
    finally:
        logic.close()


def _make_phantom(testing: Path):
    """A phantom (Testing/phantom): ct, int16, and labels, uint8, both (k, j, i), and ijk_to_ras, in mm."""
    sys.path.insert(0, str(testing))
    try:
        maker = importlib.import_module("phantom")
    finally:
        sys.path.remove(str(testing))
    return maker.make_phantom(maker.PhantomParameters(seed=7, spacing_mm=_SPACING_MM, field_of_view_mm=_ABDOMEN_MM))


def _check_result(case, node, ct, truth: np.ndarray) -> None:
    segmentation = node.GetSegmentation()
    ids = list(segmentation.GetSegmentIDs())
    case.assertGreaterEqual(len(ids), _LEAST_FOUND, "structures found")
    case.assertEqual(segmentation.GetNumberOfLayers(), 1)
    for segment_id in _WHOLE:
        case.assertIn(segment_id, ids)
        found = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment_id, ct) != 0
        true = truth == segmentation.GetSegment(segment_id).GetLabelValue()
        dice = 2 * np.count_nonzero(found & true) / (np.count_nonzero(found) + np.count_nonzero(true))
        case.assertGreater(dice, _LEAST_DICE, "Dice of {}".format(segment_id))


def _check_export(case, logic, node, ct) -> None:
    """As RT Structure Set, into a folder that is removed again."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(path) for path in logic.export(node, "rtstruct", folder, ct=ct, structures=["liver"])]
        case.assertTrue(paths)
        case.assertTrue(all(path.stat().st_size for path in paths), "exported files")
