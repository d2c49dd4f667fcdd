"""Does anybody object to motion, and does somebody still allow it?"""

from __future__ import annotations

from dataclasses import dataclass

from vjepa_mpc.options import option
from vjepa_mpc.safety.guards.interface import GuardOptions, InputGuard, Scene
from vjepa_mpc.safety.guards.violation import Violation
from vjepa_mpc.safety.reasons import Reason
from vjepa_mpc.safety.samples import Now, PermissionSample


class PermissionGuard(InputGuard[PermissionSample]):
    """Watches who says whether the arm may move: one objection is enough, and a yes may have to be repeated."""

    @dataclass(frozen=True, kw_only=True)
    class Options(GuardOptions):
        """Whether motion needs to be allowed again and again."""

        motion_allowed_timeout: float | None = option(
            None,
            "Longest time between two messages on topics.motion_allowed from everybody who has sent one; somebody has "
            "to. 0 asks nobody: the arm may move unless somebody says false.",
            unit="s",
            low=0.0,
            high=60.0,
            none_is=0.0,
        )

    kind = PermissionSample
    missing = Reason.NO_MOTION_ALLOWED
    reasons = (Reason.MOTION_NOT_ALLOWED, Reason.MOTION_ALLOWED_SILENT)

    def __init__(self, options: Options, scene: Scene) -> None:
        super().__init__(options, scene)
        self._options = options

    @property
    def required(self) -> bool:
        """Whether somebody has to allow motion."""
        return self._options.motion_allowed_timeout is not None

    def observe(self, sample: PermissionSample) -> None:
        """Take note of what everybody says; that nobody says anything is as if nothing had come."""
        self.newest = sample if sample.voices or sample.objections else None

    def check(self, now: Now) -> Violation | None:
        """Objections first, then whether everybody is still heard."""
        if self.newest is None:
            return None
        topic, voices = self.newest.topic, self.newest.voices
        against = [f"{topic} is false, says {each.who}" for each in voices if not each.allowed]
        if against or self.newest.objections:
            return Violation(Reason.MOTION_NOT_ALLOWED, ", ".join([*against, *self.newest.objections]))
        timeout = self._options.motion_allowed_timeout
        if timeout is None:
            return None
        oldest = min(voices, key=lambda each: each.received)
        waited = now.steady - oldest.received
        if waited > timeout:
            last = f"the last on {topic} from {oldest.who} came {waited:.2f} s ago (limit {timeout:g} s)"
            return Violation(Reason.MOTION_ALLOWED_SILENT, last)
        return None
