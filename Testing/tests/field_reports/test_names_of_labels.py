"""A public fault report about label images: a label value has a name only by evidence, which is not overruled."""

from __future__ import annotations

import csv
from pathlib import Path

import nibabel
import numpy as np
import pytest
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorWire.errors.problem import ERRORS

REPORT = Path("data") / "field_reports" / "4"


def volumes(*words: object) -> int:
    return main([str(word) for word in ("export", *words, "--to", "volumes", "--names", "own")])


def voxels_in(path: Path) -> dict[str, int]:
    with path.open(encoding="utf-8", newline="") as stream:
        return {row["name"]: int(row["voxels"]) for row in csv.DictReader(stream)}


def own_table(folder: Path, text: str) -> Path:
    (folder / "own names.csv").write_text(text, encoding="utf-8")
    return folder / "own names.csv"


@pytest.mark.shared
def test_names_in_a_nifti_header_extension_are_read_report_4(shared: Path, tmp_path: Path):
    image, ct = shared / REPORT / "labels_v2.nii.gz", shared / REPORT / "ct"
    assert volumes(image, tmp_path / "v.csv", "--reference", ct) == 0
    values = np.asarray(nibabel.load(image).dataobj)
    counts = {"pancreas": np.count_nonzero(values == 7), "aorta": np.count_nonzero(values == 52)}
    assert voxels_in(tmp_path / "v.csv") == counts


@pytest.mark.shared
def test_a_table_that_contradicts_the_names_in_the_file_is_refused_report_4(shared: Path, tmp_path: Path, capsys):
    image, ct = shared / REPORT / "labels_v2.nii.gz", shared / REPORT / "ct"
    words = (image, tmp_path / "v.csv", "--reference", ct, "--labels")
    assert volumes(*words, "structures_104") == ERRORS["LABELS_CONTRADICT"].exit_code
    assert "pancreas" in capsys.readouterr().err
    assert volumes(*words, "structures_117") == 0
    assert volumes(*words, own_table(tmp_path, "label,name\n7,Pancreas\n52,Aorta\n")) == 0
    assert volumes(*words, own_table(tmp_path, "label,name\n7,Aorta\n52,Pancreas\n")) == 182
