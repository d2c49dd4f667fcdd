"""The hand's threads against a hand that is slow, breaks, and comes back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from vjepa_mpc.drivers.franka.hand import LibfrankaHand
from vjepa_mpc.drivers.franka.settings import HandSettings

TIMEOUT = 5.0
SETTINGS = HandSettings(rate=500.0, retry_period=0.01)


class FakeGripper:
    """Obeys at once, or when it is let."""

    max_width = 0.08

    def __init__(self) -> None:
        self.width_now, self.broken = 0.08, False
        self.calls: list[tuple[str, float]] = []
        self.changed = threading.Condition()
        self.free = threading.Event()
        self.free.set()

    @property
    def width(self) -> float:
        if self.broken:
            raise RuntimeError("Net Exception")
        return self.width_now

    def move(self, width: float, speed: float) -> None:
        self._do("move", width, width)

    def grasp(self, width: float, speed: float, force: float, inner: float, outer: float) -> None:
        assert force == SETTINGS.force
        self._do("grasp", width, max(width, 0.05))  # there is a block

    def _do(self, name: str, wanted: float, result: float) -> None:
        with self.changed:
            self.calls.append((name, wanted))
            self.changed.notify_all()
        assert self.free.wait(TIMEOUT)
        self.width_now = result

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, TIMEOUT), self.calls


@pytest.fixture
def gripper() -> FakeGripper:
    return FakeGripper()


@pytest.fixture
def hand(gripper: FakeGripper) -> Iterator[LibfrankaHand]:
    result = LibfrankaHand(lambda: gripper, SETTINGS)
    result.start()
    until(lambda: result.width is not None)
    yield result
    gripper.free.set()
    assert result.stop(TIMEOUT)


def until(condition: Callable[[], Any]) -> None:
    tick = threading.Event()
    for _ in range(int(TIMEOUT / 0.005)):
        if condition():
            return
        tick.wait(0.005)
    raise AssertionError("it did not happen")


def test_closing_grasps_and_opening_moves(hand: LibfrankaHand, gripper: FakeGripper) -> None:
    hand.command(0.0)
    gripper.wait_for(lambda: gripper.calls == [("grasp", 0.0)])
    until(lambda: hand.width == 0.05)
    hand.command(0.08)
    gripper.wait_for(lambda: gripper.calls[1:] == [("move", 0.08)])


def test_busy_hand_is_not_waited_for_and_gets_the_newest_next(hand: LibfrankaHand, gripper: FakeGripper) -> None:
    gripper.free.clear()
    hand.command(0.0)
    gripper.wait_for(lambda: len(gripper.calls) == 1)
    hand.command(0.08)
    hand.command(0.06)
    gripper.free.set()
    gripper.wait_for(lambda: len(gripper.calls) == 2)
    assert gripper.calls[1] == ("move", 0.06)


def test_a_command_that_holds_is_not_sent_again(hand: LibfrankaHand, gripper: FakeGripper) -> None:
    hand.command(0.0)
    gripper.wait_for(lambda: len(gripper.calls) == 1)
    until(lambda: hand.width == 0.05 and hand._result == 0.05)
    hand.command(0.0)
    hand.command(0.08)
    gripper.wait_for(lambda: len(gripper.calls) == 2)
    assert [name for name, _ in gripper.calls] == ["grasp", "move"]


def test_a_command_is_sent_again_when_the_fingers_were_moved(hand: LibfrankaHand, gripper: FakeGripper) -> None:
    hand.command(0.0)
    until(lambda: hand._result == 0.05)
    gripper.width_now = 0.08
    until(lambda: hand.width == 0.08)
    hand.command(0.0)
    gripper.wait_for(lambda: len(gripper.calls) == 2)


def test_lost_hand_is_found_again_and_does_not_move_by_itself(hand: LibfrankaHand, gripper: FakeGripper) -> None:
    hand.command(0.0)
    until(lambda: hand._result is not None)
    gripper.broken = True
    until(lambda: hand.width is None)
    assert "Net Exception" in hand.problem
    gripper.broken = False
    until(lambda: hand.width is not None and not hand.problem)
    hand.command(0.08)
    gripper.wait_for(lambda: len(gripper.calls) == 2)
    assert gripper.calls == [("grasp", 0.0), ("move", 0.08)]


def test_a_command_that_the_hand_refused_is_sent_when_it_comes_again(
    hand: LibfrankaHand, gripper: FakeGripper, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = threading.Event()

    def refuse(*_: Any) -> bool:
        refused.set()
        raise RuntimeError("the gripper is not homed")

    with monkeypatch.context() as unhomed:
        unhomed.setattr(gripper, "grasp", refuse)
        hand.command(0.0)
        assert refused.wait(TIMEOUT)
        until(lambda: hand._sent is None)
    hand.command(0.0)
    gripper.wait_for(lambda: gripper.calls == [("grasp", 0.0)])


@pytest.mark.parametrize("width", [float("nan"), float("inf")])
def test_commands_that_are_not_finite_are_refused(hand: LibfrankaHand, width: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        hand.command(width)


def test_settings_refuse_what_cannot_be() -> None:
    with pytest.raises(ValueError, match=r"hand_force=0\.0"):
        HandSettings(force=0.0)
