"""Fingers that come, that stop on an object, and that do neither."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vjepa_mpc.motion.fingers import FingerMotion
from vjepa_mpc.safety.guards.violation import Violation
from vjepa_mpc.safety.reasons import Reason

TIMEOUT = 1.0
PERIOD = 0.02


class Hand:
    """Fingers that are where a function of the time since the last command says, and what is made of them."""

    def __init__(self, measured: float, timeout: float = TIMEOUT) -> None:
        self.fingers, self.now, self.measured = FingerMotion(timeout), 50.0, measured
        self.found: Violation | None = None

    def command(self, closedness: float) -> bool:
        return self.fingers.command(closedness, self.measured, self.now)

    def move(self, where: Callable[[float], float], seconds: float = 3.0) -> float | None:
        """Let time pass; after which time they had arrived."""
        begun, arrived = self.now, None
        while self.now < begun + seconds - 1e-9 and self.found is None:
            self.now += PERIOD
            self.measured = where(self.now - begun)
            self.found = self.fingers.trouble(self.measured, self.now)
            if arrived is None and self.fingers.arrived(self.measured, self.now):
                arrived = self.now - begun
        return arrived

    def reason(self) -> Reason | None:
        return None if self.found is None else self.found.reason


def closing_to(where: float, *, begins: float = 0.0, speed: float = 2.0) -> Callable[[float], float]:
    return lambda elapsed: min(where, max(0.0, speed * (elapsed - begins)))


def opening_from(start: float, to: float = 0.0) -> Callable[[float], float]:
    return lambda elapsed: max(to, start - 2.0 * elapsed)


@pytest.mark.parametrize("where", [1.0, 0.93, 0.5, 0.1], ids=["nothing", "not quite", "a block", "something wide"])
def test_fingers_that_close_on_what_is_there_are_right(where: float) -> None:
    hand = Hand(0.0)
    hand.command(1.0)
    arrived = hand.move(closing_to(where))
    assert hand.found is None
    assert arrived == pytest.approx(where / 2.0 + 0.2, abs=0.05)


def test_fingers_that_begin_late_are_waited_for() -> None:
    hand = Hand(0.0)
    hand.command(1.0)
    arrived = hand.move(closing_to(0.5, begins=0.6))
    assert hand.found is None and arrived > 0.8


def test_fingers_that_never_close_are_named_after_their_time() -> None:
    hand = Hand(0.0)
    hand.command(1.0)
    hand.move(lambda _: 0.0, 0.9)
    assert hand.found is None
    hand.move(lambda _: 0.0, 0.2)
    assert hand.reason() is Reason.GRIPPER_NOT_FOLLOWING
    assert "told 1.00" in hand.found.detail and "not begun to close" in hand.found.detail
    assert "homed" in hand.found.reason.remedy


def test_fingers_that_are_still_on_their_way_are_not_wrong_yet() -> None:
    hand = Hand(1.0)
    hand.command(0.0)
    arrived = hand.move(lambda elapsed: 1.0 - 0.4 * elapsed)
    assert hand.found is None and arrived == pytest.approx(TIMEOUT, abs=0.03)


@pytest.mark.parametrize(("where", "words"), [(0.5, "gap between the fingers"), (0.9, "have not opened")])
def test_fingers_that_do_not_open_are_named(where: float, words: str) -> None:
    hand = Hand(0.95)
    hand.command(0.0)
    hand.move(opening_from(0.95, where))
    assert hand.reason() is Reason.GRIPPER_NOT_FOLLOWING and words in hand.found.detail


def test_fingers_that_hold_an_object_and_are_told_again_need_not_move() -> None:
    hand = Hand(0.0)
    hand.command(1.0)
    hand.move(closing_to(0.5))
    hand.fingers.forget()
    assert hand.command(1.0)
    assert hand.move(lambda _: 0.5) == pytest.approx(0.2, abs=0.05)
    assert hand.found is None


def test_a_grip_that_opens_is_named_and_one_that_slips_shut_or_gives_a_little_is_not() -> None:
    hand = Hand(0.0)
    hand.command(1.0)
    hand.move(closing_to(0.5))
    hand.move(lambda _: 0.2)  # it turns
    hand.move(lambda _: 0.6)
    assert hand.found is None
    hand.move(opening_from(0.6))
    assert hand.reason() is Reason.GRIPPER_LET_GO and "closed to 0.60" in hand.found.detail


def test_fingers_that_close_by_themselves_after_they_were_opened_are_named() -> None:
    hand = Hand(0.9)
    hand.command(0.0)
    hand.move(opening_from(0.9))
    assert hand.found is None
    hand.move(lambda _: 0.9)
    assert hand.reason() is Reason.GRIPPER_NOT_FOLLOWING


def test_without_a_command_or_a_measurement_or_a_timeout_nothing_is_compared() -> None:
    hand = Hand(0.0)
    hand.move(lambda elapsed: 0.9 if elapsed > 1.0 else 0.0)
    assert hand.found is None
    hand.command(0.0)
    assert hand.fingers.trouble(None, hand.now + 100.0) is None
    patient = Hand(0.0, timeout=0.0)
    patient.command(1.0)
    assert patient.move(lambda _: 0.0) == pytest.approx(PERIOD) and patient.found is None
