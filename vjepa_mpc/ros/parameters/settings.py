"""The planner node's parameters as one frozen snapshot of what the core works with."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from rclpy.node import Node

from vjepa_mpc.controller.assembly import ModelSettings
from vjepa_mpc.controller.gripper import GripperSettings
from vjepa_mpc.geometry.gripper_joint import GripperJoint
from vjepa_mpc.geometry.limits import MotionLimits, WorkspaceBox
from vjepa_mpc.geometry.rotation import check_rotation
from vjepa_mpc.goals import endings
from vjepa_mpc.goals.endings.interface import Ending
from vjepa_mpc.loop.settings import LoopSettings
from vjepa_mpc.motion.arm import MotionSettings
from vjepa_mpc.motion.setpoints import SetpointSettings
from vjepa_mpc.motion.settle import SettleSettings
from vjepa_mpc.options import build
from vjepa_mpc.planning import AgreementBounds, CEMConfig
from vjepa_mpc.ros.outputs.arm import OUTPUTS
from vjepa_mpc.ros.outputs.gripper import GRIPPER_OUTPUTS
from vjepa_mpc.ros.parameters.live import LiveParameters, Values
from vjepa_mpc.ros.parameters.table import PRESET, entries
from vjepa_mpc.safety.supervisor import SupervisorConfig

_AXES = {"x": 0, "y": 1, "z": 2, "gripper": 3}
_PIN = re.compile(r"\s*(x|y|z|gripper)\s*=\s*([-+0-9.eE]+)\s*")


@dataclass(frozen=True, kw_only=True)
class Topics:
    """Names before remapping. Only ``robot_state`` may be empty: then nobody is asked.

    Raises:
        ValueError: another one is empty.
    """

    image: str
    pose: str
    joint_states: str
    motion_allowed: str
    robot_state: str
    target: str
    gripper: str

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) and field.name != "robot_state":
                raise ValueError(f"topics.{field.name}='': give a topic name")


@dataclass(frozen=True, kw_only=True, eq=False)
class Settings:
    """A consistent snapshot of all parameters.

    Attributes:
        endings: what ends a sub-goal that names nothing else.
        supervisor: None while no workspace is given, which the node refuses to be activated without.
        gripper_output: "commands" (a topic) or "action".
        output_options: the output's own, an instance of its ``Options`` or None; likewise gripper_options.
        integrates_velocities: see :class:`~vjepa_mpc.ros.outputs.interface.Output`.
        gripper_joint: name in joint_states; "" when there is no feedback.
        gripper_timeout: longest wait for the fingers after a command, seconds.
    """

    model: ModelSettings
    agreement: AgreementBounds
    autostart: bool
    planner: CEMConfig
    action_rotation: np.ndarray
    endings: tuple[Ending, ...]
    topics: Topics
    output: str
    output_options: Any
    integrates_velocities: bool
    frame_id: str
    image_transport: str
    execution: str
    gripper: GripperSettings
    gripper_output: str
    gripper_options: Any
    gripper_joint: str
    finger: GripperJoint
    gripper_timeout: float
    setpoints: SetpointSettings
    settle: SettleSettings
    limits: MotionLimits
    supervisor: SupervisorConfig | None

    @property
    def loop(self) -> LoopSettings:
        """The control loop's share."""
        motion = MotionSettings(
            setpoints=self.setpoints,
            settle=self.settle,
            finger_timeout=self.gripper_timeout,
            integrates=self.integrates_velocities,
        )
        return LoopSettings(supervisor=self.supervisor, motion=motion, pipelined=self.execution == "pipelined")


def declare(node: Node, locked: Callable[[], str], changed: Callable[[Settings], None]) -> LiveParameters[Settings]:
    """Declare everything; the preset, which decides other defaults, first.

    Raises:
        ParameterError: the values that the node was started with are refused.
    """
    preset = LiveParameters(
        node, [PRESET], lambda values: str(values["preset"]), lambda: "it only counts at start", _ignore
    )
    return LiveParameters(node, entries(preset.snapshot), build_settings, locked, changed)


