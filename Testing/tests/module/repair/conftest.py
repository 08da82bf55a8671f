"""Somebody who repairs what the review remarks on; what needs the desktop is imported late."""

from __future__ import annotations

import pytest


@pytest.fixture
def reviewer(user):
    from review_support import ReviewUser

    return ReviewUser(user)
