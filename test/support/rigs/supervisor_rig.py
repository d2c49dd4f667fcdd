"""A supervisor with inputs that can be tampered with, for the tests of safety."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from support.proposals import FakeProposal, a_plan, a_step
from vjepa_mpc.geometry.cartesian import CartesianPose
from vjepa_mpc.geometry.limits import WorkspaceBox
from vjepa_mpc.safety.config import SupervisorConfig
from vjepa_mpc.safety.reasons import Reason, State
from vjepa_mpc.safety.samples import GripperSample, ImageSample, Now, PermissionSample, PoseSample
from vjepa_mpc.safety.supervisor import Decision, Supervisor

CONFIG = SupervisorConfig(frame_id="base", workspace=WorkspaceBox(lower=(0.3, -0.3, 0.0), upper=(0.7, 0.3, 0.5)))
HOME = np.array([0.5, 0.0, 0.2, np.pi, 0.0, 0.0, 0.0])
TICK = 0.02
MOTION_ALLOWED = "/planner_node/motion_allowed"
GOAL = 7


class Rig:
    """A supervisor with a camera at 10 Hz, and a pose and a gripper at 50 Hz, any of which can be tampered with."""

    def __init__(self, config: SupervisorConfig = CONFIG) -> None:
        self.supervisor = Supervisor()
        self.supervisor.configure(config)
        self.ros, self.steady = 1000.0, 50.0
        self.state = HOME.copy()
        self.image, self.pose, self.gripper = {}, {}, {}  # fields to replace; None: silence
        self.permission: PermissionSample | None = None  # kept as it is until another one comes
        self.stamp_offset = {"image": 0.0, "pose": 0.0, "gripper": 0.0}
        self.digest, self.ticks = 0, 0
        self.decision: Decision | None = None

    @property
    def now(self) -> Now:
        return Now(ros=self.ros, steady=self.steady)

    def tick(self, count: int = 1) -> Decision:
        for _ in range(count):
            self.ros += TICK
            self.steady += TICK
            self.ticks += 1
            self._observe()
            self.decision = self.supervisor.update(self.now)
        return self.decision

    def run(self, seconds: float) -> Decision:
        return self.tick(round(seconds / TICK))

    def _observe(self) -> None:
        self.supervisor.observe(self.permission or PermissionSample(MOTION_ALLOWED))
        if self.pose is not None:
            position, quaternion = CartesianPose.from_state(self.state).position, [1.0, 0.0, 0.0, 0.0]
            fields = {"position": position, "quaternion": np.array(quaternion), "frame_id": "base"}
            times = {"stamp": self.ros + self.stamp_offset["pose"], "received": self.steady}
            self.supervisor.observe(PoseSample(**{**fields, **times, **self.pose}))
        if self.gripper is not None:
            stamp = self.ros + self.stamp_offset["gripper"]
            self.supervisor.observe(replace(GripperSample(0.0, stamp, self.steady), **self.gripper))
        if self.image is not None and self.ticks % 5 == 0:
            self.digest += 1
            stamp = self.ros + self.stamp_offset["image"]
            self.supervisor.observe(replace(ImageSample(stamp, self.steady, self.digest), **self.image))

    def start(self) -> Decision:
        """Active, with a goal, ready to plan."""
        self.supervisor.activate(self.now)
        self.supervisor.set_goal(GOAL)
        decision = self.run(0.2)
        assert decision.state is State.PLANNING, decision
        return decision

    def plan(self, *, energies: tuple[float, ...] = (0.5,), **changes: Any) -> FakeProposal:
        """A step of 5 cm along x, planned from the newest observation."""
        action = np.array([[0.05, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
        fields: dict[str, Any] = {
            "goal_id": GOAL,
            "epoch": self.supervisor.epoch,
            "observed_at": self.steady - 0.3,
            "actions": action,
            "target_pose": HOME + action[0],
            "seconds": 0.3,
        }
        fields |= changes
        origin = {name: fields.pop(name) for name in ("epoch", "observed_at", "seconds")}
        return FakeProposal(step=a_step(**fields, plan=a_plan(energies)), **origin)

    def carry_out(self, plan: FakeProposal) -> bool:
        """Have a step carried out to its end if it is accepted, as the loop does."""
        self.supervisor.examine_plan(plan, self.now)
        accepted = self.supervisor.accept_plan(plan, self.now)
        self.tick()
        self.supervisor.motion_done()
        self.tick()
        return accepted

    def execute(self) -> Decision:
        assert self.supervisor.accept_plan(self.plan(), self.now)
        decision = self.tick()
        assert decision.state is State.EXECUTING
        return decision


def mend(rig: Rig) -> None:
    rig.image, rig.pose, rig.gripper = {}, {}, {}
    rig.stamp_offset = dict.fromkeys(rig.stamp_offset, 0.0)
    rig.state = HOME.copy()
    rig.permission = None
    rig.supervisor.other_publishers([])


def jump(rig: Rig) -> None:
    """Faster than an arm can."""
    rig.state[1] += 0.2


def fail_planner(rig: Rig) -> None:
    rig.supervisor.report(Reason.PLANNER_EXCEPTION, "RuntimeError: out of memory", rig.now)
