"""The thread that decides: every set-point period it looks at the inputs, asks the supervisor, and moves or holds."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import numpy as np
from torch import Tensor

from vjepa_mpc.controller.foresight import Foresight
from vjepa_mpc.controller.interface import Controller
from vjepa_mpc.controller.step import Step
from vjepa_mpc.loop.deciding import Deciding
from vjepa_mpc.loop.execution import Execution
from vjepa_mpc.loop.job_queue import JobQueue
from vjepa_mpc.loop.ports import Clock, Inputs, Listener, Publishers
from vjepa_mpc.loop.realtime import prepare_thread
from vjepa_mpc.loop.settings import LoopSettings
from vjepa_mpc.loop.timing import PeriodMeter
from vjepa_mpc.loop.worker import Failure, Outcome, PlanningWorker
from vjepa_mpc.safety.config import SupervisorConfig
from vjepa_mpc.safety.guards.violation import Violation
from vjepa_mpc.safety.reasons import Reason, State
from vjepa_mpc.safety.samples import ImageSample
from vjepa_mpc.safety.supervisor import Decision

T = TypeVar("T")
logger = logging.getLogger(__name__)


class RefusedError(ValueError):
    """No goal is taken in the present state.

    Attributes:
        decision: the state, and why.
    """

    def __init__(self, decision: Decision) -> None:
        super().__init__(f"no goal is taken in this state: {decision.reason.name}: {decision.message}")
        self.decision = decision


class ControlLoop:
    """Owns supervisor and set-points, and the only thread that calls them.

    Other threads use `call`, which runs a function on the loop's thread between two periods. The controller works on a
    thread of its own meanwhile; what it proposes comes in as such a function. What the loop does with it, and the
    difference between blocking and pipelined execution, is told in :class:`~vjepa_mpc.loop.execution.Execution`.

    Args:
        settings: what is watched, and how the arm moves.
        controller: proposes steps.
        inputs: what comes in.
        publishers: where results go.
        listener: who wants to know how a goal goes.
        clock: the clock that stamps messages.
    """

    def __init__(
        self,
        settings: LoopSettings,
        controller: Controller,
        inputs: Inputs,
        publishers: Publishers,
        listener: Listener,
        clock: Clock,
    ) -> None:
        self._period, self._realtime = settings.motion.setpoints.period, settings.realtime
        self.meter = PeriodMeter(self._period)
        self._controller, self._inputs, self._publishers = controller, inputs, publishers
        self._jobs = JobQueue("control loop")
        self._worker = PlanningWorker(controller, self._answered, self._failed)
        self._deciding = Deciding(controller, publishers, listener, clock)
        self._supervisor = self._deciding.supervisor
        self._execution: Execution | None = None
        if settings.supervisor is not None:
            self._supervisor.configure(settings.supervisor)
            self._execution = Execution(
                settings, settings.supervisor, self._deciding, self._worker, inputs, publishers, listener
            )
        self._error = ""  # what failed last in this loop itself
        self._silent = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control loop")

    @property
    def decision(self) -> Decision | None:
        """The supervisor's newest answer; None before the first. Any thread."""
        return self._deciding.decision

    @property
    def step(self) -> Step | None:
        """The newest step that was accepted for the present goal; None when there is none. Any thread."""
        return self._deciding.step

    @property
    def goal_id(self) -> int:
        """Identity of the goal that is pursued; 0 for none. Any thread."""
        return self._controller.goal_id

    def diagnostics(self) -> dict[str, str]:
        """How regularly the loop runs, and how plans keep their time budget. Any thread."""
        budget = {} if self._execution is None else self._execution.time_budget.summary()
        return {**self.meter.summary(), **budget}

    def start(self) -> None:
        """Start the loop's thread."""
        self._thread.start()

    def warm_up(self) -> float:
        """Have the planning thread do everything once; returns the seconds. See :meth:`PlanningWorker.warm_up`."""
        return self._worker.warm_up()

    def foresee(self, step: Step) -> Foresight | None:
        """What is expected after a step; waits for the planning thread. See :meth:`PlanningWorker.foresee`."""
        return self._worker.foresee(step)

    def look(self, image: np.ndarray) -> Tensor:
        """The latent of a picture; waits for the planning thread. See :meth:`PlanningWorker.look`."""
        return self._worker.look(image)

    def stop(self, timeout: float) -> bool:
        """Bring the arm to rest and end both threads; False when a plan being computed does not end in time.

        Afterwards every accepted step has been committed.
        """
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
        if self._execution is None:
            raise ValueError("workspace.lower and workspace.upper are not set: give the box that the arm may move in")
        self._inputs.forget()
        self._execution.take_over()
        self._supervisor.activate(self._deciding.now())

    def reconfigure(self, guards: SupervisorConfig) -> None:
        """Have the supervisor judge plans by other options."""
        self._supervisor.reconfigure(guards)

    def deactivate(self) -> None:
        """Let the arm come to rest where it is, and drop the goal: after the next activation it waits for a new one."""
        self.clear_goal()
        if self._execution is not None:
            self._supervisor.deactivate()

    def wait_silent(self) -> None:
        """Return when no set-points are sent any more; from any other thread."""
        self.call(self._note_silence)
        self._silent.wait()

    def set_goal(self, goals: Any) -> int:
        """Pursue these goals instead of what was set before; returns the goal's id. See :meth:`Controller.set_goals`.

        What was set before stays when an error is raised.

        Raises:
            ValueError: the goals cannot be used.
            RefusedError: the arm may not move before somebody activates the loop or ends a fault.
        """
        decision = self._deciding.decide()
        if decision.state in (State.UNCONFIGURED, State.FAULT) or decision.reason is Reason.NOT_ACTIVE:
            raise RefusedError(decision)
        goal_id = self._controller.set_goals(goals)
        self._deciding.step = None
        self._supervisor.set_goal(goal_id)
        return goal_id

    def clear_goal(self) -> None:
        """Have no goal."""
        self._controller.clear_goals()
        self._deciding.step = None
        self._supervisor.clear_goal()

    def judge(self) -> Decision:
        """What the supervisor says at this moment."""
        return self._deciding.decide()

    def image_trouble(self) -> Violation | None:
        """What is wrong with the newest camera image, such as its age; None when nothing is, or none has come."""
        now = self._deciding.now()
        self._deciding.observe(self._inputs, now)
        return self._supervisor.wrong_with(ImageSample, now)

    def pause(self) -> None:
        """Hold until `resume` or `unpause`."""
        self._supervisor.pause()

    def unpause(self) -> None:
        """End a pause, not a fault; the arm goes on from where it is then."""
        self._send_gripper_again()
        self._supervisor.unpause()

    def resume(self) -> Reason | None:
        """End a fault or a pause; the arm goes on from where it is. Returns what was in the way."""
        self._send_gripper_again()
        return self._supervisor.resume(self._deciding.now())

    def _send_gripper_again(self) -> None:
        if self._execution is not None:
            self._execution.send_gripper_again()

    # -- the loop ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        for denied in prepare_thread(self._realtime):
            logger.warning(denied)
        due = time.monotonic()
        try:
            while self._attempt(lambda: self._jobs.run_until(due, self._deciding.decide)):  # noqa: B023 - run at once
                self.meter.tick(time.monotonic())
                self._attempt(self._tick)
                due = max(due + self._period, time.monotonic())
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
            self._deciding.stop_for(Reason.CONTROL_LOOP_ERROR, text)
            with suppress(Exception):  # telling may be what fails
                self._deciding.decide()
            return True

    def _tick(self) -> None:
        now = self._deciding.now()
        self._deciding.observe(self._inputs, now)
        trouble = self._publishers.gripper_trouble()
        if trouble is not None:
            if self._execution is not None:
                self._execution.gripper_failed()
            self._deciding.stop_for(trouble.reason, trouble.detail)
        decision = self._deciding.decide()
        if self._execution is not None:
            self._execution.tick(decision, now)
        self._note_silence()

    def _note_silence(self) -> None:
        if self._execution is None or self._execution.silent:
            self._silent.set()
        else:
            self._silent.clear()

    # -- from the planning thread -----------------------------------------------------------------------------------

    def _answered(self, outcome: Outcome) -> None:
        execution = self._execution
        if execution is not None:
            self._jobs.post(lambda: execution.on_outcome(outcome))

    def _failed(self, failure: Failure) -> None:
        self._jobs.post(lambda: self._deciding.stop_for(failure.reason, str(failure)))
