"""What the supervisor is told: stamped inputs, plans, and the time."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Now:
    """One moment on two clocks.

    Attributes:
        ros: seconds of the clock that stamps messages; may jump.
        steady: seconds of a clock that only goes forward, with any origin.
    """

    ros: float
    steady: float


@dataclass(frozen=True)
class ImageSample:
    """A camera image as the supervisor sees it.

    Attributes:
        stamp: header stamp, ROS seconds.
        received: steady seconds.
        digest: of the pixel bytes, see :func:`image_digest`.
    """

    stamp: float
    received: float
    digest: int


def image_digest(data: Any) -> int:
    """A number that tells images apart; about a millisecond for two megabytes. `data` offers the buffer protocol."""
    return zlib.crc32(data)


@dataclass(frozen=True, kw_only=True, eq=False)
class PoseSample:
    """A measured pose as it was received, unchecked.

    Attributes:
        position: [3] as published.
        quaternion: [4] xyzw as published.
        frame_id: of the header, or the base frame that it was turned into.
        stamp: header stamp, ROS seconds.
        received: steady seconds.
        untransformed: why it could not be turned into the base frame; empty where that was not tried, or done.
    """

    position: np.ndarray
    quaternion: np.ndarray
    frame_id: str
    stamp: float
    received: float
    untransformed: str = ""


@dataclass(frozen=True)
class GripperSample:
    """A measured gripper closedness (0 open … 1 closed), header stamp in ROS and reception in steady seconds.

    Attributes:
        implausible: what looks wrong about the joint position that it comes from, in words.
    """

    closedness: float
    stamp: float
    received: float
    implausible: str = ""


@dataclass(frozen=True)
class Voice:
    """What somebody says about motion: whether it is allowed, who says so in words, and when in steady seconds."""

    allowed: bool
    who: str
    received: float


@dataclass(frozen=True)
class PermissionSample:
    """What everybody says about motion.

    Attributes:
        topic: where they say it.
        voices: the newest word of each.
        objections: what else does not allow motion, in words, such as the robot's mode.
    """

    topic: str
    voices: tuple[Voice, ...] = ()
    objections: tuple[str, ...] = ()


class PlanOutlook(Protocol):
    """What a plan promises; see :class:`~vjepa_mpc.planning.outlook.Outlook`."""

    @property
    def still(self) -> float:
        """Predicted energy after doing nothing."""

    @property
    def promise(self) -> float:
        """By how much the actions lower it."""

    @property
    def contrast(self) -> float:
        """How much it matters what is done, beside that energy."""

    @property
    def serious(self) -> bool:
        """Whether that is more than nearly nothing, beside how much it matters what is done."""


class PlannedStep(Protocol):
    """An action that a controller proposes, as the supervisor sees it."""

    @property
    def goal_id(self) -> int:
        """The goal that it was made for."""

    @property
    def actions(self) -> np.ndarray:
        """[H, 7], the first of which is to be carried out."""

    @property
    def target_pose(self) -> np.ndarray:
        """[7] x, y, z, rx, ry, rz and commanded closedness."""

    @property
    def energies(self) -> tuple[float, ...]:
        """Lowest energy of each of the planner's iterations; empty without a planner, or without time for one."""

    @property
    def goal_index(self) -> int:
        """The sub-goal that it was made for."""

    @property
    def energy(self) -> float:
        """Of the picture that it was planned from, to the sub-goal's."""

    @property
    def surprise(self) -> float:
        """How far that picture is from what was predicted after the step before; NaN where nothing was."""

    @property
    def outlook(self) -> PlanOutlook | None:
        """What the actions promise; None where nobody knows."""


class Proposal(Protocol):
    """A step that asks to be carried out, and where it comes from."""

    @property
    def step(self) -> PlannedStep:
        """The step."""

    @property
    def epoch(self) -> int:
        """The supervisor's when the observation was taken."""

    @property
    def observed_at(self) -> float:
        """Steady seconds at which the observation was received."""

    @property
    def seconds(self) -> float:
        """From the observation to the step."""
