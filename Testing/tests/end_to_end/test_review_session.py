"""A result with faults: found, repaired, edited, approved, saved and opened again by clicks and keys."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

from review_session import EDITED, SPINE, SWAPPED, review_session
from TotalSegmentatorWire.tables.review_state import ReviewState

OPENED, CLOSED = "\u25be", "\u25b8"


def test_a_review_from_apply_to_the_opened_scene(app, answers, monkeypatch, tmp_path):
    with review_session(app, monkeypatch, tmp_path) as session:
        session.run(answers, tmp_path, lambda _step: check_arrows(session))
        check(session)


def check(session) -> None:
    """Of the scene that was opened again."""
    present = [name for name in SPINE if session.true_mask(name).any()]
    for name in (*present, EDITED):
        assert np.array_equal(session.mask(name), session.true_mask(name)), name
        assert session.state(name) is not ReviewState.UNREVIEWED
    for name in (*SWAPPED, EDITED):
        assert session.state(name) is ReviewState.APPROVED
    assert session.segment("vertebrae_T2") is None
    assert not any(group.startswith("Wrong?") for group in session.groups())
    assert session.ui.headlineLabel.text == "31 cut by the scan"


def check_arrows(session) -> None:
    """Each heading says whether it is open."""
    model = session.tree.model()
    for heading in (model.index(place, 0) for place in range(model.rowCount())):
        assert heading.data().startswith(OPENED if session.tree.isExpanded(heading) else CLOSED), heading.data()
