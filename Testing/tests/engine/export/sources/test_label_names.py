"""Where the names of a label image come from: its own header, a table beside it, a table that somebody chose."""

from __future__ import annotations

import csv
import gzip
import struct
from pathlib import Path
from xml.etree import ElementTree

import nibabel
import numpy as np
import pytest
from export_case import GRID, Case, error_code
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.imaging.label_names import LabelName, name_extension
from TotalSegmentatorWire.errors.problem import ERRORS


def volumes(*words: object) -> int:
    return main([str(word) for word in ("export", *words, "--to", "volumes", "--names", "own")])


def voxels_in(path: Path) -> dict[str, int]:
    """By name, without the sign for structures that the border of the CT cuts."""
    with path.open(encoding="utf-8", newline="") as stream:
        return {row["name"].replace("~", ""): int(row["voxels"]) for row in csv.DictReader(stream)}


@pytest.fixture
def image(case: Case, tmp_path: Path) -> Path:
    """Liver 5 and kidney 2, as in structures_104, without names."""
    labels = case.liver.astype(np.uint8) * 5 + case.kidney.astype(np.uint8) * 2
    nibabel.Nifti1Image(labels.T, GRID.ijk_to_ras).to_filename(tmp_path / "labels.nii.gz")
    return tmp_path / "labels.nii.gz"


def own_table(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    (folder / "own names.csv").write_text(text, encoding=encoding)
    return folder / "own names.csv"


def with_names(image: Path, *names: tuple[int, str]) -> Path:
    """The image with a header extension as TotalSegmentator 2 writes it; keys as they are given, also twice."""
    colour = 'Red="1.0" Green="0.0" Blue="0.0" Alpha="1"'
    rows = "".join(f'<Label Key="{key}" {colour}><![CDATA[{name}]]></Label>\n' for key, name in names)
    text = (
        '<?xml version="1.0" encoding="UTF-8"?> <CaretExtension>  <Date><![CDATA[2013-07-14T05:45:09]]></Date>   '
        f'<VolumeInformation Index="0">   <LabelTable>\n{rows}\n  </LabelTable>  <StudyMetaDataLinkSet>  '
        "</StudyMetaDataLinkSet>  <VolumeType><![CDATA[Label]]></VolumeType>   </VolumeInformation>"
        "</CaretExtension>\n              "
    )
    loaded = nibabel.load(image)
    loaded.header.extensions.append(nibabel.nifti1.Nifti1Extension(0, text.encode("utf-8")))
    loaded.to_filename(image.with_name("named.nii.gz"))
    return image.with_name("named.nii.gz")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("label,name\n5,Leber\n2,Niere\n", "utf-8"),
        ("label;name\r\n5;Leber\r\n2;Niere\r\n", "utf-8-sig"),
        ("Label\tName\n0\tbackground\n5\tLeber\n2\tNiere\n5\tLeber\n", "utf-8"),
        ('LabelValue,Name,Color_R,Color_G,Color_B\n5,"Leber",1,2,3\n2,"Niere",4,5,6\n', "utf-8"),
    ],
)
def test_a_table_of_the_users_own_names_the_labels(case: Case, image: Path, tmp_path: Path, text: str, encoding: str):
    table = own_table(tmp_path, text, encoding)
    assert volumes(image, tmp_path / "v.csv", "--labels", table) == 0
    assert voxels_in(tmp_path / "v.csv") == {"Niere": case.kidney.sum(), "Leber": case.liver.sum()}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5,Leber\n2,Niere\n",
        "label,colour\n5,red\n",
        "label,name\n5,Leber\n5,Niere\n",
        "label,name\nfive,Leber\n",
        "label,name\n5,\n",
        "label,name\n0,Milz\n1,Leber\n",
        "label,name\n-5,Leber\n",
    ],
)
def test_a_table_that_is_none_is_refused(image: Path, tmp_path: Path, text: str, capsys):
    table = own_table(tmp_path, text)
    assert volumes(image, tmp_path / "v.csv", "--labels", table) == ERRORS["LABEL_TABLE_INVALID"].exit_code
    assert error_code(capsys) == "LABEL_TABLE_INVALID"
    own_table(tmp_path, "label,name\n5,Leber\n2,Nière\n", "latin-1")
    assert volumes(image, tmp_path / "v.csv", "--labels", table) == ERRORS["LABEL_TABLE_INVALID"].exit_code


