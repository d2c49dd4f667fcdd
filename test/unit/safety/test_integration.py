"""Controller, supervisor and set-points together, as the node joins them, around a point-mass arm that lags behind."""

from __future__ import annotations

import numpy as np
import pytest

from support.proposals import FakeProposal
from vjepa_mpc.controller.step import Observation
from vjepa_mpc.controller.visual_mpc import VisualMPC
from vjepa_mpc.geometry.cartesian import CartesianPose
from vjepa_mpc.geometry.limits import MotionLimits, WorkspaceBox
from vjepa_mpc.geometry.setpoint import Setpoint
from vjepa_mpc.goals.endings.budget import Budget
from vjepa_mpc.goals.sub_goal import SubGoal
from vjepa_mpc.motion.setpoints import SetpointGenerator
from vjepa_mpc.motion.settle import SettleMonitor
from vjepa_mpc.planning import CEMConfig
from vjepa_mpc.safety.config import SupervisorConfig
from vjepa_mpc.safety.invariants import check_setpoint
from vjepa_mpc.safety.reasons import State
from vjepa_mpc.safety.samples import ImageSample, Now, PoseSample, image_digest
from vjepa_mpc.safety.supervisor import Decision, Supervisor
from vjepa_mpc.worldmodel import PointMassWorldModel

BOX = WorkspaceBox(lower=(0.35, -0.25, 0.05), upper=(0.75, 0.25, 0.45))
LIMITS = MotionLimits()
CONFIG = SupervisorConfig(frame_id="base", workspace=BOX, limits=LIMITS, gripper_timeout=None)
PLANNER = CEMConfig(rollout=1, samples=64, topk=8, cem_steps=4, maxnorm=0.075)
PERIOD, PLAN_SECONDS, LAG = 0.02, 0.3, 0.05
DOWN = np.array([1.0, 0.0, 0.0, 0.0])


class Loop:
    """Blocking execution at 50 Hz; a plan takes 0.3 s. Every published set-point is checked."""

    def __init__(self, start) -> None:
        self.model = PointMassWorldModel()
        self.mpc = VisualMPC(self.model, PLANNER)
        self.supervisor = Supervisor()
        self.supervisor.configure(CONFIG)
        self.setpoints = SetpointGenerator(BOX, LIMITS)
        self.settle = SettleMonitor()
        self.arm = np.array(start, dtype=float)
        self.time = 100.0
        self.blind = self.numb = False
        self.published: list[Setpoint] = []
        self._previous: Setpoint | None = None
        self._target: CartesianPose | None = None
        self._pending = None
        self._epoch = -1

    @property
    def now(self) -> Now:
        return Now(ros=self.time, steady=self.time)

    def set_goal(self, *positions) -> None:
        goals = [
            SubGoal(image=self.model.render(np.array(position)), endings=(Budget(steps=8),)) for position in positions
        ]
        self.supervisor.set_goal(self.mpc.set_goals(goals))

    def tick(self) -> Decision:
        self.time += PERIOD
        image = self.model.render(self.arm)
        if not self.blind:
            self.supervisor.observe(ImageSample(self.time, self.time, image_digest(image.tobytes())))
        if not self.numb:
            pose = PoseSample(
                position=self.arm.copy(), quaternion=DOWN, frame_id="base", stamp=self.time, received=self.time
            )
            self.supervisor.observe(pose)
        decision = self.supervisor.update(self.now)
        self._deliver()
        if decision.epoch != self._epoch:
            self._epoch, self._target = decision.epoch, None
            self.setpoints.stop()
        if not decision.engaged:
            self.setpoints.release()
        elif decision.measured is not None:
            self.setpoints.engage(decision.measured, self.time - PERIOD)
        self._publish(decision)
        if decision.may_plan and self._pending is None and self._target is None and self.setpoints.engaged:
            observation = Observation(image=image, pose=CartesianPose(self.arm, DOWN).state(0.0))
            self._pending = (self.time, decision.epoch, self.mpc.propose(observation))
        return decision

    def run(self, seconds: float) -> Decision:
        for _ in range(round(seconds / PERIOD)):
            decision = self.tick()
        return decision

    def _deliver(self) -> None:
        if self._pending is None or self.time - self._pending[0] < PLAN_SECONDS:
            return
        (observed_at, epoch, step), self._pending = self._pending, None
        if step.superseded or step.goal_id != self.mpc.goal_id:
            return
        if step.finished:
            self.supervisor.finish_goal(f"energy {step.energy:.4f}")
            return
        proposal = FakeProposal(step=step, epoch=epoch, observed_at=observed_at, seconds=PLAN_SECONDS)
        if self.supervisor.accept_plan(proposal, self.now):
            self.mpc.commit(step)
            self._target = CartesianPose.from_state(step.target_pose)
            self._epoch = epoch
            self.setpoints.follow(self._target)
            self.settle.start()

    def _publish(self, decision: Decision) -> None:
        setpoint = self.setpoints.advance(self.time, decision.measured)
        if setpoint is not None:
            wrong = check_setpoint(
                setpoint, previous=self._previous, measured=decision.measured, workspace=BOX, limits=LIMITS
            )
            assert not wrong, wrong
            self.published.append(setpoint)
            self.arm += (1.0 - np.exp(-PERIOD / LAG)) * (setpoint.position - self.arm)
        self._previous = setpoint
        if self._target is not None and self.settle.update(
            self.time, at_target=self.setpoints.at_target, measured=decision.measured, target=self._target
        ):
            self._target = None
            self.supervisor.motion_done()


