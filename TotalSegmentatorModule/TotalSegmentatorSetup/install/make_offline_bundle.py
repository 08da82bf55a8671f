"""Makes one folder from which another computer of the same kind installs packages and models without internet."""

from __future__ import annotations

import json
from pathlib import Path

from TotalSegmentatorWire import ENGINE_VERSION
from TotalSegmentatorWire.messages.setup import SetupStep

from TotalSegmentatorSetup.install.installation import Installation
from TotalSegmentatorSetup.install.offline_folder import MODELS, PACKAGES, TABLE, kind_of
from TotalSegmentatorSetup.models.model_store import USUAL_ARCHIVE_BYTES
from TotalSegmentatorSetup.network.downloads import digest_of
from TotalSegmentatorSetup.packages.package_store import USUAL_PACKAGES_BYTES
from TotalSegmentatorSetup.support.folders import require_writable
from TotalSegmentatorSetup.support.progress import SetupReporter, SetupTask


def make_bundle(installation: Installation, reporter: SetupReporter, output: Path) -> None:
    """Packages for this kind of computer, and the archives of the models asked for. Called again it continues
    where it was stopped. Raises SegmentationError."""
    require_writable(output, "the offline folder")
    (output / TABLE).unlink(missing_ok=True)  # it is whole only with its table
    plan = installation.planned_engine()
    models = installation.models
    parts = [part for model in installation.asked_models for part in models.parts_of(model)]
    archives = list({part.name: part for part in parts}.values())  # two models may have a part in common
    packages = SetupTask(SetupStep.DOWNLOADING_PACKAGES, "", float(plan.bytes or USUAL_PACKAGES_BYTES))
    downloads = [
        SetupTask(SetupStep.DOWNLOADING_MODEL, part.name, float(part.bytes or USUAL_ARCHIVE_BYTES)) for part in archives
    ]
    reporter.expect([packages, *downloads])
    installation.packages.fetch_wheels(plan, output / PACKAGES)
    for part in archives:
        models.fetch_archive(part, output / MODELS)
    files = [file for pattern in (f"{PACKAGES}/*.whl", f"{MODELS}/*.zip") for file in sorted(output.glob(pattern))]
    rows = {file: [file.stat().st_size, digest_of(file, reporter)] for file in files}
    table = {
        "product": f"TotalSegmentatorModule {ENGINE_VERSION}",
        "kind": kind_of(plan),
        "files": {file.relative_to(output).as_posix(): row for file, row in rows.items()},
    }
    draft = output / f"{TABLE}.new"
    draft.write_text(json.dumps(table, indent=1), encoding="utf-8")
    draft.replace(output / TABLE)
