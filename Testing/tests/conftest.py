"""Fixtures that several tests share."""

from __future__ import annotations

import gc
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from job_support import Application, engine_environment, make_launcher, usual_priority, wait_for_no_process
from places import REPOSITORY
from time_bounds import LONGEST_FIRST
from TotalSegmentatorWire.user_folders import CACHE_VARIABLE

SHARED = REPOSITORY.parent / "shared"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if " at 0x" in item.nodeid:  # another name in each process, so that they could not share the tests
            raise pytest.UsageError("the address of an object is part of a test's name: {}".format(item.nodeid))
    if config.getoption("numprocesses", None) or hasattr(config, "workerinput"):
        order = {name: place for place, name in enumerate(LONGEST_FIRST)}
        items.sort(key=lambda item: order.get(item.path.name, len(order)))


def pytest_collection_finish() -> None:
    """The engine has Python look for garbage after each network that it loads. Here it would go through thousands of
    collected tests and through all of torch each time, a fifth of a second; so they are left out from now on."""
    gc.collect()
    gc.freeze()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A long text as a parameter is called by its place: a name of five megabytes serves nobody."""
    return argname if isinstance(val, (str, bytes)) and len(val) > 80 else None


@pytest.fixture(scope="session", autouse=True)
def cache_folder_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the engine measures is kept apart from the user's measurements, also by the processes that tests start."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("engine_cache")))
        compiled = Path(tempfile.gettempdir()) / "torchinductor_of_tests"  # compiled once, not in every run
        patched.setenv("TORCHINDUCTOR_CACHE_DIR", str(compiled))
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of the real test data beside the checkout; skips the test where it is absent."""
    if not (SHARED / "data").is_dir():
        pytest.skip("the real test data ({}) are not on this machine".format(SHARED.name))
    return SHARED


@pytest.fixture(scope="session")
def example_ct(shared: Path) -> Path:
    """A real CT of abdomen and pelvis, 122 x 101 x 112 voxels of 3 mm (NIfTI)."""
    return shared / "data" / "example_ct" / "ct.nii.gz"


@pytest.fixture(scope="session")
def example_model(shared: Path) -> Path:
    """An nnU-Net v2 model folder fitted to ``example_ct``."""
    dataset = shared / "models" / "example_ct_104_3mm"
    return next(folder for folder in dataset.iterdir() if (folder / "plans.json").is_file())


@pytest.fixture
def mark() -> str:
    """Stands in the environment of all processes that a test starts."""
    return uuid.uuid4().hex


@pytest.fixture
def make_application(tmp_path: Path, mark: str) -> Iterator[Callable[..., Application]]:
    """Applications on one work folder, each with the fake engine behind a launcher like Slicer's."""
    applications = []

    def make(idle_seconds: float = 60.0, **settings) -> Application:
        engine = engine_environment(make_launcher(tmp_path), mark, idle_seconds, **settings)
        applications.append(Application(tmp_path / "work", engine))
        return applications[-1]

    with usual_priority():
        yield make
        for application in applications:
            application.shutdown()
    wait_for_no_process(mark)


# -- the panel; its helpers are imported late, so that tests of the engine need no desktop -----------------------------


@pytest.fixture
def app():
    """The stand-in desktop; no exception may have happened in a slot."""
    from panel_support import desktop

    with desktop() as application:
        yield application


@pytest.fixture
def user(app, monkeypatch):
    """Somebody in front of the panel, with an engine that does what a test asks."""
    from panel_support import panel_user

    with panel_user(app, monkeypatch) as somebody:
        yield somebody


@pytest.fixture
def answers(monkeypatch):
    """What the user answers to the next questions."""
    from panel_support import answered_questions

    with answered_questions(monkeypatch) as waiting:
        yield waiting
