"""Every parameter of the planner node: name, default, range, meaning (README and config/planner.yaml follow it).

Defaults come from the dataclasses of the core, their only home; this table says how they are called in ROS.
"""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from typing import Any, get_args

from vjepa_mpc.controller.gripper import GripperSettings
from vjepa_mpc.drivers.franka.settings import HandSettings
from vjepa_mpc.geometry.gripper_joint import GripperJoint
from vjepa_mpc.geometry.limits import MotionLimits
from vjepa_mpc.goals import endings
from vjepa_mpc.motion.setpoints import SetpointSettings
from vjepa_mpc.motion.settle import SettleSettings
from vjepa_mpc.planning import PRESETS, AgreementBounds, CEMConfig
from vjepa_mpc.planning.config import Execute, Sampling, Update
from vjepa_mpc.ros.outputs.arm import OUTPUTS
from vjepa_mpc.ros.outputs.gripper import GRIPPER_OUTPUTS
from vjepa_mpc.ros.parameters.live import Entry
from vjepa_mpc.safety.supervisor import SupervisorConfig
from vjepa_mpc.worldmodel import QUANTISATIONS

DEFAULT_PRESET = "cpu"
EXECUTION_MODES = ("blocking", "pipelined")
CROPS = ("square", "droid")
DTYPES = ("auto", "float32", "float16", "bfloat16", *QUANTISATIONS)
TRANSPORTS = ("raw", "compressed")
GRIPPER_MODES = ("binary", "continuous")
IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def entries(preset: str) -> tuple[Entry, ...]:
    """The parameters, with the planner's defaults from a preset."""
    return (*_model(), *planner_entries(PRESETS[preset]), *_goals(), *_topics(), *_robot(), *_motion(), *_guards())


PRESET = Entry("preset", DEFAULT_PRESET, "Planner settings to start from; others override it.", choices=tuple(PRESETS))


def planner_entries(preset: CEMConfig) -> tuple[Entry, ...]:
    """What the preset decides; each one changes from one planning cycle to the next."""
    planner = [
        Entry("rollout", preset.rollout, "Steps planned ahead (horizon).", 1, 64),
        Entry("samples", preset.samples, "Candidate action sequences an iteration.", 2, 100_000),
        Entry("topk", preset.topk, "Elites that the next distribution is fitted to.", 2, 100_000),
        Entry("cem_steps", preset.cem_steps, "Iterations of the planner.", 1, 1000),
        Entry("momentum_mean", preset.momentum_mean, "Share of the old mean that is kept, xyz.", 0.0, 1.0),
        Entry("momentum_std", preset.momentum_std, "Share of the old spread that is kept, xyz.", 0.0, 1.0),
        Entry("momentum_mean_gripper", preset.momentum_mean_gripper, "The same for the gripper's mean.", 0.0, 1.0),
        Entry("momentum_std_gripper", preset.momentum_std_gripper, "The same for the gripper's spread.", 0.0, 1.0),
        Entry("maxnorm", preset.maxnorm, "Most metres along each axis in one step.", 0.001, 0.5),
        Entry("axis", "", "Coordinates pinned to a value, e.g. 'z=0.0, gripper=-1.0'; empty: none."),
        Entry("close_gripper", -1, "Plan step from which on the gripper closes; -1: free.", -1, 64),
        Entry("gripper_clip", preset.gripper_clip, "Most that a candidate changes the gripper in a step.", 0.01, 1.0),
        Entry("gripper_dead_band", preset.gripper_dead_band, "Smaller gripper actions become 0.", 0.0, 1.0),
        Entry("warm_start", preset.warm_start, "Begin at the previous plan, moved on by one step."),
        Entry("warm_start_std", preset.warm_start_std, "First spread of a warm start, as a share.", 0.001, 10.0),
        Entry("sampling", preset.sampling, "How candidates are drawn.", choices=get_args(Sampling)),
        Entry("noise_colour", preset.noise_colour, "0 white, 1 pink, 2 red: smoothness over the horizon.", 0.0, 10.0),
        Entry("update", preset.update, "Fit to the elites, or to all by weight.", choices=get_args(Update)),
        Entry("temperature", preset.temperature, "Of mppi, in standard deviations of the energies.", 0.001, 100.0),
        Entry("keep_elites", preset.keep_elites, "Share of the elites that stays for the next iteration.", 0.0, 1.0),
        Entry("sample_decay", preset.sample_decay, "The samples are divided by this an iteration.", 1.0, 100.0),
        Entry("mean_candidate", preset.mean_candidate, "The mean itself is a candidate."),
        Entry("std_floor", preset.std_floor, "Least spread, as a share of the first.", 0.0, 1.0),
        Entry(
            "execute", preset.execute, "What is carried out: the last mean or the best seen.", choices=get_args(Execute)
        ),
        Entry("stop_spread", preset.stop_spread, "Stop below this share of the first spread; 0: never.", 0.0, 1.0),
        Entry("deadline", preset.deadline or 0.0, "Seconds that a plan may take; 0: no limit.", 0.0, 3600.0),
        Entry("micro_batch", preset.micro_batch or 0, "Candidates predicted at once; 0: as memory admits.", 0, 100_000),
        Entry(
            "memory_limit_mb", preset.memory_limit_mb or 0.0, "Memory for a micro-batch, in MB; 0: automatic.", 0.0, 1e6
        ),
        Entry("cuda_graphs", preset.cuda_graphs, "On a GPU: record an iteration once, and replay it."),
    ]
    return tuple(replace(entry, dynamic=True) for entry in planner)


