"""Working arms set off no alarm: the simulated Franka and its hand, led by the real set-points, in contact too.

`python -m pytest -s test/unit/motion/test_working_arms.py` prints how near each case came to an alarm.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("vjepa_mpc.sim", reason="the simulator's packages are not installed")

from vjepa_mpc.geometry.cartesian import CartesianPose
from vjepa_mpc.geometry.limits import MotionLimits, WorkspaceBox
from vjepa_mpc.geometry.setpoint import Setpoint
from vjepa_mpc.motion.arm import Motion, MotionSettings
from vjepa_mpc.safety.guards import following
from vjepa_mpc.safety.guards.following import FollowingGuard
from vjepa_mpc.safety.samples import Now
from vjepa_mpc.sim import FrankaSim
from vjepa_mpc.sim.moves import step_towards
from vjepa_mpc.sim.tasks.pick_place import PickPlaceTask

pytestmark = [pytest.mark.sim, pytest.mark.slow]

PERIOD = 0.02
PLANNING = 0.4  # seconds between steps
BOX = WorkspaceBox(lower=(0.36, -0.17, 0.015), upper=(0.68, 0.17, 0.29))
LIMITS = MotionLimits(linear_speed=0.3)


class Arm:
    """The simulated arm, led as the control loop leads it, and what was nearest to an alarm."""

    def __init__(self, sim: FrankaSim) -> None:
        self.sim, self.now, self.step, self.closedness = sim, 100.0, 0, float(sim.pose[6])
        self.guard = FollowingGuard(FollowingGuard.Options())
        self.motion = Motion(
            BOX,
            LIMITS,
            MotionSettings(),
            publish=self._obey,
            publish_gripper=lambda closedness: setattr(self, "closedness", closedness),
            refuse=pytest.fail,
        )
        self.away = self.angle = self.waited = 0.0
        self.steps = 0
        self.motion.engage(True, self._measured(), self.now)
        self._rest()

    def _measured(self) -> CartesianPose:
        return CartesianPose.from_state(self.sim.pose)

    def _obey(self, setpoint: Setpoint, _: Now) -> None:
        target = CartesianPose(setpoint.position, setpoint.quaternion).state(self.closedness)
        self.sim.command(target, self.closedness)

    def _period(self) -> None:
        self.now += PERIOD
        sent = self.motion.advance(Now(ros=self.now, steady=self.now), self._measured())
        self.sim.step(PERIOD)
        assert self.motion.fingers.trouble(float(self.sim.pose[6]), self.now) is None
        if sent is None:
            return
        arm = self.sim.pose[:3]
        found = self.guard.check(sent, arm, step=self.step, executing=self.motion.executing)
        assert found is None, found
        self._note()

    def _note(self) -> None:
        course, stay = self.guard._course, self.guard._stay
        self.away = max(self.away, course._away)
        if np.linalg.norm(course._went) >= 0.02 and np.linalg.norm(course._told) >= 0.01:
            self.angle = max(self.angle, following._angle(course._told, course._went))
        self.waited, self.steps = max(self.waited, stay._waited), max(self.steps, stay._steps)

    def _rest(self) -> None:
        for _ in range(round(PLANNING / PERIOD)):
            self._period()

    def move(self, target: np.ndarray) -> None:
        """Carry out one step."""
        self.step += 1
        self.motion.follow(target, float(self.sim.pose[6]), self.now, self.now + 10.0)
        self._period()
        while not self.motion.done(self.now, self._measured(), float(self.sim.pose[6])):
            self._period()
            assert not self.motion.expired
        self._rest()

    def report(self, name: str) -> str:
        return (
            f"{name}: {100 * self.away:.1f} cm and {self.angle:.0f} degrees off its way, "
            f"{self.waited:.1f} s and {self.steps} steps without coming"
        )


@pytest.fixture(scope="module")
def sim() -> Iterator[FrankaSim]:
    with FrankaSim() as result:
        yield result


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("noise", [0.0, 0.015])
def test_a_pick_and_place_sets_off_no_alarm(sim: FrankaSim, seed: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    task = PickPlaceTask.sample(rng)
    task.start(sim)
    arm = Arm(sim)
    for phase in task.script():
        for _ in range(phase.steps):
            target = step_towards(sim.pose, phase.position)
            target[:3] += rng.normal(scale=noise, size=3)
            target[6] = phase.closedness
            arm.move(target)
    print(f"\n{arm.report(f'pick and place, seed {seed}, noise {1000 * noise:.0f} mm')}")


@pytest.mark.parametrize("seed", range(4))
def test_an_arm_that_runs_into_table_and_block_sets_off_no_alarm(sim: FrankaSim, seed: int) -> None:
    rng = np.random.default_rng(seed)
    task = PickPlaceTask.sample(rng)
    task.start(sim)
    arm = Arm(sim)
    for _ in range(30):
        target = sim.pose
        # To the block from all sides, and down on it, with fingers that open and close.
        towards = np.clip([*task.block_position, 0.0] - target[:3], -0.05, 0.05)
        target[:3] += towards + rng.uniform(-0.05, 0.05, 3)
        target[6] = float(rng.random() < 0.5)
        arm.move(target)
    print(f"\n{arm.report(f'against the block, seed {seed}')}")
