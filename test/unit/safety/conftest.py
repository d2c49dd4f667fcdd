"""A supervisor for each test."""

from __future__ import annotations

import pytest

from support.rigs.supervisor_rig import Rig


@pytest.fixture
def rig() -> Rig:
    return Rig()
