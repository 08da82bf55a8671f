"""One row of the tables of errors and warnings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ErrorDefinition:
    """One kind of failure. ``what`` says what happened, ``todo`` what to do; both may hold ``{named}`` values."""

    code: str
    exit_code: int
    what: str
    todo: str


def table(*rows: tuple[str, int, str, str]) -> dict[str, ErrorDefinition]:
    return {code: ErrorDefinition(code, exit_code, what, todo) for code, exit_code, what, todo in rows}


def warnings_table(*rows: tuple[str, str, str]) -> dict[str, ErrorDefinition]:
    """Nothing ends with a warning: the exit code is 0."""
    return table(*((code, 0, what, todo) for code, what, todo in rows))
