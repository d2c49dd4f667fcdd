"""Is the measured pose well-formed, fresh, continuous, plausible and inside the workspace?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vjepa_mpc.geometry.cartesian import CartesianPose
from vjepa_mpc.geometry.quaternion import UNIT_TOLERANCE
from vjepa_mpc.options import names_from_text, names_to_text, option
from vjepa_mpc.safety.guards.age import AgeReasons, StampOptions, check_age
from vjepa_mpc.safety.guards.cell import CellOptions
from vjepa_mpc.safety.guards.interface import InputGuard, Scene
from vjepa_mpc.safety.guards.violation import Violation
from vjepa_mpc.safety.reasons import Reason
from vjepa_mpc.safety.samples import Now, PoseSample
from vjepa_mpc.safety.sanity import FINDINGS, check_state, guess_quaternion

_AGE = AgeReasons(
    silent=Reason.POSE_SILENT,
    no_stamp=Reason.POSE_STAMP_ZERO,
    stale=Reason.POSE_STALE,
    future=Reason.POSE_FROM_FUTURE,
)


class PoseGuard(InputGuard[PoseSample]):
    """Watches the measured pose: content, frame, age, jumps, plausibility, workspace."""

    @dataclass(frozen=True, kw_only=True)
    class Options(StampOptions, CellOptions):
        """When a pose is too old, where the arm may be found, and what is right though it looks wrong."""

        pose_timeout: float = option(
            0.2, "Oldest usable measured pose, by its stamp and by its reception.", unit="s", low=0.005, high=60.0
        )
        workspace_margin: float = option(
            0.01,
            "How far outside the workspace box the arm may be found, for example because of its controller's standing "
            "error.",
            unit="m",
            low=0.0,
            high=0.5,
        )
        ignore_sanity: frozenset[str] = option(
            frozenset(),
            "Names of plausibility findings that are right for this robot, comma-separated, such as 'CENTIMETRES, "
            "DEGREES'; empty: none.",
            to_plain=names_to_text,
            from_plain=names_from_text,
        )

        def __post_init__(self) -> None:
            super().__post_init__()
            unknown = sorted(set(self.ignore_sanity) - set(FINDINGS))
            if unknown:
                raise ValueError(f"ignore_sanity: {', '.join(unknown)} unknown; known are {', '.join(FINDINGS)}")

    kind = PoseSample
    missing = Reason.NO_POSE
    reasons = (
        Reason.POSE_WRONG_FRAME,
        Reason.POSE_NO_TRANSFORM,
        Reason.POSE_NOT_FINITE,
        Reason.POSE_NOT_UNIT,
        *_AGE.all,
        Reason.INPUT_IMPLAUSIBLE,
        Reason.POSE_OUTSIDE_WORKSPACE,
        Reason.POSE_JUMPED,
    )

    def __init__(self, options: Options, scene: Scene) -> None:
        super().__init__(options, scene)
        self._options, self._scene = options, scene
        self._reference: tuple[float, CartesianPose] | None = None
        self._jump: Violation | None = None
        self._plausible = False

    def observe(self, sample: PoseSample) -> None:
        """Take note of a pose; the same sample again changes nothing."""
        if sample is self.newest:
            return
        self.newest = sample
        self._scene.pose = None
        if self._malformed(sample) is not None:
            return
        pose = CartesianPose(sample.position, sample.quaternion)
        self._scene.pose = pose
        if self._reference is not None and self._jump is None:
            before_received, before = self._reference
            self._jump = self._jumped(before, pose, max(sample.received - before_received, 0.0))
        self._reference = (sample.received, pose)

    def incident(self) -> Violation | None:
        """The first jump since the last call."""
        jump, self._jump = self._jump, None
        return jump

    def check(self, now: Now) -> Violation | None:
        """Content, age, plausibility, and whether the arm is in its box."""
        if self.newest is None:
            return None
        malformed = self._malformed(self.newest)
        if malformed is not None:
            return malformed
        options = self._options
        late = check_age(self.newest, now, options.pose_timeout, options.future_tolerance, _AGE)
        if late is not None:
            return late
        return self._implausible() or self._outside()

    def _malformed(self, sample: PoseSample) -> Violation | None:
        expected = self._options.frame_id
        if sample.frame_id != expected:
            frames = f"frame_id is '{sample.frame_id}', expected '{expected}'"
            if sample.untransformed:
                return Violation(Reason.POSE_NO_TRANSFORM, f"{frames}; {sample.untransformed}")
            return Violation(Reason.POSE_WRONG_FRAME, frames)
        if not (np.isfinite(sample.position).all() and np.isfinite(sample.quaternion).all()):
            values = f"position {np.asarray(sample.position).tolist()}"
            return Violation(Reason.POSE_NOT_FINITE, f"{values}, quaternion {np.asarray(sample.quaternion).tolist()}")
        norm = float(np.linalg.norm(sample.quaternion))
        if abs(norm - 1.0) > UNIT_TOLERANCE:
            return Violation(Reason.POSE_NOT_UNIT, f"its length is {norm:.4f}{guess_quaternion(sample.quaternion)}")
        return None

    def _jumped(self, before: CartesianPose, pose: CartesianPose, elapsed: float) -> Violation | None:
        options = self._options
        distance, angle = before.distance(pose), before.angle(pose)
        if distance > options.pose_jump + 2.0 * options.limits.linear_speed * elapsed:
            return Violation(Reason.POSE_JUMPED, f"by {distance:.3f} m within {elapsed:.3f} s")
        if angle > options.pose_jump_angle + 2.0 * options.limits.angular_speed * elapsed:
            return Violation(Reason.POSE_JUMPED, f"by {angle:.2f} rad within {elapsed:.3f} s")
        return None

    def _implausible(self) -> Violation | None:
        """Asked until the answer is no: units and frames do not change under way."""
        if self._plausible or self._scene.pose is None:
            return None
        state = self._scene.pose.state(self._scene.closedness)
        found = check_state(state, self._options.workspace, self._options.ignore_sanity)
        self._plausible = not found
        return Violation(Reason.INPUT_IMPLAUSIBLE, "; ".join(map(str, found))) if found else None

    def _outside(self) -> Violation | None:
        if self._scene.pose is None:
            return None
        box, position = self._options.workspace, self._scene.pose.position
        if box.contains(position, self._options.workspace_margin):
            return None
        where = f"{np.round(position, 3).tolist()} is {box.distance(position) * 1000:.0f} mm outside"
        return Violation(Reason.POSE_OUTSIDE_WORKSPACE, f"{where} {box.lower} … {box.upper}")
