"""A phantom's result that was reviewed and edited, to make sheets of, and the schema of their data."""

from __future__ import annotations

from pathlib import Path

import fastjsonschema
import numpy as np
from export_support import write_ct_series
from planted_faults import LABELS, PlantedFault
from sheet_support import (
    data_of,
    write_result,
)
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorWire.resources import REVIEW_FOLDER
from TotalSegmentatorWire.tables.review_state import ReviewState

ABDOMEN = ((-200.0, 200.0), (-150.0, 150.0), (-60.0, 260.0))
PATIENT = {
    "PatientName": "Zappelmann^Eusebia",
    "PatientID": "PAT-778812",
    "PatientBirthDate": "19430705",
    "PatientSex": "F",
    "StudyDate": "20210317",
    "SeriesDate": "20210317",
    "AcquisitionTime": "081522",
    "AccessionNumber": "ACC4711",
    "StudyID": "ST88123",
    "InstitutionName": "Klinikum Waldesruh",
    "StudyDescription": "Staging Zappelmann",
}
COLOURS = {"liver": (255, 0, 0), "kidney_left": (0, 0, 255)}
STATES = {
    "liver": ReviewState.EDITED,
    "spleen": ReviewState.APPROVED,
    "kidney_left": ReviewState.NEEDS_ATTENTION,
    "aorta": ReviewState.REJECTED,
}
validate = fastjsonschema.compile(data_of(REVIEW_FOLDER / "review_sheet.schema.json"))


class Reviewed:
    """A phantom's result: a stray piece was planted before it was computed; then the liver was cut back, the spleen
    grew, and the gallbladder was erased."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        fault = PlantedFault(view=ABDOMEN, spacing_mm=(5.0, 5.0, 5.0))
        self.grid, self.hu = fault.geometry, fault.ct
        self.stray = fault.centre("liver") - [0.0, 90.0, 0.0]
        fault.add_ball("spleen", self.stray, 12.0)
        self.computed = fault.labels.copy()
        liver = np.argwhere(fault.mask("liver"))
        k, j, _ = liver.mean(axis=0).astype(int)
        cut = np.zeros(fault.labels.shape, bool)
        cut[k - 2 : k + 3, j - 6 : j] = True
        fault.labels[cut & fault.mask("liver")] = 0
        fault.labels[np.roll(fault.mask("spleen"), 1, axis=2) & (fault.labels == 0)] = LABELS["spleen"]
        fault.remove("gallbladder")
        self.labels = fault.labels
        self.series = write_ct_series(folder / "Zappelmann" / "CT", self.hu, self.grid, **PATIENT)
        before = write_result(folder / "computed.seg.nrrd", self.computed, self.grid)
        self.segmentation = write_result(
            folder / "result.seg.nrrd", self.labels, self.grid, self.computed, STATES, COLOURS
        )
        self.words = (str(self.segmentation), "--reference", str(self.series), "--to", "review")
        self.computed_words = ("--computed", str(before))
        flags = folder / "result.review.json"
        assert main(["review", str(before), "--reference", str(self.series), "--output", str(flags)]) == 0
        self.flags = data_of(flags)["flags"]

    def export(self, name: str, *more: object) -> Path:
        output = self.folder / name
        assert main(["export", *self.words, *self.computed_words, *map(str, more), str(output)]) == 0
        return output
