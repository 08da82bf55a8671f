"""Everything that one computer needs: the engine's packages and the models asked for, installed in one go."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from TotalSegmentatorWire.disk_space import free_bytes
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.catalogue import CatalogueModel, catalogue_model, with_needed_models

from TotalSegmentatorSetup.install.offline_folder import check_bundle
from TotalSegmentatorSetup.install.options import InstallOptions
from TotalSegmentatorSetup.models.model_store import ModelStore
from TotalSegmentatorSetup.models.state import ModelState
from TotalSegmentatorSetup.packages.bootstrap import has_own_packages
from TotalSegmentatorSetup.packages.engine_program import PACKAGES_VARIABLE, EngineProgram
from TotalSegmentatorSetup.packages.package_store import EnginePlan, InstalledEngine, PackageStore
from TotalSegmentatorSetup.support.progress import SetupReporter

_ENGINE_PURPOSE = "run the segmentation in a process of its own; Slicer's own packages are not changed"
_ENGINE_LICENCE = "BSD-3-Clause and Apache-2.0 (PyTorch, nnU-Net, OpenVINO)"
_MODEL_PURPOSE = "networks for {title}; for research use, not a medical device"
_NEEDED_PURPOSE = "without it, these models cannot run: {models}; for research use, not a medical device"
_TASK_LICENCE = "{licence} according to the publisher; the licence of the training data was not checked"


def chosen_packages() -> EngineProgram | None:
    """This Python with the folder of packages that the user made and named; None where none is named."""
    folder = os.environ.get(PACKAGES_VARIABLE)
    return EngineProgram(sys.executable, Path(folder)) if folder else None


def own_packages() -> EngineProgram | None:
    """This Python as the engine, where its own packages are those of the engine."""
    return EngineProgram(sys.executable) if has_own_packages() else None


class Installation:
    """The stores that ``options`` name, and what they are to hold."""

    def __init__(self, options: InstallOptions, reporter: SetupReporter | None = None) -> None:
        self._options = options
        self._reporter = reporter or SetupReporter(lambda event: None)
        self.packages = PackageStore(options.engines_folder, options.network, self._reporter, options.sources)

    @property
    def models(self) -> ModelStore:
        """With the engine as it is now: it checks and converts what is installed."""
        options = self._options
        program = self.engine_program()
        return ModelStore(options.models_folder, options.network, self._reporter, program, options.archives)

    def engine_program(self) -> EngineProgram | None:
        """The packages that the user has chosen, else the newest of this product, else this Python's own, else None."""
        chosen = chosen_packages()
        if chosen is not None:
            return chosen
        newest = self.packages.newest()
        return newest.program if newest is not None else own_packages()

    # -- what is to be done --------------------------------------------------------------------------------------------

    def plan(self) -> dict[str, Any]:
        """What ``setup --show`` shows; numbers are bytes. Raises SegmentationError("PYTHON_UNSUPPORTED")."""
        planned = self.planned_engine()
        newest = self.packages.newest()
        items = [
            {
                "kind": "engine",
                "id": planned.variant.id,
                "title": "Engine packages for the {}".format(planned.variant.device_title),
                "bytes": planned.bytes,
                "disk_bytes": planned.disk_bytes,
                "host": ", ".join(planned.hosts),
                "licence": _ENGINE_LICENCE,
                "purpose": _ENGINE_PURPOSE,
                "installed": not self._needs_engine(),
            }
        ]
        states = {state.id: state for state in self.models.states()}
        items += [self._model_item(states[model]) for model in self.asked_models]
        warnings = [*planned.warnings]
        device = {"kind": planned.variant.device, "name": planned.device_name or planned.variant.device_title}
        if newest is not None:
            device = {"kind": newest.device, "name": newest.device_name or newest.device}
        return {
            "engine": None if newest is None else self._engine_item(newest),
            "items": items,
            "folders": {
                "engine": str(self._options.engines_folder),
                "models": str(self._options.models_folder),
            },
            "free_bytes": free_bytes(self._options.engines_folder),
            "python": planned.python,
            "device": device,
            "warnings": [problem.to_json() for problem in warnings],
        }

    def _engine_item(self, engine: InstalledEngine) -> dict[str, Any]:
        return {"installed": True, "versions": engine.versions, "outdated": self.is_outdated(engine)}

    def _model_item(self, state: ModelState) -> dict[str, Any]:
        model = state.model
        hosts = {urlsplit(part.urls[0]).hostname or "" for part in model.parts}
        return {
            "kind": "model",
            "id": state.id,
            "title": state.title,
            "bytes": state.download_bytes,
            "disk_bytes": state.disk_bytes or state.download_bytes,
            "host": ", ".join(sorted(hosts)),
            "licence": _TASK_LICENCE.format(licence=model.licence) if model.is_task else model.licence,
            "purpose": self._purpose(model),
            "installed": state.is_installed,
            "is_task": model.is_task,
            "weights_licence": model.licence,
            "unchecked": state.unpublished_digests,
            "small_training_set": model.small_training_set,
            "citations": list(model.citations),
            "note": model.note,
        }

    def _purpose(self, model: CatalogueModel) -> str:
        asking = [catalogue_model(other) for other in self._options.models]
        needing = [other.title for other in asking if model.id in other.needed_models]
        if needing:
            return _NEEDED_PURPOSE.format(models="; ".join(needing))
        return _MODEL_PURPOSE.format(title=model.title)

    def planned_engine(self) -> EnginePlan:
        """What suits this computer or was chosen. Raises SegmentationError("PYTHON_UNSUPPORTED")."""
        return self.packages.plan(self._options.torch_variant)

    @property
    def asked_models(self) -> list[str]:
        """With those that they need, which come before them. Raises SegmentationError("MODEL_UNKNOWN")."""
        return with_needed_models(self._options.models)

    # -- doing it ------------------------------------------------------------------------------------------------------

    def install(self) -> InstalledEngine | None:
        """Packages, then models; what is there already is left alone, unless ``--repair`` asks for new packages."""
        planned = self.planned_engine() if self._needs_engine() else None
        folder = self._options.from_folder
        if folder is not None:
            check_bundle(folder, planned, self._reporter)
        missing = self._missing_models()
        tasks = [] if planned is None else list(self.packages.tasks(planned))
        for model in missing:
            tasks += self.models.tasks(model)
        self._reporter.expect(list(dict.fromkeys(tasks)))  # two models may have a part in common
        if planned is not None:
            for problem in planned.warnings:
                self._reporter.warning(problem)
            self.packages.install(planned)
        self._install(missing)
        return self.packages.newest()

    def install_models(self) -> None:
        """Only models. Raises SegmentationError("MODEL_UNKNOWN"), and "ENGINE_MISSING" as they could not be checked."""
        missing = self._missing_models()
        tasks = (task for model in missing for task in self.models.tasks(model))
        self._reporter.expect(list(dict.fromkeys(tasks)))
        self._install(missing)

    def _install(self, models: Sequence[str]) -> None:
        if models and self.engine_program() is None:
            raise SegmentationError("ENGINE_MISSING", package="torch")
        for model in models:
            self.models.install(model)

    def _missing_models(self) -> list[str]:
        states = {state.id: state for state in self.models.states()}
        return [model for model in self.asked_models if not states[model].is_installed]

    def is_outdated(self, engine: InstalledEngine) -> bool:
        """Whether this version of the module would install other packages."""
        try:
            return self.packages.plan(engine.variant).folder.name != engine.folder.name
        except SegmentationError:  # that kind of packages is not made any more
            return True

    def _needs_engine(self) -> bool:
        """An older set of packages does as long as nothing newer was asked for: ``--repair`` brings the new one. Where
        the user has chosen packages, others would not be used."""
        if chosen_packages() is not None and not self._options.repair:
            return False
        newest, variant = self.packages.newest(), self._options.torch_variant
        is_other = newest is not None and variant is not None and newest.variant != variant
        return self._options.repair or is_other or self.engine_program() is None
