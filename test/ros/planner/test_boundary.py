"""From message to message: what users get wrong is called by its name, and the robot's own mode counts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.lifecycle import TransitionCallbackReturn
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool

from support.rigs.loop_rig import START, FakeNode, running, settings
from support.stand_ins import WRONG_FRAME
from vjepa_mpc.ros.common import optional_interfaces
from vjepa_mpc.ros.common.optional_interfaces import MissingInterfaceError
from vjepa_mpc.ros.planner.inputs import Inputs
from vjepa_mpc.ros.planner.node import PlannerNode
from vjepa_mpc.ros.planner.wiring import require_interfaces
from vjepa_mpc.safety.samples import PermissionSample
from vjepa_mpc.tools.processes import DomainLease

pytestmark = pytest.mark.ros

GOAL = START + np.array([0.05, 0.04, 0.0])


def pose(**changes: float | str) -> Callable[[PoseStamped], PoseStamped]:
    """Alters position (x, y, z), orientation (qx … qw) or frame_id of a pose."""

    def alter(message: PoseStamped) -> PoseStamped:
        for name, value in changes.items():
            if name == "frame_id":
                message.header.frame_id = value
            else:
                part = message.pose.orientation if name.startswith("q") else message.pose.position
                setattr(part, name[-1], value)
        return message

    return alter


def scaled(factor: float) -> Callable[[PoseStamped], PoseStamped]:
    """The position in another unit."""

    def alter(message: PoseStamped) -> PoseStamped:
        point = message.pose.position
        point.x, point.y, point.z = factor * point.x, factor * point.y, factor * point.z
        return message

    return alter


def finger(position: float) -> Callable[[JointState], JointState]:
    def alter(message: JointState) -> JointState:
        message.position = [position]
        return message

    return alter


MISTAKES: dict[str, tuple[str, Any, dict[str, Any], str, str]] = {
    "millimetres": ("current_pose", scaled(1e3), {}, "INPUT_IMPLAUSIBLE", "MILLIMETRES: position [450.0"),
    "centimetres": ("current_pose", scaled(1e2), {}, "INPUT_IMPLAUSIBLE", "CENTIMETRES: position [45.0"),
    "degrees": ("current_pose", pose(qx=180.0, qy=3.0, qz=-17.0), {}, "POSE_NOT_UNIT", "Euler angles in degrees"),
    "radians": ("current_pose", pose(qx=3.14, qz=-0.3), {}, "POSE_NOT_UNIT", "are these Euler angles?"),
    "no quaternion": ("current_pose", pose(qx=0.0), {}, "POSE_NOT_UNIT", "nobody filled it in"),
    "another frame's name": ("current_pose", pose(frame_id="camera"), {}, WRONG_FRAME, "'camera'"),
    "another frame's values": ("current_pose", pose(x=-0.6), {}, "INPUT_IMPLAUSIBLE", "OTHER_FRAME: position [-0.6"),
    "a hand's own frame": ("current_pose", pose(x=0.0, y=0.0, z=0.1), {}, "INPUT_IMPLAUSIBLE", "robot's base"),
    "w first": ("current_pose", pose(qx=0.0, qy=0.0, qz=0.0, qw=1.0), {}, "INPUT_IMPLAUSIBLE", "x,y,z,w"),
    "both fingers' width": ("joint_states", finger(0.08), {}, "INPUT_IMPLAUSIBLE", "GRIPPER_JOINT_RANGE: the gripper"),
    "millimetres of the finger": ("joint_states", finger(39.0), {}, "INPUT_IMPLAUSIBLE", "reads 39, not between"),
    "metres as closedness": (
        "joint_states",
        finger(0.0399),
        {"gripper_joint_open": 0.0, "gripper_joint_closed": 1.0},
        "INPUT_IMPLAUSIBLE",
        "FINGER_METRES: gripper closedness 0.0399",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_before_anything_moves_and_forgiven(name: str) -> None:
    topic, mistake, parameters, reason, says = MISTAKES[name]
    with running(settings(**parameters)) as rig:
        rig.alter[topic] = mistake
        rig.set_goal(GOAL)
        assert says in rig.wait_for(reason).message
        assert rig.target.messages == []
        rig.alter = {"joint_states": finger(0.0)} if parameters else {}
        rig.wait_for("GOAL_FINISHED")
    np.testing.assert_allclose(rig.position, GOAL, atol=0.01)


def test_a_finding_that_is_right_for_the_robot_can_be_ignored() -> None:
    with running(settings(ignore_sanity="GRIPPER_JOINT_RANGE")) as rig:
        rig.alter["joint_states"] = finger(0.08)
        rig.set_goal(GOAL)
        rig.wait_for("GOAL_FINISHED")


def test_fingers_that_leave_their_range_in_motion_hold_the_arm() -> None:
    with running(settings()) as rig:
        rig.set_goal(GOAL, steps=1000)
        rig.wait_for("NONE")
        rig.alter["joint_states"] = finger(0.06)
        assert "reads 0.06, not between open (0.04)" in rig.wait_for("INPUT_IMPLAUSIBLE").message


# -- the robot's mode --------------------------------------------------------------------------------------------------


class RobotState(SimpleNamespace):
    """The mode of franka_msgs/FrankaRobotState, with its constants."""

    ROBOT_MODE_OTHER = 0
    ROBOT_MODE_IDLE = 1
    ROBOT_MODE_MOVE = 2
    ROBOT_MODE_GUIDING = 3
    ROBOT_MODE_REFLEX = 4
    ROBOT_MODE_USER_STOPPED = 5
    ROBOT_MODE_AUTOMATIC_ERROR_RECOVERY = 6


@pytest.fixture
def franka_msgs(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the package were installed."""
    monkeypatch.setattr(optional_interfaces, "franka_robot_state", lambda: RobotState)


