"""Decides whether and how far to move.

Pure: no clock, no topics, no threads inside. The node tells it what came in and what time it is; it answers with a
state, a reason with words, and what may be done.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from vjepa_mpc.geometry.cartesian import CartesianPose
from vjepa_mpc.geometry.setpoint import Setpoint
from vjepa_mpc.safety.config import INPUT_GUARDS, STEP_GUARDS, SupervisorConfig
from vjepa_mpc.safety.guards.clock import ClockGuard
from vjepa_mpc.safety.guards.following import FollowingGuard
from vjepa_mpc.safety.guards.interface import InputGuard, Scene, StepGuard
from vjepa_mpc.safety.guards.plan import PlanGuard
from vjepa_mpc.safety.guards.surprise import SurpriseGuard
from vjepa_mpc.safety.guards.violation import Violation
from vjepa_mpc.safety.reasons import Effect, Reason, State
from vjepa_mpc.safety.samples import Now, PlannedStep, PoseSample, Proposal

__all__ = ["Decision", "Supervisor", "SupervisorConfig"]

_ENGAGED = (State.PLANNING, State.EXECUTING)


@dataclass(frozen=True, kw_only=True, eq=False)
class Decision:
    """What the supervisor says.

    Attributes:
        state: what is going on.
        reason: why nothing moves; NONE while something may.
        message: the reason in words, with values and remedy; empty for NONE.
        may_plan: a plan may be computed from the newest inputs.
        may_review: while the arm holds because of what plans said, another one is wanted that tells whether it still
            does; it will not be carried out.
        may_move: the accepted plan may be carried out.
        engaged: set-points may be sent, if only to hold; otherwise brake and be silent.
        epoch: changes whenever motion is interrupted; a plan of an earlier epoch is never carried out.
        measured: the newest trusted pose; None if there is none.
    """

    state: State
    reason: Reason
    message: str
    may_plan: bool
    may_review: bool = False
    may_move: bool
    engaged: bool
    epoch: int
    measured: CartesianPose | None


class _Guards:
    """The guards of one activation."""

    def __init__(self, config: SupervisorConfig, *, engaged: bool) -> None:
        self.scene = Scene(engaged=engaged)
        self.clock, self.plan = ClockGuard(), PlanGuard(config)
        self.following = FollowingGuard(config)
        self.steps = tuple(guard(config) for guard in STEP_GUARDS)  # asked in this order
        self.inputs: dict[type, InputGuard[Any]] = {
            guard.kind: guard(config, self.scene)
            for guard in INPUT_GUARDS  # asked in this order
        }


class Supervisor:
    """The state machine. Not thread-safe: one thread, the set-point timer's, makes all calls.

    Reasons that hold end by themselves once nothing has been wrong for `recovery_time`; faults end by :meth:`resume`.
    Whatever interrupts motion also begins a new epoch, so that what was planned before is not carried out after.
    """

    def __init__(self) -> None:
        self._config: SupervisorConfig | None = None
        self._guards: _Guards | None = None
        self._active = False
        self._paused = False
        self._goal_id = 0
        self._finished: str | None = None
        self._executing = False
        self._epoch = 0
        self._state = State.UNCONFIGURED
        self._fault: Violation | None = None
        self._hold: Violation | None = None
        self._wrong_at = 0.0
        self._planning_since: float | None = None
        self._others: tuple[str, ...] = ()

    @property
    def epoch(self) -> int:
        """Goes with each observation to the planner and comes back with the plan."""
        return self._epoch

    # -- life cycle -------------------------------------------------------------------------------------------------

    def configure(self, config: SupervisorConfig) -> None:
        """A model is loaded and these limits hold; not active yet."""
        self._config = config
        self._start_over(active=False)

    def reconfigure(self, config: SupervisorConfig) -> None:
        """Judge plans by other options from now on; all else that has changed counts from the next `configure` on."""
        if self._config is None or self._guards is None:
            return
        self._config = config
        for guard in self._guards.steps:
            guard.change(config)

    def cleanup(self) -> None:
        """Forget configuration and goal."""
        self._config = None
        self._goal_id, self._finished = 0, None
        self._start_over(active=False)

    def activate(self, now: Now) -> None:
        """The arm may move from now on, if everything else is well; inputs have to come anew.

        Raises:
            RuntimeError: not configured.
        """
        if self._config is None:
            raise RuntimeError("the supervisor is not configured: configure it with a workspace box first")
        self._start_over(active=True)
        self._wrong_at = now.steady

    def deactivate(self) -> None:
        """The arm may no longer move; the goal stays."""
        self._start_over(active=False)

    def _start_over(self, *, active: bool) -> None:
        self._active, self._paused = active, False
        self._fault = self._hold = None
        engaged = self._state in _ENGAGED
        self._guards = None if self._config is None else _Guards(self._config, engaged=engaged)
        self._interrupt()

    def _interrupt(self) -> None:
        self._epoch += 1
        self._executing = False
        self._planning_since = None
        if self._guards is not None:
            for guard in self._guards.steps:
                guard.interrupted()

    # -- orders -----------------------------------------------------------------------------------------------------

    def set_goal(self, goal_id: int) -> None:
        """Pursue a goal instead of the one before."""
        self._goal_id, self._finished = goal_id, None
        self._forget_steps()
        self._interrupt()

    def _forget_steps(self) -> None:
        """What was proposed before does not count any more."""
        if self._guards is not None:
            for guard in self._guards.steps:
                guard.forget()

    def clear_goal(self) -> None:
        """Have no goal."""
        self.set_goal(0)

    def finish_goal(self, message: str) -> None:
        """The goal has been pursued to its end; `message` says how it went."""
        self.set_goal(0)
        self._finished = message

    def pause(self) -> None:
        """Hold until `unpause` or `resume`; the arm may be moved by hand meanwhile."""
        self._paused = True
        self._interrupt()

    def unpause(self) -> None:
        """End a pause; motion starts from wherever the arm is then. Does not end a fault."""
        self._paused = False

    def resume(self, now: Now) -> Reason | None:
        """End a fault and a pause; returns what it ended, None if there was neither."""
        ended = self._fault.reason if self._fault is not None else Reason.PAUSED if self._paused else None
        self._fault, self._paused = None, False
        if self._guards is not None:
            for guard in self._guards.inputs.values():
                guard.incident()  # what happened before does not count any more
            self._guards.plan.misses = 0
        self._forget_steps()
        self._interrupt()
        self._wrong_at = now.steady
        return ended

    # -- observations -----------------------------------------------------------------------------------------------

    def observe(self, sample: Any) -> None:
        """Take note of the newest image, pose, gripper position or other sample; ignored before configuration.

        Raises:
            KeyError: no guard watches samples of this class.
        """
        if self._guards is not None:
            self._guards.inputs[type(sample)].observe(sample)

    def wrong_with(self, kind: type[Any], now: Now) -> Violation | None:
        """What is wrong with the newest sample of a class; None when nothing is, or none has come.

        Raises:
            KeyError: no guard watches samples of this class.
        """
        return None if self._guards is None else self._guards.inputs[kind].check(now)

    def other_publishers(self, names: Sequence[str]) -> None:
        """Who else publishes on the target topic."""
        self._others = tuple(names)

    def report(self, reason: Reason, detail: str, now: Now) -> None:
        """Something was found elsewhere: the arm holds, or faults if that is the reason's effect.

        Raises:
            ValueError: a reason that neither holds nor faults.
        """
        if reason.effect not in (Effect.HOLDS, Effect.FAULTS):
            raise ValueError(f"{reason.name} is no reason to stop; report one that holds or faults")
        self._stop_for(Violation(reason, detail), now)

    # -- plans ------------------------------------------------------------------------------------------------------

    def accept_plan(self, plan: Proposal, now: Now) -> bool:
        """Whether to carry out a plan. If False, never act on it; a bad one has then stopped the arm by its reason."""
        guards = self._guards
        if guards is None or self._state not in _ENGAGED or self._hold is not None or self._fault is not None:
            return False
        if plan.epoch != self._epoch or plan.step.goal_id != self._goal_id:
            return False
        violation = guards.plan.check(plan, guards.scene.pose, now) or _first(guards.steps, plan.step)
        if violation is not None:
            self._stop_for(violation, now)
            return False
        for guard in guards.steps:
            guard.accepted(plan.step)
        self._executing = True
        self._planning_since = None
        return True

    def examine_plan(self, plan: Proposal, now: Now) -> None:
        """Look at a plan that is not due yet, or not at all: one that no waiting makes usable stops the arm at once."""
        if self._guards is None or plan.epoch != self._epoch or plan.step.goal_id != self._goal_id:
            return
        violation = self._guards.plan.unusable(plan.step) or _first(self._guards.steps, plan.step)
        if violation is not None:
            self._stop_for(violation, now)

    def surprise_rank(self, step: PlannedStep) -> float:
        """Share of the surprises since the activation that were smaller than this step's; NaN where nobody knows."""
        steps = () if self._guards is None else self._guards.steps
        return next((guard.rank(step.surprise) for guard in steps if isinstance(guard, SurpriseGuard)), math.nan)

    def motion_done(self) -> None:
        """The accepted plan was carried out; the next one is due."""
        self._executing = False

    def sent(self, setpoint: Setpoint, *, step: int, executing: bool) -> Violation | None:
        """What speaks against going on, now that a set-point was sent; for the caller to `report`, with what it knows.

        Args:
            setpoint: the newest.
            step: number of the newest step that is or was carried out.
            executing: whether it still is.
        """
        guards = self._guards
        if guards is None or guards.scene.pose is None or self._state not in _ENGAGED:
            return None
        return guards.following.check(setpoint, guards.scene.pose.position, step=step, executing=executing)

    # -- the decision -----------------------------------------------------------------------------------------------

    def update(self, now: Now) -> Decision:
        """What may be done now. Call it every set-point period, and after whatever should show at once."""
        self._look(now)
        state, why = self._judge(now)
        reason = why.reason
        if self._state in _ENGAGED and state not in _ENGAGED:
            self._interrupt()
            if self._guards is not None:
                self._guards.following.restart()
        self._state = state
        engaged = state in _ENGAGED
        if self._guards is not None:
            self._guards.scene.engaged = engaged
        if state is State.PLANNING and self._planning_since is None:
            self._planning_since = now.steady
        return Decision(
            state=state,
            reason=reason,
            message="" if reason is Reason.NONE else why.message,
            may_plan=engaged,
            may_review=state is State.HOLDING and any(reason in guard.reasons for guard in STEP_GUARDS),
            may_move=state is State.EXECUTING,
            engaged=engaged,
            epoch=self._epoch,
            measured=self._measured(now),
        )

    def _look(self, now: Now) -> None:
        """Bring fault and hold up to date."""
        guards = self._guards
        if guards is None:
            return
        for guard in guards.inputs.values():
            incident = guard.incident()
            if incident is not None and guards.scene.engaged:  # otherwise somebody may be moving the arm by hand
                self._stop_for(incident, now)
        violation = self._first_violation(guards, now)
        if violation is not None:
            self._stop_for(violation, now)
        elif self._config is not None and now.steady - self._wrong_at >= self._config.recovery_time:
            if self._hold is not None:
                for guard in guards.inputs.values():
                    guard.hold_ended()
            self._hold = None

    def _first_violation(self, guards: _Guards, now: Now) -> Violation | None:
        """The clock first, by which all else is judged; then what others say, the inputs in their order, and plans."""
        return (
            guards.clock.check(now)
            or self._objection()
            or _first_wrong(guards.inputs.values(), now)
            or next((guard.violation for guard in guards.steps if guard.violation is not None), None)
        )

    def _objection(self) -> Violation | None:
        """What another publisher has against moving."""
        if self._others:
            return Violation(Reason.OTHER_PUBLISHER, ", ".join(self._others))
        return None

    def _stop_for(self, violation: Violation, now: Now) -> None:
        if violation.reason.effect is Effect.FAULTS:
            # The first fault is the cause; what follows from it is not news.
            self._fault = self._fault or violation
        else:
            self._hold = violation
        self._wrong_at = now.steady

    def _judge(self, now: Now) -> tuple[State, Violation]:
        if self._config is None or self._guards is None:
            return State.UNCONFIGURED, Violation(Reason.NO_WORKSPACE)
        if not self._active:
            return State.IDLE, Violation(Reason.NOT_ACTIVE)
        if self._fault is not None:
            return State.FAULT, self._fault
        if self._paused:
            return State.PAUSED, Violation(Reason.PAUSED)
        if not self._goal_id and self._finished is not None:
            return State.IDLE, Violation(Reason.GOAL_FINISHED, self._finished)
        if not self._goal_id:
            return State.IDLE, Violation(Reason.NO_GOAL)
        missing = self._missing_input(self._guards)
        if missing is not None:
            return State.WAITING_INPUT, Violation(missing)
        if self._hold is not None:
            return State.HOLDING, self._hold
        if self._executing:
            return State.EXECUTING, Violation(Reason.NONE)
        since = now.steady if self._planning_since is None else self._planning_since
        return State.PLANNING, Violation(Reason.PLANNING, f"for {now.steady - since:.1f} s")

    def _missing_input(self, guards: _Guards) -> Reason | None:
        for guard in reversed(guards.inputs.values()):
            if guard.required and guard.newest is None:
                return guard.missing
        return None

    def _measured(self, now: Now) -> CartesianPose | None:
        """The newest pose, unless something is wrong with it; that the arm is outside the box is no such thing.

        After a jump there is no telling which pose was right. Whatever brakes then had better not look at it.
        """
        if self._guards is None:
            return None
        if self._fault is not None and self._fault.reason is Reason.POSE_JUMPED:
            return None
        violation = self._guards.inputs[PoseSample].check(now)
        trusted = violation is None or violation.reason is Reason.POSE_OUTSIDE_WORKSPACE
        return self._guards.scene.pose if trusted else None


def _first(guards: Iterable[StepGuard], step: PlannedStep) -> Violation | None:
    """What the first guard has against a step; all of them look at it."""
    found = [guard.look(step) for guard in guards]
    return next((violation for violation in found if violation is not None), None)


def _first_wrong(guards: Iterable[InputGuard[Any]], now: Now) -> Violation | None:
    found = (guard.check(now) for guard in guards)
    return next((violation for violation in found if violation is not None), None)
