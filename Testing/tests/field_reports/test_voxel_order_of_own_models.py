"""Field report 13: a model that reads by SimpleITKIO sees the file's voxel order, and its folder does not say which."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import ct_variants
import nibabel
import numpy as np
import pytest
from fake_setup_engine import FakeEngine
from scores import dice_by_label
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorSetup.models.model_store import ModelStore
from TotalSegmentatorSetup.network.access import NetworkSettings
from TotalSegmentatorSetup.support.progress import SetupReporter


@pytest.fixture
def plain_model(example_model: Path, tmp_path: Path) -> Path:
    """The example model as if it had been planned with SimpleITKIO; it was trained on RAS images."""
    folder = tmp_path / "Dataset913_Plain" / example_model.name
    shutil.copytree(example_model, folder)
    plans = json.loads((folder / "plans.json").read_text())
    (folder / "plans.json").chmod(0o644)
    (folder / "plans.json").write_text(json.dumps(plans | {"image_reader_writer": "SimpleITKIO"}))
    return folder


@pytest.fixture
def ct(example_ct: Path) -> tuple[np.ndarray, np.ndarray]:
    """int16 (k, j, i) and IJK to RAS: the middle of the example CT."""
    middle = nibabel.load(example_ct).slicer[28:92, 12:92, 24:96]
    return np.asarray(middle.dataobj).transpose(2, 1, 0).astype(np.int16), middle.affine


def segment(ct_path: Path, model: Path) -> np.ndarray:
    """Labels (k, j, i) in RAS order."""
    output = ct_path.parent / f"{ct_path.name}-labels.nii.gz"
    assert main(["segment", str(ct_path), str(output), "--model", str(model), "--device", "cpu"]) == 0
    image = nibabel.as_closest_canonical(nibabel.load(output))
    return np.asarray(image.dataobj).transpose(2, 1, 0)


def add(model: Path, models_folder: Path, orientation: str) -> str:
    """As ``models add`` does, but for the check of the weights, which needs an installed engine."""
    store = ModelStore(models_folder, NetworkSettings(), SetupReporter(lambda event: None), FakeEngine())
    return store.add(model, orientation)


def mean_dice(labels: np.ndarray, others: np.ndarray) -> float:
    return float(np.mean(list(dice_by_label(labels, others, 100).values())))


@pytest.mark.slow  # three times four tiles of the network
def test_report_13_with_ras_set_the_nifti_file_and_the_dicom_series_give_the_same(plain_model, ct, tmp_path, capsys):
    nifti = ct_variants.write_image(tmp_path / "ct.nii.gz", *ct)
    series = ct_variants.write_dicom_series(tmp_path / "series", *ct_variants.reordered(*ct, "LPS"))
    installed = Path(add(plain_model, tmp_path / "models", "RAS"))
    of_nifti, of_series = segment(nifti, installed), segment(series, installed)
    assert "MODEL_ORIENTATION_UNKNOWN" not in capsys.readouterr().err
    assert mean_dice(of_nifti, of_series) >= 0.99

    unset = segment(series, plain_model)
    assert "warning MODEL_ORIENTATION_UNKNOWN" in capsys.readouterr().err
    assert mean_dice(of_nifti, unset) < 0.5, "otherwise the order would not matter"


def test_report_13_a_plan_warns_where_the_voxel_order_is_not_known(plain_model, ct, tmp_path, capsys):
    nifti = ct_variants.write_image(tmp_path / "ct.nii.gz", *ct)
    assert main(["plan", str(nifti), "--model", str(plain_model)]) == 0
    told = capsys.readouterr().err
    assert "warning MODEL_ORIENTATION_UNKNOWN" in told
    assert "'models add --orientation'" in told
