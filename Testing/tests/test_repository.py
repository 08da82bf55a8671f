"""The rules of the project that a machine can check: who imports whom, sizes, file lists, one version."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from import_arrows import ARROWS, ENGINE, LIB, SETUP, WIRE
from places import MODULE_FOLDER, REPOSITORY, TESTING, tracked
from time_bounds import LONGEST_FIRST
from TotalSegmentatorWire import ENGINE_VERSION

MAXIMUM_LINES = 400
MAXIMUM_FILES = 15  # in one folder, beside its __init__.py

SLICER = {"slicer", "qt", "ctk", "vtk", "mrml"}
TORCH = {"torch", "nnunetv2", "openvino"}
ENGINE_PACKAGES = TORCH | {"SimpleITK", "nibabel", "pydicom", "scipy"}
TESTS = {"PySide6", "desktop", "phantom", "pytest"}
FORBIDDEN = {
    "TotalSegmentatorModule.py": ENGINE_PACKAGES | TESTS,
    LIB: ENGINE_PACKAGES | TESTS,
    ENGINE: SLICER | TESTS,
    f"{ENGINE}/cluster": TORCH,
    f"{ENGINE}/ct_input": TORCH,
    f"{ENGINE}/department_server": TORCH,
    f"{ENGINE}/dicom_series": TORCH,
    f"{ENGINE}/series_selection": TORCH,
    f"{ENGINE}/imaging": TORCH,
    f"{ENGINE}/payloads": TORCH | {"SimpleITK", "nibabel"},
    f"{ENGINE}/job": TORCH,
    f"{ENGINE}/dicom_node": TORCH,
    f"{ENGINE}/result_check": TORCH,
    f"{ENGINE}/repair": TORCH,
    f"{ENGINE}/review": TORCH,
    f"{ENGINE}/statistics": TORCH,
    f"{ENGINE}/export": TORCH,
    SETUP: ENGINE_PACKAGES | SLICER | TESTS | {"numpy"},
    WIRE: ENGINE_PACKAGES | SLICER | TESTS | {"numpy"},
}
"""Packages that no file of a folder, or below it, imports."""

PRIVATE_BY_NAME_ONLY = {
    "os._exit",  # documented
    "torch._dynamo",  # documented; the only way to reset what torch.compile remembers
    "pickle._Pickler",  # the pickler in Python, whose methods can be overridden
    "pointer._obj",  # what a pointer of ctypes.byref points to has no other name
}
"""Names of other projects that tests may use though they begin with an underscore."""


@cache
def product_files() -> dict[Path, ast.Module]:
    return parsed(tracked(MODULE_FOLDER))


@cache
def files_beside_the_tests() -> dict[Path, ast.Module]:
    """All that helps testing: the stand-in desktop, the phantom, the demo model, the benchmarks; not the tests."""
    return parsed(path for path in tracked(TESTING) if TESTING / "tests" not in path.parents)


def parsed(paths: Iterable[Path]) -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in paths if path.suffix == ".py"}


def name_of(path: Path) -> str:
    return path.relative_to(MODULE_FOLDER).as_posix()


def folder_of(path: Path) -> str:
    """As ARROWS names it."""
    return name_of(path if path.parent == MODULE_FOLDER else path.parent)


def imports_of(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import, lazy ones too; ``from a import b`` gives ``a.b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import in line {}".format(node.lineno)
            yield from ((node.lineno, "{}.{}".format(node.module, alias.name)) for alias in node.names)


def own_file_of(name: str, root: Path, files: Container[Path]) -> Path | None:
    """Which of ``files`` ``import name`` executes last, with ``root`` on Python's path."""
    parts = name.split(".")
    for count in (len(parts), len(parts) - 1):
        place = root.joinpath(*parts[:count])
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if count and file in files:
                return file
    return None


def imports_among(files: dict[Path, ast.Module], root: Path) -> Iterator[tuple[Path, int, Path]]:
    """File, line and imported file of all imports from one of ``files`` to another."""
    for path, tree in files.items():
        for line, name in imports_of(tree):
            target = own_file_of(name, root, files)
            if target is not None and target != path:
                yield path, line, target


def own_imports() -> Iterator[tuple[Path, int, Path]]:
    """File, line and imported file of all imports inside the product."""
    return imports_among(product_files(), MODULE_FOLDER)


