"""A reviewed result that the tests of sheets share."""

from __future__ import annotations

import pytest
from reviewed_result import Reviewed


@pytest.fixture(scope="session")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Reviewed:
    return Reviewed(tmp_path_factory.mktemp("reviewed"))
