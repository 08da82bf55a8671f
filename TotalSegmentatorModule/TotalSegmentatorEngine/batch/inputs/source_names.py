"""Patient and series of a CT as its files name them; read only where the user wants to keep names."""

from __future__ import annotations

from TotalSegmentatorEngine.batch.inputs.candidate import Candidate

_TAGS = {
    "patient_id": "PatientID",
    "patient_name": "PatientName",
    "study_date": "StudyDate",
    "series_description": "SeriesDescription",
}


def source_names(candidate: Candidate) -> dict[str, str]:
    """By the columns of the table of inputs; none for an image file and where the header cannot be read."""
    import pydicom

    if not candidate.files:
        return {}
    try:
        header = pydicom.dcmread(
            candidate.path / candidate.files[0], stop_before_pixels=True, specific_tags=list(_TAGS.values()), force=True
        )
        return {column: str(header.get(tag) or "") for column, tag in _TAGS.items()}
    except Exception:  # noqa: BLE001 - pydicom raises any kind of exception for damaged bytes
        return {}
