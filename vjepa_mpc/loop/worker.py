"""The planning thread: turns the newest observation into the next step, one request at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from vjepa_mpc.controller.foresight import Foresees, Foresight
from vjepa_mpc.controller.interface import Controller, NoGoalError
from vjepa_mpc.controller.step import Observation, Step
from vjepa_mpc.geometry.cartesian import CartesianPose
from vjepa_mpc.images import ImageError, image_to_rgb
from vjepa_mpc.loop.job_queue import JobQueue
from vjepa_mpc.planning.checks import NotFiniteError
from vjepa_mpc.planning.compute.ranks import RankLostError
from vjepa_mpc.safety.reasons import Reason

_REASONS: dict[type[Exception], Reason] = {
    ImageError: Reason.IMAGE_UNREADABLE,
    RankLostError: Reason.RANK_LOST,
    NotFiniteError: Reason.PLAN_INVALID,
}
_LONG = 3600.0  # seconds; a thread that only does jobs has no period


@dataclass(frozen=True, kw_only=True, eq=False)
class PlanRequest:
    """An observation to plan from.

    Attributes:
        epoch: the supervisor's, when the observation was taken.
        image: the camera message; decoded on the planning thread.
        pose: [7] measured when the image was taken.
        start: where the arm is going at that time, and the action will begin; None when it stands still.
        observed_at: when the older of the two was received, steady seconds.
        proposals: [P, H, 7] actions from elsewhere that compete.
    """

    epoch: int
    image: Any
    pose: np.ndarray
    start: CartesianPose | None = None
    observed_at: float
    proposals: np.ndarray | None = None

    def observation(self) -> Observation:
        """What the controller is told.

        Raises:
            ImageError: the camera message cannot be used.
        """
        start = None if self.start is None else self.start.state(self.pose[6])
        image = image_to_rgb(self.image)
        return Observation(image=image, pose=self.pose, start=start, proposals=self.proposals)


@dataclass(frozen=True, kw_only=True, eq=False)
class Proposal:
    """What came of a request: a step, and where it comes from.

    Attributes:
        request: that it answers.
        step: of the controller.
        seconds: from the request's arrival on the thread to the step.
    """

    request: PlanRequest
    step: Step
    seconds: float

    @property
    def epoch(self) -> int:
        """The supervisor's, when the observation was taken."""
        return self.request.epoch

    @property
    def observed_at(self) -> float:
        """When the observation was received, steady seconds."""
        return self.request.observed_at


@dataclass(frozen=True, kw_only=True, eq=False)
class Failure:
    """What came of a job when the controller, or the camera's message, was at fault."""

    error: Exception

    @property
    def reason(self) -> Reason:
        """What the supervisor calls it."""
        return next((name for kind, name in _REASONS.items() if isinstance(self.error, kind)), Reason.PLANNER_EXCEPTION)

    def __str__(self) -> str:
        return f"{type(self.error).__name__}: {self.error}"


Outcome = Proposal | Failure | None
"""None: there was no goal any more."""


class PlanningWorker:
    """The only caller of the controller's methods, but for goals, which any thread may set and clear.

    Jobs are done one after the other, in the order in which they were asked for.

    Args:
        controller: whose methods may take long.
        answer: gets what came of each request.
        failed: gets what went wrong in any other job.

    Both callbacks are called on the planning thread and must only pass on what they get.
    """

    def __init__(
        self, controller: Controller, answer: Callable[[Outcome], object], failed: Callable[[Failure], object]
    ) -> None:
        self._controller, self._answer, self._failed = controller, answer, failed
        self._jobs = JobQueue("planning thread")
        # A daemon, because a step of a large model cannot be interrupted and must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="planner", daemon=True)
        self._thread.start()

    def warm_up(self) -> float:
        """Have the controller warm up on its thread, for which libraries prepare much; returns the seconds it took.

        Raises:
            StoppedError: the thread has stopped.
            Exception: what the controller raises.
        """
        return self._jobs.call(self._controller.warm_up)

    def foresee(self, step: Step) -> Foresight | None:
        """What the controller expects to see after a step, once the jobs before are done; any other thread.

        Raises:
            StoppedError: the thread has stopped.
            Exception: what the controller raises.
        """
        controller = self._controller
        return self._jobs.call(controller.foresee, step) if isinstance(controller, Foresees) else None

    def look(self, image: np.ndarray) -> Tensor:
        """The latent [N, D] that a controller that foresees has of a picture, uint8 RGB [H, W, 3]; any other thread.

        Raises:
            StoppedError: the thread has stopped.
            TypeError: the controller foresees nothing.
        """
        controller = self._controller
        if not isinstance(controller, Foresees):
            raise TypeError(f"{type(controller).__name__} foresees nothing, so it has no latents to look at")
        return self._jobs.call(controller.look, image)

    def plan(self, request: PlanRequest) -> None:
        """Plan from an observation; the outcome comes later."""
        self._jobs.post(lambda: self._plan(request))

    def commit(self, step: Step) -> None:
        """Tell the controller that a step was accepted, before it is asked for the next one."""
        self._post(lambda: self._controller.commit(step))

    def restart(self) -> None:
        """Plan the next step from the measured pose alone; a grasp is kept."""
        self._post(self._controller.restart)

    def forget(self) -> None:
        """Start from the measured pose and gripper closedness at the next step."""
        self._post(self._controller.forget)

    def stop(self, timeout: float) -> bool:
        """End the thread after the jobs at hand; False when that takes longer than ``timeout`` seconds."""
        self._jobs.close()
        self._controller.clear_goals()  # a plan that is still to come ends at once
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while self._jobs.run_until(time.monotonic() + _LONG):
                pass
        finally:
            self._jobs.drop()

    def _post(self, job: Callable[[], None]) -> None:
        self._jobs.post(lambda: self._attempt(job))

    def _attempt(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception as error:  # a fault of the arm, not the end of this thread
            self._failed(Failure(error=error))

    def _plan(self, request: PlanRequest) -> None:
        started = time.monotonic()
        outcome: Outcome
        try:
            step = self._controller.propose(request.observation())
            outcome = Proposal(request=request, step=step, seconds=time.monotonic() - started)
        except NoGoalError:
            outcome = None
        except Exception as error:  # whatever a model or a user's objective raises holds the arm, not the process
            outcome = Failure(error=error)
        self._answer(outcome)
