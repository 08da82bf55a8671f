"""The module's self-test, which runs in every Slicer without the engine."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _
from TotalSegmentatorWire import ENGINE_VERSION
from TotalSegmentatorWire.messages.segment import FoundStructure, ResultHeader
from TotalSegmentatorWire.tables.structures import Structure, structure_table

from TotalSegmentatorModuleLib.scene.segmentation_import import ImportTarget, LabelImage, import_result
from TotalSegmentatorModuleLib.scene.segmentation_lifetime import application_lifetime

_SHAPE = (120, 160, 160)
_IJK_TO_RAS = np.array([[-1.5, 0, 0, 120], [0, -1.5, 0, 110], [0, 0, 1.5, -90], [0, 0, 0, 1]])
_MODEL = "self-test"
_LONGEST_SECONDS = 5.0
"""Ten times what is promised, because this runs on any computer; copying every segment takes longer still."""


def synthetic_labels(labels: np.ndarray, count: int = 104) -> None:
    """Fill ``labels`` (uint8, (k, j, i)) with ``count`` separate blocks, numbered from 1."""
    labels[:] = 0
    per_axis = int(np.ceil(count ** (1 / 3)))
    sizes = [length // per_axis for length in labels.shape]
    places = [(k, j, i) for k in range(per_axis) for j in range(per_axis) for i in range(per_axis)]
    for label, place in enumerate(places[:count], 1):
        block = tuple(slice(n * size, n * size + max(1, size - 2)) for n, size in zip(place, sizes, strict=True))
        labels[block] = label


def synthetic_header(shape: tuple[int, int, int], ijk_to_ras: np.ndarray, structures: list[Structure]) -> ResultHeader:
    """Header of a result in which each of ``structures`` was found; counts and extents are not real."""
    found = [
        FoundStructure(label, structure.name, 1, [0, 0, 0, 0, 0, 0]) for label, structure in enumerate(structures, 1)
    ]
    return ResultHeader(
        job_id="0" * 32,
        ct_id="0" * 32,
        shape=list(shape),
        ijk_to_ras=[float(number) for number in np.asarray(ijk_to_ras).ravel()],
        series_instance_uid=None,
        found=found,
        absent=[],
        models=[_MODEL],
        profiles={_MODEL: "self-test"},
        engine_version=ENGINE_VERSION,
        device="cpu",
        seconds=0.0,
        created="2000-01-01T00:00:00+00:00",
        structures=[dataclasses.asdict(structure) for structure in structures],
    )


def check_import_of_all_structures(case) -> None:
    """Import a synthetic result with 104 structures, check the segments, remove them quickly. ``case``: TestCase."""
    application_lifetime().start(slicer.mrmlScene)
    structures = structure_table("structures_104")
    ct = slicer.util.addVolumeFromArray(np.zeros(_SHAPE, np.int16), _IJK_TO_RAS, "self-test CT")
    image = LabelImage(_SHAPE)
    synthetic_labels(image.array, len(structures))

    started = time.perf_counter()
    node = import_result([image], synthetic_header(_SHAPE, _IJK_TO_RAS, structures), ImportTarget(ct))
    case.assertLess(time.perf_counter() - started, _LONGEST_SECONDS, "import")

    segmentation = node.GetSegmentation()
    case.assertEqual(segmentation.GetNumberOfSegments(), len(structures))
    case.assertEqual(segmentation.GetNumberOfLayers(), 1)
    liver = next(structure for structure in structures if structure.name == "liver")
    voxels = slicer.util.arrayFromSegmentBinaryLabelmap(node, "liver", ct)
    case.assertTrue(np.array_equal(voxels != 0, image.array == liver.label), "the liver's voxels")
    case.assertEqual(segmentation.GetSegment("liver").GetName(), "liver")

    started = time.perf_counter()
    slicer.mrmlScene.RemoveNode(node)
    del node, segmentation
    case.assertLess(time.perf_counter() - started, _LONGEST_SECONDS, "removal")


def check_parameters_survive(case, logic) -> None:
    """Write the choices and read them back through a second parameter node object."""
    ct = slicer.util.addVolumeFromArray(np.zeros((4, 5, 6), np.int16), _IJK_TO_RAS, "self-test CT")
    parameters = logic.getParameterNode()
    parameters.inputVolume = ct
    parameters.model = "104-3mm"
    parameters.structures = "liver, spleen"
    parameters.device = "cpu"
    parameters.isSmooth = True
    parameters.smallestIslandMm3 = 300
    again = logic.getParameterNode()
    case.assertEqual(again.inputVolume.GetID(), ct.GetID())
    case.assertEqual((again.model, again.structures, again.device), ("104-3mm", "liver, spleen", "cpu"))
    case.assertEqual((again.isSmooth, again.isFaster, again.smallestIslandMm3), (True, False, 300))


def check_sample_data(case, samples) -> None:
    """Each of ``samples`` (keywords of SampleData.SampleDataLogic) is offered once by Slicer's module Sample Data, with
    a thumbnail. Skipped in a Slicer without that module."""
    offered = getattr(slicer.modules, "sampleDataSources", None)
    if offered is None:
        case.skipTest(_("This Slicer has no module Sample Data."))
    ours = [source for sources in offered.values() for source in sources]
    for sample in samples:
        found = [source for source in ours if source.sampleName == sample["sampleName"]]
        case.assertEqual(len(found), 1, sample["sampleName"])
        case.assertTrue(Path(found[0].thumbnailFileName).is_file(), "thumbnail")
