"""Who allows motion: one objection holds, and a yes that has to be repeated ages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.rigs.supervisor_rig import CONFIG, MOTION_ALLOWED, Rig
from vjepa_mpc.safety.reasons import Reason, State
from vjepa_mpc.safety.samples import PermissionSample, Voice

TIMEOUT = 0.5


def say(rig: Rig, *words: tuple[str, bool], objections: tuple[str, ...] = ()) -> None:
    rig.permission = PermissionSample(
        MOTION_ALLOWED, tuple(Voice(allowed, who, rig.steady) for who, allowed in words), objections
    )


@pytest.fixture
def strict() -> Rig:
    """Motion has to be allowed again and again."""
    return Rig(replace(CONFIG, motion_allowed_timeout=TIMEOUT))


def test_one_no_outweighs_any_yes_and_is_named() -> None:
    rig = Rig()
    rig.start()
    say(rig, ("/driver", True), ("/curtain", False))
    decision = rig.tick()
    assert decision.reason is Reason.MOTION_NOT_ALLOWED and not decision.engaged
    assert "/planner_node/motion_allowed is false, says /curtain" in decision.message
    assert "/driver" not in decision.message


def test_the_robot_s_mode_objects_beside_voices() -> None:
    rig = Rig()
    rig.start()
    say(rig, ("/driver", True), objections=("/mode says REFLEX",))
    assert "/mode says REFLEX" in rig.tick().message


def test_a_yes_never_ages_unless_a_timeout_is_set() -> None:
    rig = Rig()
    rig.start()
    say(rig, ("/driver", True))
    assert rig.run(60.0).state is State.PLANNING


def test_silence_waits_where_motion_has_to_be_allowed(strict: Rig) -> None:
    strict.permission = None
    strict.supervisor.activate(strict.now)
    strict.supervisor.set_goal(7)
    decision = strict.run(0.5)
    assert decision.state is State.WAITING_INPUT and decision.reason is Reason.NO_MOTION_ALLOWED
    say(strict, ("/driver", True))
    assert strict.tick().state is State.PLANNING


def test_whoever_said_yes_has_to_go_on_saying_it(strict: Rig) -> None:
    """Its publisher may be dead; that others are alive does not speak for it."""
    say(strict, ("/driver", True), ("/curtain", True))
    strict.start()
    curtain = Voice(True, "/curtain", strict.steady)
    for _ in range(40):
        strict.permission = PermissionSample(MOTION_ALLOWED, (Voice(True, "/driver", strict.steady), curtain))
        decision = strict.tick()
    assert decision.reason is Reason.MOTION_ALLOWED_SILENT and decision.state is State.HOLDING
    assert "from /curtain came 0." in decision.message and "motion_allowed_timeout" in decision.message
    for _ in range(60):
        say(strict, ("/driver", True), ("/curtain", True))
        decision = strict.tick()
    assert decision.state is State.PLANNING


def test_an_objection_that_is_withdrawn_is_forgotten() -> None:
    rig = Rig()
    rig.start()
    say(rig, objections=("/mode says REFLEX",))
    assert rig.tick().reason is Reason.MOTION_NOT_ALLOWED
    say(rig)
    assert rig.run(1.0).state is State.PLANNING
