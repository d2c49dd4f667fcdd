"""States of the supervisor, and a name, words and a remedy for every reason not to move."""

from __future__ import annotations

from enum import Enum, IntEnum


class State(IntEnum):
    """What the controller is doing; the numbers are those of ``msg/PlanStatus.msg``."""

    UNCONFIGURED = 0
    IDLE = 1
    WAITING_INPUT = 2
    PLANNING = 3
    EXECUTING = 4
    HOLDING = 5
    PAUSED = 6
    FAULT = 7


class Effect(Enum):
    """What a reason does to the arm."""

    MOVES = "the arm may move"
    WAITS = "nothing is wrong; there is nothing to do, or not yet"
    HOLDS = "the arm holds, and goes on by itself once the cause has been gone for a while"
    FAULTS = "the arm holds until somebody resumes"


class Reason(Enum):
    """Why nothing moves. The member's name goes into PlanStatus, its words into messages and diagnostics."""

    NONE = (Effect.MOVES, "moving", "")

    NO_WORKSPACE = (
        Effect.WAITS,
        "no workspace box is set, so that the node cannot be activated",
        "Give workspace.lower and workspace.upper (at launch: workspace), then configure and activate the node.",
    )
    NOT_ACTIVE = (Effect.WAITS, "the node is not active", "Activate it: ros2 lifecycle set <node> activate.")
    NO_GOAL = (Effect.WAITS, "there is no goal", "Set one with ~/set_goal or ~/reach_goal.")
    GOAL_FINISHED = (Effect.WAITS, "the goal is finished", "Set the next one.")
    NO_IMAGE = (Effect.WAITS, "no camera image has come yet", "Check the image topic and its remapping.")
    NO_POSE = (Effect.WAITS, "no pose has come yet", "Check the pose topic and its remapping.")
    NO_GRIPPER = (
        Effect.WAITS,
        "no gripper position has come yet",
        "Check topics.joint_states and the gripper joint's name.",
    )
    NO_MOTION_ALLOWED = (
        Effect.WAITS,
        "nobody has allowed motion yet",
        "Have true published on topics.motion_allowed, or set motion_allowed_timeout to 0.",
    )
    PAUSED = (Effect.WAITS, "paused", "Call ~/pause with false, or ~/resume.")
    PLANNING = (Effect.WAITS, "the next action is being planned", "")

    IMAGE_STALE = (Effect.HOLDS, "the newest image is old by its stamp", "Check the camera's rate and clock.")
    IMAGE_SILENT = (Effect.HOLDS, "images stopped coming", "Check camera and network.")
    IMAGE_STAMP_ZERO = (Effect.HOLDS, "images have no stamp", "Have the camera driver fill in header.stamp.")
    IMAGE_FROM_FUTURE = (Effect.HOLDS, "the newest image's stamp lies in the future", "Synchronise the clocks.")
    IMAGE_FROZEN = (
        Effect.HOLDS,
        "the picture stays the same while the arm moves",
        "Restart the camera driver; only another picture ends this.",
    )
    IMAGE_UNREADABLE = (Effect.HOLDS, "the newest image cannot be used", "Check the camera's encoding.")

    POSE_STALE = (Effect.HOLDS, "the newest pose is old by its stamp", "Check the robot driver's rate and clock.")
    POSE_SILENT = (Effect.HOLDS, "poses stopped coming", "Check the robot driver and the network.")
    POSE_STAMP_ZERO = (Effect.HOLDS, "poses have no stamp", "Have the robot driver fill in header.stamp.")
    POSE_FROM_FUTURE = (Effect.HOLDS, "the newest pose's stamp lies in the future", "Synchronise the clocks.")
    POSE_WRONG_FRAME = (
        Effect.HOLDS,
        "the pose is in another frame",
        "Publish it in frame_id, or change frame_id; with tf2_ros installed, /tf is looked up.",
    )
    POSE_NO_TRANSFORM = (
        Effect.HOLDS,
        "the pose is in another frame, and tf2 knows no way from there to the base frame",
        "See that /tf or /tf_static connects the two (ros2 run tf2_ros tf2_echo), or publish the pose in frame_id.",
    )
    POSE_NOT_FINITE = (Effect.HOLDS, "the pose is not finite", "Check the robot driver.")
    POSE_NOT_UNIT = (Effect.HOLDS, "the pose's quaternion is not of length 1", "Normalise it (x, y, z, w).")
    POSE_OUTSIDE_WORKSPACE = (
        Effect.HOLDS,
        "the arm is outside the workspace box",
        "Move it back by other means, or correct the box.",
    )
    INPUT_IMPLAUSIBLE = (
        Effect.HOLDS,
        "the robot's state does not look like metres, radians, closedness and the base frame",
        "Correct the unit or the frame; if the value is right, name the finding in ignore_sanity.",
    )

    GRIPPER_STALE = (Effect.HOLDS, "the newest gripper position is old by its stamp", "Check its publisher's clock.")
    GRIPPER_SILENT = (Effect.HOLDS, "gripper positions stopped coming", "Check who publishes them.")
    GRIPPER_STAMP_ZERO = (Effect.HOLDS, "gripper positions have no stamp", "Have header.stamp filled in.")
    GRIPPER_FROM_FUTURE = (Effect.HOLDS, "the newest gripper position lies in the future", "Synchronise the clocks.")
    GRIPPER_NOT_FINITE = (Effect.HOLDS, "the gripper position is not finite", "Check its publisher.")

    GRIPPER_ABSENT = (
        Effect.HOLDS,
        "nobody serves the gripper's action",
        "Start the gripper's driver, or correct topics.gripper.",
    )

    CLOCK_JUMPED = (Effect.HOLDS, "the ROS clock went back", "Check the time source; inputs need new stamps.")
    MOTION_NOT_ALLOWED = (
        Effect.HOLDS,
        "motion is not allowed",
        "Clear the robot's stop, reflex or mode, or see why true is not said.",
    )
    MOTION_ALLOWED_SILENT = (
        Effect.HOLDS,
        "nobody says any more that the arm may move",
        "Check who publishes on topics.motion_allowed and how often, or raise motion_allowed_timeout.",
    )
    INPUT_WRONG_TYPE = (
        Effect.HOLDS,
        "an input's topic carries another type, which is not heard",
        "Publish the wanted type there, or remap the topic.",
    )
    OTHER_PUBLISHER = (Effect.HOLDS, "somebody else publishes targets, too", "Stop the other publisher.")
    PLAN_TOO_OLD = (Effect.HOLDS, "the plan is older than it may be", "Plan with fewer samples or iterations.")
    PLAN_TOO_FAR = (Effect.HOLDS, "the arm is no longer where the plan begins", "Leave the arm alone, or pause first.")
    PLAN_EXPIRED = (
        Effect.HOLDS,
        "the plan ran out before the arm was there",
        "See what holds the arm up; or allow more speed or a higher plan_max_age.",
    )
    GOAL_NOT_SEEN = (
        Effect.HOLDS,
        "no action comes nearer to the goal picture than any other",
        "Give a picture that this camera took of this scene, or one of a nearer sub-goal; or lower goal_contrast.",
    )
    NO_PROGRESS = (
        Effect.HOLDS,
        "what was planned does not come true",
        "Check that camera and goal picture show this scene from the same place, in the same light, and that the arm "
        "follows; then set a goal, or call ~/resume for another attempt.",
    )

    SURPRISE = (
        Effect.HOLDS,
        "the camera shows something else than was predicted",
        "See what has changed in the scene. The arm goes on when a picture is as it was predicted, or after ~/resume; "
        "or raise surprise_quantile.",
    )

    POSE_JUMPED = (
        Effect.FAULTS,
        "the pose jumped",
        "Check the robot driver, the arm, and that the pose is in the frame that frame_id says; then call ~/resume.",
    )
    PLANNER_EXCEPTION = (Effect.FAULTS, "the planner failed", "See the log for the cause, then call ~/resume.")
    RANK_LOST = (
        Effect.FAULTS,
        "a process that shares the planning is gone",
        "~/resume cannot bring it back.",
    )
    PLAN_INVALID = (Effect.FAULTS, "the plan is unusable", "Check checkpoint and dtype, then call ~/resume.")
    DEADLINE_MISSED = (
        Effect.FAULTS,
        "planning was late several times in a row",
        "Lower samples or cem_steps, or raise replan_deadline; then call ~/resume.",
    )
    SETPOINT_INVALID = (
        Effect.FAULTS,
        "a set-point broke a limit and was not sent",
        "See which one; the arm may not follow. Then call ~/resume.",
    )

    ARM_NOT_FOLLOWING = (
        Effect.FAULTS,
        "the arm does not follow the set-points",
        "It is not led any more, so see to the cause first, then call ~/resume.",
    )
    FRAME_SUSPECTED = (
        Effect.FAULTS,
        "the arm moves elsewhere than it is led, so its pose may be in another frame than frame_id says",
        "Check that the measured pose and the controller's targets are in one frame, and that nobody else moves the "
        "arm; then call ~/resume.",
    )

    GRIPPER_REFUSED = (
        Effect.FAULTS,
        "the gripper refused what it was told",
        "See its driver's log; most grippers have to be homed first. Then call ~/resume: the step is done again.",
    )
    GRIPPER_NOT_FOLLOWING = (
        Effect.FAULTS,
        "the gripper is not where it was told to be",
        "See whether it is homed and powered, its driver runs, and topics.gripper is what that listens to. Then call "
        "~/resume: the step is done again.",
    )
    GRIPPER_LET_GO = (
        Effect.FAULTS,
        "the gripper has opened by itself",
        "See its driver's log and what it held; then call ~/resume, which closes it again.",
    )

    CONTROL_LOOP_ERROR = (
        Effect.FAULTS,
        "the control loop failed",
        "See the log for the cause and report it; then call ~/resume.",
    )

    def __init__(self, effect: Effect, text: str, remedy: str) -> None:
        self.effect = effect
        self.text = text
        self.remedy = remedy

    def message(self, detail: str = "", remedy: str = "") -> str:
        """The reason in words, with the values that led to it and what to do: ``remedy``, or what usually helps."""
        sentence = f"{self.text}: {detail}" if detail else self.text
        return f"{sentence[0].upper()}{sentence[1:]}. {remedy or self.remedy}".rstrip()
