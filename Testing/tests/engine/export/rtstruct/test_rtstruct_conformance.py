"""No DICOM object of ours has an error that the CT it was made on does not have, in the eyes of dciodvfy.

dciodvfy is of David Clunie's dicom3tools; these tests skip where it is not installed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ct_variants import turned
from export_support import ORDER_OF_POSITION, in_position, write_ct_series
from rtstruct_support import AXIAL, ball, conformance_errors, make_roi
from TotalSegmentatorEngine.ct_input.reading import read_input
from TotalSegmentatorEngine.export.core.codes import Code, RoiCodes
from TotalSegmentatorEngine.export.dicom.ct_writer import write_ct_series as write_new_series
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries, read_reference
from TotalSegmentatorEngine.export.rtstruct.contours import ContourOptions
from TotalSegmentatorEngine.export.rtstruct.writer import StructureSetOptions, write_rtstruct
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume

TUMOUR = RoiCodes(
    category=Code("SCT", "49755003", "Morphologically Altered Structure"),
    type=Code("SCT", "108369006", "Neoplasm"),
    region=Code("SCT", "10200004", "Liver"),
)
OPTIONS = [
    StructureSetOptions(),
    StructureSetOptions("XOR contours", ContourOptions(holes="xor")),
    StructureSetOptions("Smooth", ContourOptions(smoothing=True, smallest_island_mm2=3.0)),
]

NEWER_THAN_THE_TOOL = "Unrecognized enumerated value <CLOSEDPLANAR_XOR>"
"""PS3.3 C.8.8.6.1 has this Contour Geometric Type, which dciodvfy of 2022 does not know yet."""


def all_kinds(shape: tuple[int, int, int]):
    """A structure with holes, a drawn one, one without codes: every attribute that a structure set of ours can have."""
    middle = tuple(size / 2 for size in shape)
    radius = min(shape[1:]) / 3
    shell = ball(shape, middle, radius) & ~ball(shape, middle, radius / 2)
    return [
        make_roi(1, "Kidney_R", shell),
        make_roi(2, "GTV", ball(shape, middle, radius / 3), algorithm="MANUAL", description="", codes=TUMOUR),
        make_roi(3, "BODY", ball(shape, middle, radius), codes=None, interpreted_type="EXTERNAL"),
        make_roi(4, "zRing", shell, interpreted_type="", algorithm="SEMIAUTOMATIC", description="x" * 64),
        make_roi(5, "Mask", shell, algorithm="", description="Origin unknown"),
    ]


def new_errors(tmp_path: Path, reference: ReferenceSeries, options: StructureSetOptions) -> set[str]:
    """What dciodvfy finds in a structure set and not in its CT."""
    write_rtstruct(tmp_path / "rs.dcm", all_kinds(reference.grid.shape), reference, options)
    found = conformance_errors(tmp_path / "rs.dcm") - conformance_errors(reference.planes[0].path)
    is_exclusive = options.contours.holes == "xor"
    return {error for error in found if not (is_exclusive and NEWER_THAN_THE_TOOL in error)}


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: options.label)
def test_structure_sets_of_all_options_conform(tmp_path: Path, options: StructureSetOptions):
    series = write_ct_series(tmp_path / "ct", np.zeros(AXIAL.shape, np.int16), AXIAL)
    assert not new_errors(tmp_path, read_reference(series), options)


@pytest.mark.parametrize("position", ORDER_OF_POSITION)
def test_structure_sets_of_all_positions_conform(tmp_path: Path, position: str):
    array, geometry = in_position(np.zeros(AXIAL.shape, np.int16), AXIAL, position)
    oblique = Geometry(geometry.shape, turned(geometry.ijk_to_ras, 11.0))
    series = write_ct_series(tmp_path / "ct", array, oblique, position=position)
    assert not new_errors(tmp_path, read_reference(series), StructureSetOptions())


@pytest.mark.parametrize("attributes", [{"SpecificCharacterSet": "ISO_IR 100", "PatientName": "Müller^Jürgen"}, {}])
def test_structure_sets_with_names_of_all_scripts_conform(tmp_path: Path, attributes: dict[str, str]):
    series = write_ct_series(tmp_path / "ct", np.zeros(AXIAL.shape, np.int16), AXIAL, **attributes)
    rois = [make_roi(1, "Печень", ball(AXIAL.shape, (4, 14, 19), 5))]
    write_rtstruct(tmp_path / "rs.dcm", rois, read_reference(series))
    assert not conformance_errors(tmp_path / "rs.dcm")


@pytest.mark.parametrize("name", ["sts_001/dicom", "cip_ct64/ct-64Dicom", "example_ct_dicom"])
def test_structure_sets_of_real_cts_conform(tmp_path: Path, shared: Path, name: str):
    reference = read_reference(shared / "data" / name)
    assert not new_errors(tmp_path, reference, StructureSetOptions())


@pytest.mark.parametrize("order", ORDER_OF_POSITION)
def test_ct_series_of_ours_conform(tmp_path: Path, order: str):
    array, geometry = in_position(np.random.default_rng(1).normal(0, 300, AXIAL.shape), AXIAL, order)
    for path in write_new_series(tmp_path, Volume(array, geometry)):
        assert not conformance_errors(path)


@pytest.mark.parametrize("name", ["example_ct/ct.nii.gz", "niivue_pitch/CT_pitch.nii.gz", "cip_ct64/ct-64.nrrd"])
def test_ct_series_of_real_volumes_and_their_structure_sets_conform(tmp_path: Path, shared: Path, name: str):
    folder = tmp_path / "ct"
    folder.mkdir()
    write_new_series(folder, read_input(shared / "data" / name).volume)
    reference = read_reference(folder)
    assert not conformance_errors(reference.planes[0].path)
    assert not new_errors(tmp_path, reference, StructureSetOptions())
