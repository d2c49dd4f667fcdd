"""The thread that decides: every set-point period it looks at the inputs, asks the supervisor, and moves or holds."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, TypeVar

import numpy as np

from vjepa_mpc.controller.step import MPCStep
from vjepa_mpc.controller.visual_mpc import VisualMPC
from vjepa_mpc.geometry.cartesian import CartesianPose
from vjepa_mpc.geometry.setpoint import Setpoint
from vjepa_mpc.images import ImageError
from vjepa_mpc.loop.job_queue import JobQueue
from vjepa_mpc.loop.look_ahead import PlanningTime, PoseHistory
from vjepa_mpc.loop.timing import DeadlineMeter, PeriodMeter
from vjepa_mpc.loop.worker import PlanningWorker, PlanOutcome, PlanRequest
from vjepa_mpc.motion.arm import Motion
from vjepa_mpc.planning import RankLostError
from vjepa_mpc.ros.parameters.settings import Settings
from vjepa_mpc.ros.planner.inputs import Inputs
from vjepa_mpc.safety.guards.violation import Violation
from vjepa_mpc.safety.reasons import Reason
from vjepa_mpc.safety.samples import Now, PlanReport
from vjepa_mpc.safety.supervisor import Decision, Supervisor

T = TypeVar("T")
logger = logging.getLogger(__name__)

PUBLISHER_CHECK_PERIOD = 0.5  # seconds between looks at who else publishes targets


class Publishers(Protocol):
    """Where the loop's results go; called on the loop's thread."""

    def setpoint(self, setpoint: Setpoint) -> None:
        """Send a set-point."""

    def gripper(self, closedness: float) -> None:
        """Command a closedness."""

    def gripper_trouble(self) -> Violation | None:
        """What the gripper has against moving: what lasts at every call, events once."""

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


def failure_reason(error: Exception) -> Reason:
    """What a failure to plan is called."""
    if isinstance(error, ImageError):
        return Reason.IMAGE_UNREADABLE
    return Reason.RANK_LOST if isinstance(error, RankLostError) else Reason.PLANNER_EXCEPTION


class ControlLoop:
    """Owns supervisor and set-points, and the only thread that calls them.

    Other threads use `call`, which runs a function on the loop's thread between two periods. The planner works on a
    thread of its own meanwhile (`worker`); its outcome comes in as such a function.

    With blocking execution the next action is planned from an image of the arm at rest. With pipelined execution it is
    planned while the arm still moves, in time to be ready when it arrives, from the state that it will then be in; the
    arm goes on without stopping if the plan is there. Where the next state is uncertain (fingers that move, the last
    action of a goal) pipelined execution waits like blocking.
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
        self.meter, self.deadlines = PeriodMeter(settings.setpoints.period), DeadlineMeter()
        self._inputs, self._publishers, self._listener = inputs, publishers, listener
        self._ros_seconds = ros_seconds
        self._motion: Motion | None = None
        self._worker = PlanningWorker(mpc, lambda outcome: self._jobs.post(lambda: self._on_outcome(outcome)))
        self._planning = False
        self._pipelined = settings.execution == "pipelined"
        self._planning_time, self._poses = PlanningTime(), PoseHistory()
        self._ready: tuple[PlanOutcome, MPCStep] | None = None  # a plan that waits for the arm to get where it begins
        self._destination: CartesianPose | None = None  # where the arm is going, or has come to rest
        self._image_after = 0.0  # steady seconds: older images show the arm in motion
        self._epoch: int | None = None
        self._engaged = False
        self._pose_stamp = 0.0  # ROS seconds, of the newest pose that was looked at
        self.decision: Decision | None = None
        self.step: MPCStep | None = None
        self._error = ""  # what failed last in this loop itself
        self._publishers_checked = 0.0
        self._jobs = JobQueue("control loop")
        self._silent = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control loop")
        if settings.supervisor is not None:
            self.supervisor.configure(settings.supervisor)
            self._motion = Motion(settings, publishers.setpoint, publishers.gripper, self._refuse)

    def start(self) -> None:
        """Start the loop's thread."""
        self._thread.start()

    def warm_up(self) -> float:
        """Have the planning thread do everything once; returns the seconds. See :meth:`PlanningWorker.warm_up`."""
        return self._worker.warm_up()

    def stop(self, timeout: float) -> bool:
        """Bring the arm to rest and end both threads; False when a plan being computed does not end in time."""
        self.call(self.deactivate)
        self.wait_silent()
        self._jobs.close()
        self._thread.join()
        return self._worker.stop(timeout)

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Run a function on the loop's thread and return its result.

        Raises:
            StoppedError: the loop has stopped.
            Exception: what the function raises.
        """
        return self._jobs.call(function, *args)

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

    def _run(self) -> None:
        period = self.settings.setpoints.period
        due = time.monotonic()
        try:
            while self._attempt(lambda: self._jobs.run_until(due, self._decide)):  # noqa: B023 - run at once
                self.meter.tick(time.monotonic())
                self._attempt(self._tick)
                due = max(due + period, time.monotonic())
        finally:
            self._jobs.drop()

    def _attempt(self, act: Callable[[], Any]) -> Any:
        """The result of one of the loop's acts; an error in it stops the arm and not the loop, which has to brake."""
        try:
            return act()
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            if text != self._error:  # once, not at every period
                self._error = text
                logger.exception("the control loop failed")
            self.supervisor.report(Reason.CONTROL_LOOP_ERROR, text, self._now())
            with suppress(Exception):  # telling may be what fails
                self._decide()
            return True

    def _tick(self) -> None:
        now = self._now()
        self._observe(now)
        decision = self._decide()
        measured = decision.measured
        if self._motion is None:
            return
        if measured is not None:
            self._poses.add(self._pose_stamp, measured)
        if decision.epoch != self._epoch:
            self._epoch = decision.epoch
            self._abandon()
        if decision.engaged and not self._engaged:
            # The arm may have been moved since the last set-point.
            self._worker.restart()
            self._poses.forget()
        self._engaged = decision.engaged
        may_follow = self._motion.engage(decision.engaged, measured, now.steady)
        self._motion.advance(now.steady, measured)
        self._note_silence()
        if self._motion.expired:
            age = self.settings.supervisor.plan_max_age
            self.supervisor.report(Reason.PLAN_EXPIRED, f"it was to be carried out within {age:g} s", now)
        if self._motion.done(now.steady, measured, self._closedness()):
            self._image_after = now.steady
            self.supervisor.motion_done()
            decision = self._decide()
        self._act()
        if may_follow and decision.may_plan and not self._planning and self._ready is None:
            self._plan(decision, now)

    def _abandon(self) -> None:
        """Brake, and forget the plan that was to come next."""
        self._motion.abandon()
        self._destination = None
        if self._ready is not None:
            self._worker.retract(self._ready[1])
            self._ready = None

    def _note_silence(self) -> None:
        if self._motion is None or self._motion.silent:
            self._silent.set()
        else:
            self._silent.clear()

    def _observe(self, now: Now) -> None:
        inputs, supervisor = self._inputs, self.supervisor
        image = inputs.image  # looked at before the pose, so that the pose is at least as new
        pose = inputs.pose
        if pose is not None:
            supervisor.observe(pose)
            self._pose_stamp = pose.stamp
        if image is not None:
            supervisor.observe(image[0])
        if inputs.gripper is not None:
            supervisor.observe(inputs.gripper)
        supervisor.motion_allowed(inputs.motion_allowed, inputs.motion_refusal)
        trouble = self._publishers.gripper_trouble()
        if trouble is not None:
            self._send_gripper_again()
            supervisor.report(trouble.reason, trouble.detail, now)
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

    def _plan(self, decision: Decision, now: Now) -> None:
        """Have the next action planned, if it is time for that."""
        if not self._motion.executing:
            if self._inputs.image is not None and self._inputs.image[0].received > self._image_after:
                self._request_plan(decision, None)
        elif self._pipelined and self._foreseeable(now):
            destination, arrival = self._motion.destination()
            if self._planning_time.due(now.steady, arrival):
                self._destination = destination
                self._request_plan(decision, destination)

    def _foreseeable(self, now: Now) -> bool:
        """Whether it is known what the world will be like when the arm arrives, and that there is more to do then."""
        if self._motion.destination() is None or self.step is None or self.step.uses_up_goal:
            return False
        return self._motion.gripper.arrived(self._closedness(), now.steady)

    def _request_plan(self, decision: Decision, start: CartesianPose | None) -> None:
        """Plan from the newest image and the pose that goes with it."""
        image, pose = self._inputs.image, self._inputs.pose
        if image is None or pose is None or decision.measured is None:
            return
        measured = self._poses.at(image[0].stamp) or decision.measured
        request = PlanRequest(
            epoch=decision.epoch,
            image=image[1],
            pose=measured.state(self._closedness() or 0.0),
            start=start,
            observed_at=min(image[0].received, pose.received),
            proposals=self._inputs.proposals.take(time.monotonic()),
        )
        self._planning = True
        self._worker.plan(request)

    def _on_outcome(self, outcome: PlanOutcome) -> None:
        self._planning = False
        step = outcome.step
        if outcome.error is not None:
            reason = failure_reason(outcome.error)
            self.supervisor.report(reason, f"{type(outcome.error).__name__}: {outcome.error}", self._now())
        elif step is not None and not step.superseded:
            self._planning_time.took(outcome.seconds)
            self.deadlines.note(step)
            self._ready = outcome, step
            if not step.finished:
                self.supervisor.examine_plan(_report(outcome, step), self._now())
            self._act()

    def _act(self) -> None:
        """Act on the plan that is ready, once the arm is where it begins."""
        if self._ready is None:
            return
        outcome, step = self._ready
        if self._motion.executing and (step.finished or not self._motion.passing):
            return
        self._ready = None
        start = outcome.request.start
        got_there = start is None or start is self._destination
        if step.finished and step.goal_id == self.mpc.goal_id:
            self._finish(step)
        elif got_there and self._accept(outcome, step, self._now()):
            self._carry_out(outcome, step, self._now())
        else:
            self._worker.retract(step)

    def _accept(self, outcome: PlanOutcome, step: MPCStep, now: Now) -> bool:
        return self._motion is not None and self.supervisor.accept_plan(_report(outcome, step), now)

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


def _report(outcome: PlanOutcome, step: MPCStep) -> PlanReport:
    return PlanReport(
        goal_id=step.goal_id,
        epoch=outcome.request.epoch,
        observed_at=outcome.request.observed_at,
        actions=step.actions,
        target_pose=step.target_pose,
        energies=step.energies,
        compute_seconds=outcome.seconds,
    )
