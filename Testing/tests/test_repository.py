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
from places import MODULE_FOLDER, REPOSITORY, TESTING, tracked
from time_bounds import LONGEST_FIRST
from TotalSegmentatorWire import ENGINE_VERSION

MAXIMUM_LINES = 400
MAXIMUM_FILES = 15  # in one folder, beside its __init__.py

ENGINE, LIB, SETUP = "TotalSegmentatorEngine", "TotalSegmentatorModuleLib", "TotalSegmentatorSetup"
WIRE, NODE = "TotalSegmentatorWire", f"{ENGINE}/dicom_node"
ARROWS = {
    "TotalSegmentatorModule.py": {LIB: "- panel scene scripting"},
    LIB: {LIB: "scene"},
    f"{LIB}/scripting": {LIB: "- background department_server export panel qt_helpers scene segment tasks texts"},
    f"{LIB}/panel": {
        LIB: (
            "- compare department_server editing edits export figures qt_helpers recovery repair rerun review scene "
            "segment setup tasks texts"
        ),
        SETUP: "packages",
    },
    f"{LIB}/department_server": {LIB: "- qt_helpers"},
    f"{LIB}/edits": {LIB: "- background qt_helpers"},
    f"{LIB}/recovery": {LIB: "background qt_helpers scene segment tags"},
    f"{LIB}/review": {LIB: "- changes qt_helpers scene tags texts views", f"{LIB}/review": "table times"},
    f"{LIB}/review/times": {LIB: "- qt_helpers texts"},
    f"{LIB}/review/table": {LIB: "qt_helpers scene tags texts"},
    f"{LIB}/repair": {
        LIB: "- background changes qt_helpers review scene tags tasks texts views",
        f"{LIB}/review": "table",
        f"{LIB}/scene": "dicom",
    },
    f"{LIB}/rerun": {LIB: "changes figures qt_helpers scene tags texts", f"{LIB}/review": "table"},
    f"{LIB}/editing": {LIB: "changes qt_helpers scene tags", f"{LIB}/review": "table"},
    f"{LIB}/figures": {LIB: "qt_helpers scene texts views", f"{LIB}/review": "table"},
    f"{LIB}/setup": {
        LIB: "- background qt_helpers scene segment texts",
        SETUP: "models network packages support",
    },
    f"{LIB}/export": {LIB: "- background qt_helpers scene tasks texts", f"{LIB}/scene": "dicom"},
    f"{LIB}/compare": {LIB: "- qt_helpers scene tasks views", f"{LIB}/scene": "dicom"},
    f"{LIB}/tasks": {LIB: "- background qt_helpers scene texts", f"{LIB}/scene": "dicom"},
    f"{LIB}/segment": {LIB: "- background qt_helpers scene texts", f"{LIB}/scene": "dicom"},
    f"{LIB}/background": {LIB: "- texts", SETUP: "packages"},
    f"{LIB}/changes": {LIB: "scene tags"},
    f"{LIB}/views": {LIB: "tags"},
    f"{LIB}/scene": {LIB: "tags"},
    f"{LIB}/scene/dicom": {LIB: "scene"},
    f"{LIB}/tags": {},
    f"{LIB}/qt_helpers": {},
    f"{LIB}/texts": {},
    ENGINE: {ENGINE: "cli machine", SETUP: "packages"},
    f"{ENGINE}/cli": {
        ENGINE: "batch cluster ct_input dicom_node export job model_install models pipeline repair review "
        "series_selection worker",
        f"{ENGINE}/batch": "guarding",
        f"{ENGINE}/export": "edits",
        SETUP: "cli",
    },
    f"{ENGINE}/department_server": {ENGINE: "cluster imaging job pipeline", f"{ENGINE}/review": "measures"},
    f"{ENGINE}/worker": {ENGINE: "ct_input department_server export imaging job pipeline review"},
    f"{ENGINE}/pipeline": {
        ENGINE: (
            "ct_input imaging inference job labels machine models plan preprocessing result_check review statistics"
        ),
        f"{ENGINE}/review": "measures",
    },
    f"{ENGINE}/result_check": {ENGINE: "imaging"},
    f"{ENGINE}/review": {
        ENGINE: "export imaging job series_selection statistics",
        f"{ENGINE}/export": "core grid sources",
        f"{ENGINE}/review": "measures rules",
    },
    f"{ENGINE}/repair": {ENGINE: "imaging job export", f"{ENGINE}/export": "core grid sources"},
    f"{ENGINE}/review/rules": {ENGINE: "imaging result_check statistics", f"{ENGINE}/review": "measures spine"},
    f"{ENGINE}/review/spine": {f"{ENGINE}/review": "measures"},
    f"{ENGINE}/review/measures": {ENGINE: "imaging result_check"},
    f"{ENGINE}/plan": {ENGINE: "imaging inference job machine models preprocessing"},
    f"{ENGINE}/labels": {ENGINE: "imaging inference models preprocessing"},
    f"{ENGINE}/model_install": {ENGINE: "inference job machine models"},
    f"{ENGINE}/inference": {ENGINE: "job machine models"},
    f"{ENGINE}/preprocessing": {ENGINE: "imaging job models"},
    f"{ENGINE}/job": {ENGINE: "imaging machine models"},
    f"{ENGINE}/cluster": {},
    f"{ENGINE}/ct_input": {ENGINE: "dicom_series imaging series_selection"},
    f"{ENGINE}/series_selection": {ENGINE: "dicom_series imaging"},
    f"{ENGINE}/dicom_series": {ENGINE: "imaging"},
    f"{ENGINE}/models": {},
    f"{ENGINE}/machine": {},
    f"{ENGINE}/imaging": {ENGINE: "payloads"},
    f"{ENGINE}/payloads": {},
    NODE: {
        ENGINE: "job pipeline",
        f"{ENGINE}/batch": "inputs running store",
        NODE: "disk incoming network sending settings",
    },
    f"{NODE}/sending": {ENGINE: "job", NODE: "disk network settings", f"{ENGINE}/export": "dicom"},
    f"{NODE}/network": {NODE: "incoming settings"},
    f"{NODE}/incoming": {ENGINE: "dicom_series series_selection", NODE: "disk settings", f"{ENGINE}/export": "dicom"},
    f"{NODE}/disk": {},
    f"{NODE}/settings": {},
    f"{ENGINE}/statistics": {ENGINE: "imaging", f"{ENGINE}/export": "core"},
    f"{ENGINE}/export": {
        ENGINE: "ct_input imaging job series_selection",
        f"{ENGINE}/export": "cohort compare core dicom edits files grid rois rtstruct seg sheet sources sr surfaces",
    },
    f"{ENGINE}/export/sheet": {ENGINE: "imaging statistics", f"{ENGINE}/export": "compare core grid page"},
    f"{ENGINE}/export/cohort": {ENGINE: "imaging", f"{ENGINE}/export": "compare core files page sheet"},
    f"{ENGINE}/export/edits": {ENGINE: "imaging job", f"{ENGINE}/export": "core page sheet"},
    f"{ENGINE}/export/page": {},
    f"{ENGINE}/export/sources": {
        ENGINE: "ct_input dicom_series imaging job series_selection",
        f"{ENGINE}/export": "core dicom grid rois rtstruct seg",
    },
    f"{ENGINE}/export/compare": {ENGINE: "imaging statistics", f"{ENGINE}/export": "core rois"},
    f"{ENGINE}/export/seg": {ENGINE: "dicom_series imaging", f"{ENGINE}/export": "core dicom grid"},
    f"{ENGINE}/export/sr": {ENGINE: "imaging statistics", f"{ENGINE}/export": "core dicom seg"},
    f"{ENGINE}/export/rtstruct": {ENGINE: "dicom_series imaging", f"{ENGINE}/export": "core dicom"},
    f"{ENGINE}/export/surfaces": {ENGINE: "imaging statistics", f"{ENGINE}/export": "core"},
    f"{ENGINE}/export/files": {ENGINE: "imaging statistics", f"{ENGINE}/export": "core"},
    f"{ENGINE}/export/rois": {f"{ENGINE}/export": "core grid"},
    f"{ENGINE}/export/grid": {ENGINE: "imaging", f"{ENGINE}/export": "core dicom"},
    f"{ENGINE}/export/dicom": {ENGINE: "dicom_series imaging series_selection", f"{ENGINE}/export": "core"},
    f"{ENGINE}/export/core": {ENGINE: "imaging"},
    f"{ENGINE}/batch": {
        ENGINE: "job review",
        f"{ENGINE}/batch": "dask_engine device_processes guarding inputs report running store table",
    },
    f"{ENGINE}/batch/inputs": {
        ENGINE: "ct_input dicom_series imaging payloads series_selection",
        f"{ENGINE}/batch": "store",
    },
    f"{ENGINE}/batch/guarding": {},
    f"{ENGINE}/batch/store": {ENGINE: "imaging"},
    f"{ENGINE}/batch/running": {
        ENGINE: "ct_input export imaging job machine models pipeline series_selection",
        f"{ENGINE}/batch": "inputs report store table",
    },
    f"{ENGINE}/batch/device_processes": {ENGINE: "job machine", f"{ENGINE}/batch": "inputs running store"},
    f"{ENGINE}/batch/dask_engine": {
        ENGINE: "cluster imaging job machine pipeline",
        f"{ENGINE}/batch": "inputs running store",
    },
    f"{ENGINE}/batch/report": {ENGINE: "imaging", f"{ENGINE}/batch": "store", f"{ENGINE}/export": "core page sheet"},
    f"{ENGINE}/batch/table": {ENGINE: "imaging statistics", f"{ENGINE}/batch": "store", f"{ENGINE}/export": "files"},
    f"{SETUP}": {},
    f"{SETUP}/cli": {SETUP: "install models network packages support"},
    f"{SETUP}/install": {SETUP: "models network packages support"},
    f"{SETUP}/models": {SETUP: "network packages support"},
    f"{SETUP}/packages": {SETUP: "network support"},
    f"{SETUP}/network": {SETUP: "support"},
    f"{SETUP}/support": {},
    WIRE: {WIRE: "errors"},
    f"{WIRE}/command": {WIRE: "errors messages"},
    f"{WIRE}/messages": {WIRE: "errors"},
    f"{WIRE}/tables": {WIRE: "- errors messages"},
    f"{WIRE}/errors": {},
}
"""Who may import whom, by folder: names of folders below the one that stands before the colon, ``-`` for that one
itself. Everyone may import the wire, and files of their own folder."""

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
