"""One row of the tables of errors and warnings.

The tables hold the only copy of each sentence. Its English serves the command line and the log; the Slicer side shows
it in the application's language. Slicer's translation tools collect what stands in ``_("...")`` in any Python file,
under a context that they make from the file's name, so a sentence must be a literal in such a call and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ErrorDefinition:
    """One kind of failure. ``what`` says what happened, ``todo`` what to do; both may hold ``{named}`` values.

    ``source_file`` is the table's Python file, from which ``slicer.i18n.getContext`` makes the translation context.
    """

    code: str
    exit_code: int
    what: str
    todo: str
    source_file: str


def translatable(text: str) -> str:
    """Mark a sentence for Slicer's translation tools; import it as ``_``, the name that they look for."""
    return text


def table(source_file: str, *rows: tuple[str, int, str, str]) -> dict[str, ErrorDefinition]:
    return {code: ErrorDefinition(code, exit_code, what, todo, source_file) for code, exit_code, what, todo in rows}


def warnings_table(source_file: str, *rows: tuple[str, str, str]) -> dict[str, ErrorDefinition]:
    """Nothing ends with a warning: the exit code is 0."""
    return table(source_file, *((code, 0, what, todo) for code, what, todo in rows))