def _model() -> tuple[Entry, ...]:
    bounds = defaults(AgreementBounds)
    agreement = (
        Entry(
            "agreement.topk_overlap", bounds["topk_overlap"], "For int8, fp8: least share of equal elites.", 0.0, 1.0
        ),
        Entry(
            "agreement.rank_correlation", bounds["rank_correlation"], "Least rank correlation of energies.", 0.0, 1.0
        ),
        Entry("agreement.action_difference", bounds["action_difference"], "Most metres between the actions.", 0.0, 1.0),
    )
    return (
        Entry("checkpoint", "", "World model: .safetensors or published .pt; empty: the bundled model."),
        Entry("device", "auto", "PyTorch device: auto, cpu, cuda, cuda:1 …"),
        Entry("dtype", "auto", "Precision; auto: what suits the device; int8, fp8: if plans agree.", choices=DTYPES),
        *agreement,
        Entry("compile", False, "Use torch.compile, on a GPU; other samples or another rollout cost minutes then."),
        Entry("warm_up", True, "Plan once when configured, so that the first plan is not late."),
        Entry("crop", "square", "How images are cropped: as in the notebook, or as in training.", choices=CROPS),
        Entry("threads", 0, "CPU threads of PyTorch; 0: its own choice, which is 1 under torchrun.", 0, 1024),
        Entry("seed", 0, "Seed of the planner's samples.", 0, 2**31 - 1),
        Entry("autostart", True, "Configure and activate at start, without a lifecycle manager."),
    )


def _goals() -> tuple[Entry, ...]:
    return tuple(
        Entry(each.name, each.default, each.description, each.option.low, each.option.high, dynamic=each.option.live)
        for each in endings.parameters()
    )


def _topics() -> tuple[Entry, ...]:
    return (
        Entry("topics.image", "image", "Camera images in; with compressed transport, /compressed is appended."),
        Entry("topics.pose", "current_pose", "Measured end effector pose in (PoseStamped)."),
        Entry("topics.joint_states", "joint_states", "Finger position in (JointState)."),
        Entry("topics.motion_allowed", "~/motion_allowed", "What the robot's mode admits, if somebody says (Bool)."),
        Entry("topics.robot_state", "", "Robot mode in (franka_msgs/FrankaRobotState); empty: off."),
        Entry("topics.target", "target_pose", "Set-points out (PoseStamped, or TwistStamped with output twist)."),
        Entry("topics.gripper", "gripper_position_controller/commands", "Topic or action of the gripper."),
        Entry(
            "output",
            "pose",
            "Set-points as poses, or as velocities for servo controllers.",
            choices=OUTPUTS.names,
            open_choices=True,
        ),
        Entry(
            "gripper_output",
            "commands",
            "Finger positions as Float64MultiArray, or as goals of a GripperCommand action.",
            choices=GRIPPER_OUTPUTS.names,
            open_choices=True,
        ),
        Entry(
            "gripper_max_effort",
            defaults(HandSettings)["force"],
            "Of GripperCommand, in N: what an object is held with; 0: the server's choice.",
            0.0,
            1e3,
        ),
    )


def _robot() -> tuple[Entry, ...]:
    gripper, joint = defaults(GripperSettings), defaults(GripperJoint)
    return (
        Entry("frame_id", "base", "Robot base frame: poses must be in it, set-points are."),
        Entry("image_transport", "raw", "Raw images, or compressed ones.", choices=TRANSPORTS),
        Entry(
            "gripper_joint", "", "Finger joint in joint_states; empty: no gripper feedback, the last command counts."
        ),
        Entry(
            "gripper_joint_open", joint["open_position"], "Finger position when open, read and commanded.", -1e3, 1e3
        ),
        Entry("gripper_joint_closed", joint["closed_position"], "Finger position when closed.", -1e3, 1e3),
        Entry("gripper_mode", gripper["mode"], "Fully open or closed with hold, or by degrees.", choices=GRIPPER_MODES),
        Entry("gripper_threshold", gripper["threshold"], "Planned change that switches a binary gripper.", 0.0, 0.99),
        Entry("action_rotation", IDENTITY, "Camera calibration: rotation of planned moves, row by row."),
    )


