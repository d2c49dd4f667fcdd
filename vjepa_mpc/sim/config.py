"""Settings of the simulated table-top: timing, camera, workspace, block and hand."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from vjepa_mpc.options import check_options, group, option

Triple = tuple[float, float, float]
Color = tuple[float, float, float]


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """The box in which the tool centre point works, metres in the robot base frame."""

    low: Triple = (0.38, -0.15, 0.024)
    high: Triple = (0.66, 0.15, 0.27)

    def __post_init__(self) -> None:
        _require(
            all(math.isfinite(low) and low < high for low, high in zip(self.low, self.high, strict=True)),
            f"workspace low {self.low} must lie below high {self.high} on every axis",
        )

    def clip(self, position: np.ndarray) -> np.ndarray:
        """The nearest position [3] inside the box."""
        return np.clip(position, self.low, self.high)

    def contains(self, position: np.ndarray, margin: float = 0.0) -> bool:
        """Whether a position [3] lies in the box shrunk by `margin` metres."""
        return bool(np.all(position >= np.add(self.low, margin)) and np.all(position <= np.subtract(self.high, margin)))

    @property
    def center(self) -> np.ndarray:
        """The middle of the box [3]."""
        return (np.asarray(self.low) + np.asarray(self.high)) / 2


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A fixed camera seeing the workspace from the front left, as in DROID; metres and degrees.

    The defaults are the tightest view in which fingers and block stay whole at every corner of the default workspace.

    `turn` moves the camera around the vertical line through `target`, keeping its aim: what a re-mounted camera does.
    """

    position: Triple = (1.14, 0.40, 0.36)
    target: Triple = (0.53, -0.005, 0.115)
    fovy: float = 38.0
    turn: float = option(
        0.0, "How far the camera is turned around the scene, keeping its aim.", unit="°", low=-180.0, high=180.0
    )

    def __post_init__(self) -> None:
        _require(0.0 < self.fovy < 180.0, f"camera fovy is {self.fovy} degrees: choose one between 0 and 180")
        check_options(self, "camera_")

    def placement(self) -> tuple[np.ndarray, np.ndarray]:
        """Position [3] and axes [3, 3] (columns: right, up, backwards) in the robot base frame."""
        angle = math.radians(self.turn)
        turn = np.array([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]])
        target = np.asarray(self.target)
        position = target + turn @ (np.asarray(self.position) - target)
        backwards = (position - target) / np.linalg.norm(position - target)
        right = np.cross([0.0, 0.0, 1.0], backwards)
        right /= np.linalg.norm(right)
        return position, np.column_stack([right, np.cross(backwards, right), backwards])


@dataclass(frozen=True, kw_only=True)
class Block:
    """A cube on the table: where a plain reset puts it (metres, radians) and how it looks (RGB in 0..1)."""

    position: tuple[float, float] = (0.50, 0.0)
    yaw: float = 0.0
    color: Color = (0.85, 0.12, 0.10)


@dataclass(frozen=True, kw_only=True)
class SimConfig:
    """Everything that shapes the simulation. Metres, seconds, radians, kilograms; the robot base is the world frame."""

    image_size: int = option(256, "Width and height of the camera images.", unit="pixels", low=16, high=2048)
    timestep: float = 0.002
    control_period: float = 0.01  # new joint set-points reach the arm this often
    joint_speed: float = 2.0  # rad/s: however far a command jumps, the joints do not go faster
    step_seconds: float = 0.8  # what `FrankaSim.execute` takes for one step of the planner, settling included
    workspace: Workspace = field(default_factory=Workspace)
    camera: Camera = group(Camera, "camera_")
    block: Block = field(default_factory=Block)
    other_blocks: tuple[Block, ...] = ()
    block_size: float = 0.05  # edge
    block_mass: float = 0.08
    grip_stiffness: float = 1200.0  # N/m: squeezes a 5 cm block with 30 N, as Franka's hand does

    def __post_init__(self) -> None:
        check_options(self)
        _require(0.0 < self.timestep <= 0.005, f"timestep is {self.timestep} s: grasps need 0.005 s or less")
        _require(
            self.control_period >= self.timestep,
            f"control_period {self.control_period} s is shorter than timestep {self.timestep} s: raise it",
        )
        _require(0.01 <= self.block_size <= 0.075, f"block_size is {self.block_size} m: the hand takes 0.01 to 0.075 m")
        for name in ("joint_speed", "step_seconds", "block_mass", "grip_stiffness"):
            value = getattr(self, name)
            _require(math.isfinite(value) and value > 0.0, f"{name} is {value}: it must be positive and finite")
