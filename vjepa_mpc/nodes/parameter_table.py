"""Every parameter of the planner node: name, default, range, meaning (README and config/planner.yaml follow it).

Defaults come from the dataclasses of the core, their only home; this table says how they are called in ROS.
"""

from __future__ import annotations

from dataclasses import fields, replace

from vjepa_mpc.control.gripper import GripperJoint, GripperSettings
from vjepa_mpc.control.limits import MotionLimits
from vjepa_mpc.control.setpoints import SetpointSettings
from vjepa_mpc.control.settle import SettleMonitor
from vjepa_mpc.control.supervisor import SupervisorConfig
from vjepa_mpc.nodes.live_parameters import Entry
from vjepa_mpc.planning import PRESETS, CEMConfig

DEFAULT_PRESET = "cpu"
EXECUTION_MODES = ("blocking", "pipelined")
CROPS = ("square", "droid")
DTYPES = ("float32", "float16", "bfloat16")
GRIPPER_MODES = ("binary", "continuous")
TRANSPORTS = ("raw", "compressed")
IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def _planner(preset: CEMConfig) -> list[Entry]:
    entries = [
        Entry("rollout", preset.rollout, "Steps planned ahead (horizon).", 1, 64),
        Entry("samples", preset.samples, "Candidate action sequences an iteration.", 2, 100_000),
        Entry("topk", preset.topk, "Elites that the next distribution is fitted to.", 2, 100_000),
        Entry("cem_steps", preset.cem_steps, "Iterations of the planner.", 1, 1000),
        Entry("momentum_mean", preset.momentum_mean, "Share of the old mean that is kept, xyz.", 0.0, 1.0),
        Entry("momentum_std", preset.momentum_std, "Share of the old spread that is kept, xyz.", 0.0, 1.0),
        Entry("momentum_mean_gripper", preset.momentum_mean_gripper, "The same for the gripper's mean.", 0.0, 1.0),
        Entry("momentum_std_gripper", preset.momentum_std_gripper, "The same for the gripper's spread.", 0.0, 1.0),
        Entry("maxnorm", preset.maxnorm, "Most metres along each axis in one step.", 0.001, 0.5),
        Entry("axis", "", "Coordinates pinned to a value: e.g. 'z=0.0, gripper=-1.0'; empty: none."),
        Entry("close_gripper", -1, "Plan step from which on the gripper closes; -1: free.", -1, 64),
        Entry("gripper_clip", preset.gripper_clip, "Most that a candidate changes the gripper in a step.", 0.01, 1.0),
        Entry("gripper_dead_band", preset.gripper_dead_band, "Smaller gripper actions become 0.", 0.0, 1.0),
        Entry("memory_limit_mb", 0.0, "Memory for the candidates' prediction, in MB; 0: no limit.", 0.0, 1e6),
    ]
    return [replace(entry, dynamic=True) for entry in entries]


def _model() -> list[Entry]:
    return [
        Entry("preset", DEFAULT_PRESET, "Planner settings to start from; others override it.", choices=tuple(PRESETS)),
        Entry("checkpoint", "", "World model: .safetensors or published .pt; empty: the bundled model."),
        Entry("device", "auto", "PyTorch device: auto, cpu, cuda, cuda:1 …"),
        Entry("dtype", "float32", "Precision of the weights.", choices=DTYPES),
        Entry("crop", "square", "How images are cropped: as in the notebook, or in training.", choices=CROPS),
        Entry("threads", 0, "CPU threads of PyTorch; 0: its own choice.", 0, 1024),
        Entry("seed", 0, "Seed of the planner's samples.", 0, 2**31 - 1),
        Entry("autostart", True, "Configure and activate at start, without a lifecycle manager."),
    ]


def _goals() -> list[Entry]:
    return [
        Entry("goal.steps", 10, "Step budget of a sub-goal that names none.", 1, 10_000, dynamic=True),
        Entry("goal.energy_threshold", 0.0, "A sub-goal ends at or below this energy; 0: off.", 0.0, 1e6, dynamic=True),
        Entry("goal.plateau_window", 0, "Energies that a plateau is judged by; 0: off.", 0, 1000, dynamic=True),
        Entry("goal.plateau_slope", 0.02, "A plateau: less fall a step, per first energy.", 0.0, 1.0, dynamic=True),
    ]


