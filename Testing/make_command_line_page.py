"""Writes docs/command-line.md from the parsers: ``python Testing/make_command_line_page.py``.

A test compares the committed page with what this makes. Nothing in it depends on the terminal or on Python's version.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "TotalSegmentatorModule"))

from TotalSegmentatorEngine.cli.arguments import command_parser  # noqa: E402 - found through the line above
from TotalSegmentatorWire.command.parser import CommandParser, exit_codes  # noqa: E402

PAGE = REPOSITORY / "docs" / "command-line.md"

_INTRODUCTION = """\
# Command line

<!-- Written by Testing/make_command_line_page.py. Edit the parsers and run it again. -->

The commands run with any Python 3.10 to 3.12, in the folder `TotalSegmentatorModule`. `setup` installs the packages
that the others need. [Segmentation](segmentation.md), [Export](export.md) and [Installation](installation.md) explain
the choices; this page lists them. Each command also has `--help`, and `--help-exit-codes`, which lists the
[exit codes](#exit-codes)."""

_SHARED = """\
## Options that several commands share"""

_INTERNAL = """\
## Commands that the program starts itself

The Slicer module starts `serve`, the resident worker, and `repair`, which mends one structure; the set-up starts
`convert-model`, `check-model` and `test-engine`. Their arguments and output may change with every version."""

_EXIT_CODES = """\
## Exit codes

Standard error shows the error's code and says what to do; `<...>` stands for a value. The events contain the same
codes."""

_USUAL_GROUPS = ("positional arguments", "options")

Rows = tuple[tuple[str, str], ...]
"""What is typed, and what it means."""


def command_line_page() -> str:
    """The whole page, in Markdown. Groups of options that several commands have are described once."""
    commands = list(_commands(command_parser()))
    contents = "\n".join(f"- [`{name}`](#{_anchor(name)}) – {summary}" for name, summary, _ in commands)
    groups = Counter(group for _, _, parser in commands for group in _groups(parser).items())
    shared = dict(group for group, count in groups.items() if count > 1)
    parts = [_INTRODUCTION, contents]
    for name, _, parser in commands:
        parts += _section(name, parser, shared)
    parts.append(_SHARED)
    for title, rows in shared.items():
        parts += [f"### {title}", _table(("Option", "Meaning"), rows)]
    codes = [(str(status), f"`{code}`" if code else "", meaning) for status, code, meaning in exit_codes()]
    return "\n\n".join([*parts, _INTERNAL, _EXIT_CODES, _table(("Status", "Code", "Meaning"), codes)]) + "\n"


def _commands(parser: CommandParser, prefix: str = "") -> Iterator[tuple[str, str, CommandParser]]:
    """Name, one line and parser of every command, those of a group after it."""
    for action in parser._actions:  # argparse has no public list of them
        if isinstance(action, argparse._SubParsersAction):
            summaries = {entry.dest: entry.help or "" for entry in action._choices_actions}
            for name, command in action.choices.items():
                yield prefix + name, summaries[name], command
                yield from _commands(command, f"{prefix}{name} ")


def _section(name: str, parser: CommandParser, shared: dict[str, Rows]) -> list[str]:
    parts = [f"##{'#' * name.count(' ')} {name}", f"```\n{parser.synopsis}\n```"]
    parts += [_paragraph(text) for text in (parser.description or "").split("\n\n")]
    own = [row for title in _USUAL_GROUPS for row in _rows(parser, title)]
    if own:
        parts.append(_table(("Argument", "Meaning"), own))
    elsewhere = []
    for title, rows in _groups(parser).items():
        if title in shared:
            elsewhere.append(f"[{title}](#{_anchor(title)})")
        else:
            parts.append(_table((title, "Meaning"), rows))
    return [*parts, f"Further options: {'; '.join(elsewhere)}."] if elsewhere else parts


def _groups(parser: CommandParser) -> dict[str, Rows]:
    """The titled groups of options."""
    titles = [group.title for group in parser._action_groups if group.title not in _USUAL_GROUPS]
    return {title[:1].upper() + title[1:]: _rows(parser, title) for title in titles}


def _rows(parser: CommandParser, title: str) -> Rows:
    actions = [action for group in parser._action_groups if group.title == title for action in group._group_actions]
    listed = [action for action in actions if not {"-h", "--help-exit-codes"} & set(action.option_strings)]
    listed = [action for action in listed if not isinstance(action, argparse._SubParsersAction)]
    return tuple((f"`{_words(action)}`", (action.help or "").replace("%%", "%")) for action in listed)


def _words(action: argparse.Action) -> str:
    value = action.metavar or action.dest.upper()
    if action.choices is not None:
        value = "|".join(action.choices)
    values = [value] if isinstance(value, str) else value
    return " ".join((*action.option_strings, *([] if action.nargs == 0 else values)))


def _paragraph(text: str) -> str:
    if text.startswith(" "):
        return "```\n" + "\n".join(line.strip() for line in text.splitlines()) + "\n```"
    return " ".join(text.split())


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [
        heads,
        ["---"] * len(heads),
        *([cell.replace("|", "\\|").replace("<", "&lt;") for cell in row] for row in rows),
    ]
    return "\n".join("| {} |".format(" | ".join(line)) for line in lines)


def _anchor(title: str) -> str:
    """As GitHub makes it of a heading."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


if __name__ == "__main__":
    PAGE.write_text(command_line_page(), encoding="utf-8")
