"""The control loop with its real threads and clock, around a point-mass arm and a planner that takes its time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

from sensor_msgs.msg import Image

from vjepa_mpc.control.mpc import Observation, VisualMPC
from vjepa_mpc.control.reasons import Reason, State
from vjepa_mpc.control.samples import ImageSample, PoseSample, image_digest
from vjepa_mpc.control.setpoints import Setpoint
from vjepa_mpc.control.step import MPCStep
from vjepa_mpc.control.supervisor import Decision
from vjepa_mpc.nodes.control_loop import ControlLoop
from vjepa_mpc.nodes.parameter_table import PRESET, entries
from vjepa_mpc.nodes.parameters import build_settings
from vjepa_mpc.planning.goals import SubGoal
from vjepa_mpc.worldmodel import PointMassWorldModel

pytestmark = pytest.mark.ros

DOWN = np.array([1.0, 0.0, 0.0, 0.0])
START = np.array([0.4, -0.15, 0.15])
PLAN_SECONDS = 0.15
FOLLOWING = 0.5  # share of its error that the arm makes up in a period
TIMEOUT = 15.0


def settings(execution: str, **values):
    defaults = {entry.name: entry.default for entry in (PRESET, *entries("cpu"))}
    box = {"workspace.lower": (0.3, -0.3, 0.0), "workspace.upper": (0.8, 0.3, 0.5)}
    small = {"samples": 64, "topk": 8, "cem_steps": 4}
    return build_settings({**defaults, **box, **small, "execution": execution, **values})


class Arm:
    """A point that follows set-points, its pose and its picture: the loop's inputs."""

    motion_allowed = None
    gripper = None
    motion_refusal = ""

    def __init__(self, model: PointMassWorldModel) -> None:
        self._model = model
        self.position = START.copy()
        self.velocity = 0.0  # of the newest set-point, m/s
        self.stalled = False

    def follow(self, setpoint: Setpoint) -> None:
        if not self.stalled:
            self.position = self.position + FOLLOWING * (setpoint.position - self.position)
        self.velocity = float(np.linalg.norm(setpoint.linear_velocity))

    @property
    def pose(self) -> PoseSample:
        now = time.monotonic()
        return PoseSample(position=self.position, quaternion=DOWN, frame_id="base", stamp=now, received=now)

    @property
    def image(self) -> tuple[ImageSample, Image]:
        now, pixels = time.monotonic(), self._model.render(self.position)
        message = Image(height=8, width=8, step=24, encoding="rgb8", data=pixels.tobytes())
        return ImageSample(now, now, image_digest(pixels.tobytes())), message

    def forget(self) -> None:
        pass


class SlowMPC(VisualMPC):
    """Takes its time, and notes how fast the arm was when a plan was begun."""

    def __init__(self, model: PointMassWorldModel, config, arm: Arm) -> None:
        super().__init__(model, config, seed=1)
        self._arm = arm
        self.speeds: list[float] = []
        self.starts: list[float] = []

    def step(self, observation: Observation) -> MPCStep:
        self.speeds.append(self._arm.velocity)
        self.starts.append(float(np.linalg.norm(observation.origin[:3] - observation.pose[:3])))
        step = super().step(observation)
        time.sleep(PLAN_SECONDS)  # as a large model would
        return step


@dataclass(eq=False)
class Log:
    """Publishers and listener of the loop: keeps what they are told."""

    arm: Arm
    setpoints: list[Setpoint] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    steps: list[MPCStep] = field(default_factory=list)
    fail: Callable[[], None] = lambda: None
    changed: threading.Condition = field(default_factory=threading.Condition)

    def setpoint(self, setpoint: Setpoint) -> None:
        self.arm.follow(setpoint)
        self.setpoints.append(setpoint)

    def status(self, decision: Decision, goal_id: int, step: MPCStep | None) -> None:
        self.fail()
        with self.changed:
            self.decisions.append(decision)
            self.changed.notify_all()

    def planned(self, step: MPCStep, seconds: float) -> None:
        self.steps.append(step)

    def gripper(self, closedness: float) -> None: ...

    def debug(self, step: MPCStep, start: np.ndarray) -> None: ...

    def gripper_trouble(self) -> None: ...

    def other_publishers(self) -> list[str]:
        return []

    def ended(self, goal_id: int, step: MPCStep) -> None: ...

    def decided(self, decision: Decision) -> None: ...

    def wait_for(self, wanted: Callable[[Decision], bool]) -> Decision:
        with self.changed:
            count = len(self.decisions)
            assert self.changed.wait_for(lambda: any(map(wanted, self.decisions[count - 1 :])), TIMEOUT), (
                self.decisions[-1]
            )
            return self.decisions[-1]

    def wait_for_reason(self, reason: Reason) -> Decision:
        return self.wait_for(lambda decision: decision.reason is reason)


@dataclass(eq=False)
class Bench:
    loop: ControlLoop
    arm: Arm
    mpc: SlowMPC
    log: Log
    model: PointMassWorldModel

    def begin(self, *positions, steps: int = 8) -> None:
        goals = [SubGoal(image=self.model.render(np.array(position)), steps=steps) for position in positions]
        self.loop.call(self.loop.set_goal, goals)

    def wait_until_measured(self) -> None:
        """Until the loop has seen where the arm is."""
        deadline = time.monotonic() + TIMEOUT
        while np.linalg.norm(self.loop.decision.measured.position - self.arm.position) > 1e-6:
            assert time.monotonic() < deadline
            time.sleep(0.005)


