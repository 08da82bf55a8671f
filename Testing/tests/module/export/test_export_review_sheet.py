"""From the panel to the review sheet with the real export program: what the scene keeps of the review is on it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import pydicom
import slicer
from export_support import labels_on, write_ct_series
from export_user import PROGRAM_SECONDS, result_of
from sheet_support import added_path_mm, data_of, html_text, identifiers_of, pdf_texts
from TotalSegmentatorEngine.export.edits.table import read_edits
from TotalSegmentatorEngine.imaging.computed_structures import computed_structures
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorWire.edits_file import edits_file
from TotalSegmentatorWire.messages.computed import computed_to_json
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.tables.review_state import ReviewState

pytestmark = pytest.mark.slow  # every export is a process that imports NumPy, SciPy and pydicom

GRID = Geometry((24, 40, 48), [[-2.0, 0, 0, 60.0], [0, -2.0, 0, 50.0], [0, 0, 3.0, -90.0], [0, 0, 0, 1]])
SPLEEN, KIDNEY = "spleen", "kidney_right"
FLAGS = (
    Flag("holes", Level.CHECK, SPLEEN, (), (10.0, 10.0, -60.0), {"volume_ml": 2, "holes": 1}),
    Flag("missing_partner", Level.WRONG, "kidney_left", (KIDNEY,), None, {}),
)


@pytest.fixture
def exporter(real_exporter):
    return real_exporter


def hu() -> np.ndarray:
    array = np.full(GRID.shape, -1000, np.int16)
    array[:, 4:36, 4:44] = 40
    return array


def add_reviewed(exporter, ct, series_instance_uid: str | None = None):
    """A result of two structures that was checked; the spleen was cut back and approved, the missing kidney rejected.
    Returns the node, and the spleen's voxels before and after."""
    from TotalSegmentatorModuleLib.scene.computed_structures import keep_computed
    from TotalSegmentatorModuleLib.scene.review_tags import set_state
    from TotalSegmentatorModuleLib.scene.segmentation_import import ImportTarget, import_result
    from TotalSegmentatorModuleLib.tags.review_flags import set_absent_state

    labels = labels_on(GRID.shape)
    images, header = result_of(labels, ct)
    found = []
    for each in header.found:
        places = np.argwhere(labels == each.label)
        extent = [int(end[axis]) for axis in (2, 1, 0) for end in (places.min(axis=0), places.max(axis=0))]
        found.append(dataclasses.replace(each, extent=extent))
    review = {"version": 1, "flags": [flag.to_json("A remark.") for flag in FLAGS]}
    header = dataclasses.replace(header, found=found, review=review, series_instance_uid=series_instance_uid)
    node = import_result(images, header, ImportTarget(ct))
    exporter.user.widget.panel.result_arrived(node, header)
    keep_computed(node, computed_to_json(computed_structures(found, [labels], GRID)))
    before = labels == 1
    after = before.copy()
    after[:, : np.argwhere(before)[:, 1].min() + 3] = False
    slicer.util.updateSegmentBinaryLabelmapFromArray(after.astype(np.uint8), node, SPLEEN, ct)
    set_state(node.GetSegmentation().GetSegment(SPLEEN), ReviewState.APPROVED)
    set_absent_state(node, "kidney_left", ReviewState.REJECTED)
    selector = exporter.ui.review.segmentationSelector
    exporter.wait(lambda: selector.currentNode() is node and exporter.ui.review.sheetButton.visible)
    return node, before, after


