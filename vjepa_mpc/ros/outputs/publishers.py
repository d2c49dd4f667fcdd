"""What the planner node publishes: set-points, gripper commands, status, and pictures of its thoughts."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from contextlib import suppress
from operator import attrgetter

import numpy as np
from geometry_msgs.msg import PoseArray
from rclpy.exceptions import InvalidHandle
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Float64MultiArray, Header

from vjepa_mpc.controller.step import Step
from vjepa_mpc.geometry.setpoint import Setpoint
from vjepa_mpc.goals.sub_goal import SubGoal
from vjepa_mpc.images import encode_png
from vjepa_mpc.loop.worker import PlanRequest
from vjepa_mpc.msg import GoalPictures, PlanRecord, PlanStatus
from vjepa_mpc.ros.common.conversions import pose_message
from vjepa_mpc.ros.common.graph import subscribers_of
from vjepa_mpc.ros.outputs.arm import OUTPUTS
from vjepa_mpc.ros.outputs.gripper import GRIPPER_OUTPUTS
from vjepa_mpc.ros.outputs.interface import GripperOutput, Output
from vjepa_mpc.ros.outputs.plan_record import plan_record
from vjepa_mpc.ros.outputs.thoughts import Thoughts
from vjepa_mpc.ros.parameters.settings import Settings
from vjepa_mpc.safety.guards.violation import Violation
from vjepa_mpc.safety.reasons import Reason
from vjepa_mpc.safety.samples import Now
from vjepa_mpc.safety.supervisor import Decision

# Whoever comes late learns the present state at once, and nothing of those before.
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
RECORDS = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
UPRIGHT = np.array([0.0, 0.0, 0.0, 1.0])  # the quaternion of positions that are shown without an orientation


class Outputs:
    """Publishers. The set-points' one is a lifecycle node's: it is mute while the node is not active.

    Args:
        node: which publishes.
        settings: what and where.
        thoughts: what shows the planner's thoughts in more detail; ended by whoever made it.
        explain: a decision in words.

    Raises:
        MissingInterfaceError: a parameter asks for a package that is not installed.
    """

    def __init__(
        self,
        node: LifecycleNode,
        settings: Settings,
        thoughts: Thoughts | None = None,
        explain: Callable[[Decision], str] = attrgetter("message"),
    ) -> None:
        self._node, self._thoughts, self._explain = node, thoughts, explain
        self._frame_id = settings.frame_id
        self._output: Output = OUTPUTS.part(settings.output)(settings.frame_id, settings.output_options)
        self._target = node.create_lifecycle_publisher(
            self._output.message_type, settings.topics.target, self._output.qos
        )
        self._gripper = make_gripper_output(node, settings)
        self._status = node.create_publisher(PlanStatus, "~/status", LATCHED)
        self._plan = node.create_publisher(PoseArray, "~/debug/plan", 1)
        self._energies = node.create_publisher(Float64MultiArray, "~/debug/energies", 1)
        self._goal = node.create_publisher(GoalPictures, "~/goal", LATCHED)
        self._record = node.create_publisher(PlanRecord, "~/plan_record", RECORDS)

    def destroy(self) -> None:
        """End the publishers."""
        self._gripper.destroy()
        self._node.destroy_lifecycle_publisher(self._target)
        for publisher in (self._status, self._plan, self._energies, self._goal, self._record):
            self._node.destroy_publisher(publisher)

    def setpoint(self, setpoint: Setpoint, now: Now) -> None:
        """Send a set-point, stamped with the moment that it was computed for, however long this thread had to wait."""
        stamp = Time(nanoseconds=round(now.ros * 1e9)).to_msg()
        self._target.publish(self._output.message(setpoint, stamp))
        if self._thoughts is not None:
            self._thoughts.setpoint = setpoint

    def gripper(self, closedness: float) -> None:
        """Command a closedness, 0 open to 1 closed."""
        self._gripper.command(closedness)

    def gripper_trouble(self) -> Violation | None:
        """What the gripper's connection has against moving: what lasts at every call, events once."""
        return self._gripper.trouble()

    def status(self, decision: Decision, goal_id: int, step: Step | None) -> None:
        """Say what the node does and why; ``step``: the newest planned one of this goal."""
        message = PlanStatus(state=int(decision.state), reason=decision.reason.name)
        message.message = self._explain(decision)
        message.header.frame_id, message.header.stamp = self._frame_id, self._node.get_clock().now().to_msg()
        message.goal_id = goal_id
        message.energy_still = message.energy_expected = message.contrast = message.kept = math.nan
        message.surprise = message.surprise_rank = math.nan
        if step is not None:
            if decision.reason is Reason.NONE:
                message.message = step.clipped
            message.sub_goal, message.sub_goals = step.goal_index, step.goal_count
            message.ended_by = step.ended_by
            message.step, message.step_budget = step.goal_step, step.step_budget or 0
            message.energy = float(step.energy)
            message.action = step.actions[0].tolist()
            message.kept = step.kept
            message.surprise, message.surprise_rank = step.surprise, step.surprise_rank
            if step.outlook is not None:
                outlook = step.outlook
                message.energy_still, message.energy_expected = outlook.still, outlook.expected
                message.contrast = outlook.contrast
            message.encode_time, message.plan_time = step.encode_seconds, step.plan_seconds
        self._status.publish(message)

    def goal(self, goal_id: int, goals: Sequence[SubGoal]) -> None:
        """Show what is to be reached; from any thread."""
        header = Header(frame_id=self._frame_id, stamp=self._node.get_clock().now().to_msg())
        message = GoalPictures(header=header, goal_id=goal_id, gripper=[str(goal.gripper) for goal in goals])
        message.images = [CompressedImage(format="png", data=array("B", encode_png(goal.image))) for goal in goals]
        with suppress(InvalidHandle):  # the planner may be ending
            self._goal.publish(message)

    def debug(self, step: Step, request: PlanRequest) -> None:
        """Show the planned positions, the planner's progress, and all of the plan to whoever subscribed."""
        header = Header(frame_id=self._frame_id, stamp=self._node.get_clock().now().to_msg())
        if self._plan.get_subscription_count():
            message = PoseArray(header=header)
            for position in request.pose[:3] + np.cumsum(step.actions[:, :3], axis=0):
                message.poses.append(pose_message(position, UPRIGHT, "", header.stamp).pose)
            self._plan.publish(message)
        if self._energies.get_subscription_count():
            self._energies.publish(Float64MultiArray(data=[float(energy) for energy in step.energies]))
        if self._record.get_subscription_count() and (record := plan_record(step, request, header)) is not None:
            self._record.publish(record)
        if self._thoughts is not None:
            self._thoughts.show(step, request)

    def followers(self) -> str:
        """Who subscribes to the set-points, and what usually keeps an arm from following them."""
        found = subscribers_of(self._node, self._target.topic_name) or "nobody"
        return f"on {self._target.topic_name} listens: {found}; usual causes: {self._output.causes}"

    def other_publishers(self) -> list[str]:
        """Names of other nodes that publish on the target topic; the arm would obey neither of two reliably."""
        infos = self._node.get_publishers_info_by_topic(self._target.topic_name)
        own = (self._node.get_name(), self._node.get_namespace())
        others = [info for info in infos if (info.node_name, info.node_namespace) != own]
        return sorted(f"{info.node_namespace.rstrip('/')}/{info.node_name}" for info in others)


def make_gripper_output(node: LifecycleNode, settings: Settings) -> GripperOutput:
    """The gripper output that the parameters ask for."""
    kind = GRIPPER_OUTPUTS.part(settings.gripper_output)
    made: GripperOutput = kind(node, settings.topics.gripper, settings.finger, settings.gripper_options)
    return made
