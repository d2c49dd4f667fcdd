"""What a controller is told, and what it answers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from vjepa_mpc.geometry.pose import POSE_DIM, check_poses
from vjepa_mpc.goals.progress import EndedSubGoal
from vjepa_mpc.images import check_rgb
from vjepa_mpc.planning.compute.budget import TOLERATED_OVERRUN
from vjepa_mpc.planning.outlook import Outlook
from vjepa_mpc.planning.question import Question
from vjepa_mpc.planning.result import PlanResult


@dataclass(frozen=True, kw_only=True, eq=False)
class Observation:
    """What a step is planned from.

    Attributes:
        image: uint8 RGB [H, W, 3].
        pose: measured [7] x, y, z, rx, ry, rz, g when the image was taken (metres, extrinsic xyz Euler radians, robot
            base frame, gripper closedness 0 … 1); a floating-point array.
        start: [7] where the arm will be when the action begins, if it is still on its way there; None: where it is.
        proposals: [P, H, 7] action sequences from elsewhere, e.g. of a policy, that compete with the planner's own; in
            metres along the robot's axes and changes of closedness, without rotation. Each begins where the action
            does; they are clipped to the planner's bounds, cut to its horizon, or go on with their last action.

    Raises:
        TypeError: the image is not a uint8 array.
        ValueError: another value is unusable.
    """

    image: np.ndarray
    pose: np.ndarray
    start: np.ndarray | None = None
    proposals: np.ndarray | None = None

    def __post_init__(self) -> None:
        check_rgb(self.image, "camera image")
        object.__setattr__(self, "pose", _checked_pose(self.pose, "pose"))
        if self.start is not None:
            object.__setattr__(self, "start", _checked_pose(self.start, "start"))
        if self.proposals is not None:
            object.__setattr__(self, "proposals", check_proposals(self.proposals))

    @property
    def origin(self) -> np.ndarray:
        """[7] where the action begins."""
        return self.pose if self.start is None else self.start


def _checked_pose(values: np.ndarray, name: str) -> np.ndarray:
    pose = np.array(values, dtype=np.float64)
    if pose.shape != (POSE_DIM,) or not np.isfinite(pose).all():
        raise ValueError(f"{name} {pose.tolist()}: give seven finite numbers x, y, z, rx, ry, rz, g")
    # A closedness outside of 0 to 1 is for the sanity check, which a robot's profile may tell to take it.
    check_poses(np.append(pose[:6], pose[6].clip(0.0, 1.0)), name)
    return pose


def check_proposals(values: np.ndarray) -> np.ndarray:
    """Proposals [P, H, 7] as a float64 copy.

    Raises:
        ValueError: they have another shape, are not finite, or turn the hand, which is not planned.
    """
    proposals = np.array(values, dtype=np.float64)
    if proposals.ndim != 3 or proposals.shape[2] != POSE_DIM or not proposals.size:
        raise ValueError(f"proposals of shape {list(proposals.shape)}: give [P, H, {POSE_DIM}], at least one action")
    _refuse(proposals, ~np.isfinite(proposals), "give finite numbers")
    _refuse(proposals, proposals[..., 3:6] != 0.0, "rotations (entries 3 to 5) are not planned, give zeros")
    return proposals


def _refuse(proposals: np.ndarray, wrong: np.ndarray, remedy: str) -> None:
    """Raise for the first action of which something is wrong, if there is one."""
    for proposal, step in np.argwhere(wrong.any(axis=2))[:1]:
        action = proposals[proposal, step].tolist()
        raise ValueError(f"proposals[{proposal}, {step}] is {action}: {remedy}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """What a controller proposes, and all that is known about it: the one record of a plan, up to the status message.

    Attributes:
        goal_id: the goal that this was planned for.
        superseded: the goal changed in the meantime; do not act on this step.
        finished: every sub-goal has ended; the actions are zero and the target is the measured pose.
        goal_index: index of the sub-goal that the action is for (of the last one when finished).
        goal_count: how many sub-goals there are.
        goal_step: which action of the sub-goal this is, from 1; when finished, how many the last sub-goal took.
        step_budget: most actions of the sub-goal; None for no budget.
        actions: planned [H, 7] float64: dx, dy, dz in metres, three rotations in radians (extrinsic xyz Euler) and the
            change of closedness; robot base frame.
        target_pose: [7] float64 x, y, z, rx, ry, rz, closedness: the observation's origin moved by the first action,
            and the commanded closedness.
        energy: of the camera image to the sub-goal's image, before the action; NaN for controllers without energies.
        ended: the sub-goals that have ended, in order, this image's among them.
        encode_seconds: time spent on encoding the camera image, and goal images not encoded before, and on comparing.
        plan: what the planner found; None where none was asked.
        question: what it was asked.
        action_rotation: [3, 3] from the plan's axes to those of ``actions``, the robot's; None where they are the same.
        clipped: what kept the action from being carried out as planned, in words; "" for nothing. The loop adds the
            workspace box.
        kept: share of the fall of the energy that the action before promised, and that came true; NaN where nobody
            knows. The loop says so.
        surprise: mean absolute difference between the latent that this was planned from and what was predicted of it
            when the action before was planned; NaN where nothing was predicted.
        surprise_rank: share of the surprises so far that were smaller; NaN where nobody knows. The loop says so.
        time_budget: seconds that the planner was allowed; None for no limit.
        state: where the controller is once this step is committed. Only the controller looks at it.
    """

    goal_id: int
    superseded: bool = False
    finished: bool = False
    goal_index: int = 0
    goal_count: int = 1
    goal_step: int
    step_budget: int | None = None
    actions: np.ndarray
    target_pose: np.ndarray
    energy: float = math.nan
    ended: tuple[EndedSubGoal, ...] = ()
    encode_seconds: float = 0.0
    plan: PlanResult | None = None
    question: Question | None = None
    action_rotation: np.ndarray | None = None
    clipped: str = ""
    kept: float = math.nan
    surprise: float = math.nan
    surprise_rank: float = math.nan
    time_budget: float | None = None
    state: Any = None

    @property
    def energies(self) -> tuple[float, ...]:
        """Lowest energy among the candidates of each of the planner's iterations; empty without a planner."""
        return () if self.plan is None else self.plan.energies

    @property
    def outlook(self) -> Outlook | None:
        """What the planner promises; None without a planner, or when it had no time to tell."""
        return None if self.plan is None else self.plan.outlook

    @property
    def plan_seconds(self) -> float:
        """Time spent on planning."""
        return 0.0 if self.plan is None else self.plan.timings["total"]

    @property
    def missed_time_budget(self) -> bool:
        """Whether planning took longer than allowed by more than is tolerated."""
        return self.time_budget is not None and self.plan_seconds > (1.0 + TOLERATED_OVERRUN) * self.time_budget

    @property
    def uses_up_goal(self) -> bool:
        """Whether no action is left after this one."""
        return self.goal_index + 1 == self.goal_count and self.goal_step == self.step_budget

    @property
    def ended_by(self) -> str:
        """What ended the newest of the sub-goals that have ended, such as BUDGET; "" while none has."""
        return self.ended[-1].by if self.ended else ""

    @property
    def how_it_ended(self) -> str:
        """What a finished step knows of all sub-goals, in words."""
        how = "; ".join(map(str, self.ended))
        energy = "" if math.isnan(self.energy) else f"; final energy {self.energy:.4f}"
        return "every sub-goal has ended" + (f" ({how})" if how else "") + energy
