"""The control loop without ROS: plain objects at its ports, around an arm that goes where the set-points are."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from vjepa_mpc.controller.interface import Controller
from vjepa_mpc.controller.step import Step
from vjepa_mpc.geometry.limits import WorkspaceBox
from vjepa_mpc.geometry.setpoint import Setpoint
from vjepa_mpc.loop.control_loop import ControlLoop
from vjepa_mpc.loop.settings import LoopSettings
from vjepa_mpc.loop.worker import PlanRequest
from vjepa_mpc.motion.arm import MotionSettings
from vjepa_mpc.planning import CEMConfig
from vjepa_mpc.safety.config import SupervisorConfig
from vjepa_mpc.safety.guards.violation import Violation
from vjepa_mpc.safety.samples import GripperSample, ImageSample, Now, PoseSample
from vjepa_mpc.safety.supervisor import Decision
from vjepa_mpc.worldmodel import PointMassWorldModel

BOX = WorkspaceBox(lower=(0.3, -0.3, 0.05), upper=(0.75, 0.3, 0.45))
DOWN = np.array([1.0, 0.0, 0.0, 0.0])
START = np.array([0.45, -0.05, 0.2])
PERIOD = 0.01  # seconds between the arm's poses
CONFIG = CEMConfig(rollout=1, samples=64, topk=8, cem_steps=4, maxnorm=0.075)
TIMEOUT = 20.0
GUARDS = SupervisorConfig(frame_id="base", workspace=BOX)


def loop_settings(*, pipelined: bool = False, finger_timeout: float = 3.0, **guards: Any) -> LoopSettings:
    """Settings with a workspace; ``guards`` are of the supervisor."""
    motion = MotionSettings(finger_timeout=finger_timeout)
    return LoopSettings(supervisor=replace(GUARDS, **guards), motion=motion, pipelined=pipelined)


class PlainPorts:
    """Inputs, publishers and listener of a loop in one object, and the arm that obeys.

    Attributes:
        obeys: whether the arm follows set-points.
        hand: where the fingers are said to be after a command, a closedness from a closedness.
        trouble: what the gripper's connection has against moving.
        measured: where the arm is said to be, given where it was led.
        position: of the arm, [3].
        told: what the gripper was told, closednesses.
        setpoints: all that were sent, with what the controller's commands to the gripper were.
        steps: all that were carried out.
        statuses: decision, goal id and step of every status.
        finished: steps with which goals ended.
    """

    unheard = ""

    def __init__(self, model: PointMassWorldModel) -> None:
        self._model = model
        self.obeys = True
        self.hand: Callable[[float], float] = float
        self.trouble: Callable[[], Violation | None] = lambda: None
        self.measured: Callable[[np.ndarray], np.ndarray] = np.copy
        self.position, self.closedness = START.copy(), 0.0
        self.told: list[float] = []
        self.setpoints: list[Setpoint] = []
        self.steps: list[Step] = []
        self.finished: list[Step] = []
        self.statuses: list[tuple[Decision, int, Step | None]] = []
        self.on_status: Callable[[], None] = lambda: None
        self._changed, self._stop = threading.Condition(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="arm")
        self.forget()

    # -- inputs -----------------------------------------------------------------------------------------------------

    @property
    def samples(self) -> tuple[Any, ...]:
        image = self.image  # looked at before the pose, so that the pose is at least as new
        newest = (self.pose, None if image is None else image[0], self.gripper)
        return tuple(sample for sample in newest if sample is not None)

    @property
    def proposals(self) -> PlainPorts:
        return self

    def take(self, now: float) -> np.ndarray | None:
        """Nobody proposes actions."""
        return None

    def forget(self) -> None:
        self.image: tuple[ImageSample, Any] | None = None
        self.pose: PoseSample | None = None
        self.gripper: GripperSample | None = None

    def _run(self) -> None:
        while not self._stop.wait(PERIOD):
            now = time.time(), time.monotonic()
            self.gripper = GripperSample(self.closedness, *now)
            self.pose = PoseSample(
                position=self.position.copy(), quaternion=DOWN, frame_id="base", stamp=now[0], received=now[1]
            )
            data = (pixels := self._model.render(self.position)).tobytes()
            height, width, _ = pixels.shape
            message = SimpleNamespace(height=height, width=width, step=3 * width, encoding="rgb8", data=data)
            self.image = (ImageSample(*now, zlib.crc32(data)), message)

    # -- publishers -------------------------------------------------------------------------------------------------

    def setpoint(self, setpoint: Setpoint, now: Now) -> None:
        self.setpoints.append(setpoint)
        if self.obeys:
            self.position = self.measured(setpoint.position)

    def gripper_trouble(self) -> Violation | None:
        return self.trouble()

    def status(self, decision: Decision, goal_id: int, step: Step | None) -> None:
        with self._changed:
            self.statuses.append((decision, goal_id, step))
            self._changed.notify_all()
        self.on_status()

    def debug(self, step: Step, request: PlanRequest) -> None: ...

    def followers(self) -> str:
        return "nobody listens"

    def other_publishers(self) -> list[str]:
        return []

    # -- listener ---------------------------------------------------------------------------------------------------

    def planned(self, step: Step, seconds: float) -> None:
        self.steps.append(step)

    def ended(self, goal_id: int, step: Step) -> None:
        self.finished.append(step)

    def decided(self, decision: Decision) -> None: ...

    # -- for tests --------------------------------------------------------------------------------------------------

    def wait_for(self, reason: str) -> Decision:
        """Until the newest status gives a reason."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._newest() == reason, TIMEOUT), f"the status is {self._newest()}"
            return self.statuses[-1][0]

    def _newest(self) -> str:
        return self.statuses[-1][0].reason.name if self.statuses else ""


class _Publishers:
    """The ports' publishing half: `gripper` is a command there, and a sample among the inputs."""

    def __init__(self, ports: PlainPorts) -> None:
        self._ports = ports

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ports, name)

    def gripper(self, closedness: float) -> None:
        self._ports.told.append(closedness)
        self._ports.closedness = self._ports.hand(closedness)


class PlainLoop:
    """A loop and what is around it."""

    def __init__(self, settings: LoopSettings, controller: Controller, model: PointMassWorldModel) -> None:
        self.controller, self.model = controller, model
        self.ports = PlainPorts(model)
        self.loop = ControlLoop(settings, controller, self.ports, _Publishers(self.ports), self.ports, time.time)

    def set_goals(self, *goals: Any) -> int:
        """Pursue these goals."""
        return self.loop.call(self.loop.set_goal, goals)


@contextmanager
def running(settings: LoopSettings, controller: Controller, model: PointMassWorldModel) -> Iterator[PlainLoop]:
    """A loop that is active."""
    plain = PlainLoop(settings, controller, model)
    plain.loop.start()
    plain.ports._thread.start()
    try:
        plain.loop.call(plain.loop.activate)
        yield plain
    finally:
        plain.loop.stop(10.0)
        plain.ports._stop.set()
        plain.ports._thread.join()


def wait_until(condition: Callable[[], bool]) -> None:
    """Until something is true, looked at often."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
