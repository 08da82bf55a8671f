"""The rules of the house that a machine can check: file lists, import directions, one version, data schemas."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest
from TotalSegmentatorWire import ENGINE_VERSION

REPOSITORY = Path(__file__).resolve().parents[2]
MODULE = REPOSITORY / "TotalSegmentatorModule"
SLICER_SIDE = {"slicer", "qt", "ctk", "vtk", "mrml"}
WORKER_SIDE = {"torch", "nnunetv2", "SimpleITK", "pydicom", "nibabel", "scipy"}
STANDARD_ONLY = SLICER_SIDE | WORKER_SIDE | {"numpy"}


def tracked(folder: Path) -> list[Path]:
    """Files of the project below ``folder``: tracked ones, and new ones that git does not ignore."""
    output = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", str(folder)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [path for line in output.splitlines() if (path := REPOSITORY / line).is_file()]


def imported_packages(path: Path) -> set[str]:
    """Top-level packages that a file imports anywhere, lazily too."""
    packages = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            packages |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            packages.add(node.module.split(".")[0])
    return packages


def python_files(*names: str) -> list[Path]:
    return [path for name in names for path in tracked(MODULE / name) if path.suffix == ".py"]


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("TotalSegmentatorEngine", SLICER_SIDE | {"TotalSegmentatorModuleLib"}),
        ("TotalSegmentatorExport", SLICER_SIDE | {"torch", "nnunetv2", "TotalSegmentatorModuleLib"}),
        ("TotalSegmentatorModuleLib", WORKER_SIDE | {"TotalSegmentatorEngine", "TotalSegmentatorExport"}),
        ("TotalSegmentatorModule.py", WORKER_SIDE | {"TotalSegmentatorEngine", "TotalSegmentatorExport"}),
        ("TotalSegmentatorSetup", STANDARD_ONLY | {"TotalSegmentatorEngine", "TotalSegmentatorModuleLib"}),
        (
            "TotalSegmentatorWire",
            STANDARD_ONLY | {"TotalSegmentatorEngine", "TotalSegmentatorModuleLib", "TotalSegmentatorSetup"},
        ),
    ],
)
def test_imports_do_not_cross_the_wire(folder, forbidden):
    files = python_files(folder)
    assert files, "nothing found in {}".format(folder)
    crossed = {path.name: sorted(imported_packages(path) & forbidden) for path in files}
    assert {name: packages for name, packages in crossed.items() if packages} == {}


def test_product_does_not_know_the_stand_in():
    files = python_files("TotalSegmentatorEngine", "TotalSegmentatorModuleLib", "TotalSegmentatorModule.py")
    known = {path.name: imported_packages(path) & {"desktop", "phantom", "PySide6", "pytest"} for path in files}
    assert {name: packages for name, packages in known.items() if packages} == {}


def test_cmake_lists_every_file_of_the_module():
    text = (MODULE / "CMakeLists.txt").read_text(encoding="utf-8")
    listed = {word for word in re.findall(r"[\w./-]+", re.sub(r"#.*", "", text)) if (MODULE / word).is_file()}
    present = {path.relative_to(MODULE).as_posix() for path in tracked(MODULE)} - {"CMakeLists.txt"}
    assert listed == present


def test_cmake_project_has_the_extensions_name():
    text = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
    assert "project(TotalSegmentatorModule)" in text
    assert "add_subdirectory(TotalSegmentatorModule)" in text


def test_one_version():
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(r'^version = "(.+)"$', text, re.MULTILINE).group(1) == ENGINE_VERSION


def test_tracked_files_name_no_folder_of_one_machine():
    found = [
        "{}: {}".format(path.relative_to(REPOSITORY), line.strip())
        for path in tracked(REPOSITORY)
        if path.suffix in {".py", ".md", ".txt", ".json", ".toml", ".ui"}
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"(?<![\w.])/(root|home|work)/", line)
    ]
    assert found == []


def test_user_visible_slicer_strings_are_literals():
    """``_(f"...")`` and ``_("..." + x)`` cannot be found by the translation tools."""
    wrong = []
    for path in python_files("TotalSegmentatorModuleLib", "TotalSegmentatorModule.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "tr")
            if is_call and not (isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)):
                wrong.append("{}:{}".format(path.name, node.lineno))
    assert wrong == []
