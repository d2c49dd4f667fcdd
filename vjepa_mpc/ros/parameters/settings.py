"""The planner node's parameters as one frozen snapshot of what the core works with.

`Settings` is the one place that says which options the node has, under which prefixes and headings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from vjepa_mpc.controller.assembly import ControllerChoice, ModelSettings
from vjepa_mpc.controller.gripper import GripperSettings
from vjepa_mpc.geometry.gripper_joint import GripperJoint
from vjepa_mpc.geometry.limits import MotionLimits, WorkspaceBox
from vjepa_mpc.geometry.rotation import check_rotation
from vjepa_mpc.goals import endings
from vjepa_mpc.goals.endings.interface import Ending
from vjepa_mpc.goals.picture import PictureChecks
from vjepa_mpc.imagination.settings import ImaginationSettings
from vjepa_mpc.loop.realtime import RealtimeSettings
from vjepa_mpc.loop.settings import LoopSettings
from vjepa_mpc.motion.arm import MotionSettings
from vjepa_mpc.options import Parameter, build, group, option
from vjepa_mpc.planning import PRESETS, AgreementBounds, CEMConfig
from vjepa_mpc.registry import PartOptions
from vjepa_mpc.ros.common.names import check_name
from vjepa_mpc.ros.outputs.arm import OUTPUTS
from vjepa_mpc.ros.outputs.gripper import GRIPPER_OUTPUTS
from vjepa_mpc.ros.parameters.planner_source import PlannerSource
from vjepa_mpc.ros.planner.inputs import InputTopics
from vjepa_mpc.safety.config import SupervisorConfig

DEFAULT_PRESET = "cpu"
PRESET_DECIDES = "Planner"  # the section whose defaults depend on the preset
EXECUTION_MODES = ("blocking", "pipelined")

Values = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Topics(InputTopics):
    """Names before remapping. Only a topic that is empty by default may be empty: then nobody is asked.

    Raises:
        ValueError: another one is empty, or one is no name that ROS allows.
    """

    target: str = option("target_pose", "Topic that set-points are published on, of the type that output says.")
    gripper: str = option(
        "gripper_position_controller/commands", "Topic or action of the gripper, as gripper_output says."
    )

    def __post_init__(self) -> None:
        for field in fields(self):
            name = getattr(self, field.name)
            if not name and field.default:
                raise ValueError(f"topics.{field.name}='': give a topic name")
            if name:
                check_name(name, f"topics.{field.name}: ")


class _Endings:
    """The options of all endings as a source."""

    def parameters(self, values: Values) -> Iterable[Parameter]:
        """Of every ending in the folder."""
        return endings.parameters()

    def build(self, values: Values) -> tuple[Ending, ...]:
        """The endings that are asked for."""
        return endings.build(values)


def _matrix(rows: tuple[float, ...]) -> np.ndarray:
    """The 9 numbers of a rotation matrix, row by row, as [3, 3]."""
    if len(rows) != 9:
        raise ValueError(f"action_rotation has {len(rows)} numbers: give the 9 of a rotation matrix, row by row")
    return check_rotation(np.reshape(rows, (3, 3)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Settings:
    """A consistent snapshot of all parameters.

    Attributes:
        endings: what ends a sub-goal that names nothing else.
        output_options: the output's own, an instance of its ``Options``, or None; likewise gripper_options.
        supervisor: None while no workspace is given, which the node refuses to be activated without.

    Raises:
        ValueError: settings that do not fit together; the message names them.
    """

    preset: str = option(
        DEFAULT_PRESET,
        "Values that the planner's parameters have unless they are given themselves.",
        choices=lambda: tuple(PRESETS),
        title="World model",
    )
    controller: ControllerChoice = group(ControllerChoice)
    model: ModelSettings = group(ModelSettings)
    agreement: AgreementBounds = group(AgreementBounds, "agreement.")
    imagination: ImaginationSettings = group(ImaginationSettings)
    autostart: bool = option(True, "Configure and activate the node at start, without a lifecycle manager.")
    planner: CEMConfig = group(PlannerSource(DEFAULT_PRESET), title=PRESET_DECIDES)
    endings: tuple[Ending, ...] = group(_Endings(), title="Goals")
    goal_picture: PictureChecks = group(PictureChecks, "goal_picture.")
    topics: Topics = group(Topics, "topics.", "Topics")
    output: str = option(
        "pose",
        "How set-points are published; it decides the type of their messages.",
        choices=lambda: OUTPUTS.names,
        open_choices=True,
    )
    output_options: Any = group(PartOptions(OUTPUTS, "output"))
    gripper_output: str = option(
        "commands",
        "How the gripper is commanded; it decides the type of the messages.",
        choices=lambda: GRIPPER_OUTPUTS.names,
        open_choices=True,
    )
    gripper_options: Any = group(PartOptions(GRIPPER_OUTPUTS, "gripper_output", "gripper_"))
    frame_id: str = option(
        "base", "Name of the robot base frame, which measured poses must be in and set-points are in.", title="Robot"
    )
    image_transport: str = option("raw", "How camera images are sent.", choices=("raw", "compressed"))
    gripper_joint: str = option(
        "", "Name of the finger joint in joint_states; empty for no feedback: the last command then counts as reached."
    )
    finger: GripperJoint = group(GripperJoint, "gripper_joint_")
    gripper: GripperSettings = group(GripperSettings, "gripper_")
    action_rotation: np.ndarray = option(
        text="Rotation matrix that planned moves are turned by, row by row, as camera calibration writes it.",
        default_factory=lambda: np.eye(3),
        to_plain=lambda matrix: tuple(matrix.ravel().tolist()),
        from_plain=_matrix,
    )
    execution: str = option(
        "blocking",
        "blocking: plan while the arm is at rest; pipelined: plan the next action while the arm still moves.",
        choices=EXECUTION_MODES,
        title="Motion",
    )
    motion: MotionSettings = group(MotionSettings)
    realtime: RealtimeSettings = group(RealtimeSettings, "realtime.")
    workspace: WorkspaceBox | None = group(WorkspaceBox, "workspace.")
    limits: MotionLimits = group(MotionLimits, "limits.")
    supervisor: SupervisorConfig | None = group(SupervisorConfig, title="Guards")

    def __post_init__(self) -> None:
        if not self.frame_id:
            raise ValueError("frame_id='': give the robot base frame's name, e.g. fr3_link0")
        # The supervisor refuses plans beyond max_step, so a planner that may go further would be refused all the time.
        if self.planner.maxnorm > self.limits.max_step:
            raise ValueError(
                f"maxnorm={self.planner.maxnorm} > limits.max_step={self.limits.max_step}: the planner may not go "
                "further than a step"
            )
        if self.execution == "pipelined" and self.motion.integrates:
            raise ValueError(
                f"execution=pipelined with output={self.output}: what the arm does not follow adds up while it never "
                "rests; use blocking, or a controller that takes poses"
            )

    @property
    def loop(self) -> LoopSettings:
        """The control loop's share."""
        return LoopSettings(
            supervisor=self.supervisor,
            motion=self.motion,
            pipelined=self.execution == "pipelined",
            realtime=self.realtime,
        )


