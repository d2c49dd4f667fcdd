"""A picture that is not what was predicted holds the arm where that is asked for; ordinary ones as seldom as stated."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from support.proposals import a_step
from support.rigs.supervisor_rig import CONFIG, Rig
from vjepa_mpc.safety.guards.surprise import SurpriseGuard
from vjepa_mpc.safety.reasons import Reason, State

QUANTILE = 0.9
USUAL = np.random.default_rng(0).gamma(4.0, 0.01, 100)


@pytest.fixture
def rig() -> Rig:
    return Rig(replace(CONFIG, surprise_quantile=QUANTILE))


def carry_out(rig: Rig, surprise: float) -> bool:
    made = rig.plan()
    return rig.carry_out(replace(made, step=replace(made.step, surprise=surprise)))


def test_the_largest_surprise_of_all_holds_until_a_picture_is_as_predicted(rig: Rig) -> None:
    rig.start()
    assert all(carry_out(rig, surprise) for surprise in sorted(USUAL[:20], reverse=True))
    assert not carry_out(rig, 1.0)
    decision = rig.tick()
    assert (decision.state, decision.reason, decision.may_review) == (State.HOLDING, Reason.SURPRISE, True)
    assert "1 away" in decision.message and "last 20 steps" in decision.message and "~/resume" in decision.message
    made = rig.plan()
    rig.supervisor.examine_plan(replace(made, step=replace(made.step, surprise=0.9)), rig.now)
    assert rig.run(5.0).reason is Reason.SURPRISE, "it still is not what was predicted"
    rig.supervisor.examine_plan(replace(made, step=replace(made.step, surprise=0.01)), rig.now)
    assert rig.run(CONFIG.recovery_time + 0.1).state is State.PLANNING


def test_resume_gives_it_another_attempt(rig: Rig) -> None:
    rig.start()
    assert all(carry_out(rig, surprise) for surprise in sorted(USUAL[:20], reverse=True))
    assert not carry_out(rig, 1.0)
    rig.supervisor.resume(rig.now)
    assert rig.run(CONFIG.recovery_time + 0.1).state is State.PLANNING
    assert carry_out(rig, math.nan), "after that nothing was predicted"


@pytest.mark.parametrize("quantile", [0.0, 0.95])
def test_nothing_holds_when_it_is_off_or_too_little_is_known(quantile: float) -> None:
    rig = Rig(replace(CONFIG, surprise_quantile=quantile))
    rig.start()
    assert all(carry_out(rig, surprise) for surprise in np.arange(1.0, 19.0))


def test_ordinary_steps_are_held_as_seldom_as_the_quantile_says() -> None:
    held = 0
    for trial in range(400):
        surprises = np.random.default_rng(trial).gamma(4.0, 0.01, 41)
        guard = SurpriseGuard(SurpriseGuard.Options(surprise_quantile=QUANTILE))
        for surprise in surprises[:-1]:
            guard.accepted(a_step(surprise=surprise))
        held += guard.look(a_step(surprise=surprises[-1])) is not None
    assert held / 400 == pytest.approx(1.0 - QUANTILE, abs=0.04)


def test_the_rank_is_the_share_of_smaller_ones() -> None:
    guard = SurpriseGuard(SurpriseGuard.Options())
    assert math.isnan(guard.rank(0.5))
    for surprise in (0.1, 0.2, 0.3, math.nan):
        guard.accepted(a_step(surprise=surprise))
    assert guard.rank(0.25) == 0.5 and guard.rank(9.0) == 0.75 and math.isnan(guard.rank(math.nan))
