"""The arm's thread with arms that move, break, refuse and come back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from vjepa_mpc.drivers.franka.arm_loop import ArmLoop
from vjepa_mpc.drivers.franka.condition import Condition
from vjepa_mpc.drivers.franka.libfranka import ArmState, ConnectionLostError
from vjepa_mpc.drivers.franka.settings import ArmSettings
from vjepa_mpc.geometry.inverse_kinematics import TargetError

TIMEOUT = 5.0
HERE, DOWN = np.array([0.5, 0.0, 0.2]), np.array([1.0, 0.0, 0.0, 0.0])
SETTINGS = ArmSettings(robot_ip="fake", rate=500.0, retry_period=0.02, silence=0.1, target_timeout=0.05)


class FakeArm:
    """One connection; the controller behind it is the test's `Controller`."""

    def __init__(self, controller: Controller) -> None:
        self._robot = controller

    @property
    def condition(self) -> tuple[Condition, str]:
        return self._robot.condition

    def read(self) -> ArmState:
        self._robot.check()
        if not self._robot.silent:
            self._robot.time += 1e-3
        joints = np.zeros(7)
        return ArmState(
            time=self._robot.time, position=HERE, quaternion=DOWN, joints=joints, velocities=joints, mode="", errors=""
        )

    def follow(self, position: np.ndarray, quaternion: np.ndarray) -> None:
        self._robot.check()
        if self._robot.unreachable:
            raise TargetError("no posture reaches it")
        self._robot.note("follow")

    def hold(self) -> None:
        self._robot.note("hold")

    def recover(self) -> None:
        self._robot.note("recover")
        if self._robot.condition[0] is Condition.REFLEX:
            self._robot.condition = (Condition.READY, "")

    def close(self) -> None:
        self._robot.note("close")


class Controller:
    """What the test does to the robot, and what the driver did."""

    def __init__(self) -> None:
        self.condition: tuple[Condition, str] = (Condition.READY, "")
        self.absent = self.silent = self.unreachable = False
        self.time = 0.0
        self.calls: list[str] = []
        self._noted = threading.Condition()

    def connect(self) -> FakeArm:
        self.note("connect")
        self.check()
        return FakeArm(self)

    def check(self) -> None:
        if self.absent:
            raise ConnectionLostError("nobody answers")

    def note(self, call: str) -> None:
        with self._noted:
            self.calls.append(call)
            self._noted.notify_all()

    def wait_for(self, call: str, times: int = 1) -> None:
        with self._noted:
            assert self._noted.wait_for(lambda: self.calls.count(call) >= times, TIMEOUT), self.calls


@pytest.fixture
def controller() -> Controller:
    return Controller()


@pytest.fixture
def loop(controller: Controller) -> Iterator[ArmLoop]:
    result = ArmLoop(controller.connect, lambda _: None, SETTINGS)
    result.start()
    yield result
    assert result.stop(TIMEOUT)


def until(loop: ArmLoop, condition: Condition) -> str:
    """Wait for a condition; its detail."""
    return _until(lambda: loop.condition, condition)


def _until(read: Callable[[], tuple[Condition, str]], wanted: Condition) -> str:
    deadline, tick = time.monotonic() + TIMEOUT, threading.Event()
    while (found := read())[0] is not wanted:
        assert time.monotonic() < deadline, f"{found} instead of {wanted}"
        tick.wait(0.002)
    return found[1]


def test_targets_are_passed_on_and_their_end_holds_the_arm(loop: ArmLoop, controller: Controller) -> None:
    until(loop, Condition.READY)
    assert loop.target(HERE, DOWN) == ""
    controller.wait_for("follow")
    controller.wait_for("hold")
    assert controller.calls == ["connect", "follow", "hold"]


