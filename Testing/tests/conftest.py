"""Fixtures that several tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = REPOSITORY.parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of the real test data beside the checkout; skips the test where it is absent."""
    if not (SHARED / "data").is_dir():
        pytest.skip("the real test data ({}) are not on this machine".format(SHARED.name))
    return SHARED


@pytest.fixture(scope="session")
def example_ct(shared: Path) -> Path:
    """A real CT of abdomen and pelvis, 122 x 101 x 112 voxels of 3 mm (NIfTI)."""
    return shared / "data" / "example_ct" / "ct.nii.gz"


@pytest.fixture(scope="session")
def example_model(shared: Path) -> Path:
    """An nnU-Net v2 model folder fitted to ``example_ct``."""
    dataset = shared / "models" / "example_ct_104_3mm"
    return next(folder for folder in dataset.iterdir() if (folder / "plans.json").is_file())
