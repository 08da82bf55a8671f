"""The three terminology contexts that Slicer loads at start, shortened: the wheel ships none of them."""

from __future__ import annotations

import json
from pathlib import Path

_SCHEMA = "https://raw.githubusercontent.com/qiicr/dcmqi/master/doc/{}-context-schema.json#"
_TISSUE = {"CodeMeaning": "Tissue", "CodingSchemeDesignator": "SCT", "CodeValue": "85756007"}
_ANATOMY = {"CodeMeaning": "Anatomical Structure", "CodingSchemeDesignator": "SCT", "CodeValue": "123037004"}
_LIVER = {"CodeMeaning": "Liver", "CodingSchemeDesignator": "SCT", "CodeValue": "10200004"}


def write_terminologies(folder: Path) -> Path:
    """Write the files under the names that ``vtkSlicerTerminologiesModuleLogic`` looks for in its share directory."""
    folder.mkdir(parents=True, exist_ok=True)
    categories = [
        {**_TISSUE, "Type": [{**_TISSUE, "recommendedDisplayRGBValue": [128, 174, 128], "3dSlicerLabel": "tissue"}]},
        {**_ANATOMY, "Type": [{**_LIVER, "recommendedDisplayRGBValue": [221, 130, 101], "3dSlicerLabel": "liver"}]},
    ]
    contexts = {
        "SlicerGeneralAnatomy": "Segmentation category and type - 3D Slicer General Anatomy list",
        "DICOM-Master": "Segmentation category and type - DICOM master list",
    }
    for file_name, context in contexts.items():
        content = {
            "SegmentationCategoryTypeContextName": context,
            "@schema": _SCHEMA.format("segment"),
            "SegmentationCodes": {"Category": categories},
        }
        path = folder / f"SegmentationCategoryTypeModifier-{file_name}.term.json"
        path.write_text(json.dumps(content), encoding="utf-8")
    regions = {
        "AnatomicContextName": "Anatomic codes - DICOM master list",
        "@schema": _SCHEMA.format("anatomic"),
        "AnatomicCodes": {"AnatomicRegion": [_LIVER]},
    }
    (folder / "AnatomicRegionAndModifier-DICOM-Master.term.json").write_text(json.dumps(regions), encoding="utf-8")
    return folder
