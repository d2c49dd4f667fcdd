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


OTHER_CLOCK = 60.0
"""Seconds; a stamp that is further off is of another clock: no message is late by so much while others come."""
_SAME_TIME = "Give all nodes the same use_sim_time"


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
    remedy = _time_remedy(sample.stamp, now.ros)
    if sample.stamp == 0.0:
        return Violation(reasons.no_stamp, "header.stamp is 0", remedy)
    age = now.ros - sample.stamp
    if age > timeout:
        return Violation(reasons.stale, f"its stamp is {age:.2f} s old (limit {timeout:g} s)", remedy)
    if age < -future_tolerance:
        return Violation(reasons.future, f"its stamp is {-age:.2f} s ahead (limit {future_tolerance:g} s)", remedy)
    return None


def _time_remedy(stamp: float, ros: float) -> str:
    """What to do where a clock is another one or stands still; "" where that of the reason helps."""
    if ros == 0.0:
        return "Nothing has come over /clock, and use_sim_time is true: have /clock published, or set it to false."
    if stamp == 0.0 or abs(ros - stamp) < OTHER_CLOCK:
        return ""
    if stamp < ros:
        whose = "as with a simulator or a bag, whose /clock (ros2 bag play --clock) then is the time"
        return f"It is of another clock. {_SAME_TIME}, true {whose}; or synchronise the machines' clocks."
    return (
        f"It is of another clock. {_SAME_TIME}, false where nothing is simulated; or synchronise the machines' clocks."
    )
