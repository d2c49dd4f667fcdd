"""The simulated Franka as a ROS 2 node, with the topics of a real one behind crisp_controllers.

Publishes ``current_pose``, ``joint_states``, ``camera/image_raw``, ``camera/camera_info`` and the ground truth
``block_pose``; obeys ``target_pose`` and ``gripper_position_controller/commands``. Services ``~/reset`` and
``~/render_goal``. Run by the executable ``sim_node``.

With ``libfranka_address`` the arm is moved over the libfranka protocol instead, e.g. by ``franka_driver``, which then
has the arm's topics; ``~/reflex`` and ``~/user_stop`` do to it what happens to real ones.
"""

from __future__ import annotations

import logging
import math
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Pose, PoseStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import SetBool, Trigger

from vjepa_mpc.geometry.gripper_joint import GripperJoint
from vjepa_mpc.geometry.pose import pose_from_quaternion
from vjepa_mpc.geometry.rotation import quaternion_from_euler
from vjepa_mpc.images import encode_png
from vjepa_mpc.ros.common import process
from vjepa_mpc.ros.common.conversions import pose_message, position_of, quaternion_of
from vjepa_mpc.ros.common.targets import GRIPPER, TARGET, target_problem
from vjepa_mpc.ros.parameters.live import LiveParameters
from vjepa_mpc.ros.sim.loop import SimLoop
from vjepa_mpc.ros.sim.parameters import NODE, PARAMETERS, SimSettings, build_settings
from vjepa_mpc.sim import FrankaSim
from vjepa_mpc.srv import RenderGoal

if TYPE_CHECKING:
    from vjepa_mpc.ros.sim.loop import Simulator

ARM_JOINTS = [f"fr3_joint{number}" for number in range(1, 8)]
FINGER_JOINTS = ["fr3_finger_joint1", "fr3_finger_joint2"]
CAMERA_FRAME = "camera"
# Targets: the newest counts.
NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
WARNING_PERIOD = 2.0  # seconds


