"""How old an input may be: by its stamp and by when it was received."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from vjepa_mpc.options import option
from vjepa_mpc.safety.guards.interface import GuardOptions
from vjepa_mpc.safety.guards.violation import Violation
from vjepa_mpc.safety.reasons import Reason
from vjepa_mpc.safety.samples import Now


@dataclass(frozen=True, kw_only=True)
class StampOptions(GuardOptions):
    """What holds for the stamps of every input."""

    future_tolerance: float = option(
        0.1, "How far the stamp of an input may lie ahead of the clock.", unit="s", low=0.0, high=60.0
    )


class Stamped(Protocol):
    """An input with its header stamp in ROS seconds and its reception in steady seconds."""

    @property
    def stamp(self) -> float:
        """ROS seconds; 0 where the sender has not filled it in."""

    @property
    def received(self) -> float:
        """Steady seconds."""


@dataclass(frozen=True, kw_only=True)
class AgeReasons:
    """What the four ways of being out of date are called for one input."""

    silent: Reason
    no_stamp: Reason
    stale: Reason
    future: Reason

    @property
    def all(self) -> tuple[Reason, ...]:
        """All four."""
        return self.silent, self.no_stamp, self.stale, self.future


def check_age(
    sample: Stamped, now: Now, timeout: float, future_tolerance: float, reasons: AgeReasons
) -> Violation | None:
    """By reception and by stamp: either alone is defeated by a wrong clock or by old messages that arrive late."""
    waited = now.steady - sample.received
    if waited > timeout:
        return Violation(reasons.silent, f"the last came {waited:.2f} s ago (limit {timeout:g} s)")
    if sample.stamp == 0.0:
        return Violation(reasons.no_stamp, "header.stamp is 0")
    age = now.ros - sample.stamp
    if age > timeout:
        return Violation(reasons.stale, f"its stamp is {age:.2f} s old (limit {timeout:g} s)")
    if age < -future_tolerance:
        return Violation(reasons.future, f"its stamp is {-age:.2f} s ahead (limit {future_tolerance:g} s)")
    return None
