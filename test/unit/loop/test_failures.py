"""What goes wrong on the planning thread has a name."""

from __future__ import annotations

import pytest

from vjepa_mpc.images import ImageError
from vjepa_mpc.loop.worker import Failure
from vjepa_mpc.planning import NotFiniteError, RankLostError
from vjepa_mpc.safety.reasons import Reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RankLostError("gone"), Reason.RANK_LOST),
        (ImageError("torn"), Reason.IMAGE_UNREADABLE),
        (NotFiniteError("nan"), Reason.PLAN_INVALID),
        (RuntimeError("boom"), Reason.PLANNER_EXCEPTION),
    ],
    ids=lambda value: type(value).__name__,
)
def test_failures_have_names(error: Exception, reason: Reason) -> None:
    assert Failure(error=error).reason is reason