def test_absent_robot_is_tried_again(controller: Controller) -> None:
    controller.absent = True
    loop = ArmLoop(controller.connect, lambda _: None, SETTINGS)
    loop.start()
    controller.wait_for("connect", 2)
    assert loop.condition == (Condition.CONNECTING, "nobody answers")
    assert "no connection" in loop.target(HERE, DOWN)
    controller.absent = False
    until(loop, Condition.READY)
    assert loop.stop(TIMEOUT)


def test_lost_connection_is_named_and_taken_up_without_the_old_target(loop: ArmLoop, controller: Controller) -> None:
    until(loop, Condition.READY)
    loop.target(HERE, DOWN)
    controller.wait_for("follow")
    controller.absent = True
    assert until(loop, Condition.CONNECTION_LOST)
    assert "connection to the robot is lost" in loop.target(HERE, DOWN)
    controller.absent = False
    until(loop, Condition.READY)
    assert controller.calls.count("follow") == 1
    assert loop.target(HERE, DOWN) == ""
    controller.wait_for("follow", 2)


def test_silent_connection_counts_as_lost_before_the_network_says_so(loop: ArmLoop, controller: Controller) -> None:
    until(loop, Condition.READY)
    controller.silent = True
    assert "no new state for" in until(loop, Condition.CONNECTION_LOST)
    controller.silent = False
    until(loop, Condition.READY)
    assert controller.calls == ["connect"]


def test_reflex_is_named_refuses_targets_and_ends_with_recovery(loop: ArmLoop, controller: Controller) -> None:
    until(loop, Condition.READY)
    controller.condition = (Condition.REFLEX, "cartesian_reflex")
    assert until(loop, Condition.REFLEX) == "cartesian_reflex"
    assert "call ~/recover" in loop.target(HERE, DOWN)
    assert loop.recover().result(TIMEOUT) == ""
    until(loop, Condition.READY)
    assert "follow" not in controller.calls


def test_recovery_that_does_not_help_says_what_is_left(loop: ArmLoop, controller: Controller) -> None:
    controller.condition = (Condition.USER_STOPPED, "")
    until(loop, Condition.USER_STOPPED)
    assert "Release the external activation device" in loop.recover().result(TIMEOUT)


def test_recovery_without_a_robot_is_answered(loop: ArmLoop, controller: Controller) -> None:
    controller.absent = True
    until(loop, Condition.CONNECTION_LOST)
    assert "CONNECTION_LOST" in loop.recover().result(TIMEOUT)


def test_far_targets_are_refused_for_a_while(loop: ArmLoop, controller: Controller) -> None:
    until(loop, Condition.READY)
    assert "0.300 m from the measured position" in loop.target(HERE + np.array([0.3, 0.0, 0.0]), DOWN)
    assert loop.condition[0] is Condition.TARGET_REFUSED
    assert loop.target(HERE, DOWN) == ""
    until(loop, Condition.READY)
    assert controller.calls.count("follow") == 1


def test_unreachable_targets_are_refused(loop: ArmLoop, controller: Controller) -> None:
    until(loop, Condition.READY)
    controller.unreachable = True
    loop.target(HERE, DOWN)
    assert until(loop, Condition.TARGET_REFUSED) == "no posture reaches it"


def test_states_are_published_once_each(controller: Controller) -> None:
    times, enough = [], threading.Event()

    def publish(state: ArmState) -> None:
        times.append(state.time)
        if len(times) == 20:
            enough.set()

    loop = ArmLoop(controller.connect, publish, SETTINGS)
    loop.start()
    assert enough.wait(TIMEOUT)
    assert loop.stop(TIMEOUT)
    assert controller.calls[-1] == "close"
    assert len(set(times)) == len(times)


def test_recovery_after_the_end_is_answered(controller: Controller) -> None:
    loop = ArmLoop(controller.connect, lambda _: None, SETTINGS)
    loop.start()
    assert loop.stop(TIMEOUT)
    assert "stopping" in loop.recover().result(TIMEOUT)


def test_every_condition_says_what_to_do() -> None:
    for condition in Condition:
        assert condition.message().endswith(".") or condition is Condition.READY
        assert condition is Condition.READY or condition.remedy
