"""Asking the supervisor, and telling everybody what it says."""

from __future__ import annotations

import time

from vjepa_mpc.controller.interface import Controller
from vjepa_mpc.controller.step import Step
from vjepa_mpc.loop.ports import Clock, Inputs, Listener, Publishers
from vjepa_mpc.safety.reasons import Reason, State
from vjepa_mpc.safety.samples import Now, PoseSample
from vjepa_mpc.safety.supervisor import Decision, Supervisor

RETELL_PERIOD = 1.0  # seconds between statuses while nothing moves for one and the same reason
WAITS = (State.WAITING_INPUT, State.HOLDING)
PUBLISHER_CHECK_PERIOD = 0.5  # seconds between looks at who else publishes targets


class Deciding:
    """The supervisor, what it is shown, and its newest answer. Belongs to the control loop's thread.

    Attributes:
        decision: newest answer; None before the first.
        step: newest one that was accepted for the present goal; None when there is none.
        pose_stamp: ROS seconds, of the newest pose that the supervisor was shown.
    """

    def __init__(self, controller: Controller, publishers: Publishers, listener: Listener, clock: Clock) -> None:
        self.supervisor = Supervisor()
        self.decision: Decision | None = None
        self.step: Step | None = None
        self.pose_stamp = 0.0
        self._controller, self._publishers, self._listener, self._clock = controller, publishers, listener, clock
        self._publishers_checked = self._told_at = 0.0  # steady seconds

    def now(self) -> Now:
        """This moment on both clocks."""
        return Now(ros=self._clock(), steady=time.monotonic())

    def observe(self, inputs: Inputs, now: Now) -> None:
        """Show the supervisor what has come in."""
        supervisor = self.supervisor
        for sample in inputs.samples:
            supervisor.observe(sample)
            if isinstance(sample, PoseSample):
                self.pose_stamp = sample.stamp
        if unheard := inputs.unheard:
            self.stop_for(Reason.INPUT_WRONG_TYPE, unheard)
        if now.steady - self._publishers_checked >= PUBLISHER_CHECK_PERIOD:
            self._publishers_checked = now.steady
            supervisor.other_publishers(self._publishers.other_publishers())

    def stop_for(self, reason: Reason, detail: str) -> None:
        """Have the supervisor hold, or fault, for a reason that was found elsewhere."""
        self.supervisor.report(reason, detail, self.now())

    def decide(self, *, tell: bool = False) -> Decision:
        """Ask the supervisor, and tell everybody when its answer is another one, or in any case.

        What holds the arm, or is waited for, is told anew once in a while: its words change while its name stays, as
        when a topic that nobody published on says no.
        """
        now = self.now()
        decision = self.supervisor.update(now)
        previous, self.decision = self.decision, decision
        changed = previous is None or (previous.state, previous.reason) != (decision.state, decision.reason)
        if changed or tell or (decision.state in WAITS and now.steady - self._told_at >= RETELL_PERIOD):
            self._told_at = now.steady
            self._publishers.status(decision, self._controller.goal_id, self.step)
        if changed:
            self._listener.decided(decision)
        return decision

    def finish_goal(self, step: Step) -> bool:
        """Every sub-goal has ended, as a finished step says; False when the goal is another one by now."""
        if step.goal_id != self._controller.goal_id:
            return False
        self.step = step
        self.supervisor.finish_goal(step.how_it_ended)
        return True