def test_the_button_of_the_review_writes_the_sheet_into_the_export_folder(exporter):
    ct = exporter.user.add_ct(hu(), matrix=GRID.ijk_to_ras)
    _node, before, after = add_reviewed(exporter, ct)
    exporter.ui.export.collapsibleButton.collapsed = True
    exporter.choose(exporter.ui.export.formatComboBox, "review-html")
    exporter.ui.export.patientCheckBox.checked = True
    chosen = exporter.ui.export.formatComboBox.currentIndex
    exporter.ui.advanced.collapsibleButton.collapsed = False
    edits = exporter.ui.review_edits
    exporter.app.click(edits.editsCheckBox)
    assert not edits.showEditsButton.visible
    exporter.app.click(exporter.ui.review.sheetButton)
    exporter.app.click(exporter.ui.review.sheetButton)
    assert exporter.task_ui.hintLabel.text.startswith("An export is running.") and exporter.task_ui.hintLabel.visible
    exporter.wait_until_ready(PROGRAM_SECONDS)
    assert exporter.error_code == "", exporter.describe()
    assert not exporter.ui.export.collapsibleButton.collapsed
    assert exporter.ui.export.formatComboBox.currentIndex == chosen
    assert edits.showEditsButton.visible
    json_name, pdf_name = exporter.written  # whatever is chosen for an export
    assert json_name.endswith("_review.json") and pdf_name.endswith("_review.pdf")
    assert pdf_name in exporter.task_ui.resultLabel.text
    data = data_of(exporter.target / json_name)
    spleen, kidney = data["structures"]
    kept = {row.structure: (row.decision, row.edited, row.dice) for row in read_edits(edits_file())}
    assert kept == {
        SPLEEN: ("approved", True, pytest.approx(spleen["edit"]["dice"], abs=1e-4)),
        KIDNEY: (kidney["state"], False, None),
    }
    assert (spleen["name"], spleen["state"], spleen["edited"]) == ("spleen", "approved", True)
    assert spleen["voxels"] == np.count_nonzero(after) and spleen["mean_hu"] == pytest.approx(hu()[after].mean())
    assert spleen["edit"]["computed_ml"] == pytest.approx(np.count_nonzero(before) * 0.012)
    assert spleen["edit"]["added_path_mm"] == pytest.approx(added_path_mm(after, before, 2.0)) and not kidney["edited"]
    decisions = {remark["structure"]: remark["decision"] for remark in data["remarks"]}
    assert decisions == {SPLEEN: "approved", "kidney_left": "rejected"}
    assert data["computations"][0]["seconds"] is not None and "Wrong?" in "\n".join(
        pdf_texts(exporter.target / pdf_name)
    )


def test_without_a_folder_the_section_asks_for_one(exporter):
    add_reviewed(exporter, exporter.user.add_ct(hu(), matrix=GRID.ijk_to_ras))
    exporter.ui.export.folderPathLineEdit.currentPath = ""
    exporter.app.click(exporter.ui.review.sheetButton)
    assert exporter.task_ui.hintLabel.text == "Choose the folder for the review sheet." and not exporter.written


def test_the_patient_is_named_only_where_that_was_ticked(exporter, tmp_path):
    series = write_ct_series(tmp_path / "ct", hu(), GRID, PatientName="Zappelmann^Eusebia", PatientID="PAT-778812")
    ct = exporter.app.load_dicom_series(series)
    uid = pydicom.dcmread(next(series.iterdir())).SeriesInstanceUID
    node, *_ = add_reviewed(exporter, ct, uid)
    node.GetSegmentation().GetSegment(KIDNEY).SetName("Kidney of Mrs Zappelmann")
    box = exporter.ui.export.patientCheckBox
    assert not box.visible
    exporter.choose(exporter.ui.export.formatComboBox, "review-html")
    assert box.visible and not box.checked and not exporter.ui.export.outlineCheckBox.visible
    exporter.export_as("review-html")
    plain, page = (exporter.target / name for name in exporter.written[::-1])
    plain, page = (plain, page) if plain.suffix == ".json" else (page, plain)
    text = page.read_text(encoding="utf-8") + plain.read_text(encoding="utf-8")
    assert [each for each in identifiers_of(series) if each in text] == []
    assert "Kidney of Mrs ***" in text
    box.checked = True
    exporter.export_as("review-html")
    (named,) = (exporter.target / name for name in exporter.written if name.endswith("2.html"))
    assert "Zappelmann^Eusebia" in html_text(named) and "PAT-778812" in html_text(named)
    assert data_of(plain)["input"] == data_of(named.with_suffix(".json"))["input"]
    exporter.app.click(exporter.ui.review.sheetButton)
    exporter.wait_until_ready(PROGRAM_SECONDS)
    (sheet,) = (exporter.target / name for name in exporter.written if name.endswith(".pdf"))
    assert [each for each in identifiers_of(series) if each in "\n".join(pdf_texts(sheet))] == []


def test_a_script_chooses_the_sheet_by_the_name_of_the_file(exporter, tmp_path):
    node, *_ = add_reviewed(exporter, exporter.user.add_ct(hu(), matrix=GRID.ijk_to_ras))
    logic = exporter.user.widget.logic
    files = logic.export(node, "review", tmp_path / "sheets" / "mine.json", structures=[KIDNEY])
    assert [path.name for path in files] == ["mine.json"]
    data = data_of(files[0])
    assert [row["segments"] for row in data["structures"]] == [[KIDNEY]] and data["removed"] == []
    assert data["remarks"] == []  # a missing structure is remarked on where all are on the sheet
