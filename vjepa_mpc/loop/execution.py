"""From a decision to motion: has steps planned, and carries out those that the supervisor accepts."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np

from vjepa_mpc.controller.step import Step
from vjepa_mpc.geometry.cartesian import CartesianPose
from vjepa_mpc.geometry.setpoint import Setpoint
from vjepa_mpc.loop.deciding import Deciding
from vjepa_mpc.loop.look_ahead import PlanningTime, PoseHistory
from vjepa_mpc.loop.ports import Inputs, Listener, Publishers
from vjepa_mpc.loop.settings import LoopSettings
from vjepa_mpc.loop.timing import TimeBudgetMeter
from vjepa_mpc.loop.worker import Failure, Outcome, PlanningWorker, PlanRequest, Proposal
from vjepa_mpc.motion.arm import Motion
from vjepa_mpc.safety.config import SupervisorConfig
from vjepa_mpc.safety.reasons import Reason
from vjepa_mpc.safety.samples import Now
from vjepa_mpc.safety.supervisor import Decision

_NOTICED = 0.001  # metres; what is less is not told
REVIEW_PERIOD = 1.0  # seconds between plans that are only looked at


class Execution:
    """Moves the arm step by step, within what the supervisor decides. Belongs to the control loop's thread.

    With blocking execution the next step is planned from an image of the arm at rest. With pipelined execution it is
    planned while the arm still moves, in time to be ready when it arrives, from the state that it will then be in; the
    arm goes on without stopping if the plan is there. Where the next state is uncertain (fingers that move, the last
    action of a goal) pipelined execution waits like blocking.

    A step is committed when the supervisor has accepted it; one that moves the fingers, once they are where they were
    sent, so that it is done again if the gripper fails. A step that the supervisor refuses, or that came too late, is
    dropped.

    Args:
        settings: of the loop.
        guards: what the supervisor was configured with.
        deciding: the supervisor and its answers.
        worker: plans.
        inputs: observations to plan from.
        publishers: where set-points, gripper commands and plans go.
        listener: who wants to know how a goal goes.
    """

    def __init__(
        self,
        settings: LoopSettings,
        guards: SupervisorConfig,
        deciding: Deciding,
        worker: PlanningWorker,
        inputs: Inputs,
        publishers: Publishers,
        listener: Listener,
    ) -> None:
        self._pipelined, self._plan_max_age = settings.pipelined, guards.plan_max_age
        self._deciding, self._supervisor, self._worker = deciding, deciding.supervisor, worker
        self._inputs, self._publishers, self._listener = inputs, publishers, listener
        self._motion = Motion(
            guards.workspace,
            guards.limits,
            settings.motion,
            publish=publishers.setpoint,
            publish_gripper=publishers.gripper,
            refuse=lambda problem: deciding.stop_for(Reason.SETPOINT_INVALID, problem),
        )
        self.time_budget = TimeBudgetMeter()
        self._planning_time, self._poses = PlanningTime(), PoseHistory()
        self._planning = False
        self._steps = 0  # carried out, or begun
        self._uncommitted: Step | None = None  # while its fingers move
        self._ready: Proposal | None = None  # waits for the arm to get where its step begins
        self._destination: CartesianPose | None = None  # where the newest look ahead expects the arm
        self._image_after = 0.0  # steady seconds: older images show the arm in motion
        self._epoch: int | None = None
        self._engaged = False
        self._reviewed_at = 0.0  # steady seconds

    @property
    def silent(self) -> bool:
        """Whether no set-points are sent, and none will be before the arm is engaged again."""
        return self._motion.silent

    def take_over(self) -> None:
        """The arm may have been moved, and its gripper commanded, by somebody else."""
        self._worker.forget()
        self.send_gripper_again()

    def send_gripper_again(self) -> None:
        """What the gripper holds, it shall go on holding; but its fingers may have been moved by hand."""
        self._motion.fingers.forget()

    def gripper_failed(self) -> None:
        """What it was told last did not come about: the step does not count, and the next one tells it again."""
        self._uncommitted = None
        self.send_gripper_again()

    def tick(self, decision: Decision, now: Now) -> None:
        """One period: send a set-point, and plan or go on to the next step if it is time for that."""
        motion, measured = self._motion, decision.measured
        if measured is not None:
            self._poses.add(self._deciding.pose_stamp, measured)
        if decision.epoch != self._epoch:
            self._epoch = decision.epoch
            self._abandon()
        if decision.engaged and not self._engaged:
            # The arm may have been moved since the last set-point.
            self._worker.restart()
            self._poses.forget()
        self._engaged = decision.engaged
        may_follow = motion.engage(decision.engaged, measured, now.steady)
        # Computed for the moment at which it is sent: what was told in this period until now may have taken a while.
        sent = motion.advance(self._deciding.now(), measured)
        if sent is not None:
            self._see_that_it_follows(sent)
        if motion.expired:
            self._deciding.stop_for(Reason.PLAN_EXPIRED, f"it was to be carried out within {self._plan_max_age:g} s")
        if decision.engaged:
            self._watch_fingers(now)
        if motion.done(now.steady, measured, self._closedness()):
            self._image_after = now.steady
            self._supervisor.motion_done()
            decision = self._deciding.decide()
        self._act()
        if may_follow and decision.may_plan and not self._planning and self._ready is None:
            self._plan(decision, now)
        elif decision.may_review and not self._planning:
            self._review(decision, now)

    def _see_that_it_follows(self, sent: Setpoint) -> None:
        found = self._supervisor.sent(sent, step=self._steps, executing=self._motion.executing)
        if found is not None:
            self._deciding.stop_for(found.reason, f"{found.detail}; {self._publishers.followers()}")

    def _watch_fingers(self, now: Now) -> None:
        gripper = self._inputs.gripper
        closedness = None if gripper is None else gripper.closedness
        found = self._motion.fingers.trouble(closedness, now.steady)
        if found is not None:
            self.gripper_failed()
            self._deciding.stop_for(found.reason, found.detail)
        elif self._uncommitted is not None and self._motion.fingers.arrived(self._closedness(), now.steady):
            self._commit()

    def _commit(self) -> None:
        """Have the controller go on from the step whose fingers were waited for, if there is one."""
        step, self._uncommitted = self._uncommitted, None
        if step is not None:
            self._worker.commit(step)

    def _abandon(self) -> None:
        """Brake, and drop the step that was to come next."""
        self._commit()
        self._motion.abandon()
        self._destination = self._ready = None

    # -- planning ---------------------------------------------------------------------------------------------------

    def _plan(self, decision: Decision, now: Now) -> None:
        """Have the next step planned, if it is time for that."""
        if not self._motion.executing:
            image = self._inputs.image
            if image is not None and image[0].received > self._image_after:
                self._request_plan(decision, None)
            return
        ahead = self._motion.destination()
        if self._pipelined and ahead is not None and self._foreseeable(now):
            destination, arrival = ahead
            if self._planning_time.due(now.steady, arrival):
                self._destination = destination
                self._request_plan(decision, destination)

    def _review(self, decision: Decision, now: Now) -> None:
        """Have a step planned that is not carried out, once in a while: whether the arm may go on is seen from it."""
        if now.steady - self._reviewed_at >= REVIEW_PERIOD:
            self._reviewed_at = now.steady
            self._request_plan(decision, None)

    def _foreseeable(self, now: Now) -> bool:
        """Whether there is more to do when the arm arrives, and no finger moves that would change what it then sees."""
        step = self._deciding.step
        if step is None or step.uses_up_goal:
            return False
        return self._motion.fingers.arrived(self._closedness(), now.steady)

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

    def on_outcome(self, outcome: Outcome) -> None:
        """The planning thread has answered a request."""
        self._planning = False
        if isinstance(outcome, Failure):
            self._deciding.stop_for(outcome.reason, str(outcome))
        elif outcome is not None and not outcome.step.superseded:
            self._planning_time.took(outcome.seconds)
            self.time_budget.note(outcome.step)
            self._ready = outcome
            if not outcome.step.finished:
                self._supervisor.examine_plan(outcome, self._deciding.now())
            self._act()

    # -- acting -----------------------------------------------------------------------------------------------------

    def _act(self) -> None:
        """Act on the step that is ready, once the arm is where it begins."""
        proposal = self._ready
        if proposal is None:
            return
        step, start = proposal.step, proposal.request.start
        if self._motion.executing and (step.finished or not self._motion.passing):
            return
        self._ready = None
        if step.finished:
            self._finish(step)
        elif (start is None or start is self._destination) and self._accept(proposal):
            self._carry_out(proposal)

    def _accept(self, proposal: Proposal) -> bool:
        return self._supervisor.accept_plan(proposal, self._deciding.now())

    def _carry_out(self, proposal: Proposal) -> None:
        step, now = proposal.step, self._deciding.now().steady
        self._commit()
        self._steps += 1
        self._uncommitted = step
        if not self._motion.follow(step.target_pose, self._closedness(), now, now + self._plan_max_age):
            self._commit()
        clipped = filter(None, (step.clipped, _clipped(self._motion.clipped)))
        kept = _kept(self._deciding.step, step)
        rank = self._supervisor.surprise_rank(step)
        self._deciding.step = replace(step, clipped=" ".join(clipped), kept=kept, surprise_rank=rank)
        self._deciding.decide(tell=True)
        self._publishers.debug(step, proposal.request)
        self._listener.planned(step, proposal.seconds)

    def _finish(self, step: Step) -> None:
        """Every sub-goal has ended, unless the goal is another one by now."""
        if not self._deciding.finish_goal(step):
            return
        self._worker.commit(step)
        self._listener.ended(step.goal_id, step)

    def _closedness(self) -> float | None:
        """The measured closedness; without a finger joint, what was commanded last."""
        gripper = self._inputs.gripper
        return self._motion.fingers.commanded if gripper is None else gripper.closedness


def _clipped(by_the_box: np.ndarray) -> str:
    """How the workspace box has changed a step's target [3], in words; "" for nothing that matters."""
    axes = [f"{axis} by {1000 * by:+.0f} mm" for axis, by in zip("xyz", by_the_box, strict=True) if abs(by) >= _NOTICED]
    return f"The workspace box clips the action: it moves the target's {', '.join(axes)}." if axes else ""


def _kept(before: Step | None, step: Step) -> float:
    """What came true, by a step's energy, of the fall that the one before it promised; NaN where nobody knows."""
    if before is None or before.outlook is None or before.goal_index != step.goal_index:
        return math.nan
    promise = before.outlook.promise
    return (before.energy - step.energy) / promise if promise > 0.0 else math.nan
