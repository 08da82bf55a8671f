"""The parser of every command: a short usage line, help in paragraphs, and the exit codes on request."""

from __future__ import annotations

import argparse
import re
import sys
from typing import Any

from TotalSegmentatorWire.errors.problem import ERRORS

PROGRAM = "python -m TotalSegmentatorEngine"


class CommandParser(argparse.ArgumentParser):
    """Description and epilog are paragraphs; those that begin with a blank stay as they are."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, formatter_class=_ParagraphFormatter)
        self.add_argument("--help-exit-codes", action=_ShowExitCodes, help="list the exit codes and exit")

    @property
    def synopsis(self) -> str:
        """What must be typed; the other options are listed below it."""
        shown = [action for action in self._actions if action.required]
        words = [_words(action) for action in sorted(shown, key=lambda action: bool(action.option_strings))]
        return " ".join([self.prog, *words, "[options]"])

    def format_usage(self) -> str:
        self.usage = self.synopsis
        return super().format_usage()

    def format_help(self) -> str:
        self.usage = self.synopsis
        return super().format_help()


def _words(action: argparse.Action) -> str:
    value = action.metavar or action.dest.upper()
    if action.choices is not None and action.metavar is None:
        value = "{" + ",".join(action.choices) + "}"
    if action.nargs == "+":
        value = f"{value} [{value} ...]"
    return f"{action.option_strings[0]} {value}" if action.option_strings else value


class _ParagraphFormatter(argparse.HelpFormatter):
    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        paragraphs = text.split("\n\n")
        return "\n\n".join(part if part.startswith(" ") else fill(part, width, indent) for part in paragraphs)


class _ShowExitCodes(argparse.Action):
    def __init__(self, option_strings: list[str], dest: str, help: str) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_arguments: object) -> None:
        for status, code, meaning in exit_codes():
            sys.stdout.write(f"{status:3}  {f'{code}: ' if code else ''}{meaning}\n")
        parser.exit()


def exit_codes() -> list[tuple[int, str, str]]:
    """Exit status, error code (empty for what is no error of the table) and meaning, by status.

    ``{named:.1f}`` values become <named>.
    """
    rows = [
        (0, "", "The command succeeded."),
        (1, "", "Some pairs could not be compared (compare --report); the others were."),
        (2, "", "The arguments are wrong."),
        (141, "", "The program that read the output ended early."),
    ]
    for definition in ERRORS.values():
        rows.append((definition.exit_code, definition.code, re.sub(r"\{(\w+)[^}]*\}", r"<\1>", definition.what)))
    return sorted(rows)
