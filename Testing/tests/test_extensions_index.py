"""The rules by which the Extensions Index of Slicer checks an entry, applied to ours.

They are those of check_description_files.py in Slicer/ExtensionsIndex and of its schema 1.0.2 (August 2026), except
that an address of this repository is looked up in the checkout instead of the network.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from places import REPOSITORY, tracked

NAME = "TotalSegmentatorModule"
PLACEHOLDER = "OWNER"
OWNER = "hospital-example"
SCHEMA = (
    "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.2.json#"
)
FIELDS = {
    "$schema": str,
    "category": str,
    "scm_url": str,
    "scm_revision": str,
    "scm_type": str,
    "build_dependencies": list,
    "dicom_support_rule": str,
    "build_subdirectory": str,
    "enabled": bool,
    "tier": int,
}
REQUIRED = {"$schema", "category", "scm_url"}
CATEGORIES = {"Segmentation", "Radiotherapy"}
"""Of the categories that the Index knows, those that could be ours."""
LARGEST_CHECKOUT_BYTES = 100 * 2**20
IMAGE_BEGINNINGS = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8")
PATTERNS = {
    "icon": r'set\s*\(EXTENSION_ICONURL\s*"([^"]+)"[ ]*\)',
    "screenshots": r'set\s*\(EXTENSION_SCREENSHOTURLS\s*"([^"]+)"\)',
}
"""What the Index finds in CMakeLists.txt without running CMake: literal texts on one line or several."""


def problems(folder: Path) -> list[str]:
    """What the Index would object to in a checkout with our entry beside CMakeLists.txt."""
    cmake = (folder / "CMakeLists.txt").read_text(encoding="utf-8")
    content = (folder / f"{NAME}.json").read_bytes()
    entry = json.loads(content)
    found = ["line ends"] if b"\r" in content else []
    found += [*entry_problems(entry), *cmake_problems(folder, cmake)]
    dependencies = re.search(r'set\(EXTENSION_DEPENDS "([^"]*)"\)', cmake).group(1)
    if ([] if dependencies == "NA" else dependencies.split()) != entry.get("build_dependencies", []):
        found.append("dependencies of the entry and of CMakeLists.txt")
    if not any((folder / name).is_file() for name in ("LICENSE", "LICENSE.txt", "License.txt", "COPYING.txt")):
        found.append("licence")
    return found


def entry_problems(entry: dict) -> Iterator[str]:
    yield from (f"no field {name}" for name in sorted(REQUIRED - set(entry)))
    yield from (f"unknown field {name}" for name in sorted(set(entry) - set(FIELDS)))
    yield from (
        f"type of {name}" for name, value in entry.items() if name in FIELDS and type(value) is not FIELDS[name]
    )
    if entry.get("$schema") != SCHEMA:
        yield "schema"
    if entry.get("category") not in CATEGORIES:
        yield "category"
    if not 1 <= entry.get("tier", 1) <= 5:
        yield "tier"
    if entry.get("scm_type", "git") not in ("git", "local"):
        yield "kind of repository"
    address = urlsplit(entry.get("scm_url", ""))
    if address.scheme not in ("git", "https") or PLACEHOLDER in address.path.split("/"):
        yield "address of the repository"
    if not Path(address.path).stem.startswith("Slicer"):
        yield "name of the repository"


def cmake_problems(folder: Path, cmake: str) -> Iterator[str]:
    project = re.search(r"project\s*\(\s*([^\s)]+)", cmake)
    if project is None or project.group(1) != NAME:
        yield "name of the project"
    for what, pattern in PATTERNS.items():
        match = re.search(pattern, cmake, re.IGNORECASE)
        addresses = match.group(1).split() if match is not None else []
        if not addresses:
            yield f"no {what}"
        yield from (f"{what}: {address}" for address in addresses if not is_image(folder, address))


def is_image(folder: Path, address: str) -> bool:
    """Whether ``address`` is that of an image of this repository on its branch main."""
    start = f"https://raw.githubusercontent.com/{OWNER}/Slicer{NAME}/main/"
    if not address.startswith(start):
        return False
    path = folder / address.removeprefix(start)
    return path.is_file() and path.read_bytes().startswith(IMAGE_BEGINNINGS)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the Index reads, with the owner's name filled in."""
    names = ["CMakeLists.txt", f"{NAME}.json", "LICENSE.txt"]
    for name in names:
        shutil.copyfile(REPOSITORY / name, tmp_path / name)
    for name in ("ExtensionIcon.png", "Resources"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    for name in names[:2]:
        change(tmp_path / name, lambda text: re.sub(rf"\b{PLACEHOLDER}/", f"{OWNER}/", text))
    return tmp_path


def change(path: Path, how: Callable[[str], str]) -> None:
    path.write_bytes(how(path.read_bytes().decode("utf-8")).encode("utf-8"))


def test_the_index_accepts_our_entry(checkout: Path):
    assert problems(checkout) == []


def test_the_extension_is_not_called_slicer_something_and_small_enough():
    assert not NAME.lower().startswith("slicer")
    assert sum(path.stat().st_size for path in tracked(REPOSITORY)) < LARGEST_CHECKOUT_BYTES


@pytest.mark.parametrize(
    ("name", "old", "new", "problem"),
    [
        ("CMakeLists.txt", f"{OWNER}/Slicer{NAME}/main/ExtensionIcon.png", "${RAW}/ExtensionIcon.png", "icon"),
        ("CMakeLists.txt", "main/ExtensionIcon.png", "main/LICENSE.txt", "icon"),
        ("CMakeLists.txt", "EXTENSION_SCREENSHOTURLS", "EXTENSION_PICTURES", "screenshots"),
        ("CMakeLists.txt", "Resources/slices.png", "Resources/none.png", "screenshots"),
        ("CMakeLists.txt", f"project({NAME})", "project(Other)", "name of the project"),
        (f"{NAME}.json", "\n", "\r\n", "line ends"),
        (f"{NAME}.json", '"scm_type"', '"scm_kind"', "unknown field"),
        (f"{NAME}.json", '"category": "Segmentation"', '"category": "Contours"', "category"),
        (f"{NAME}.json", "/Slicer", "/", "name of the repository"),
        (f"{NAME}.json", '"tier": 1', '"tier": true', "type of tier"),
        (f"{NAME}.json", "[]", '["PyTorch"]', "dependencies"),
    ],
)
def test_what_the_index_refuses_is_found(checkout: Path, name: str, old: str, new: str, problem: str):
    change(checkout / name, lambda text: text.replace(old, new))
    found = problems(checkout)
    assert any(problem in each for each in found), found


def test_the_owners_name_is_missing_in_one_block_and_in_the_entry_only():
    """Whoever publishes the repository replaces it there; until then the Index refuses the entry."""
    cmake = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
    block = re.search(r"# >>> ADDRESSES.*# <<< ADDRESSES", cmake, re.DOTALL).group()
    assert block.count(f"{PLACEHOLDER}/") == cmake.count(f"{PLACEHOLDER}/") == 5
    assert "https://" not in cmake.replace(block, "")
    entry = json.loads((REPOSITORY / f"{NAME}.json").read_bytes())
    assert "address of the repository" in list(entry_problems(entry))


def test_the_description_says_what_is_downloaded_and_how_to_remove_it():
    cmake = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
    description = re.search(r'set\(EXTENSION_DESCRIPTION "([^"]+)"\)', cmake).group(1)
    for words in ("RT Structure Set", "downloads Python packages", "a model", "Remove", "not a medical device"):
        assert words in description
    assert ";" not in description  # CMake would take it for a list
    first = (REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()[2]
    assert "independent of the authors of TotalSegmentator" in first