def _motion() -> tuple[Entry, ...]:
    limits, settle, setpoints = defaults(MotionLimits), defaults(SettleSettings), defaults(SetpointSettings)
    return (
        Entry("execution", "blocking", "Plan at rest, or plan the next action in motion.", choices=EXECUTION_MODES),
        Entry("setpoint_period", setpoints["period"], "Seconds between set-points.", 0.005, 0.1),
        Entry(
            "setpoint_max_gap",
            setpoints["max_gap"],
            "Longest gap between set-points that motion survives, in s.",
            0.01,
            1.0,
        ),
        Entry("workspace.lower", None, "Lower corner [x, y, z] of where the end effector may be, in m. No default."),
        Entry("workspace.upper", None, "Upper corner [x, y, z], in m. No default."),
        Entry("limits.linear_speed", limits["linear_speed"], "Of the set-points, in m/s.", 0.001, 3.0),
        Entry("limits.angular_speed", limits["angular_speed"], "Of the set-points, in rad/s.", 0.001, 2.5),
        Entry("limits.linear_acceleration", limits["linear_acceleration"], "Of the set-points, in m/s².", 0.01, 13.0),
        Entry(
            "limits.angular_acceleration", limits["angular_acceleration"], "Of the set-points, in rad/s².", 0.01, 25.0
        ),
        Entry(
            "limits.max_step",
            limits["max_step"],
            "Longest step along an axis and lead of a set-point, in m.",
            0.001,
            0.5,
        ),
        Entry("limits.max_rotation_step", limits["max_rotation_step"], "The same for rotation, in rad.", 0.001, 3.14),
        Entry(
            "settle.position_tolerance",
            settle["position_tolerance"],
            "Arrived: this close to the target, in m.",
            1e-4,
            0.1,
        ),
        Entry(
            "settle.rotation_tolerance",
            settle["rotation_tolerance"],
            "Arrived: this close in rotation, in rad.",
            1e-3,
            1.0,
        ),
        Entry("settle.speed_tolerance", settle["speed_tolerance"], "Arrived: this slow, in m/s.", 1e-4, 1.0),
        Entry("settle.duration", settle["duration"], "Arrived: for this long, in s.", 0.0, 5.0),
        Entry(
            "settle.timeout", settle["timeout"], "Plan on from wherever the arm is after this long, in s.", 0.1, 60.0
        ),
        Entry("settle.gripper_timeout", 1.5, "Longest wait for the fingers after a command, in s.", 0.0, 30.0),
    )


def _guards() -> tuple[Entry, ...]:
    guard = defaults(SupervisorConfig)
    return (
        Entry("image_timeout", guard["image_timeout"], "Oldest usable image, in s.", 0.01, 60.0),
        Entry("pose_timeout", guard["pose_timeout"], "Oldest usable pose, in s.", 0.005, 60.0),
        Entry("gripper_timeout", guard["gripper_timeout"], "Oldest usable finger position, in s.", 0.01, 60.0),
        Entry("future_tolerance", guard["future_tolerance"], "How far stamps may lie in the future, in s.", 0.0, 60.0),
        Entry(
            "frozen_image_time",
            guard["frozen_image_time"],
            "Frozen camera: same bytes for this long in motion, in s.",
            0.01,
            600.0,
        ),
        Entry(
            "frozen_image_motion", guard["frozen_image_motion"], "Motion that must change the image, in m.", 0.0001, 1.0
        ),
        Entry("pose_jump", guard["pose_jump"], "Jump between two poses that stops the arm, in m.", 0.001, 1.0),
        Entry("pose_jump_angle", guard["pose_jump_angle"], "The same for rotation, in rad.", 0.001, 3.14),
        Entry(
            "workspace_margin",
            guard["workspace_margin"],
            "How far outside the box the arm may be found, in m.",
            0.0,
            0.5,
        ),
        Entry(
            "recovery_time",
            guard["recovery_time"],
            "Inputs must be good for this long before motion resumes, in s.",
            0.0,
            60.0,
        ),
        Entry("plan_deadline", guard["plan_deadline"], "Longest usable planning time, in s.", 0.01, 3600.0),
        Entry(
            "plan_max_age", guard["plan_max_age"], "Oldest observation that a plan may be acted on, in s.", 0.01, 3600.0
        ),
        Entry("max_deadline_misses", guard["max_deadline_misses"], "Late plans in a row that stop the arm.", 1, 1000),
        Entry("ignore_sanity", "", "Start-up findings to ignore, comma-separated, e.g. 'CENTIMETRES, DEGREES'."),
    )


def defaults(kind: type) -> dict[str, Any]:
    """The default of each field of a dataclass that has one."""
    return {field.name: field.default for field in fields(kind) if field.default is not MISSING}