def allowed_folders(folder: str) -> set[str]:
    words = ((parent, word) for parent, words in ARROWS[folder].items() for word in words.split())
    return {parent if word == "-" else "{}/{}".format(parent, word) for parent, word in words}


def test_folders_import_only_whom_the_table_allows():
    wrong = [
        "{}:{} imports {}".format(name_of(path), line, name_of(target))
        for path, line, target in own_imports()
        if folder_of(target) not in {folder_of(path), *allowed_folders(folder_of(path))}
        and (not folder_of(target).startswith(WIRE) or folder_of(path).startswith(WIRE))
    ]
    assert wrong == []


def test_the_table_has_all_folders_and_no_arrow_that_nobody_uses():
    folders = {folder_of(path) for path in product_files()}
    assert set(ARROWS) == folders
    used = {(folder_of(path), folder_of(target)) for path, _, target in own_imports()}
    assert {(folder, target) for folder in folders for target in allowed_folders(folder)} <= used


@pytest.mark.parametrize("by_folder", [True, False], ids=["folders", "files"])
@pytest.mark.parametrize(("root", "files"), [(MODULE_FOLDER, product_files), (TESTING, files_beside_the_tests)])
def test_no_circle(root: Path, files: Callable[[], dict[Path, ast.Module]], by_folder: bool):
    def unit(path: Path) -> str:
        return (path.parent if by_folder and path.parent != root else path).relative_to(root).as_posix()

    graph: dict[str, set[str]] = {}
    for path, _, target in imports_among(files(), root):
        if unit(path) != unit(target):
            graph.setdefault(unit(path), set()).add(unit(target))
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_no_folder_imports_what_is_forbidden_there():
    wrong = [
        "{}:{} imports {}".format(name_of(path), line, name)
        for path, tree in product_files().items()
        for line, name in imports_of(tree)
        for folder, packages in FORBIDDEN.items()
        if (folder_of(path) + "/").startswith(folder + "/") and name.split(".")[0] in packages
    ]
    assert wrong == []


def test_files_and_folders_are_short():
    files = [path for path in tracked(REPOSITORY) if path.suffix == ".py"]
    lines = {path.relative_to(REPOSITORY).as_posix(): len(path.read_text("utf-8").splitlines()) for path in files}
    assert {name: count for name, count in lines.items() if count > MAXIMUM_LINES} == {}
    counts = Counter(path.parent.relative_to(REPOSITORY).as_posix() for path in files if path.name != "__init__.py")
    assert {folder: count for folder, count in counts.items() if count > MAXIMUM_FILES} == {}


def test_tests_have_distinct_names_and_the_longest_exist():
    names = Counter(path.name for path in tracked(TESTING / "tests") if path.name.startswith("test_"))
    assert {name for name, count in names.items() if count > 1} == set()
    assert set(LONGEST_FIRST) <= set(names)


def private_names_in(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of what a test reaches behind a public entry: attributes, names to patch, imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) not in ("self", "cls", "super()"):
            yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, "{}.{}".format(node.module, alias.name)) for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("setattr", "delattr"):
            yield from (
                (node.lineno, ".{}".format(word.value)) for word in node.args[:2] if isinstance(word, ast.Constant)
            )


def test_tests_use_the_public_entry():
    wrong = [
        "{}:{} reaches {}".format(path.relative_to(REPOSITORY), line, name)
        for path, tree in parsed(tracked(TESTING / "tests")).items()
        for line, name in private_names_in(tree)
        if re.search(r"\._(?!_)\w+$", str(name)) and name not in PRIVATE_BY_NAME_ONLY
    ]
    assert wrong == []


def test_no_module_bears_the_name_of_its_folder():
    assert [
        name_of(path) for path in product_files() if path.stem == path.parent.name and path.parent != MODULE_FOLDER
    ] == []


def test_cmake_lists_every_file_of_the_module():
    text = (MODULE_FOLDER / "CMakeLists.txt").read_text(encoding="utf-8")
    listed = {word for word in re.findall(r"[\w./-]+", re.sub(r"#.*", "", text)) if (MODULE_FOLDER / word).is_file()}
    present = {path.relative_to(MODULE_FOLDER).as_posix() for path in tracked(MODULE_FOLDER)} - {"CMakeLists.txt"}
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
    for path, tree in product_files().items():
        for node in ast.walk(tree):
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "tr")
            if is_call and not (isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)):
                wrong.append("{}:{}".format(name_of(path), node.lineno))
    assert wrong == []
