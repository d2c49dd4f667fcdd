"""A Franka without ros2_control: libfranka behind the topics that the planner uses. Run by `franka_driver`.

Publishes ``current_pose``, ``joint_states``, ``planner_node/motion_allowed`` and ``/diagnostics``; obeys
``target_pose`` and ``gripper_position_controller/commands``. Service ``~/recover``. The thread that talks to the arm is
:class:`~vjepa_mpc.drivers.franka.arm_loop.ArmLoop`'s, those of the hand are
:class:`~vjepa_mpc.drivers.franka.hand.LibfrankaHand`'s; callbacks only hand things over.
"""

from __future__ import annotations

from concurrent.futures import Future as ThreadFuture

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import PoseStamped
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rclpy.task import Future
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Float64MultiArray
from std_srvs.srv import Trigger

from vjepa_mpc.drivers.franka.arm_loop import ArmLoop
from vjepa_mpc.drivers.franka.condition import Condition
from vjepa_mpc.drivers.franka.hand import LibfrankaHand
from vjepa_mpc.drivers.franka.libfranka import ArmState, LibfrankaArm, load_franky
from vjepa_mpc.ros.common import process
from vjepa_mpc.ros.common.conversions import pose_message, position_of, quaternion_of
from vjepa_mpc.ros.common.names import in_full
from vjepa_mpc.ros.common.targets import GRIPPER, TARGET, target_problem
from vjepa_mpc.ros.common.timers import steady_timer
from vjepa_mpc.ros.franka.parameters import NODE, PARAMETERS, DriverSettings, build_settings
from vjepa_mpc.ros.parameters.live import LiveParameters, ParameterError

NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
# The planner's own ~/motion_allowed; remap it if that node has another name.
MOTION_ALLOWED = "planner_node/motion_allowed"
CONDITION_PERIOD = 0.05  # seconds
DIAGNOSTICS_EVERY = 20  # condition periods
WARNING_PERIOD = 2.0  # seconds
STOP_TIMEOUT = 2.0  # seconds
_WARNINGS = (Condition.TARGET_REFUSED, Condition.CONNECTING, Condition.GUIDING)


