"""The thread that decides: every set-point period it looks at the inputs, asks the supervisor, and moves or holds."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

import numpy as np

from vjepa_mpc.control.mpc import VisualMPC
from vjepa_mpc.control.reasons import Reason
from vjepa_mpc.control.samples import Now, PlanReport
from vjepa_mpc.control.setpoints import Setpoint
from vjepa_mpc.control.step import MPCStep
from vjepa_mpc.control.supervisor import Decision, Supervisor
from vjepa_mpc.nodes.conversions import ImageError
from vjepa_mpc.nodes.inputs import Inputs
from vjepa_mpc.nodes.motion import Motion
from vjepa_mpc.nodes.parameters import Settings
from vjepa_mpc.nodes.timing import PeriodMeter
from vjepa_mpc.nodes.worker import PlanningWorker, PlanOutcome, PlanRequest

T = TypeVar("T")
logger = logging.getLogger(__name__)

PUBLISHER_CHECK_PERIOD = 0.5  # seconds between looks at who else publishes targets


class Publishers(Protocol):
    """Where the loop's results go; called on the loop's thread."""

    def setpoint(self, setpoint: Setpoint) -> None:
        """Send a set-point."""

    def gripper(self, closedness: float) -> None:
        """Command a closedness."""

    def status(self, decision: Decision, goal_id: int, step: MPCStep | None) -> None:
        """Tell what is being done and why."""

    def debug(self, step: MPCStep, start: np.ndarray) -> None:
        """Show a plan."""

    def other_publishers(self) -> list[str]:
        """Names of others that publish targets."""


class Listener(Protocol):
    """Who wants to know how a goal goes; called on the loop's thread."""

    def planned(self, step: MPCStep, seconds: float) -> None:
        """A step was planned and is being carried out."""

    def ended(self, goal_id: int, step: MPCStep) -> None:
        """Every sub-goal has ended."""

    def decided(self, decision: Decision) -> None:
        """State or reason changed."""


