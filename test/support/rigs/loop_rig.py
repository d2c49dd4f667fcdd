"""Inputs, control loop and outputs as the planner node joins them, around an arm that obeys what is published.

Everything from message to message is real but the transport: callbacks are called directly, on a thread of the arm's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped, TwistStamped
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Float64MultiArray
from vjepa_mpc.msg import PlanStatus

from vjepa_mpc.controller.interface import Controller
from vjepa_mpc.controller.step import Step
from vjepa_mpc.controller.visual_mpc import VisualMPC
from vjepa_mpc.goals.endings.budget import Budget
from vjepa_mpc.goals.sub_goal import SubGoal
from vjepa_mpc.loop.control_loop import ControlLoop
from vjepa_mpc.ros.common.conversions import pose_message, position_of
from vjepa_mpc.ros.outputs.publishers import Outputs
from vjepa_mpc.ros.outputs.thoughts import Thoughts
from vjepa_mpc.ros.parameters.planner import known
from vjepa_mpc.ros.parameters.settings import Settings, build_settings
from vjepa_mpc.ros.planner.inputs import Inputs
from vjepa_mpc.worldmodel import PointMassWorldModel

ROOT = Path(__file__).resolve().parents[3]
FINGER = "finger"
BOX = {"workspace.lower": (0.3, -0.3, 0.05), "workspace.upper": (0.75, 0.3, 0.45)}
DOWN = np.array([1.0, 0.0, 0.0, 0.0])
START = np.array([0.45, -0.05, 0.2])
PERIOD = 0.01  # seconds between the arm's poses
TIMEOUT = 20.0


def settings(**values: Any) -> Settings:
    """The parameters' defaults with a box and a finger joint; ``__`` in a name stands for a dot."""
    given = {parameter.name: parameter.default for parameter in known({})}
    given |= BOX | {"gripper_joint": FINGER, "samples": 64, "topk": 8, "cem_steps": 4}
    return build_settings(given | {name.replace("__", "."): value for name, value in values.items()})


def profile(name: str) -> dict[str, Any]:
    """What a robot profile in config/robots sets."""
    return yaml.safe_load((ROOT / f"config/robots/{name}.yaml").read_text())["/**"]["ros__parameters"]


class FakePublisher:
    """Keeps what is published, and passes it on."""

    def __init__(self, topic_name: str) -> None:
        self.topic_name = topic_name
        self.subscribers = 0
        self.messages: list[Any] = []
        self.listener: Callable[[Any], None] = lambda message: None

    def publish(self, message: Any) -> None:
        self.messages.append(message)
        self.listener(message)

    def get_subscription_count(self) -> int:
        return self.subscribers


class FakeNode:
    """As much of a node as inputs and outputs need."""

    def __init__(self) -> None:
        self.publishers: dict[str, FakePublisher] = {}
        self.callbacks: dict[str, tuple[Any, Callable[..., None]]] = {}
        self.warnings: list[str] = []

    def create_subscription(self, kind: Any, topic: str, callback: Callable[..., None], _: Any, **__: Any) -> str:
        self.callbacks[topic] = (kind, callback)
        return topic

    def create_timer(self, *_: Any, clock: Any) -> None:
        """Nothing spins."""

    def create_publisher(self, kind: Any, topic: str, _: Any) -> FakePublisher:
        return self.publishers.setdefault(topic, FakePublisher(topic))

    create_lifecycle_publisher = create_publisher

    def receive(self, topic: str, message: Any) -> None:
        """A message comes in."""
        self.callbacks[topic][1](message, {})

    def resolve_topic_name(self, topic: str) -> str:
        return topic

    def get_publishers_info_by_topic(self, _: str) -> list[Any]:
        return []

    def get_subscriptions_info_by_topic(self, _: str) -> list[Any]:
        return []

    def get_logger(self) -> FakeNode:
        return self

    def warning(self, text: str, **_: Any) -> None:
        self.warnings.append(text)

    def get_name(self) -> str:
        return "planner_node"

    def get_namespace(self) -> str:
        return "/"

    def get_clock(self) -> FakeNode:
        return self

    def now(self) -> FakeNode:
        return self

    def to_msg(self) -> Time:
        return stamp()


def stamp() -> Time:
    """Now."""
    nanoseconds = time.time_ns()
    return Time(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)


