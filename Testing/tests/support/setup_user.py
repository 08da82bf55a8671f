"""Somebody who installs from the panel, with a set-up program that does what a test asks (fake_setup.py)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import slicer
from time_bounds import READY_SECONDS

MODEL = "104-3mm"
"""The panel's choice where none is installed and no graphics card is built in."""
ENGINE_ITEM = {
    "kind": "engine",
    "id": "cpu",
    "title": "Engine packages for the CPU",
    "bytes": 502_000_000,
    "disk_bytes": 1_900_000_000,
    "host": "download.pytorch.example, pypi.example",
    "licence": "BSD-3-Clause",
    "purpose": "computes the segmentation",
    "installed": False,
}
MODEL_ITEM = {
    "kind": "model",
    "id": MODEL,
    "title": "104 structures <3 mm>",
    "bytes": None,
    "disk_bytes": 250_000_000,
    "host": "zenodo.example",
    "licence": "CC BY 4.0",
    "purpose": "networks; research use, not a medical device",
    "installed": False,
}


class SetupUser:
    """Somebody who installs. ``folder`` is where the fake set-up looks what to do."""

    def __init__(self, user) -> None:
        self.user, self.ui, self.app = user, user.ui, user.app
        self.folder = Path(slicer.app.temporaryPath) / "installation"
        self.acts("install")
        self.plans(MODEL_ITEM)

    def acts(self, act: str) -> None:
        (self.folder / "act").write_text(act, encoding="utf-8")

    def plans(self, *items, free_bytes=50_000_000_000, outdated=False, warnings=()) -> None:
        plan = {
            "engine": {"installed": True, "outdated": outdated},
            "items": list(items),
            "folders": {"engine": str(self.folder / "engine"), "models": str(self.folder / "models")},
            "free_bytes": free_bytes,
            "python": sys.executable,
            "device": {"kind": "cpu", "name": "processor with 8 cores"},
            "warnings": [problem.to_json() for problem in warnings],
        }
        (self.folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")

    @property
    def calls(self) -> list[list[str]]:
        path = self.folder / "calls.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def wait(self, condition, seconds: float = READY_SECONDS) -> None:
        assert self.app.wait_until(condition, seconds), self.describe()

    def describe(self) -> str:
        shown = [
            self.ui.install_page.titleLabel.text,
            self.ui.install_page.stepLabel.text,
            self.ui.install_page.errorWhatLabel.text,
        ]
        return "page {!r}, calls {}, {}".format(shown, self.calls, self.user.describe())

    def ask(self) -> None:
        """Apply with a model that is missing, up to the page."""
        self.user.add_ct()
        self.user.click_apply()
        self.wait(lambda: self.ui.install_page.installButton.visible)

    def install(self, act: str = "install") -> None:
        self.acts(act)
        self.app.click(self.ui.install_page.installButton)

    def wait_for_half(self) -> None:
        self.wait(lambda: self.ui.install_page.progressBar.value == 500)

    def open_section(self) -> None:
        self.ui.setup.collapsibleButton.collapsed = False
        self.app.process_events()
