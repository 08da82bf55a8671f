"""From nothing to a segmentation without a network, from a folder that another computer has filled.

The Python is a fresh one with slicer-core and nothing of ours, as Slicer's own is.
"""

from __future__ import annotations

import json
import os

import pytest
from setup_support import MODEL, labels_in

pytestmark = pytest.mark.slow  # installs 1.8 GB of packages from an offline folder, which it fills from the index
NOWHERE = "http://127.0.0.1:9"


def test_an_offline_folder_installs_everything_without_a_network(computer, ct):
    bundle = computer.home / "stick"
    computer.run("make-offline-bundle", bundle, "--models", MODEL)
    assert {path.name for path in bundle.iterdir()} == {"bundle.json", "packages", "models"}
    offline = {
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), NOWHERE),
        "PIP_INDEX_URL": NOWHERE,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_FIND_LINKS": "",
    }

    computer.run("setup", "--models", MODEL, "--from-folder", bundle, **offline)
    computer.run("segment", ct, computer.home / "offline.nii.gz", "--model", MODEL, **offline)

    assert labels_in(computer.home / "offline.nii.gz").shape == (42, 44, 40)
    wheel = next((bundle / "packages").glob("scipy-*.whl"))
    wheel.rename(wheel.with_suffix(".gone"))
    lacking = computer.run("setup", "--repair", "--from-folder", bundle, expected=84, **offline)
    assert "BUNDLE_INCOMPLETE" in lacking.stderr
    assert wheel.name in lacking.stderr
    # a repair that failed leaves the engine that was there
    assert json.loads(computer.run("doctor", "--json").stdout)["state"] == "ready"
