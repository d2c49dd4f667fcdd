"""From planned changes of gripper closedness (0 open … 1 closed) to gripper commands."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vjepa_mpc.geometry.gripper_joint import CLOSED, OPEN
from vjepa_mpc.options import check_options, option

_LOOKED_BACK = 3  # plans
_KEPT = "The hand stays as it is: plans would open and close it by turns."


@dataclass(frozen=True, kw_only=True)
class Hand:
    """What the hand was told last, and what plans wanted of it.

    Attributes:
        closedness: commanded last; None before the first command.
        sub_goal: goal id and index of the sub-goal that the plans were for.
        wishes: of its newest plans, oldest first: CLOSED, OPEN, or None for neither.
        kept: why it was not told what the newest plan wanted, in words; "" when it was.
    """

    closedness: float | None = None
    sub_goal: tuple[int, int] | None = None
    wishes: tuple[float | None, ...] = ()
    kept: str = ""


@dataclass(frozen=True, kw_only=True)
class GripperSettings:
    """How planned gripper actions become commands.

    Attributes:
        mode: ``binary`` commands fully open or fully closed and holds it until the opposite is planned, so that a
            grasped object stays squeezed; ``continuous`` commands the measured closedness plus the planned change.
        threshold: the least planned change that switches a binary gripper.

    Raises:
        ValueError: an unknown mode or a threshold outside [0, 1).
    """

    mode: str = option(
        "binary",
        "How planned gripper actions become commands: binary opens or closes fully and holds that, continuous commands "
        "the measured closedness plus the planned change.",
        choices=("binary", "continuous"),
    )
    threshold: float = option(
        0.25, "Least planned change of closedness (0 to 1) that switches a binary gripper.", low=0.0, high=0.99
    )

    def __post_init__(self) -> None:
        check_options(self, "gripper_")

    def command(self, hand: Hand, sub_goal: tuple[int, int], measured: float, change: float) -> Hand:
        """What to tell the hand next.

        Until a binary gripper is first switched, the closedness measured at the first call is held: the fingers of an
        arm that was just taken over do not move by themselves. It switches at once, unless one of the newest plans for
        the same sub-goal wanted the opposite; then two plans in a row have to want it. A hand that plans would open and
        close by turns stays as it is.

        Args:
            hand: told last.
            sub_goal: goal id and index of the sub-goal that is planned for.
            measured: closedness now.
            change: of closedness, as planned.
        """
        if self.mode == "continuous":
            return Hand(closedness=min(max(measured + change, OPEN), CLOSED))
        held = min(max(measured, OPEN), CLOSED) if hand.closedness is None else hand.closedness
        wish = CLOSED if change > self.threshold else OPEN if change < -self.threshold else None
        before = hand.wishes if hand.sub_goal == sub_goal else ()
        told = Hand(closedness=held, sub_goal=sub_goal, wishes=(*before, wish)[-_LOOKED_BACK:])
        if wish is None or wish == held:
            return told
        if before[-1:] != (wish,) and any(earlier not in (None, wish) for earlier in before):
            return replace(told, kept=_KEPT)
        return replace(told, closedness=wish)