def test_it_is_silent_until_active_and_then_reaches_goal_after_goal():
    loop = Loop((0.45, -0.1, 0.3))
    loop.set_goal((0.6, 0.1, 0.2), (0.5, 0.0, 0.4))
    assert loop.run(1.0).state is State.IDLE and not loop.published
    loop.supervisor.activate(loop.now)
    assert loop.run(25.0).state is State.IDLE
    assert np.linalg.norm(loop.arm - (0.5, 0.0, 0.4)) < 0.01
    count = len(loop.published)
    loop.run(1.0)
    assert len(loop.published) == count, "silent once finished"


def test_a_goal_outside_the_box_is_approached_to_its_face():
    loop = Loop((0.7, 0.0, 0.3))
    loop.set_goal((0.79, 0.0, 0.3))
    loop.supervisor.activate(loop.now)
    loop.run(15.0)
    assert loop.arm[0] == pytest.approx(BOX.upper[0], abs=0.005)


@pytest.mark.parametrize("stream", ["blind", "numb"])
def test_a_lost_input_holds_within_two_periods_of_its_limit_and_recovers(stream):
    loop = Loop((0.45, -0.1, 0.3))
    loop.set_goal((0.65, 0.1, 0.2))
    loop.supervisor.activate(loop.now)
    while loop.tick().state is not State.EXECUTING:
        pass
    setattr(loop, stream, True)
    limit = CONFIG.image_timeout if stream == "blind" else CONFIG.pose_timeout
    lost = loop.time
    while loop.tick().state is not State.HOLDING:
        pass
    assert loop.time - lost - limit <= 2 * PERIOD + 1e-9
    loop.run(0.5)
    count = len(loop.published)
    loop.run(0.5)
    assert len(loop.published) == count
    setattr(loop, stream, False)
    loop.run(20.0)
    assert np.linalg.norm(loop.arm - (0.65, 0.1, 0.2)) < 0.01


@pytest.mark.parametrize("seed", range(3))
def test_nothing_published_breaks_an_invariant_whatever_happens(seed):
    rng = np.random.default_rng(seed)
    loop = Loop((0.5, 0.0, 0.25))
    loop.supervisor.activate(loop.now)
    by_hand = False
    for _ in range(80):
        loop.blind, loop.numb = rng.random(2) < 0.15
        event = rng.choice(
            ["goal", "pause", "resume", "clear", "deactivate", "none"], p=[0.4, 0.1, 0.25, 0.05, 0.05, 0.15]
        )
        if event == "goal":
            loop.set_goal(rng.uniform(BOX.lower, BOX.upper))
        elif event == "pause":
            loop.supervisor.pause()
            by_hand = True
        elif event == "resume":
            loop.supervisor.resume(loop.now)
            loop.mpc.restart()
            by_hand = False
        elif event == "clear":
            loop.mpc.clear_goals()
            loop.supervisor.clear_goal()
        elif event == "deactivate":
            loop.supervisor.deactivate()
            loop.run(rng.uniform(0.02, 0.5))
            loop.supervisor.activate(loop.now)
            by_hand = False
        loop.run(rng.uniform(0.02, 1.5))
        if by_hand:
            loop.run(0.5)
            loop.arm = rng.uniform(BOX.lower, BOX.upper)
    loop.blind = loop.numb = False
    loop.supervisor.resume(loop.now)
    loop.set_goal((0.6, 0.1, 0.2))
    loop.run(20.0)
    assert np.linalg.norm(loop.arm - (0.6, 0.1, 0.2)) < 0.01
    assert len(loop.published) > 1000