def test_a_table_that_does_not_exist_is_refused(image: Path, tmp_path: Path):
    for name in ("structures_105", tmp_path / "absent.csv"):
        status = volumes(image, tmp_path / "v.csv", "--labels", name)
        assert status == ERRORS["LABEL_TABLE_UNKNOWN"].exit_code


def test_the_users_table_is_not_overwritten(image: Path, tmp_path: Path):
    table = own_table(tmp_path, "label,name\n5,Leber\n2,Niere\n")
    assert volumes(image, table, "--labels", table) == ERRORS["OUTPUT_IS_INPUT"].exit_code
    assert table.read_text() == "label,name\n5,Leber\n2,Niere\n"


def test_values_without_a_name_are_left_out_by_number(case: Case, image: Path, tmp_path: Path, capsys):
    named = with_names(image, (5, "liver"), (9, "stomach"))
    assert volumes(named, tmp_path / "v.csv") == 0
    assert voxels_in(tmp_path / "v.csv") == {"liver": case.liver.sum()}
    assert "LABELS_LEFT_OUT: Label values without a name were left out: 2." in capsys.readouterr().err
    assert volumes(image, tmp_path / "w.csv", "--labels", own_table(tmp_path, "label,name\n2,Niere\n")) == 0
    assert voxels_in(tmp_path / "w.csv") == {"Niere": case.kidney.sum()}
    nothing = with_names(image, (8, "liver"), (9, "stomach"))
    assert volumes(nothing, tmp_path / "x.csv") == ERRORS["EXPORT_LABELS_UNNAMED"].exit_code


def test_a_value_with_two_names_belongs_to_neither(case: Case, image: Path, tmp_path: Path, capsys):
    named = with_names(image, (2, "kidney_right"), (5, "liver"), (5, "spleen"))
    assert volumes(named, tmp_path / "v.csv") == 0
    assert voxels_in(tmp_path / "v.csv") == {"kidney_right": case.kidney.sum()}
    assert "liver, spleen" in capsys.readouterr().err
    for name in ("liver", "spleen"):
        status = volumes(named, tmp_path / "w.csv", "--structures", name)
        assert status == ERRORS["EXPORT_STRUCTURE_LEFT_OUT"].exit_code


def test_a_table_beside_the_image_names_its_labels(case: Case, image: Path, tmp_path: Path):
    beside = image.with_name("labels.csv")
    beside.write_text("id,comment\n1,no table of labels\n", encoding="utf-8")
    assert volumes(image, tmp_path / "v.csv") == ERRORS["EXPORT_LABELS_UNNAMED"].exit_code
    beside.write_text("label,name\n5,Leber\n2,Niere\n", encoding="utf-8")
    assert volumes(image, tmp_path / "v.csv") == 0
    assert voxels_in(tmp_path / "v.csv") == {"Niere": case.kidney.sum(), "Leber": case.liver.sum()}
    assert volumes(image, tmp_path / "w.csv", "--labels", "structures_104") == ERRORS["LABELS_CONTRADICT"].exit_code


def test_a_mask_named_after_one_structure_is_no_other_one(case: Case, tmp_path: Path):
    nibabel.Nifti1Image(case.liver.astype(np.uint8).T, GRID.ijk_to_ras).to_filename(tmp_path / "liver.nii.gz")
    words = (tmp_path / "liver.nii.gz", tmp_path / "v.csv")
    assert volumes(*words, "--labels", "structures_104") == ERRORS["LABELS_CONTRADICT"].exit_code  # 1 is the spleen
    assert volumes(*words) == 0
    assert voxels_in(tmp_path / "v.csv") == {"liver": case.liver.sum()}


def test_one_name_for_two_values_is_two_structures(case: Case, image: Path, tmp_path: Path):
    case.kidney[0] = False  # at the border of the CT, where it would get a name of its own
    labels = case.liver.astype(np.uint8) * 5 + case.kidney.astype(np.uint8) * 2
    nibabel.Nifti1Image(labels.T, GRID.ijk_to_ras).to_filename(image)
    named = with_names(image, (2, "lesion"), (5, "lesion"))
    assert volumes(named, tmp_path / "v.csv") == 0
    found = voxels_in(tmp_path / "v.csv")
    assert sorted(found.values()) == sorted([case.kidney.sum(), case.liver.sum()]), found


