"""The links and paths in README and docs lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

from places import MODULE_FOLDER, REPOSITORY, tracked


def documents() -> dict[Path, str]:
    """README and docs, without their code blocks."""
    paths = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
    return {path: re.sub(r"^ *```.*?^ *```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S) for path in paths}


def anchors_of(path: Path) -> set[str]:
    """As GitHub makes them of the headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_of_the_documents_lead_somewhere():
    wrong = []
    for path, text in documents().items():
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            name, _, anchor = link.partition("#")
            target = path.parent / name if name else path
            if "://" not in link and not (target.exists() and (not anchor or anchor in anchors_of(target))):
                wrong.append("{}: {}".format(path.name, link))
    assert wrong == []


def test_paths_in_the_documents_exist():
    """Those in backticks that begin with a name in the repository's folder or in the module's."""
    roots = (REPOSITORY, MODULE_FOLDER)
    first = {path.relative_to(root).parts[0] for root in roots for path in tracked(root)}
    wrong = []
    for path, text in documents().items():
        for name in re.findall(r"`([\w.-]+(?:/[\w.-]*)+)`", text):
            if name.split("/")[0] in first and not any((root / name).exists() for root in roots):
                wrong.append("{}: {}".format(path.name, name))
    assert wrong == []