@contextmanager
def bench(execution: str, **values) -> Iterator[Bench]:
    model, chosen = PointMassWorldModel(), settings(execution, **values)
    arm = Arm(model)
    mpc, log = SlowMPC(model, chosen.planner, arm), Log(arm)
    loop = ControlLoop(chosen, mpc, arm, log, log, time.monotonic)
    loop.start()
    try:
        loop.call(loop.activate)
        yield Bench(loop, arm, mpc, log, model)
    finally:
        assert loop.stop(TIMEOUT)


def slowest_on_the_way(log: Log) -> float:
    """The lowest set-point speed between the first and the last quarter of the way, m/s."""
    way = np.array([setpoint.position for setpoint in log.setpoints])
    travelled = np.linalg.norm(way - way[0], axis=1)
    middle = (travelled > 0.25 * travelled.max()) & (travelled < 0.75 * travelled.max())
    return min(float(np.linalg.norm(log.setpoints[i].linear_velocity)) for i in np.flatnonzero(middle))


def test_blocking_execution_plans_at_rest_only() -> None:
    with bench("blocking") as b:
        b.begin((0.6, 0.1, 0.3))
        b.log.wait_for_reason(Reason.GOAL_FINISHED)
        assert max(b.mpc.speeds) < 1e-3 and max(b.mpc.starts) == 0.0
        assert slowest_on_the_way(b.log) < 1e-3
        assert np.linalg.norm(b.arm.position - (0.6, 0.1, 0.3)) < 0.01


def test_pipelined_execution_plans_in_motion_from_where_the_motion_ends() -> None:
    with bench("pipelined") as b:
        b.begin((0.6, 0.1, 0.3))
        b.log.wait_for_reason(Reason.GOAL_FINISHED)
        assert np.linalg.norm(b.arm.position - (0.6, 0.1, 0.3)) < 0.01
        assert len(b.log.steps) == 8
        assert sum(speed > 0.05 for speed in b.mpc.speeds) >= 3 and max(b.mpc.starts) > 0.01
        assert slowest_on_the_way(b.log) > 0.02  # it passes from one action to the next without stopping
        # What was planned last is carried out to its end before the goal counts as finished.
        assert np.linalg.norm(b.arm.position - b.log.steps[-1].target_pose[:3]) < 0.005


def test_pipelined_execution_sends_no_action_twice_and_none_of_an_interrupted_motion() -> None:
    with bench("pipelined") as b:
        b.begin((0.75, 0.25, 0.45))
        b.log.wait_for(lambda decision: decision.state is State.EXECUTING and len(b.log.steps) >= 2)
        b.loop.call(b.loop.pause)
        b.loop.wait_silent()
        rested, carried_out = b.arm.position.copy(), len(b.log.steps)
        b.arm.position = rested - (0.1, 0.0, 0.0)  # somebody pushes the arm back
        b.wait_until_measured()
        b.loop.call(b.loop.unpause)
        b.log.wait_for(lambda decision: len(b.log.steps) > carried_out)
        resumed = b.log.steps[carried_out]
        assert np.linalg.norm(resumed.target_pose[:3] - b.arm.position) < 0.14
        b.log.wait_for_reason(Reason.GOAL_FINISHED)
        assert [step.goal_step for step in b.log.steps] == list(range(1, 9))


def test_pipelined_execution_does_not_go_on_from_where_the_arm_never_got() -> None:
    with bench("pipelined", plan_max_age=0.6, **{"settle.timeout": 0.3}) as b:
        b.begin((0.75, 0.25, 0.45))
        b.log.wait_for(lambda decision: len(b.log.steps) >= 2)
        b.arm.stalled = True
        stuck, seen = b.arm.position.copy(), len(b.mpc.starts)
        b.log.wait_for_reason(Reason.PLAN_EXPIRED)
        b.log.wait_for(lambda decision: len(b.mpc.starts) >= seen + 4)
        for setpoint in b.log.setpoints[-50:]:
            assert np.linalg.norm(setpoint.position - stuck) < 0.075


def test_an_error_in_the_loop_stops_the_arm_by_name_and_can_be_resumed() -> None:
    with bench("blocking") as b:
        b.begin((0.6, 0.1, 0.3))
        b.log.wait_for(lambda decision: decision.state is State.EXECUTING)

        def fail() -> None:
            b.log.fail = lambda: None
            raise RuntimeError("no memory for a message")

        b.log.fail = fail
        b.loop.call(b.loop.pause)
        fault = b.log.wait_for_reason(Reason.CONTROL_LOOP_ERROR)
        assert fault.state is State.FAULT and "no memory for a message" in fault.message
        b.loop.wait_silent()
        assert b.loop.call(b.loop.resume) is Reason.CONTROL_LOOP_ERROR
        b.log.wait_for_reason(Reason.GOAL_FINISHED)


def test_a_stopped_loop_refuses_calls_instead_of_hanging() -> None:
    with bench("blocking") as b:
        pass
    with pytest.raises(RuntimeError, match="control loop has stopped"):
        b.loop.call(b.loop.pause)
