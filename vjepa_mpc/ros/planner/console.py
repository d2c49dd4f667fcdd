"""What the planner node writes to the console and /rosout about its state: one line for each new reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rclpy.node import Node

from vjepa_mpc.controller.step import Step
from vjepa_mpc.loop.ports import Listener
from vjepa_mpc.safety.reasons import Effect, Reason
from vjepa_mpc.safety.supervisor import Decision

# Reasons that hold nothing up: there is nothing to do, or somebody wanted it so.
QUIET = (Reason.NOT_ACTIVE, Reason.NO_GOAL, Reason.GOAL_FINISHED, Reason.PAUSED)
# Within a step, and between steps, these come and go.
PASSING = (Reason.NONE, Reason.PLANNING)


class Console:
    """Writes faults as errors, holds and what is waited for as warnings, the rest as information.

    Args:
        node: whose log.
        explain: a decision in words.
    """

    def __init__(self, node: Node, explain: Callable[[Decision], str]) -> None:
        self._log, self._explain = node.get_logger(), explain
        self._known: Reason | None = None

    def planned(self, step: Step, seconds: float) -> None:
        """Steps are told on ~/status only."""

    def ended(self, goal_id: int, step: Step) -> None:
        """The reason that comes with it says so."""

    def decided(self, decision: Decision) -> None:
        """Write a line if the reason is another one."""
        reason = Reason.NONE if decision.reason in PASSING else decision.reason
        if reason is self._known:
            return
        self._known = reason
        # One call a severity: rclpy refuses to change the severity of one.
        if reason is Reason.NONE:
            self._log.info("active: the arm moves to the goal")
        elif reason.effect is Effect.FAULTS:
            self._log.error(f"{reason.name}: {self._explain(decision)}")
        elif reason in QUIET:
            self._log.info(f"{reason.name}: {self._explain(decision)}")
        else:
            self._log.warning(f"{reason.name}: {self._explain(decision)}")


class Listeners:
    """Several listeners as one."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = listeners

    def planned(self, step: Step, seconds: float) -> None:
        """A step was planned and is being carried out."""
        for listener in self._listeners:
            listener.planned(step, seconds)

    def ended(self, goal_id: int, step: Step) -> None:
        """Every sub-goal has ended."""
        for listener in self._listeners:
            listener.ended(goal_id, step)

    def decided(self, decision: Decision) -> None:
        """State or reason changed."""
        for listener in self._listeners:
            listener.decided(decision)
