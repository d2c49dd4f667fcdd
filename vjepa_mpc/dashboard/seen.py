"""What the page shows, as whoever feeds it has heard it last."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

MOVING, IDLE, WAITING, STOPPED = "moving", "idle", "waiting", "stopped"


@dataclass(frozen=True)
class Status:
    """What the planner says it does, and why.

    Attributes:
        state: as a word, such as EXECUTING.
        mood: MOVING, IDLE, WAITING (it may go on by itself) or STOPPED (somebody has to resume).
        reason: name of why nothing moves, such as IMAGE_STALE; NONE while moving.
        message: the same in words, with the remedy.
        goal_id: 0 for none.
        sub_goal: index from 0.
        step: within the sub-goal, from 1; 0 before the first.
        energy: of the newest picture; expected: after the plan's actions; NaN where nobody knows.
        received: when, in steady seconds.
    """

    state: str
    mood: str
    reason: str
    message: str
    goal_id: int = 0
    sub_goal: int = 0
    sub_goals: int = 0
    step: int = 0
    step_budget: int = 0
    energy: float = float("nan")
    expected: float = float("nan")
    plan_time: float = 0.0
    encode_time: float = 0.0
    ended_by: str = ""
    received: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as it came: decoded only when it is drawn.

    Attributes:
        decode: gives uint8 RGB [H, W, 3], or raises ValueError.
        received: steady seconds.
    """

    decode: Callable[[], np.ndarray]
    received: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, eq=False)
class GoalShown:
    """The goal that is pursued: a picture for each sub-goal, and what the gripper does in it."""

    goal_id: int
    pictures: tuple[Picture, ...]
    gripper: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Lines:
    """Straight lines: ends [K, 2, 3] in metres, in the robot base frame, and their RGB colours [K, 3] from 0 to 1."""

    ends: np.ndarray
    colours: np.ndarray


@dataclass(frozen=True, eq=False)
class Pose:
    """Of the end effector: position [3] in metres, quaternion [4] (x, y, z, w), in the robot base frame."""

    position: np.ndarray
    quaternion: np.ndarray
    received: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Tunable:
    """A parameter that may change while the planner runs.

    Attributes:
        name: as in `ros2 param set`.
        value: present one: bool, int, float or str.
        text: what it means.
        low: least value of a number; None for no bound.
        high: greatest one.
        choices: allowed texts; empty for any.
    """

    name: str
    value: bool | int | float | str
    text: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()


class Seen:
    """The newest of everything. Each attribute is replaced as a whole, so that any thread may read it.

    Attributes:
        trouble: why nothing can be said of the planner, in words; "" while it is there.
        fan: where candidates would lead the hand, by name of the set; chosen: the way that the arm takes.
        ages: what the planner says of its inputs' ages, in seconds, by name.
        tunables: None until the planner has told them.
        state: [7] measured pose and closedness at the newest plan.
        model: those of the planner's parameters that say how its world model is used, as text.
        imagination_source: whether anybody publishes what is imagined; no_imagination: else why not, in words.
        held: whether this page forbids motion; None before anybody said so.
    """

    def __init__(self) -> None:
        self.trouble = "looking for the planner"
        self.status: Status | None = None
        self.camera: Picture | None = None
        self.surprise: Picture | None = None
        self.imagination: Picture | None = None
        self.imagination_source = False
        self.no_imagination = "no decoder is loaded: nobody publishes ~/imagination"
        self.goal: GoalShown | None = None
        self.pose: Pose | None = None
        self.joints: np.ndarray | None = None  # [7] in radians
        self.elites: Lines | None = None
        self.candidates: Lines | None = None
        self.chosen: np.ndarray | None = None  # [H + 1, 3]
        self.workspace: Lines | None = None
        self.target: np.ndarray | None = None  # [3]
        self.setpoint: np.ndarray | None = None  # [3]
        self.ages: dict[str, float] = {}
        self.tunables: tuple[Tunable, ...] | None = None
        self.state: np.ndarray | None = None
        self.model: dict[str, str] = {}
        self.held: bool | None = None
