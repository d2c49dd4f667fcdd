"""The control loop's timing without ROS: set-points from one thread while another one plans, with and without load.

Set-point jitter is how far the time between two set-points is from the period; latency is from a picture to its
action; the overrun is how much longer than its deadline a plan took.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import common
import numpy as np

from vjepa_mpc.control.cartesian import CartesianPose
from vjepa_mpc.control.limits import MotionLimits, WorkspaceBox
from vjepa_mpc.control.mpc import VisualMPC
from vjepa_mpc.control.setpoints import SetpointGenerator, SetpointSettings
from vjepa_mpc.control.step import Observation
from vjepa_mpc.planning import PRESETS
from vjepa_mpc.planning.goals import SubGoal
from vjepa_mpc.worldmodel import VJEPAWorldModel

POSE = np.array([0.5, 0.0, 0.2, 3.14, 0.0, 0.0, 0.0])
BOX = WorkspaceBox(lower=(0.3, -0.3, 0.0), upper=(0.7, 0.3, 0.5))


def main() -> None:
    """The loop on an idle and on a busy machine."""
    if "OMP_WAIT_POLICY" not in os.environ:  # as the node's launcher does; it counts before PyTorch is loaded only
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "OMP_WAIT_POLICY": "passive"})
    parser = common.arguments(__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=sorted(PRESETS), default="cpu")
    parser.add_argument("--deadline", type=float, default=0.25, help="seconds a plan may take")
    parser.add_argument("--plans", type=int, default=200, help="for each condition")
    parser.add_argument("--load", type=int, default=2, help="busy processes of the loaded condition")
    options = parser.parse_args()
    dtype = common.begin(options)
    model = common.load_model(options, dtype)
    rows = []
    for condition, processes in (("idle", 0), (f"{options.load} busy processes", options.load)):
        with busy(processes):
            rows.append({"condition": condition, **run(model, options.preset, options.deadline, options.plans)})
    common.finish(options, dtype, "Control loop", rows, preset=options.preset, deadline=options.deadline)


def run(model: VJEPAWorldModel, preset: str, deadline: float, plans: int) -> dict[str, Any]:
    """One row: jitter, latency and overrun over a number of plans."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (2, 256, 256, 3), dtype=np.uint8)
    # More iterations than there is time for, so that the deadline decides.
    mpc = VisualMPC(model, replace(PRESETS[preset], cem_steps=1000, deadline=deadline))
    mpc.set_goals([SubGoal(image=images[1], steps=plans + 10)])
    observation = Observation(image=images[0], pose=POSE)
    for _ in range(5):
        mpc.step(observation)
    ticker = _Setpoints()
    ticker.start()
    latencies, overruns = [], []
    for _ in range(plans):
        started = time.perf_counter()
        step = mpc.step(observation)
        latencies.append(time.perf_counter() - started)
        overruns.append(step.plan_seconds / deadline - 1.0)
    jitter = ticker.finish()
    return {
        "plans": plans,
        **_percentiles("setpoint_jitter_ms", 1e3 * jitter),
        **_percentiles("latency_ms", 1e3 * np.array(latencies)),
        **_percentiles("overrun_percent", 100 * np.array(overruns)),
    }


def _percentiles(name: str, values: np.ndarray) -> dict[str, float]:
    return {
        f"{name}_{label}": round(float(np.percentile(values, share)), 3)
        for label, share in (("p50", 50), ("p99", 99), ("max", 100))
    }


class _Setpoints(threading.Thread):
    """Makes set-points at their period, as the node's timer does."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._settings, self._over, self._times = SetpointSettings(), threading.Event(), list[float]()
        self._generator = SetpointGenerator(BOX, MotionLimits(), self._settings)

    def run(self) -> None:
        pose = CartesianPose.from_state(POSE)
        due = time.perf_counter()
        self._generator.engage(pose, due)
        while not self._over.wait(max(0.0, due - time.perf_counter())):
            now = time.perf_counter()
            self._generator.advance(now, pose)
            self._times.append(now)
            due += self._settings.period

    def finish(self) -> np.ndarray:
        """Stop; returns how far each interval was from the period, in seconds."""
        self._over.set()
        self.join()
        return np.abs(np.diff(self._times) - self._settings.period)


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Have so many processes compute for nothing."""
    workers = [multiprocessing.get_context("spawn").Process(target=_spin, daemon=True) for _ in range(processes)]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()


def _spin() -> None:
    while True:
        pass


if __name__ == "__main__":
    main()
