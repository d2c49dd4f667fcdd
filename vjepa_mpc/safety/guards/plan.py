"""Whether a plan may be carried out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vjepa_mpc.geometry.cartesian import CartesianPose
from vjepa_mpc.geometry.pose import POSE_DIM
from vjepa_mpc.options import option
from vjepa_mpc.safety.guards.cell import CellOptions
from vjepa_mpc.safety.guards.interface import Guard
from vjepa_mpc.safety.guards.violation import Violation
from vjepa_mpc.safety.reasons import Reason
from vjepa_mpc.safety.samples import Now, PlannedStep, Proposal

_ROUNDING = 1.0 + 1e-4  # planners work in float32


class PlanGuard(Guard):
    """Checks plans: shape and values, size of steps, where they begin, age; and counts late ones."""

    @dataclass(frozen=True, kw_only=True)
    class Options(CellOptions):
        """When a plan is late or too old."""

        replan_deadline: float = option(
            5.0,
            "A plan that takes longer, from its observation on, is late. It is still carried out, unless too many in a "
            "row are late.",
            unit="s",
            low=0.01,
            high=3600.0,
            former=("plan_deadline",),
        )
        plan_max_age: float = option(
            10.0, "Oldest observation that a plan may be carried out on.", unit="s", low=0.01, high=3600.0
        )
        max_deadline_misses: int = option(
            3, "So many late plans in a row stop the arm until it is resumed.", low=1, high=1000
        )

    reasons = (Reason.DEADLINE_MISSED, Reason.PLAN_TOO_OLD, Reason.PLAN_INVALID, Reason.PLAN_TOO_FAR)

    def __init__(self, options: Options) -> None:
        self._options = options
        self.misses = 0

    def check(self, plan: Proposal, measured: CartesianPose | None, now: Now) -> Violation | None:
        """What speaks against carrying out a plan; None when nothing does."""
        return self._late(plan, now) or self.unusable(plan.step) or self._too_far(plan.step, measured)

    def _late(self, plan: Proposal, now: Now) -> Violation | None:
        """A late plan is good enough while its observation is not too old; several in a row are a fault."""
        options = self._options
        late = plan.seconds > options.replan_deadline
        self.misses = self.misses + 1 if late else 0
        if self.misses >= options.max_deadline_misses:
            misses, self.misses = self.misses, 0
            took = f"the last took {plan.seconds:.2f} s (deadline {options.replan_deadline:g} s)"
            return Violation(Reason.DEADLINE_MISSED, f"{misses} times; {took}")
        age = now.steady - plan.observed_at
        if age > options.plan_max_age:
            return Violation(
                Reason.PLAN_TOO_OLD, f"its observation is {age:.2f} s old (limit {options.plan_max_age:g} s)"
            )
        return None

    def unusable(self, step: PlannedStep) -> Violation | None:
        """What is wrong with a step in itself, whenever it is to be carried out."""
        actions, target = np.asarray(step.actions), np.asarray(step.target_pose)
        if actions.ndim != 2 or actions.shape[1:] != (POSE_DIM,) or target.shape != (POSE_DIM,) or not len(actions):
            shapes = f"actions {list(actions.shape)}, target {list(target.shape)}"
            return Violation(Reason.PLAN_INVALID, f"{shapes} instead of [H, 7] and [7]")
        if not (np.isfinite(actions).all() and np.isfinite(target).all()):
            return Violation(Reason.PLAN_INVALID, f"not finite: first action {np.round(actions[0], 4).tolist()}")
        if not all(map(math.isfinite, step.energies)):
            # Candidates that cannot be compared are chosen from at random; their mean looks like any plan.
            return Violation(Reason.PLAN_INVALID, f"the model predicts nothing finite: energies {step.energies}")
        if not 0.0 <= target[6] <= 1.0:
            return Violation(Reason.PLAN_INVALID, f"commanded closedness {target[6]:g} is not in 0 … 1")
        return self._too_large(actions)

    def _too_large(self, actions: np.ndarray) -> Violation | None:
        limits = self._options.limits
        # The planner bounds each axis; turned by a camera calibration, a step may be as long as the box's diagonal.
        step = float(np.linalg.norm(actions[:, :3], axis=1).max())
        if step > limits.max_step * math.sqrt(3.0) * _ROUNDING:
            most = f"{limits.max_step:g} m along each axis"
            return Violation(Reason.PLAN_INVALID, f"a step of {step:.3f} m is longer than {most} allow")
        turn = float(np.linalg.norm(actions[:, 3:6], axis=1).max())
        if turn > limits.max_rotation_step * _ROUNDING:
            return Violation(Reason.PLAN_INVALID, f"a turn of {turn:.2f} rad exceeds {limits.max_rotation_step:g} rad")
        return None

    def _too_far(self, step: PlannedStep, measured: CartesianPose | None) -> Violation | None:
        if measured is None:
            return Violation(Reason.PLAN_TOO_FAR, "there is no trusted pose to start from")
        options = self._options
        target = CartesianPose.from_state(step.target_pose)
        reach = options.limits.max_step * math.sqrt(3.0) + options.pose_jump
        distance, angle = measured.distance(target), measured.angle(target)
        if distance > reach:
            return Violation(Reason.PLAN_TOO_FAR, f"the target is {distance:.3f} m away (limit {reach:.3f} m)")
        turn = options.limits.max_rotation_step + options.pose_jump_angle
        if angle > turn:
            return Violation(Reason.PLAN_TOO_FAR, f"the target is turned by {angle:.2f} rad (limit {turn:.2f} rad)")
        return None