def _robot() -> list[Entry]:
    settings, joint = GripperSettings(), GripperJoint()
    return [
        Entry("frame_id", "base", "Robot base frame that poses are in and set-points are sent in."),
        Entry("image_transport", "raw", "Subscribe to `image` or to `image/compressed`.", choices=TRANSPORTS),
        Entry("gripper_joint", "", "Finger joint in joint_states; empty: no gripper feedback, taken as open."),
        Entry("gripper_joint_open", joint.open_position, "Finger position when open, read and commanded.", -1e3, 1e3),
        Entry("gripper_joint_closed", joint.closed_position, "Finger position when closed.", -1e3, 1e3),
        Entry("gripper_mode", settings.mode, "Fully open or closed with hold, or by degrees.", choices=GRIPPER_MODES),
        Entry("gripper_threshold", settings.threshold, "Planned change that switches a binary gripper.", 0.0, 0.99),
        Entry(
            "gripper_settle_time", 1.0, "Longest wait for the fingers after a command, in s.", 0.0, 30.0, dynamic=True
        ),
        Entry("action_rotation", IDENTITY, "Camera calibration: rotation of planned moves, row by row."),
    ]


def _safety() -> list[Entry]:
    limits, settle = MotionLimits(), SettleMonitor()
    guards = {field.name: field.default for field in fields(SupervisorConfig)}
    return [
        Entry("workspace.lower", None, "Lower corner [x, y, z] of where the end effector may be, in m. No default."),
        Entry("workspace.upper", None, "Upper corner [x, y, z], in m. No default."),
        Entry("limits.linear_speed", limits.linear_speed, "Of the set-points, in m/s.", 0.001, 3.0),
        Entry("limits.angular_speed", limits.angular_speed, "Of the set-points, in rad/s.", 0.001, 2.5),
        Entry("limits.linear_acceleration", limits.linear_acceleration, "Of the set-points, in m/s².", 0.01, 13.0),
        Entry("limits.angular_acceleration", limits.angular_acceleration, "Of the set-points, in rad/s².", 0.01, 25.0),
        Entry(
            "limits.max_step",
            limits.max_step,
            "Longest planned step along an axis, and lead of a set-point, in m.",
            0.001,
            0.5,
        ),
        Entry("limits.max_rotation_step", limits.max_rotation_step, "The same for rotation, in rad.", 0.001, 3.14),
        Entry("image_timeout", guards["image_timeout"], "Oldest usable image, in s.", 0.01, 60.0),
        Entry("pose_timeout", guards["pose_timeout"], "Oldest usable pose, in s.", 0.005, 60.0),
        Entry("gripper_timeout", guards["gripper_timeout"], "Oldest usable finger position, in s.", 0.01, 60.0),
        Entry("future_tolerance", guards["future_tolerance"], "How far stamps may lie in the future, in s.", 0.0, 60.0),
        Entry(
            "frozen_image_time",
            guards["frozen_image_time"],
            "Same image bytes for this long while moving hold, in s.",
            0.01,
            600.0,
        ),
        Entry(
            "frozen_image_motion", guards["frozen_image_motion"], "Motion that must change the image, in m.", 0.0, 1.0
        ),
        Entry("pose_jump", guards["pose_jump"], "Jump between two poses that stops the arm, in m.", 0.001, 1.0),
        Entry("pose_jump_angle", guards["pose_jump_angle"], "The same for rotation, in rad.", 0.001, 3.14),
        Entry(
            "workspace_margin",
            guards["workspace_margin"],
            "How far outside the box the arm may be found, in m.",
            0.0,
            0.5,
        ),
        Entry(
            "recovery_time",
            guards["recovery_time"],
            "Inputs must be good for this long before motion resumes, in s.",
            0.0,
            60.0,
        ),
        Entry("plan_deadline", guards["plan_deadline"], "Longest usable planning time, in s.", 0.01, 3600.0),
        Entry(
            "plan_max_age",
            guards["plan_max_age"],
            "Oldest observation that a plan may be acted on, in s.",
            0.01,
            3600.0,
        ),
        Entry("max_deadline_misses", guards["max_deadline_misses"], "Late plans in a row that stop the arm.", 1, 1000),
        Entry("ignore_sanity", "", "Findings of the start-up check to ignore, comma-separated, e.g. 'CENTIMETRES'."),
    ]
