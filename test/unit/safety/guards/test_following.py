"""An arm that stays where it is, or goes elsewhere than it is led; and arms that do neither."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from vjepa_mpc.geometry.setpoint import Setpoint
from vjepa_mpc.safety.guards.following import FollowingGuard
from vjepa_mpc.safety.guards.violation import Violation
from vjepa_mpc.safety.reasons import Reason

PERIOD = 0.02
SPEED = 0.2
START = np.array([0.5, 0.0, 0.2])
DOWN = np.array([1.0, 0.0, 0.0, 0.0])
X, Y, Z = np.eye(3)

Arm = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From where the arm is and the set-point to where it is one period later."""


def obedient(arm: np.ndarray, setpoint: np.ndarray) -> np.ndarray:
    return setpoint


def dead(arm: np.ndarray, setpoint: np.ndarray) -> np.ndarray:
    return arm


def lagging(seconds: float) -> Arm:
    return lambda arm, setpoint: arm + (setpoint - arm) * PERIOD / seconds


def no_faster_than(speed: float) -> Arm:
    def follow(arm: np.ndarray, setpoint: np.ndarray) -> np.ndarray:
        way = setpoint - arm
        return arm + way * min(1.0, speed * PERIOD / max(float(np.linalg.norm(way)), 1e-9))

    return follow


def above(height: float) -> Arm:
    """Something is in the way below; the arm slides on it."""
    return lambda arm, setpoint: np.array([*setpoint[:2], max(setpoint[2], height)])