def build_settings(values: Values) -> Settings:
    """The snapshot of all values.

    Raises:
        ValueError: values that do not fit together; the message names them.
    """
    planner = planner_config(values)
    limits = _group(MotionLimits, values, "limits.")
    # The supervisor refuses plans beyond max_step, so a planner that may go further would be refused all the time.
    if planner.maxnorm > limits.max_step:
        raise ValueError(
            f"maxnorm={planner.maxnorm} > limits.max_step={limits.max_step}: the planner may not go further than a step"
        )
    output, gripper_output = OUTPUTS.part(values["output"]), GRIPPER_OUTPUTS.part(values["gripper_output"])
    if values["execution"] == "pipelined" and output.integrates_velocities:
        raise ValueError(
            f"execution=pipelined with output={values['output']}: what the arm does not follow adds up while it "
            "never rests; use blocking, or a controller that takes poses"
        )
    if not values["frame_id"]:
        raise ValueError("frame_id='': give the robot base frame's name, e.g. fr3_link0")
    return Settings(
        model=ModelSettings(**{field.name: values[field.name] for field in fields(ModelSettings)}),
        agreement=_group(AgreementBounds, values, "agreement."),
        autostart=values["autostart"],
        planner=planner,
        action_rotation=_rotation(values["action_rotation"]),
        endings=endings.build(values),
        topics=Topics(**{field.name: values[f"topics.{field.name}"] for field in fields(Topics)}),
        output=values["output"],
        output_options=_part_options(output, values, f"{values['output']}."),
        integrates_velocities=output.integrates_velocities,
        frame_id=values["frame_id"],
        image_transport=values["image_transport"],
        execution=values["execution"],
        gripper=GripperSettings(mode=values["gripper_mode"], threshold=values["gripper_threshold"]),
        gripper_output=values["gripper_output"],
        gripper_options=_part_options(gripper_output, values, "gripper_"),
        gripper_joint=values["gripper_joint"],
        finger=GripperJoint(open_position=values["gripper_joint_open"], closed_position=values["gripper_joint_closed"]),
        gripper_timeout=values["settle.gripper_timeout"],
        setpoints=SetpointSettings(period=values["setpoint_period"], max_gap=values["setpoint_max_gap"]),
        settle=_group(SettleSettings, values, "settle."),
        limits=limits,
        supervisor=_supervisor(values, limits),
    )


def planner_config(values: Values) -> CEMConfig:
    """The planner's part of the parameters.

    Raises:
        ValueError: e.g. ``topk=20 > samples=16``.
    """
    names = [field.name for field in fields(CEMConfig) if field.name in values and field.name not in _DIFFERENT]
    return CEMConfig(
        **{name: values[name] for name in names},
        axis=_pins(values["axis"]),
        close_gripper=None if values["close_gripper"] < 0 else values["close_gripper"],
        **{name: values[name] or None for name in _ZERO_IS_NONE},
    )


# Fields for which a parameter's 0 means none, and those that are put otherwise or are no parameters.
_ZERO_IS_NONE = ("deadline", "micro_batch", "memory_limit_mb")
_DIFFERENT = (*_ZERO_IS_NONE, "axis", "close_gripper", "verbose")


def _part_options(part: Any, values: Values, prefix: str) -> Any:
    """The options of a part that a parameter chooses; None when it has none."""
    return build(part.Options, values, prefix) if hasattr(part, "Options") else None


def _pins(text: str) -> dict[int, float]:
    pins = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        match = _PIN.fullmatch(part)
        if match is None:
            raise ValueError(f"axis={text!r}: '{part}' is not like z=0.0; names are {', '.join(_AXES)}")
        try:
            pins[_AXES[match[1]]] = float(match[2])
        except ValueError:
            raise ValueError(f"axis={text!r}: {match[2]} is not a number") from None
    return pins


def _rotation(rows: tuple[float, ...]) -> np.ndarray:
    if len(rows) != 9:
        raise ValueError(f"action_rotation has {len(rows)} numbers: give the 9 of a rotation matrix, row by row")
    return check_rotation(np.reshape(rows, (3, 3)))


def _supervisor(values: Values, limits: MotionLimits) -> SupervisorConfig | None:
    corners = {side: values[f"workspace.{side}"] for side in ("lower", "upper")}
    if corners["lower"] is None and corners["upper"] is None:
        return None
    for side, corner in corners.items():
        if corner is None or len(corner) != 3:
            raise ValueError(f"workspace.{side}={corner}: give both corners [x, y, z] in metres")
    guards = {field.name: values[field.name] for field in fields(SupervisorConfig) if field.name in values}
    words = (word.strip() for word in values["ignore_sanity"].split(","))
    guards["ignore_sanity"] = frozenset(word for word in words if word)
    if not values["gripper_joint"]:
        guards["gripper_timeout"] = None
    return SupervisorConfig(**guards, workspace=WorkspaceBox(**corners), limits=limits)


def _group(kind: type, values: Values, prefix: str) -> Any:
    return kind(**{field.name: values[prefix + field.name] for field in fields(kind) if prefix + field.name in values})


def _ignore(_: object) -> None:
    """The preset does not change."""