def test_values_below_zero_are_said(case: Case, tmp_path: Path, capsys):
    labels = case.liver.astype(np.int16) * 5 - case.kidney.astype(np.int16)
    nibabel.Nifti1Image(labels.T, GRID.ijk_to_ras).to_filename(tmp_path / "labels.nii.gz")
    table = own_table(tmp_path, "label,name\n5,Leber\n")
    assert volumes(tmp_path / "labels.nii.gz", tmp_path / "v.csv", "--labels", table) == 0
    assert voxels_in(tmp_path / "v.csv") == {"Leber": case.liver.sum()}
    assert "without a name were left out: -1." in capsys.readouterr().err


def test_in_a_comparison_the_table_is_for_the_image_without_names(case: Case, image: Path, tmp_path: Path, capsys):
    """Values of a file with names of its own mean what it says, whatever the table for the other one is."""
    values = case.liver.astype(np.uint8) * 1 + case.kidney.astype(np.uint8) * 3
    nibabel.Nifti1Image(values.T, GRID.ijk_to_ras).to_filename(tmp_path / "other.nii.gz")
    other = with_names(tmp_path / "other.nii.gz", (1, "liver"), (3, "kidney_right"))
    words = ["compare", image, other, "--reference", case.ct, "--labels", "structures_104"]
    assert main([str(word) for word in words]) == 0
    assert "Structures compared: 2; Dice: mean 1.000" in capsys.readouterr().out
    words = ["compare", other, other, "--reference", case.ct, "--labels", "structures_104"]
    assert main([str(word) for word in words]) == ERRORS["LABELS_CONTRADICT"].exit_code


# -- ours --------------------------------------------------------------------------------------------------------------


def test_our_nifti_carries_names_that_totalsegmentators_loader_reads(case: Case, tmp_path: Path):
    """The loader takes the content of the first extension, and the keys and texts of its labels."""
    output = tmp_path / "ours.nii.gz"
    assert case.run("--to", "nifti", "--structures", "liver,kidney_right", "--names", "own", output) == 0
    image = nibabel.load(output)
    root = ElementTree.fromstring(image.header.extensions[0].get_content())
    labels = root.findall("VolumeInformation/LabelTable/Label")
    assert root.tag == "CaretExtension"
    names = {int(label.get("Key")): label.text for label in labels}
    with output.with_name("ours.csv").open(encoding="utf-8", newline="") as stream:
        assert names == {int(row["LabelValue"]): row["Name"] for row in csv.DictReader(stream)}
    assert all(0 <= float(label.get(channel)) <= 1 for label in labels for channel in ("Red", "Green", "Blue"))
    counts = {name: np.count_nonzero(np.asarray(image.dataobj) == value) for value, name in names.items()}
    assert sorted(counts.values()) == sorted([case.liver.sum(), case.kidney.sum()])
    output.with_name("ours.csv").unlink()
    assert volumes(output, tmp_path / "v.csv") == 0
    assert voxels_in(tmp_path / "v.csv") == {name.replace("~", ""): count for name, count in counts.items()}


def test_names_with_any_characters_come_back(case: Case, image: Path, tmp_path: Path):
    names = [LabelName(2, 'A & B <"c"> ]]> Nière', (1, 2, 3)), LabelName(5, "a\x00b\n\tc", (4, 5, 6))]
    extension = name_extension(names)
    assert (len(extension) - 4) % 16 == 0 and struct.unpack("<i", extension[4:8])[0] == len(extension) - 4
    data = bytearray(gzip.decompress(image.read_bytes()))
    header, voxels = data[:348], data[352:]
    header[108:112] = struct.pack("<f", 348 + len(extension))
    (tmp_path / "odd.nii").write_bytes(bytes(header) + extension + bytes(voxels))
    assert volumes(tmp_path / "odd.nii", tmp_path / "v.csv") == 0
    assert voxels_in(tmp_path / "v.csv") == {"A & B <'c'> ]]> Nière": case.kidney.sum(), "a b c": case.liver.sum()}