class ControlLoop:
    """Owns supervisor and set-points, and the only thread that calls them.

    Other threads use `call`, which runs a function on the loop's thread between two periods. The planner works on a
    thread of its own meanwhile (`worker`); its outcome comes in as such a function.
    """

    def __init__(
        self,
        settings: Settings,
        mpc: VisualMPC,
        inputs: Inputs,
        publishers: Publishers,
        listener: Listener,
        ros_seconds: Callable[[], float],
    ) -> None:
        self.settings = settings
        self.mpc = mpc
        self.supervisor = Supervisor()
        self.meter = PeriodMeter(settings.setpoints.period)
        self._inputs, self._publishers, self._listener = inputs, publishers, listener
        self._ros_seconds = ros_seconds
        self._motion: Motion | None = None
        self._worker = PlanningWorker(mpc, lambda outcome: self._post(lambda: self._on_outcome(outcome)))
        self._planning = False
        self._image_after = 0.0  # steady seconds: older images show the arm in motion
        self._epoch: int | None = None
        self.decision: Decision | None = None
        self.step: MPCStep | None = None
        self._publishers_checked = 0.0
        self._jobs: deque[Callable[[], None]] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._silent = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control loop")
        if settings.supervisor is not None:
            self.supervisor.configure(settings.supervisor)
            self._motion = Motion(settings, publishers.setpoint, publishers.gripper, self._refuse)

    def start(self) -> None:
        """Start the loop's thread."""
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Bring the arm to rest and end both threads; False when a plan being computed does not end in time."""
        self.call(self.deactivate)
        self.wait_silent()
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()
        return self._worker.stop(timeout)

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Run a function on the loop's thread and return its result.

        Raises:
            RuntimeError: the loop has stopped.
            Exception: what the function raises.
        """
        if threading.current_thread() is self._thread:
            return function(*args)
        result: Future[T] = Future()

        def job() -> None:
            try:
                result.set_result(function(*args))
            except Exception as error:
                result.set_exception(error)

        self._post(job)
        return result.result()

    # -- what is done on the loop's thread, through `call` ----------------------------------------------------------

    def activate(self) -> None:
        """Let the arm move once inputs and goal are there.

        Raises:
            ValueError: there is no workspace box.
        """
        if self._motion is None:
            raise ValueError("workspace.lower and workspace.upper are not set: give the box that the arm may move in")
        self._inputs.forget()
        self._worker.forget()
        self._motion.gripper.commanded = None
        self.supervisor.activate(self._now())

    def deactivate(self) -> None:
        """Let the arm come to rest where it is."""
        if self._motion is not None:
            self.supervisor.deactivate()

    def wait_silent(self) -> None:
        """Return when no set-points are sent any more; from any other thread."""
        self.call(self._note_silence)
        self._silent.wait()

    def set_goal(self, goals: Any) -> int:
        """Pursue these sub-goals instead of what was set before; returns the goal's id."""
        goal_id = self.mpc.set_goals(goals)
        self.step = None
        self.supervisor.set_goal(goal_id)
        return goal_id

    def clear_goal(self) -> None:
        """Have no goal."""
        self.mpc.clear_goals()
        self.step = None
        self.supervisor.clear_goal()

    def pause(self) -> None:
        """Hold until `resume` or `unpause`."""
        self.supervisor.pause()

    def unpause(self) -> None:
        """End a pause, not a fault; the arm goes on from where it is then."""
        self._send_gripper_again()
        self.supervisor.unpause()

    def resume(self) -> Reason | None:
        """End a fault or a pause; the arm goes on from where it is. Returns what was in the way."""
        self._send_gripper_again()
        return self.supervisor.resume(self._now())

    def _send_gripper_again(self) -> None:
        """What the gripper holds, it shall go on holding; but its fingers may have been moved by hand."""
        if self._motion is not None:
            self._motion.gripper.commanded = None

    def apply(self, settings: Settings) -> None:
        """Take over changed dynamic parameters; the step being planned keeps the old ones."""
        self.settings = settings
        self.mpc.planner_config = settings.planner

    # -- the loop ---------------------------------------------------------------------------------------------------

    def _post(self, job: Callable[[], None]) -> None:
        with self._changed:
            if self._stopping:
                return
            self._jobs.append(job)
            self._changed.notify()

    def _run(self) -> None:
        period = self.settings.setpoints.period
        due = time.monotonic()
        while self._wait_until(due):
            self.meter.tick(time.monotonic())
            self._tick()
            due = max(due + period, time.monotonic())

    def _wait_until(self, due: float) -> bool:
        """Do what other threads ask for until the next period is due; False: stop."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._jobs or self._stopping, timeout=max(0.0, due - time.monotonic()))
                if self._stopping:
                    return False
                if not self._jobs:
                    return True
                job = self._jobs.popleft()
            job()
            self._decide()

    def _tick(self) -> None:
        now = self._now()
        self._observe(now)
        decision = self._decide()
        measured = decision.measured
        if self._motion is None:
            return
        if decision.epoch != self._epoch:
            self._epoch = decision.epoch
            self._motion.abandon()
        ready = self._motion.engage(decision.engaged, measured, now.steady)
        self._motion.advance(now.steady, measured)
        self._note_silence()
        if self._motion.done(now.steady, measured, self._closedness()):
            self._image_after = now.steady
            self.supervisor.motion_done()
            decision = self._decide()
        if ready and decision.may_plan and not self._planning and not self._motion.executing:
            self._request_plan(decision)

    def _note_silence(self) -> None:
        if self._motion is None or self._motion.silent:
            self._silent.set()
        else:
            self._silent.clear()

    def _observe(self, now: Now) -> None:
        inputs, supervisor = self._inputs, self.supervisor
        image = inputs.image  # looked at before the pose, so that the pose is at least as new
        if inputs.pose is not None:
            supervisor.observe_pose(inputs.pose)
        if image is not None:
            supervisor.observe_image(image[0])
        if inputs.gripper is not None:
            supervisor.observe_gripper(inputs.gripper)
        supervisor.motion_allowed(inputs.motion_allowed)
        if now.steady - self._publishers_checked >= PUBLISHER_CHECK_PERIOD:
            self._publishers_checked = now.steady
            supervisor.other_publishers(self._publishers.other_publishers())

    def _decide(self, *, tell: bool = False) -> Decision:
        """Ask the supervisor, and tell everybody when its answer is another one, or in any case."""
        decision = self.supervisor.update(self._now())
        previous, self.decision = self.decision, decision
        changed = previous is None or (previous.state, previous.reason) != (decision.state, decision.reason)
        if changed or tell:
            self._publishers.status(decision, self.mpc.goal_id, self.step)
        if changed:
            self._listener.decided(decision)
        return decision

    def _request_plan(self, decision: Decision) -> None:
        """Plan from the newest image, if it was taken after the arm came to rest, and the pose that goes with it."""
        image, pose = self._inputs.image, self._inputs.pose
        if image is None or pose is None or decision.measured is None or image[0].received <= self._image_after:
            return
        state = decision.measured.state(self._closedness() or 0.0)
        observed_at = min(image[0].received, pose.received)
        self._planning = True
        self._worker.plan(PlanRequest(epoch=decision.epoch, image=image[1], pose=state, observed_at=observed_at))

    def _on_outcome(self, outcome: PlanOutcome) -> None:
        self._planning = False
        now, step = self._now(), outcome.step
        if outcome.error is not None:
            unreadable = isinstance(outcome.error, ImageError)
            reason = Reason.IMAGE_UNREADABLE if unreadable else Reason.PLANNER_EXCEPTION
            self.supervisor.report(reason, f"{type(outcome.error).__name__}: {outcome.error}", now)
        elif step is None or step.superseded or step.goal_id != self.mpc.goal_id:
            pass
        elif step.finished:
            self._finish(step)
        elif self._accept(outcome, step, now):
            self._carry_out(outcome, step, now)
        else:
            self._worker.retract(step)

    def _accept(self, outcome: PlanOutcome, step: MPCStep, now: Now) -> bool:
        report = PlanReport(
            goal_id=step.goal_id,
            epoch=outcome.request.epoch,
            observed_at=outcome.request.observed_at,
            actions=step.actions,
            target_pose=step.target_pose,
            compute_seconds=outcome.seconds,
        )
        return self._motion is not None and self.supervisor.accept_plan(report, now)

    def _carry_out(self, outcome: PlanOutcome, step: MPCStep, now: Now) -> None:
        expires_at = now.steady + self.settings.supervisor.plan_max_age
        self._motion.follow(step.target_pose, self._closedness(), now.steady, expires_at)
        self.step = step
        self._decide(tell=True)
        self._publishers.debug(step, outcome.request.pose)
        self._listener.planned(step, outcome.seconds)

    def _finish(self, step: MPCStep) -> None:
        self.step = step
        how = ", ".join(f"{end.index}: {end.by.name} after {end.steps}" for end in step.ended)
        self.supervisor.finish_goal(f"every sub-goal has ended ({how}); final energy {step.energy:.4f}")
        self._listener.ended(step.goal_id, step)

    def _refuse(self, problem: str) -> None:
        self.supervisor.report(Reason.SETPOINT_INVALID, problem, self._now())

    def _closedness(self) -> float | None:
        """The measured closedness; without a finger joint, what was commanded last."""
        if self._inputs.gripper is not None:
            return self._inputs.gripper.closedness
        return None if self._motion is None else self._motion.gripper.commanded

    def _now(self) -> Now:
        return Now(ros=self._ros_seconds(), steady=time.monotonic())