def permission(inputs: Inputs) -> PermissionSample:
    """What the inputs say about motion."""
    return next(sample for sample in inputs.samples if isinstance(sample, PermissionSample))


WITH_MODE = {"topics__robot_state": "broadcaster/robot_state"}


@pytest.mark.parametrize(
    ("mode", "name"),
    [(0, "OTHER"), (3, "GUIDING"), (4, "REFLEX"), (5, "USER_STOPPED"), (6, "AUTOMATIC_ERROR_RECOVERY"), (9, "mode 9")],
)
@pytest.mark.usefixtures("franka_msgs")
def test_modes_in_which_the_robot_does_not_obey_object(mode: int, name: str) -> None:
    node = FakeNode()
    inputs = Inputs(node, settings(**WITH_MODE))
    assert node.callbacks["broadcaster/robot_state"][0] is RobotState
    node.receive("broadcaster/robot_state", RobotState(robot_mode=mode))
    (objection,) = permission(inputs).objections
    assert name in objection and "broadcaster/robot_state" in objection
    for moving in (RobotState.ROBOT_MODE_IDLE, RobotState.ROBOT_MODE_MOVE):
        node.receive("broadcaster/robot_state", RobotState(robot_mode=moving))
        assert permission(inputs).objections == ()


@pytest.mark.usefixtures("franka_msgs")
def test_a_mode_that_is_asked_for_has_to_be_known() -> None:
    (objection,) = permission(Inputs(FakeNode(), settings(**WITH_MODE))).objections
    assert objection.startswith("nothing has come over broadcaster/robot_state (topics.robot_state), and nobody")


@pytest.mark.usefixtures("franka_msgs")
def test_whoever_objects_is_heard() -> None:
    node = FakeNode()
    inputs = Inputs(node, settings(**WITH_MODE))
    node.receive("broadcaster/robot_state", RobotState(robot_mode=RobotState.ROBOT_MODE_MOVE))
    for allowed in (False, True):
        node.receive("~/motion_allowed", Bool(data=allowed))
        assert [voice.allowed for voice in permission(inputs).voices] == [allowed]
        assert permission(inputs).objections == ()


@pytest.mark.usefixtures("franka_msgs")
def test_a_reflex_holds_the_moving_arm_until_it_is_cleared() -> None:
    with running(settings(**WITH_MODE)) as rig:
        rig.set_goal(GOAL, steps=1000)
        assert "nothing has come over broadcaster/robot_state" in rig.wait_for("MOTION_NOT_ALLOWED").message
        rig.node.receive("broadcaster/robot_state", RobotState(robot_mode=RobotState.ROBOT_MODE_MOVE))
        rig.wait_for("NONE")
        rig.node.receive("broadcaster/robot_state", RobotState(robot_mode=RobotState.ROBOT_MODE_REFLEX))
        assert "broadcaster/robot_state says REFLEX" in rig.wait_for("MOTION_NOT_ALLOWED").message
        rig.loop.wait_silent()
        count = len(rig.target.messages)
        rig.node.receive("broadcaster/robot_state", RobotState(robot_mode=RobotState.ROBOT_MODE_IDLE))
        rig.wait_for("NONE")
        assert len(rig.target.messages) >= count


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if neither package were installed."""
    for module in ("franka_msgs", "franka_msgs.msg", "control_msgs", "control_msgs.action"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setenv("ROS_DISTRO", "jazzy")


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        (WITH_MODE, "topics.robot_state needs franka_msgs/FrankaRobotState, which is not installed"),
        ({"gripper_output": "action"}, "gripper_output=action needs control_msgs/GripperCommand, which is not"),
    ],
)
@pytest.mark.usefixtures("bare")
def test_a_missing_package_is_named_with_the_way_to_get_it(parameters: dict[str, Any], says: str) -> None:
    with pytest.raises(MissingInterfaceError, match=says) as caught:
        require_interfaces(settings(**parameters))
    assert "apt install ros-jazzy-" in str(caught.value)
    require_interfaces(settings())


@pytest.mark.usefixtures("bare")
def test_the_node_refuses_to_be_configured_without_it(capfd: pytest.CaptureFixture[str]) -> None:
    rclpy.init(args=["--ros-args", "-p", "gripper_output:=action"], domain_id=DomainLease().domain_id)
    node = PlannerNode()
    try:
        assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    finally:
        node.stop()
        node.destroy_node()
        rclpy.try_shutdown()
    assert "not configured: gripper_output=action needs control_msgs/GripperCommand" in capfd.readouterr().err
