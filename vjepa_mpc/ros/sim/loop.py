"""The thread that owns the simulator: steps it in (scaled) real time, takes targets, and does what services ask for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

import numpy as np

from vjepa_mpc.loop.job_queue import JobQueue
from vjepa_mpc.options import check_options, option
from vjepa_mpc.sim import FrankaSim

if TYPE_CHECKING:  # only who serves libfranka needs what it is made of
    from vjepa_mpc.sim.libfranka import LibfrankaSim

    Simulator: TypeAlias = FrankaSim | LibfrankaSim

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Rates:
    """How often what is published, in Hz of simulated time, and how fast simulated time runs.

    Raises:
        ValueError: a rate is not positive, or images are to come more often than poses.
    """

    real_time_factor: float = option(1.0, "Simulated seconds a second, if the machine keeps up.", low=0.01, high=100.0)
    pose: float = option(
        100.0,
        "How often the simulator steps and publishes pose and joint states, in simulated time.",
        unit="Hz",
        low=10.0,
        high=1000.0,
        name="pose_rate",
    )
    image: float = option(
        15.0, "How often a camera image comes, in simulated time.", unit="Hz", low=0.1, high=1000.0, name="image_rate"
    )

    def __post_init__(self) -> None:
        check_options(self)
        if self.image > self.pose:
            raise ValueError(f"image_rate={self.image} > pose_rate={self.pose}: the simulator steps at pose_rate")


class Outlets(Protocol):
    """Where the loop's measurements go; called on the loop's thread."""

    def state(self, sim: Simulator, simulated: float) -> None:
        """After every step; ``simulated``: seconds since the start."""

    def image(self, image: np.ndarray, simulated: float) -> None:
        """After a step that a frame is due at; uint8 RGB [H, W, 3]."""


class SimLoop:
    """Runs a simulator on a thread of its own, because its renderer's context belongs to one thread.

    `command` may be called from any thread; `call` runs a function on the simulator's thread and waits for it.
    """

    def __init__(self, make_sim: Callable[[], Simulator], outlets: Outlets, rates: Rates) -> None:
        self._make_sim = make_sim
        self._outlets = outlets
        self._rates = rates
        self._jobs = JobQueue("simulator")
        self._command: tuple[np.ndarray, float] | None = None
        self._ready: Future[Simulator] = Future()
        self._thread = threading.Thread(target=self._run, name="simulator")

    def start(self) -> None:
        """Start the thread; returns when the simulator is there.

        Raises:
            Exception: whatever making the simulator raised, e.g. that there is no way to render.
        """
        self._thread.start()
        self._ready.result()

    def stop(self) -> None:
        """End the thread; the simulator is closed."""
        self._jobs.close()
        self._thread.join()

    def command(self, pose: np.ndarray, closedness: float) -> None:
        """Set the target: pose [x, y, z, rx, ry, rz] (metres, radians), closedness 0..1; the newest replaces others."""
        self._command = (pose, closedness)

    def call(self, function: Callable[[Simulator], T]) -> T:
        """Run a function of the simulator on its thread and return its result; pending targets are dropped first.

        Raises:
            StoppedError: the simulator has stopped.
            Exception: what the function raises.
        """
        sim = self._ready.result()

        def job() -> T:
            self._command = None
            return function(sim)

        return self._jobs.call(job)

    def _run(self) -> None:
        try:
            sim = self._make_sim()
        except BaseException as error:
            self._ready.set_exception(error)
            return
        self._ready.set_result(sim)
        try:
            self._step_until_stopped(sim)
        finally:
            sim.close()
            self._jobs.drop()

    def _step_until_stopped(self, sim: Simulator) -> None:
        period = 1.0 / self._rates.pose
        due, steps, next_image = time.monotonic(), 0, 0.0
        while self._jobs.run_until(due):
            command, self._command = self._command, None
            if command is not None and isinstance(sim, FrankaSim):  # the other one is moved over libfranka
                sim.command(*command)
            sim.step(period)
            steps += 1
            simulated = steps * period
            self._outlets.state(sim, simulated)
            if simulated >= next_image:
                self._outlets.image(sim.render(), simulated)
                next_image += 1.0 / self._rates.image
            # Time lost to a slow machine is not caught up: the simulated arm must not move faster than told.
            due = max(due + period / self._rates.real_time_factor, time.monotonic() - period)