class LoopRig:
    """The loop, the arm and the camera. The arm's messages pass through the functions in ``alter``."""

    def __init__(
        self,
        built: Settings,
        *,
        obedience: float = 1.0,
        mpc_type: type[VisualMPC] = VisualMPC,
        controller: Controller | None = None,
    ) -> None:
        self.settings, self.obedience = built, obedience
        self.node, self.model = FakeNode(), PointMassWorldModel()
        self.position, self.finger = START.copy(), 0.04
        self.velocity = np.zeros(3)
        self.alter: dict[str, Callable[[Any], Any]] = {}
        self.mpc = controller or mpc_type(self.model, built.planner, gripper=built.gripper)
        self.inputs = Inputs(self.node, built)
        self.thoughts = Thoughts(
            self.node, built, self.mpc, lambda step: self.loop.foresee(step), lambda image: self.loop.look(image)
        )
        self.outputs = Outputs(self.node, built, self.thoughts)
        self.loop = ControlLoop(built.loop, self.mpc, self.inputs, self.outputs, self, time.time)
        self.status: PlanStatus | None = None
        self.steps: list[Step] = []
        self._changed, self._stop = threading.Condition(), threading.Event()
        self.node.publishers["~/status"].listener = self._on_status
        self.target = self.node.publishers[built.topics.target]
        self.target.listener = self._on_target
        if built.topics.gripper in self.node.publishers:  # not where an action commands it
            self.node.publishers[built.topics.gripper].listener = self._on_gripper
        self._arm = threading.Thread(target=self._run, name="arm")

    def planned(self, step: Step, seconds: float) -> None:
        """The loop tells: a step is being carried out."""
        self.steps.append(step)

    # What else the loop tells its listener does not matter here.
    def ended(self, *_: Any) -> None: ...
    def decided(self, *_: Any) -> None: ...

    def _on_status(self, message: PlanStatus) -> None:
        with self._changed:
            self.status = message
            self._changed.notify_all()

    def _on_target(self, message: PoseStamped | TwistStamped) -> None:
        if isinstance(message, PoseStamped):
            self.position = position_of(message)
        else:
            linear = message.twist.linear
            self.velocity = np.array([linear.x, linear.y, linear.z])
        with self._changed:
            self._changed.notify_all()

    def _on_gripper(self, message: Float64MultiArray) -> None:
        self.finger = message.data[0]

    def _run(self) -> None:
        topics, before = self.settings.topics, time.monotonic()
        while not self._stop.wait(PERIOD):
            now = time.monotonic()
            self.position = self.position + self.obedience * self.velocity * (now - before)
            before = now
            self._send(topics.joint_states, JointState(name=[FINGER], position=[self.finger]))
            self._send(topics.pose, pose_message(self.position, DOWN, self.settings.frame_id, stamp()))
            pixels = self.model.render(self.position)
            size = pixels.shape[0]
            self._send(
                topics.image, Image(height=size, width=size, step=3 * size, encoding="rgb8", data=pixels.tobytes())
            )

    def _send(self, topic: str, message: Any) -> None:
        message.header.stamp = stamp()
        message = self.alter.get(topic, lambda unchanged: unchanged)(message)
        if message is not None:
            self.node.receive(topic, message)

    def set_goal(self, *positions: np.ndarray, steps: int = 1) -> None:
        """Pursue pictures of these positions."""
        goals = [SubGoal(image=self.model.render(position), endings=(Budget(steps=steps),)) for position in positions]
        self.loop.call(self.loop.set_goal, goals)

    def wait_until(self, what: Callable[[], Any]) -> None:
        """Until something that the loop's messages change is true."""
        with self._changed:
            assert self._changed.wait_for(what, TIMEOUT), f"the status is {self.status}"

    def wait_for(self, reason: str) -> PlanStatus:
        """Until the status gives a reason."""
        self.wait_until(lambda: self.status is not None and self.status.reason == reason)
        return self.status


@contextmanager
def running(built: Settings, *, rig_type: type[LoopRig] = LoopRig, **options: Any) -> Iterator[LoopRig]:
    """A rig that is active."""
    rig = rig_type(built, **options)
    rig.loop.start()
    rig._arm.start()
    try:
        rig.loop.call(rig.loop.activate)
        yield rig
    finally:
        rig.loop.stop(10.0)
        rig.thoughts.close()
        rig._stop.set()
        rig._arm.join()
