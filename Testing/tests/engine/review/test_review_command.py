"""The command ``review``: a label image with names, a real CT, a second opinion, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from phantom import PhantomParameters, make_phantom
from phantom.files import to_sitk
from phantom.phantom import Phantom, read_label_table
from places import REPOSITORY
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorWire.errors.problem import ERRORS

EXAMPLE = REPOSITORY.parent / "shared" / "data" / "example_ct"
CHEST = ((-200.0, 200.0), (-150.0, 150.0), (150.0, 400.0))
LABELS = ("--labels", "structures_104")


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom(PhantomParameters(spacing_mm=(4.0, 4.0, 4.0), orientation="LPS", field_of_view_mm=CHEST))


@pytest.fixture
def ct(phantom: Phantom, tmp_path: Path) -> Path:
    return image_file(phantom, phantom.ct, tmp_path / "ct.nii.gz")


def image_file(phantom: Phantom, array: np.ndarray, path: Path) -> Path:
    SimpleITK.WriteImage(to_sitk(array, phantom.ijk_to_ras), str(path))
    return path


def flags_of(capsys: pytest.CaptureFixture, *arguments: object) -> list[dict]:
    """Of standard output, which must be nothing but the JSON."""
    capsys.readouterr()
    assert main([str(each) for each in ("review", *arguments, "--json")]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["version"] == 1 and set(printed) == {"version", "flags"}
    return printed["flags"]


def test_the_json_names_what_the_scan_cuts(phantom: Phantom, ct: Path, tmp_path: Path, capsys):
    labels = image_file(phantom, phantom.labels, tmp_path / "labels.nii.gz")
    flags = flags_of(capsys, labels, "--reference", ct, *LABELS)
    fields = {"rule", "level", "structure", "others", "sentence", "place_ras_mm", "numbers"}
    assert all(set(flag) == fields for flag in flags)
    cut = {flag["structure"] for flag in flags if flag["level"] == "cut"}
    table = {label: name for name, label in read_label_table().items()}
    borders = np.concatenate([phantom.labels[[0, -1]].ravel(), phantom.labels[:, [0, -1]].ravel()])
    assert cut == {table[label] for label in np.unique(borders) if label}


def test_the_page_leads_with_the_counts_and_the_file_holds_the_json(phantom: Phantom, ct: Path, tmp_path: Path, capsys):
    labels, output = image_file(phantom, phantom.labels, tmp_path / "labels.nii.gz"), tmp_path / "flags.json"
    flags = flags_of(capsys, labels, "--reference", ct, *LABELS)
    assert main(["review", str(labels), "--reference", str(ct), *LABELS, "--output", str(output)]) == 0
    cut = len({flag["structure"] for flag in flags if flag["level"] == "cut"})
    assert f", {cut} cut by the scan\n" in capsys.readouterr().out
    assert json.loads(output.read_text(encoding="utf-8"))["flags"] == flags


def test_a_second_opinion_shows_where_a_coarser_model_differs(phantom: Phantom, ct: Path, tmp_path: Path, capsys):
    """A ball of 15 mm that only one of the two calls liver, 60 mm from it."""
    liver = read_label_table()["liver"]
    labels = phantom.labels.copy()
    ijk = np.linalg.inv(phantom.ijk_to_ras) @ [0.0, 0.0, 380.0, 1.0]
    k, j, i = np.ogrid[tuple(slice(0, size) for size in labels.shape)]
    far = 4.0 * np.sqrt((k - ijk[2]) ** 2 + (j - ijk[1]) ** 2 + (i - ijk[0]) ** 2)
    labels[far <= 15] = liver
    fine = image_file(phantom, labels, tmp_path / "fine.nii.gz")
    coarse = image_file(phantom, phantom.labels, tmp_path / "coarse.nii.gz")
    same = flags_of(capsys, coarse, "--reference", ct, *LABELS, "--coarse", coarse)
    assert not [flag for flag in same if flag["rule"] == "second_opinion"]
    flags = flags_of(capsys, fine, "--reference", ct, *LABELS, "--coarse", coarse)
    (flag,) = (flag for flag in flags if flag["rule"] == "second_opinion" and flag["structure"] == "liver")
    assert flag["level"] == "check"
    assert flag["numbers"]["volume_ml"] == pytest.approx(4 / 3 * np.pi * 1.5**3, rel=0.15)
    assert np.linalg.norm(np.subtract(flag["place_ras_mm"], [0.0, 0.0, 380.0])) <= 10


def test_a_file_of_a_known_family_lacks_what_is_missing(phantom: Phantom, ct: Path, tmp_path: Path, capsys):
    """As in a job. A file with a few structures was meant to hold no more."""
    table = read_label_table()
    whole = phantom.labels.copy()
    whole[whole == table["lung_lower_lobe_left"]] = 0
    few = np.where(whole == table["lung_lower_lobe_right"], whole, 0)
    missing = {}
    for name, labels in (("whole", whole), ("few", few)):
        flags = flags_of(capsys, image_file(phantom, labels, tmp_path / f"{name}.nii.gz"), "--reference", ct, *LABELS)
        missing[name] = [flag["structure"] for flag in flags if flag["rule"].startswith("missing")]
    assert missing == {"whole": ["lung_lower_lobe_left"], "few": []}


def test_chosen_structures_are_judged_alone(phantom: Phantom, ct: Path, tmp_path: Path, capsys):
    labels = image_file(phantom, phantom.labels, tmp_path / "labels.nii.gz")
    flags = flags_of(capsys, labels, "--reference", ct, *LABELS)
    some = flags_of(capsys, labels, "--reference", ct, *LABELS, "--structures", "Liver,spleen,vertebrae T8")
    assert some == [flag for flag in flags if flag["structure"] in ("liver", "spleen", "vertebrae_T8")]
    assert {flag["structure"] for flag in some} >= {"liver"}
    status = main(["review", str(labels), "--reference", str(ct), *LABELS, "--structures", "livver"])
    assert status == ERRORS["STRUCTURE_UNKNOWN"].exit_code


def test_names_that_are_unknown_are_left_out_or_refused(phantom: Phantom, ct: Path, tmp_path: Path, capsys):
    labels = image_file(phantom, phantom.labels, tmp_path / "labels.nii.gz")
    table = tmp_path / "names.csv"
    names = {label: name for name, label in read_label_table().items()}
    rows = [
        f"{label},{names[label] if label % 2 else f'thing {label}'}" for label in np.unique(phantom.labels) if label
    ]
    table.write_text("\n".join(["label,name", *rows]))
    assert main(["review", str(labels), "--reference", str(ct), "--labels", str(table)]) == 0
    assert "REVIEW_NOT_KNOWN" in capsys.readouterr().err
    table.write_text(
        "\n".join(["label,name", *(f"{label},thing {label}" for label in np.unique(phantom.labels) if label)])
    )
    status = main(["review", str(labels), "--reference", str(ct), "--labels", str(table)])
    assert status == ERRORS["REVIEW_NO_STRUCTURES"].exit_code


@pytest.mark.shared
def test_on_a_real_ct_33_structures_are_cut_and_five_differ_between_models(capsys: pytest.CaptureFixture):
    """Figures that were measured apart from this program, on the published labels."""
    if not EXAMPLE.exists():
        pytest.skip("the real CT is not beside the checkout")
    fine, coarse = EXAMPLE / "reference_104_1.5mm.nii.gz", EXAMPLE / "reference_104_3mm.nii.gz"
    flags = flags_of(capsys, fine, "--reference", EXAMPLE / "ct.nii.gz", *LABELS, "--coarse", coarse)
    assert sum(flag["rule"] == "cut_by_scan" for flag in flags) == 33
    differing = {f["structure"]: f["numbers"]["volume_ml"] for f in flags if f["rule"] == "second_opinion"}
    expected = {"small_bowel": 7.9, "femur_left": 2.5, "pancreas": 2.1, "stomach": 1.4}
    assert differing == pytest.approx(expected, abs=0.05)
    volume = np.asarray(nibabel.load(fine).dataobj)
    assert np.count_nonzero(volume == read_label_table()["colon"]) * 0.027 > 450  # 4.5 ml of it are less than 1 %
