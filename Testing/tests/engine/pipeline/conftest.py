"""What the networks of a job are run over."""

from __future__ import annotations

import pytest
from job_recorder import NetworkRun
from TotalSegmentatorEngine.models.find_model import Part
from TotalSegmentatorEngine.pipeline.part_prediction import PartLabels, PartPrediction
from TotalSegmentatorEngine.preprocessing.network_input import Region
from TotalSegmentatorWire.tables.catalogue import read_catalogue


@pytest.fixture
def network_runs(monkeypatch: pytest.MonkeyPatch) -> list[NetworkRun]:
    """Every run of a network over a region, in order; passes of coarse localization are left out."""
    runs: list[NetworkRun] = []
    predict = PartPrediction.predict
    coarse_parts = {model.parts[0].name for model in read_catalogue().values() if len(model.parts) == 1}

    def noted(self: PartPrediction, part: Part, region: Region) -> PartLabels:
        if part.name not in coarse_parts:
            runs.append(NetworkRun(part.name, region, region == self.grid.whole))
        return predict(self, part, region)

    monkeypatch.setattr(PartPrediction, "predict", noted)
    return runs
