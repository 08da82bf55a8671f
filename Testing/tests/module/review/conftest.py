"""Somebody who reviews; what needs the desktop is imported late, so that tests without it can be collected."""

from __future__ import annotations

import pytest


@pytest.fixture
def reviewer(user):
    from review_support import ReviewUser

    return ReviewUser(user)


@pytest.fixture
def ready(reviewer):
    """With a result of six structures, one of which is likely wrong, and the section open."""
    reviewer.add_result()
    return reviewer