def turned(degrees: float) -> Arm:
    """Obeys exactly; but its pose is measured in a frame that is turned about the place where it starts."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    return lambda arm, setpoint: START + turn @ (setpoint - START)


def runs_away(arm: np.ndarray, setpoint: np.ndarray) -> np.ndarray:
    """Its pose is measured in a frame that lies 4 cm behind the one that targets are in."""
    return no_faster_than(0.2)(arm, setpoint + 0.04 * X)


class Stream:
    """Set-points towards one target after the other, as the control loop has them sent, and an arm."""

    def __init__(self, arm: Arm, *, velocities: bool = False, plan_seconds: float = 0.3, **options: float) -> None:
        self.guard = FollowingGuard(FollowingGuard.Options(**options))
        self.follow, self.velocities, self.plan_seconds = arm, velocities, plan_seconds
        self.arm, self.setpoint = START.copy(), START.copy()
        self.seconds, self.step, self.found = 0.0, 0, None
        self.restarted = True

    def _period(self, executing: bool, moved: bool) -> None:
        """One set-point. Velocities of zero keep the arm where it is."""
        if not self.velocities or moved:
            self.arm = self.follow(self.arm, self.setpoint)
        self.seconds += PERIOD
        setpoint = Setpoint(
            position=self.setpoint.copy(),
            quaternion=DOWN,
            linear_velocity=np.zeros(3),
            angular_velocity=np.zeros(3),
            time=100.0 + self.seconds,
            restarted=self.restarted,
        )
        self.restarted = False
        if self.found is None:
            self.found = self.guard.check(setpoint, self.arm, step=self.step, executing=executing)

    def rest(self, seconds: float) -> None:
        for _ in range(round(seconds / PERIOD)):
            self._period(executing=False, moved=False)

    def move(self, action: np.ndarray) -> None:
        """Carry out a step from where the arm is, settle, and plan the next one."""
        self.step += 1
        target = self.arm + action
        for _ in range(int(1.0 / PERIOD)):
            way = target - self.setpoint
            distance = float(np.linalg.norm(way))
            if distance < 1e-9:
                break
            self.setpoint = self.setpoint + way * min(1.0, SPEED * PERIOD / distance)
            self._period(executing=True, moved=True)
        for _ in range(5):
            self._period(executing=True, moved=True)
        if self.velocities:
            self.setpoint, self.restarted = self.arm.copy(), True
        self.rest(self.plan_seconds)

    def steps(self, *actions: np.ndarray) -> Violation | None:
        if not self.step:
            self.rest(self.plan_seconds)
        for action in actions:
            self.move(action)
        return self.found


def reasons(found: Violation | None) -> Reason | None:
    return None if found is None else found.reason


@pytest.mark.parametrize("velocities", [False, True], ids=["poses", "velocities"])
def test_an_arm_that_never_comes_is_named(velocities: bool) -> None:
    stream = Stream(dead, velocities=velocities)
    assert reasons(stream.steps(*[0.05 * X] * 4)) is Reason.ARM_NOT_FOLLOWING
    assert stream.found is not None and "cm" in stream.found.detail and "before" not in stream.found.detail


def test_a_setpoint_that_waits_for_the_arm_is_enough_while_a_slow_model_plans() -> None:
    stream = Stream(dead, plan_seconds=2.0)
    assert reasons(stream.steps(0.05 * X)) is Reason.ARM_NOT_FOLLOWING


def test_velocities_that_were_sent_for_half_a_second_are_not_held_against_an_arm_while_a_slow_model_plans() -> None:
    assert Stream(dead, velocities=True, plan_seconds=20.0).steps(0.05 * X) is None


def test_small_steps_add_up_where_velocities_are_sent() -> None:
    assert reasons(Stream(dead, velocities=True).steps(*[0.01 * X] * 8)) is Reason.ARM_NOT_FOLLOWING


def test_an_arm_that_stops_following_later_is_given_more_time() -> None:
    stream = Stream(obedient)
    assert stream.steps(0.05 * X, 0.05 * Y) is None
    stream.follow = dead
    assert stream.steps(*[0.05 * X] * 5) is None
    assert reasons(stream.steps(*[0.05 * X] * 3)) is Reason.ARM_NOT_FOLLOWING
    assert stream.found is not None and "followed before" in stream.found.detail


def test_an_arm_that_is_led_anew_is_judged_anew() -> None:
    stream = Stream(obedient)
    stream.steps(0.05 * X)
    stream.guard.restart()
    stream.follow, stream.restarted = dead, True
    assert reasons(stream.steps(*[0.05 * X] * 4)) is Reason.ARM_NOT_FOLLOWING


SLUGGISH = {"compliant": lagging(0.5), "very slow": no_faster_than(0.01)}
ARMS = {
    "obedient": obedient,
    "lagging": lagging(0.1),
    "slow": no_faster_than(0.05),
    "on a block": above(0.19),
    "a little turned": turned(20.0),
}


@pytest.mark.parametrize(
    ("arm", "velocities"),
    [
        *(pytest.param(arm, False, id=f"{name}, poses") for name, arm in (ARMS | SLUGGISH).items()),
        *(pytest.param(arm, True, id=f"{name}, velocities") for name, arm in ARMS.items()),
    ],
)
def test_arms_that_follow_somehow_are_left_alone(arm: Arm, velocities: bool) -> None:
    stream = Stream(arm, velocities=velocities)
    way = [0.05 * X, 0.04 * Y - 0.03 * X, -0.03 * Z + 0.05 * X, 0.005 * X, -0.005 * X]
    assert stream.steps(*way * 3) is None
    assert stream.steps(*[0.004 * X, -0.004 * X] * 10) is None, "near the goal"
    stream.rest(30.0)
    assert stream.found is None


@pytest.mark.parametrize("arm", [turned(90.0), turned(180.0), turned(-60.0), runs_away])
@pytest.mark.parametrize("action", [0.05 * X, 0.05 * Y, 0.04 * X + 0.03 * Z], ids=["x", "y", "xz"])
def test_a_pose_in_another_frame_is_suspected_with_the_first_steps(arm: Arm, action: np.ndarray) -> None:
    stream = Stream(arm)
    found = stream.steps(action, action)
    assert reasons(found) is Reason.FRAME_SUSPECTED, found
    assert "measured pose" in found.detail
    assert stream.step <= 2


def test_velocities_that_lead_elsewhere_are_suspected_too() -> None:
    cos = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    stream = Stream(obedient, velocities=True)
    stream.follow = lambda arm, setpoint: START + cos @ (setpoint - START)
    assert reasons(stream.steps(0.05 * X)) is Reason.FRAME_SUSPECTED


def test_what_is_alike_in_both_frames_proves_nothing() -> None:
    stream = Stream(turned(90.0))
    assert stream.steps(*[0.03 * Z] * 4) is None
    assert reasons(stream.steps(0.05 * X)) is Reason.FRAME_SUSPECTED


def test_who_pushes_an_arm_that_has_followed_in_two_directions_changes_no_frame() -> None:
    stream = Stream(obedient)
    stream.steps(0.05 * X, 0.05 * Y)
    stream.follow = lambda arm, setpoint: setpoint + 0.05 * Z
    assert stream.steps(0.05 * X, 0.05 * Y) is None


def test_one_wrong_pose_is_no_other_frame() -> None:
    stream = Stream(obedient)
    stream.follow = lambda arm, setpoint: setpoint + (0.5 * Y if round(stream.seconds / PERIOD) == 5 else 0.0)
    assert stream.steps(0.05 * X) is None