class SimNode(Node):
    """Topics and services around the simulator's thread."""

    def __init__(self) -> None:
        super().__init__("sim_node")
        self._settings: LiveParameters[SimSettings] = LiveParameters(
            self,
            PARAMETERS,
            build_settings,
            locked=lambda: "the simulator is running; set it when starting the node",
            changed=lambda _: None,
        )
        settings = self._settings.snapshot
        self._frame_id = settings.frame_id
        self._libfranka = bool(settings.libfranka_address)
        self._finger = GripperJoint()
        self._closedness = 0.0
        self._pose: np.ndarray = np.zeros(6)
        self._camera_info = CameraInfo()
        self._loop = SimLoop(lambda: self._make_sim(settings), self, settings.rates)
        self._create_interfaces(settings)

    def start(self) -> None:
        """Start simulating."""
        self._loop.start()
        self.get_logger().info("the simulated arm is ready")

    def stop(self) -> bool:
        """Stop simulating."""
        self._loop.stop()
        return True

    def state(self, sim: Simulator, simulated: float) -> None:
        """Publish what was measured (called on the simulator's thread)."""
        stamp = self._stamp(simulated)
        block = sim.block_pose
        self._block_out.publish(pose_message(block[:3], block[3:], self._frame_id, stamp))
        if isinstance(sim, FrankaSim):
            self._publish_arm(sim, stamp)

    def _publish_arm(self, sim: FrankaSim, stamp: Time) -> None:
        pose = sim.pose
        quaternion = quaternion_from_euler(pose[3:6])
        self._pose_out.publish(pose_message(pose[:3], quaternion, self._frame_id, stamp))
        joints = JointState(name=ARM_JOINTS + FINGER_JOINTS)
        joints.header.stamp = stamp
        joints.position = [*map(float, sim.joint_positions), *map(float, sim.finger_positions)]
        self._joints_out.publish(joints)

    def image(self, image: np.ndarray, simulated: float) -> None:
        """Publish a camera frame (called on the simulator's thread)."""
        height, width = image.shape[:2]
        message = Image(height=height, width=width, encoding="rgb8", step=3 * width)
        message.header.frame_id, message.header.stamp = CAMERA_FRAME, self._stamp(simulated)
        message.data = image.tobytes()
        self._image_out.publish(message)
        self._camera_info.header = message.header
        self._info_out.publish(self._camera_info)

    def _create_interfaces(self, settings: SimSettings) -> None:
        self._block_out = self.create_publisher(PoseStamped, "block_pose", qos_profile_sensor_data)
        self._image_out = self.create_publisher(Image, "camera/image_raw", qos_profile_sensor_data)
        self._info_out = self.create_publisher(CameraInfo, "camera/camera_info", qos_profile_sensor_data)
        self._clock_out = self.create_publisher(Clock, "/clock", 1) if settings.publish_clock else None
        self.create_service(Trigger, "~/reset", self._on_reset)
        self.create_service(RenderGoal, "~/render_goal", self._on_render_goal)
        if self._libfranka:
            self.create_service(Trigger, "~/reflex", self._on_reflex)
            self.create_service(SetBool, "~/user_stop", self._on_user_stop)
            return
        self._pose_out = self.create_publisher(PoseStamped, "current_pose", qos_profile_sensor_data)
        self._joints_out = self.create_publisher(JointState, "joint_states", qos_profile_sensor_data)
        self.create_subscription(PoseStamped, TARGET, self._on_target, NEWEST)
        self.create_subscription(Float64MultiArray, GRIPPER, self._on_gripper, NEWEST)

    def _make_sim(self, settings: SimSettings) -> Simulator:
        sim: Simulator
        if self._libfranka:
            # Imported here: only this needs the protocol.
            from vjepa_mpc.sim.libfranka import LibfrankaSim

            logging.getLogger("franky_sim").setLevel(logging.WARNING)  # it tells every command
            sim = LibfrankaSim(settings.config, settings.libfranka_address)
        else:
            sim = FrankaSim(settings.config)
        settings.reset(sim)
        self._hold(sim)
        self._camera_info = _camera_info(sim)
        return sim

    def _hold(self, sim: Simulator) -> None:
        """After a reset: stay, until new targets come."""
        pose = sim.pose
        self._pose, self._closedness = pose[:6], float(pose[6])

    def _on_target(self, message: PoseStamped) -> None:
        problem = target_problem(message, self._frame_id)
        if problem:
            topic = self.resolve_topic_name(TARGET)
            self.get_logger().warning(f"{topic} ignored: {problem}", throttle_duration_sec=WARNING_PERIOD)
            return
        self._pose = pose_from_quaternion(position_of(message), quaternion_of(message), 0.0)[:6]
        self._loop.command(self._pose, self._closedness)

    def _on_gripper(self, message: Float64MultiArray) -> None:
        if len(message.data) != 1 or not math.isfinite(message.data[0]):
            self.get_logger().warning(
                f"{self.resolve_topic_name(GRIPPER)} ignored: {list(message.data)}; send one finite finger position in "
                "metres",
                throttle_duration_sec=WARNING_PERIOD,
            )
            return
        self._closedness = self._finger.closedness(message.data[0])
        self._loop.command(self._pose, self._closedness)

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        settings = self._settings.snapshot

        def reset(sim: Simulator) -> None:
            settings.reset(sim)
            self._hold(sim)

        response.success, response.message, _ = self._do(reset)
        return response

    def _on_reflex(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message, _ = self._do(lambda sim: sim.reflex())
        return response

    def _on_user_stop(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        response.success, response.message, _ = self._do(lambda sim: sim.user_stop(request.data))
        return response

    def _on_render_goal(self, request: RenderGoal.Request, response: RenderGoal.Response) -> RenderGoal.Response:
        problem = target_problem(request.pose, self._frame_id) or _goal_problem(request)
        if problem:
            response.message = f"no goal image: {problem}"
            return response
        pose = pose_from_quaternion(position_of(request.pose), quaternion_of(request.pose), request.gripper)
        block = None if not request.block else _as_array(request.block[0])
        response.success, response.message, image = self._do(lambda sim: sim.goal_image(pose, block_pose=block))
        if response.success:
            response.image.format, response.image.data = "png", encode_png(image)
            response.image.header.frame_id = CAMERA_FRAME
        return response

    def _do(self, job: Any) -> tuple[bool, str, Any]:
        try:
            return True, "", self._loop.call(job)
        except (RuntimeError, ValueError) as error:
            return False, str(error), None

    def _stamp(self, simulated: float) -> Time:
        if self._clock_out is None:
            return self.get_clock().now().to_msg()
        stamp = Time(sec=int(simulated), nanosec=int(simulated % 1.0 * 1e9))
        self._clock_out.publish(Clock(clock=stamp))
        return stamp


def _goal_problem(request: RenderGoal.Request) -> str:
    if not 0.0 <= request.gripper <= 1.0:
        return f"gripper={request.gripper}: use a closedness from 0 (open) to 1 (closed)"
    if len(request.block) > 1:
        return f"{len(request.block)} block poses: give one or none"
    return ""


def _as_array(pose: Pose) -> np.ndarray:
    message = PoseStamped(pose=pose)
    return np.concatenate([position_of(message), quaternion_of(message)])


def _camera_info(sim: Simulator) -> CameraInfo:
    """A pinhole camera without distortion."""
    fx, fy, cx, cy = sim.camera_intrinsics
    size = sim.config.image_size
    info = CameraInfo(height=size, width=size, distortion_model="plumb_bob", d=[0.0] * 5)
    info.k = [fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0]
    info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    info.p = [fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    return info


def main(args: list[str] | None = None) -> int:
    """Entry point of the executable ``sim_node``."""
    return process.run(SimNode, NODE, args)


if __name__ == "__main__":
    sys.exit(main())
