"""The planning thread: turns the newest observation into the next action, one request at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vjepa_mpc.controller.step import MPCStep, Observation
from vjepa_mpc.controller.visual_mpc import NoGoalError, VisualMPC
from vjepa_mpc.geometry.cartesian import CartesianPose
from vjepa_mpc.images import image_to_rgb
from vjepa_mpc.loop.job_queue import JobQueue

_LONG = 3600.0  # seconds; a thread that only does jobs has no period


@dataclass(frozen=True, kw_only=True, eq=False)
class PlanRequest:
    """An observation to plan from.

    Attributes:
        epoch: the supervisor's, handed back with the outcome.
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


@dataclass(frozen=True, kw_only=True, eq=False)
class PlanOutcome:
    """What came of a request: a step, or an error, or neither (the goal was cleared meanwhile).

    Attributes:
        seconds: from the request's arrival on the thread to its end.
    """

    request: PlanRequest
    step: MPCStep | None = None
    error: Exception | None = None
    seconds: float


class PlanningWorker:
    """Owns the calls into :class:`VisualMPC` that take long.

    Everything that must not run during a step is queued here, in order. The outcome is handed to ``deliver`` on the
    planning thread, which must only pass it on.
    """

    def __init__(self, mpc: VisualMPC, deliver: Callable[[PlanOutcome], None]) -> None:
        self._mpc = mpc
        self._deliver = deliver
        self._jobs = JobQueue("planning thread")
        # A daemon, because a step of a large model cannot be interrupted and must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="planner", daemon=True)
        self._thread.start()

    def warm_up(self) -> float:
        """Have the controller warm up on its thread, for which libraries prepare much; returns the seconds it took.

        Raises:
            StoppedError: the thread has stopped.
            Exception: what the model raises.
        """
        return self._jobs.call(self._mpc.warm_up)

    def plan(self, request: PlanRequest) -> None:
        """Plan from an observation; the outcome is delivered later."""
        self._jobs.post(lambda: self._plan(request))

    def retract(self, step: MPCStep) -> None:
        """Undo a step that was not acted on."""
        self._jobs.post(lambda: self._mpc.retract(step))

    def restart(self) -> None:
        """Plan the next step from the measured pose alone; a grasp is kept."""
        self._jobs.post(self._mpc.restart)

    def forget(self) -> None:
        """Start from the measured pose and gripper closedness at the next step."""
        self._jobs.post(self._mpc.forget)

    def stop(self, timeout: float) -> bool:
        """End the thread after the jobs at hand; False when that takes longer than ``timeout`` seconds."""
        self._jobs.close()
        self._mpc.clear_goals()  # a plan that is still to come ends at once
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while self._jobs.run_until(time.monotonic() + _LONG):
                pass
        finally:
            self._jobs.drop()

    def _plan(self, request: PlanRequest) -> None:
        started = time.monotonic()
        step: MPCStep | None = None
        error: Exception | None = None
        try:
            start = None if request.start is None else request.start.state(request.pose[6])
            image = image_to_rgb(request.image)
            step = self._mpc.step(Observation(image=image, pose=request.pose, start=start, proposals=request.proposals))
        except NoGoalError:
            pass
        except Exception as problem:  # whatever a model or a user's objective raises holds the arm, not the process
            error = problem
        self._deliver(PlanOutcome(request=request, step=step, error=error, seconds=time.monotonic() - started))
