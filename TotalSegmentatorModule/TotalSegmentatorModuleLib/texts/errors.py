"""What to show the user about a failure, in the application's language."""

from __future__ import annotations

import logging
from typing import Any

from slicer.i18n import getContext, translate
from TotalSegmentatorWire.errors.problem import Problem


def problem_texts(problem: Problem) -> tuple[str, str]:
    """What happened and what to do.

    The wire's tables hold the English sentences, each table a translation context of its own.
    """
    definition = problem.definition
    context = getContext(definition.source_file)
    return (
        _translated(context, definition.what, problem.values),
        _translated(context, definition.todo, problem.values),
    )


def _translated(context: str, text: str, values: dict[str, Any]) -> str:
    """The English where a translation's placeholders are wrong: showing an error must not fail."""
    translation = translate(context, text)
    try:
        return translation.format(**values)
    except (LookupError, ValueError, TypeError, AttributeError):
        logging.warning("In context '%s', the placeholders of the translation '%s' are wrong", context, translation)
        return text.format(**values)
