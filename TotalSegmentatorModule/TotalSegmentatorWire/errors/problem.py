"""Every foreseeable failure as it crosses the wire: a stable code, an exit code, and two English sentences."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from TotalSegmentatorWire.errors.agreement_errors import AGREEMENT_WARNINGS, GRAPHICS_WARNINGS
from TotalSegmentatorWire.errors.batch_errors import BATCH_ERRORS, BATCH_WARNINGS, QUEUE_ERRORS
from TotalSegmentatorWire.errors.cluster_errors import CLUSTER_ERRORS
from TotalSegmentatorWire.errors.comparison_errors import COMPARISON_ERRORS, COMPARISON_WARNINGS
from TotalSegmentatorWire.errors.definition import ErrorDefinition
from TotalSegmentatorWire.errors.export_errors import EXPORT_ERRORS, EXPORT_WARNINGS
from TotalSegmentatorWire.errors.image_errors import IMAGE_ERRORS, IMAGE_WARNINGS, SERIES_ERRORS, SERIES_WARNINGS
from TotalSegmentatorWire.errors.job_errors import JOB_ERRORS, JOB_WARNINGS
from TotalSegmentatorWire.errors.preset_errors import PRESET_ERRORS
from TotalSegmentatorWire.errors.result_errors import RESULT_ERRORS, RESULT_WARNINGS
from TotalSegmentatorWire.errors.selection_warnings import SELECTION_WARNINGS
from TotalSegmentatorWire.errors.server_errors import RECEIVE_ERRORS, SERVER_ERRORS
from TotalSegmentatorWire.errors.setup_errors import SETUP_ERRORS, SETUP_WARNINGS
from TotalSegmentatorWire.errors.sheet_errors import REPORT_ERRORS, SHEET_ERRORS, SHEET_WARNINGS

ERRORS: dict[str, ErrorDefinition] = (
    SETUP_ERRORS
    | CLUSTER_ERRORS
    | BATCH_ERRORS
    | COMPARISON_ERRORS
    | EXPORT_ERRORS
    | IMAGE_ERRORS
    | JOB_ERRORS
    | PRESET_ERRORS
    | QUEUE_ERRORS
    | RECEIVE_ERRORS
    | REPORT_ERRORS
    | RESULT_ERRORS
    | SERIES_ERRORS
    | SERVER_ERRORS
    | SHEET_ERRORS
)
WARNINGS: dict[str, ErrorDefinition] = (
    SETUP_WARNINGS
    | AGREEMENT_WARNINGS
    | BATCH_WARNINGS
    | COMPARISON_WARNINGS
    | EXPORT_WARNINGS
    | GRAPHICS_WARNINGS
    | IMAGE_WARNINGS
    | JOB_WARNINGS
    | RESULT_WARNINGS
    | SELECTION_WARNINGS
    | SERIES_WARNINGS
    | SHEET_WARNINGS
)


@dataclass(frozen=True)
class Problem:
    """An error or warning as it crosses the wire: code, values, and the two finished English sentences."""

    code: str
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def definition(self) -> ErrorDefinition:
        """Raises KeyError for a code that no table holds."""
        return ERRORS[self.code] if self.code in ERRORS else WARNINGS[self.code]

    @property
    def what(self) -> str:
        return self.definition.what.format(**self.values)

    @property
    def todo(self) -> str:
        return self.definition.todo.format(**self.values)

    @property
    def listing(self) -> str:
        """Lines from which the user can choose, for a terminal; mostly none."""
        return str(self.values.get("list") or "")

    @property
    def exit_code(self) -> int:
        return self.definition.exit_code

    def to_json(self) -> dict[str, Any]:
        return {"code": self.code, "values": self.values, "what": self.what, "todo": self.todo}


class SegmentationError(Exception):
    """A foreseeable failure, raised anywhere in the engine: ``raise SegmentationError("INPUT_NOT_3D", dimensions=4)``.

    Values are plain numbers and strings. They never hold patient data: no paths, names or identifiers. A file's own
    name may stand in a sentence where the user must find the file; a log gets no values that are texts.
    """

    def __init__(self, code: str, **values: Any) -> None:
        self.problem = Problem(code, values)
        super().__init__(self.problem.what + " " + self.problem.todo)

    @property
    def code(self) -> str:
        return self.problem.code
