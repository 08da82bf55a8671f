"""Stands for the installed engine in tests of the model store: answers as ``check-model`` and ``convert-model`` do."""

from __future__ import annotations

from pathlib import Path

from TotalSegmentatorSetup.packages.engine_program import EngineProgram
from TotalSegmentatorWire.errors.problem import SegmentationError


class FakeEngine(EngineProgram):
    """Remembers what it was asked; takes every model but one whose plans say ``{"bad": true}``."""

    def __init__(self) -> None:
        super().__init__("no python")
        object.__setattr__(self, "asked", [])

    def ask(self, arguments, check_cancelled=lambda: None):
        check_cancelled()
        self.asked.append(list(arguments))
        folder = Path(arguments[1])
        if arguments[0] == "convert-model":
            target = Path(arguments[2])
            (target / "fold_0").mkdir(parents=True)
            (target / "plans.json").write_text("{}")
            (target / "dataset.json").write_text("{}")
            (target / "fold_0" / "checkpoint_final.pth").write_bytes(
                (folder / "fold_0" / "model_final_checkpoint.model").read_bytes()
            )
        elif "bad" in (folder / "plans.json").read_text():
            raise SegmentationError("MODEL_DAMAGED", detail="the weights do not match the network in plans.json")
        return {}