class FrankaDriver(Node):
    """Topics and a service around the threads that talk to arm and hand."""

    def __init__(self) -> None:
        super().__init__("franka_driver")
        try:
            franky = load_franky()
        except ImportError as error:
            raise ParameterError(str(error)) from error
        self._live: LiveParameters[DriverSettings] = LiveParameters(
            self,
            PARAMETERS,
            build_settings,
            locked=lambda: "the driver is running; set it when starting the node",
            changed=lambda _: None,
        )
        self._settings = settings = self._live.snapshot
        self._known = Condition.CONNECTING
        self._ticks = 0
        self._arm = ArmLoop(lambda: LibfrankaArm(settings.arm, franky), self._publish_state, settings.arm)
        self._hand = None
        if settings.has_hand:
            self._hand = LibfrankaHand(lambda: franky.Gripper(settings.arm.robot_ip), settings.hand)
        self._pose_out = self.create_publisher(PoseStamped, "current_pose", qos_profile_sensor_data)
        self._joints_out = self.create_publisher(JointState, "joint_states", qos_profile_sensor_data)
        self._allowed_out = self.create_publisher(Bool, MOTION_ALLOWED, NEWEST)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 1)
        self.create_subscription(PoseStamped, TARGET, self._on_target, NEWEST)
        self.create_subscription(Float64MultiArray, GRIPPER, self._on_gripper, NEWEST)
        # A group of its own: while its answer is awaited, the others go on.
        self.create_service(Trigger, "~/recover", self._on_recover, callback_group=MutuallyExclusiveCallbackGroup())
        steady_timer(self, CONDITION_PERIOD, self._publish_condition)

    def start(self) -> None:
        """Start connecting to the robot."""
        self.get_logger().info(f"connecting to {self._settings.arm.robot_ip}")
        self._arm.start()
        if self._hand is not None:
            self._hand.start()

    def stop(self) -> bool:
        """Bring the arm to rest; the hand keeps its grip."""
        clean = self._arm.stop(STOP_TIMEOUT)
        return (self._hand is None or self._hand.stop(STOP_TIMEOUT)) and clean

    # -- in ---------------------------------------------------------------------------------------------------------

    def _on_target(self, message: PoseStamped) -> None:
        problem = target_problem(message, self._settings.frame_id)
        if problem:
            self._arm.refuse(problem)
        else:
            problem = self._arm.target(position_of(message), quaternion_of(message))
        if problem:
            topic = self.resolve_topic_name(TARGET)
            text = in_full(f"{topic} not obeyed: {problem}", self)
            self.get_logger().warning(text, throttle_duration_sec=WARNING_PERIOD)

    def _on_gripper(self, message: Float64MultiArray) -> None:
        try:
            if self._hand is None or len(message.data) != 1:
                raise ValueError("there is no hand (hand:=false)" if self._hand is None else "send one finger position")
            self._hand.command(2.0 * message.data[0])
        except ValueError as error:
            self.get_logger().warning(
                f"{self.resolve_topic_name(GRIPPER)} ignored: {list(message.data)}; {error}",
                throttle_duration_sec=WARNING_PERIOD,
            )

    async def _on_recover(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        answer: Future = Future(executor=self.executor)

        def on_done(recovery: ThreadFuture[str]) -> None:
            answer.set_result(recovery.result())

        self._arm.recover().add_done_callback(on_done)
        problem = in_full(await answer or "", self)
        response.success, response.message = not problem, problem or "the robot obeys targets"
        return response

    # -- out --------------------------------------------------------------------------------------------------------

    def _publish_state(self, state: ArmState) -> None:
        """Called on the arm's thread."""
        stamp = self.get_clock().now().to_msg()
        self._pose_out.publish(pose_message(state.position, state.quaternion, self._settings.frame_id, stamp))
        joints = JointState(name=list(self._settings.arm_joints))
        joints.header.stamp = stamp
        joints.position, joints.velocity = state.joints.tolist(), state.velocities.tolist()
        width = None if self._hand is None else self._hand.width
        if width is not None:
            joints.name = [*joints.name, *self._settings.finger_joints]
            joints.position = [*joints.position, width / 2, width / 2]
            joints.velocity = [*joints.velocity, 0.0, 0.0]
        self._joints_out.publish(joints)

    def _publish_condition(self) -> None:
        condition, detail = self._arm.condition
        words = in_full(f"{condition.name}: {condition.message(detail)}", self)
        self._allowed_out.publish(Bool(data=condition is Condition.READY))
        changed = condition is not self._known
        if changed:
            self._known = condition
            # One call site a severity: rclpy refuses to change the severity of one.
            if condition is Condition.READY:
                self.get_logger().info(words)
            else:
                self.get_logger().warning(words)
        self._ticks += 1
        if changed or self._ticks % DIAGNOSTICS_EVERY == 0:
            self._publish_diagnostics(condition, words)

    def _publish_diagnostics(self, condition: Condition, words: str) -> None:
        level = DiagnosticStatus.WARN if condition in _WARNINGS else DiagnosticStatus.ERROR
        if condition is Condition.READY:
            level = DiagnosticStatus.OK
        arm = DiagnosticStatus(level=level, name=f"{self.get_name()}: arm", hardware_id=self._settings.arm.robot_ip)
        arm.message = words
        message = DiagnosticArray(status=[arm])
        if self._hand is not None:
            problem = self._hand.problem
            hand = DiagnosticStatus(name=f"{self.get_name()}: hand", hardware_id=self._settings.arm.robot_ip)
            hand.level = DiagnosticStatus.ERROR if problem else DiagnosticStatus.OK
            hand.message = problem or "OK"
            if self._hand.width is not None:
                hand.values = [KeyValue(key="width [m]", value=f"{self._hand.width:.4f}")]
            message.status = [arm, hand]
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)


def main(args: list[str] | None = None) -> int:
    """Entry point of the executable ``franka_driver``."""
    return process.run(FrankaDriver, NODE, args)


if __name__ == "__main__":
    raise SystemExit(main())
