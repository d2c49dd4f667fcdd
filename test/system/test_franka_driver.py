"""The driver against the simulated robot, over the libfranka network protocol and DDS."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("franky", reason="franky-control is not installed")

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.qos import QoSProfile
from std_msgs.msg import Bool, Float64MultiArray
from std_srvs.srv import SetBool, Trigger
from vjepa_mpc.msg import PlanStatus
from vjepa_mpc.srv import RenderGoal, SetGoal

from support.rig import ROOT, Rig
from vjepa_mpc.ros.common.conversions import pose_message
from vjepa_mpc.tools.demo.link import DemoLink
from vjepa_mpc.tools.processes import NodeProcess

ADDRESS = "127.1.0.2"
NAMESPACE = "libfranka"  # keeps these nodes apart from those of the other tests
DOWN = np.array([1.0, 0.0, 0.0, 0.0])
PERIOD = 0.02  # seconds between set-points
SPEED = 0.1  # m/s of the set-points
ARRIVED = 0.003  # metres
TIMEOUT = 20.0
START_TIMEOUT = 300.0


class Operator(DemoLink):
    """Sends targets, and watches what the driver says."""

    def __init__(self, domain: int) -> None:
        self.allowed: bool | None = None
        self.condition = ""
        super().__init__(domain, namespace=NAMESPACE)
        self._target_out = self._target_publisher()
        self._hand_out = self._node.create_publisher(Float64MultiArray, "gripper_position_controller/commands", 1)
        self._node.create_subscription(Bool, "planner_node/motion_allowed", self._on_allowed, 1)
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self._tick = threading.Event()

    def _target_publisher(self) -> Any:
        return self._node.create_publisher(PoseStamped, "target_pose", QoSProfile(depth=1))

    @contextmanager
    def leave_to_planner(self) -> Iterator[None]:
        """Be no publisher of targets for a while: the planner does not move beside another one."""
        self._node.destroy_publisher(self._target_out)
        try:
            yield
        finally:
            self._target_out = self._target_publisher()

    def _on_allowed(self, message: Bool) -> None:
        with self._changed:
            self.allowed = message.data
            self._changed.notify_all()

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == "franka_driver: arm":
                with self._changed:
                    self.condition = status.message.split(":")[0]
                    self._changed.notify_all()

    def wait_until(self, what: Callable[[], Any], timeout: float = TIMEOUT) -> None:
        """Until something that messages change is true."""
        with self._changed:
            assert self._changed.wait_for(what, timeout), f"condition {self.condition}, allowed {self.allowed}"

    def ready(self) -> None:
        """Until the robot obeys."""
        self.wait_until(lambda: self.condition == "READY" and self.allowed)

    def stopped(self, condition: str) -> None:
        """Until motion is not allowed, for this reason."""
        self.wait_until(lambda: self.condition == condition and self.allowed is False)

    def position(self) -> np.ndarray:
        """Measured, a new one."""
        with self._changed:
            self._pose = None
            assert self._changed.wait_for(lambda: self._pose is not None, TIMEOUT), "no pose comes"
            point = self._pose.pose.position
        return np.array([point.x, point.y, point.z])

    def send(self, position: np.ndarray, frame_id: str = "base") -> None:
        """One set-point."""
        stamp = self._node.get_clock().now().to_msg()
        self._target_out.publish(pose_message(position, DOWN, frame_id, stamp))

    def go(self, goal: np.ndarray) -> float:
        """Stream set-points to a goal and on until the arm is there; the remaining distance."""
        setpoint, deadline = self.position(), time.monotonic() + TIMEOUT
        while (left := float(np.linalg.norm(self.position() - goal))) > ARRIVED:
            assert time.monotonic() < deadline, f"{left:.3f} m left, {self.condition}"
            way = goal - setpoint
            # A busy machine simulates slowly: the set-point waits for an arm that is far behind.
            if np.linalg.norm(setpoint - self.position()) < 0.05:
                setpoint = setpoint + way * min(1.0, SPEED * PERIOD / max(1e-9, float(np.linalg.norm(way))))
            self.send(setpoint)
            self._tick.wait(PERIOD)
        return left

    def rest(self) -> np.ndarray:
        """Wait until the arm stands still; where it does."""
        deadline, before = time.monotonic() + TIMEOUT, self.position()
        while True:
            self._tick.wait(0.3)
            now = self.position()
            if np.linalg.norm(now - before) < 5e-4:
                return now
            assert time.monotonic() < deadline, "the arm does not come to rest"
            before = now

    def closedness(self) -> float:
        """Of the hand, measured."""
        return self.wait_for_view(TIMEOUT).closedness


def start_sim(log: Path, domain: int) -> NodeProcess:
    parameters = {"libfranka_address": ADDRESS, "image_rate": "5.0", "image_size": "128"}
    return NodeProcess(
        "sim_node",
        log,
        domain,
        params_files=[ROOT / "config/sim.yaml"],
        parameters=parameters,
        remappings={"__ns": f"/{NAMESPACE}"},
    )


@pytest.fixture(scope="module")
def sim(domain: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[NodeProcess]]:
    log = tmp_path_factory.mktemp("libfranka") / "sim_node.log"
    processes = [start_sim(log, domain)]
    yield processes
    processes[-1].stop()


@pytest.fixture(scope="module")
def operator(domain: int, sim: list[NodeProcess]) -> Iterator[Operator]:
    log = sim[0].log.with_name("franka_driver.log")
    with (
        NodeProcess(
            "franka_driver",
            log,
            domain,
            parameters={"robot_ip": ADDRESS, "retry_period": "0.2"},
            remappings={"__ns": f"/{NAMESPACE}"},
        ) as driver,
        Operator(domain) as link,
    ):
        link.wait_until(lambda: link.condition == "READY" and link.allowed, START_TIMEOUT)
        yield link
        assert driver.stop() == 0, driver.output()
        sys.stdout.write(driver.output())


def test_reaches_poses_and_holds_when_targets_end(operator: Operator) -> None:
    for goal in ([0.50, 0.05, 0.20], [0.56, 0.0, 0.12]):
        assert operator.go(np.array(goal)) <= ARRIVED
    np.testing.assert_allclose(operator.rest(), goal, atol=2 * ARRIVED)
    assert operator.allowed


def test_hand_closes_and_opens_while_the_arm_moves(operator: Operator) -> None:
    for finger, wanted in ((0.0, 1.0), (0.04, 0.0)):
        operator._hand_out.publish(Float64MultiArray(data=[finger]))
        operator.go(operator.position() + np.array([0.0, 0.02 if wanted else -0.02, 0.0]))
        operator.wait_until(lambda wanted=wanted: abs(operator._view().closedness - wanted) < 0.1)


def test_wrong_targets_are_refused_and_forgiven(operator: Operator) -> None:
    here = operator.rest()
    for position, frame in ((here, "camera"), (here + np.array([0.0, 0.0, 0.3]), "base"), (here * np.nan, "base")):
        operator.send(position, frame)
        operator.stopped("TARGET_REFUSED")
        operator.ready()
    np.testing.assert_allclose(operator.position(), here, atol=2e-3)


def test_reflex_stops_until_recovery(operator: Operator) -> None:
    start = operator.position()
    operator.go(start + np.array([0.0, 0.02, 0.0]))
    assert operator.call(Trigger, "sim_node/reflex", Trigger.Request()).success
    operator.stopped("REFLEX")
    stopped = operator.rest()
    operator.send(start)
    assert operator.call(Trigger, "franka_driver/recover", Trigger.Request()).success
    operator.ready()
    np.testing.assert_allclose(operator.rest(), stopped, atol=1e-3)  # what came meanwhile is forgotten
    operator.go(start)


def test_user_stop_stops_until_it_is_released(operator: Operator) -> None:
    assert operator.call(SetBool, "sim_node/user_stop", SetBool.Request(data=True)).success
    operator.stopped("USER_STOPPED")
    answer = operator.call(Trigger, "franka_driver/recover", Trigger.Request())
    assert not answer.success and "USER_STOPPED" in answer.message
    assert operator.call(SetBool, "sim_node/user_stop", SetBool.Request(data=False)).success
    operator.ready()
    operator.go(operator.position() + np.array([0.0, -0.02, 0.0]))


def test_planner_reaches_a_goal_picture_and_holds_in_a_reflex_on_the_way(
    operator: Operator, sim: list[NodeProcess], domain: int
) -> None:
    start = np.array([0.50, 0.0, 0.20])
    operator.go(start)
    goal = operator.rest() + np.array([0.03, 0.05, -0.04])
    request = RenderGoal.Request(pose=pose_message(goal, DOWN, "base", Time()))
    picture = operator.call(RenderGoal, "sim_node/render_goal", request)
    assert picture.success, picture.message
    planner = NodeProcess(
        "planner_node",
        sim[0].log.with_name("planner_node.log"),
        domain,
        params_files=[ROOT / "config/planner.yaml", ROOT / "config/robots/sim.yaml"],
        parameters=Rig.checkpoint(),
        remappings={"__ns": f"/{NAMESPACE}"},
    )
    with planner, operator.leave_to_planner():
        operator.wait_for_status(lambda status: status.reason == "NO_GOAL", START_TIMEOUT)
        answer = operator.call(SetGoal, "planner_node/set_goal", SetGoal.Request(images=[picture.image], steps=[6]))
        assert answer.success, answer.message
        operator.wait_for_status(lambda status: status.state == PlanStatus.EXECUTING, START_TIMEOUT)
        assert operator.call(Trigger, "sim_node/reflex", Trigger.Request()).success
        held = operator.wait_for_status(lambda status: status.reason == "MOTION_NOT_ALLOWED", TIMEOUT)
        assert held.state == PlanStatus.HOLDING and "planner_node/motion_allowed is false, says" in held.message
        assert f"/{NAMESPACE}/franka_driver" in held.message
        assert operator.call(Trigger, "franka_driver/recover", Trigger.Request()).success
        operator.wait_for_status(lambda status: status.reason == "GOAL_FINISHED", START_TIMEOUT)
        left = float(np.linalg.norm(operator.position() - goal))
        assert left < 0.02, f"{left:.3f} m from the goal\n{planner.output()}"


def test_lost_connection_is_named_and_comes_back(operator: Operator, sim: list[NodeProcess], domain: int) -> None:
    sim[-1].send(signal.SIGSTOP)
    operator.stopped("CONNECTION_LOST")
    sim[-1].send(signal.SIGKILL)
    sim[-1].wait()
    answer = operator.call(Trigger, "franka_driver/recover", Trigger.Request())
    assert not answer.success and "CONNECTION_LOST" in answer.message
    sim.append(start_sim(sim[0].log.with_name("sim_node_2.log"), domain))
    operator.wait_until(lambda: operator.condition == "READY" and operator.allowed, START_TIMEOUT)
    operator.go(operator.rest() + np.array([0.02, 0.0, 0.0]))