def build_settings(values: Values) -> Settings:
    """The snapshot of all plain values.

    Raises:
        ValueError: values that do not fit together; the message names them.
    """
    workspace = _workspace(values)
    supervisor = None if workspace is None else _supervisor(values, workspace)
    integrates = OUTPUTS.part(values["output"]).integrates_velocities
    motion = build(MotionSettings, values, integrates=integrates)
    return build(Settings, values, workspace=workspace, supervisor=supervisor, motion=motion)


def _workspace(values: Values) -> WorkspaceBox | None:
    """The box; None if neither corner is given."""
    corners = {side: values.get(f"workspace.{side}") for side in ("lower", "upper")}
    if corners["lower"] is None and corners["upper"] is None:
        return None
    for side, corner in corners.items():
        if corner is None or len(corner) != 3:
            raise ValueError(f"workspace.{side}={corner}: give both corners [x, y, z] in metres")
    return build(WorkspaceBox, values, "workspace.")


def _supervisor(values: Values, workspace: WorkspaceBox) -> SupervisorConfig:
    given = {
        "frame_id": values["frame_id"],
        "workspace": workspace,
        "limits": build(MotionLimits, values, "limits."),
    }
    if not values["gripper_joint"]:
        given["gripper_timeout"] = None
    return build(SupervisorConfig, values, **given)
