"""The control loop's timing without ROS: set-points from one thread while another one plans, with and without load.

Set-point jitter is how far the time between two set-points is from the period; latency is from a picture to its
action; the overrun is how much longer than its deadline a plan took. There are some thousand set-points, but latency
and overrun are of each plan: of 120 plans, one or two are worse than the 99th percentile.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import common
import numpy as np
from matplotlib.figure import Figure

from vjepa_mpc.arguments import COUNT, real, whole
from vjepa_mpc.controller.step import Observation
from vjepa_mpc.controller.visual_mpc import VisualMPC
from vjepa_mpc.exit_status import ExitStatus
from vjepa_mpc.geometry.cartesian import CartesianPose
from vjepa_mpc.geometry.limits import MotionLimits, WorkspaceBox
from vjepa_mpc.goals.endings.budget import Budget
from vjepa_mpc.goals.sub_goal import SubGoal
from vjepa_mpc.motion.setpoints import SetpointGenerator, SetpointSettings
from vjepa_mpc.planning import PRESETS
from vjepa_mpc.worldmodel import VJEPAWorldModel

POSE = np.array([0.5, 0.0, 0.2, 3.14, 0.0, 0.0, 0.0])
MOST_OVERRUN = 5.0  # percent of the deadline, 99th percentile
BOX = WorkspaceBox(lower=(0.3, -0.3, 0.0), upper=(0.7, 0.3, 0.5))


def main() -> ExitStatus:
    """The loop on an idle and on a busy machine."""
    if "OMP_WAIT_POLICY" not in os.environ:  # as the node's launcher does; it counts before PyTorch is loaded only
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "OMP_WAIT_POLICY": "passive"})
    parser = common.arguments(__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=sorted(PRESETS), default="cpu")
    parser.add_argument("--deadline", type=real(0.001, 3600.0), default=0.25, help="seconds a plan may take")
    parser.add_argument("--plans", type=whole(1, COUNT), default=120, help="for each condition")
    parser.add_argument("--load", type=whole(0, COUNT), default=2, help="busy processes of the loaded condition")
    options = parser.parse_args()
    dtype = common.begin(options)
    model = common.load_model(options, dtype)

    def measuring() -> Iterator[tuple[str, Measured]]:
        for condition, processes in (("idle", 0), (f"{options.load} busy processes", options.load)):
            with busy(processes):
                yield condition, run(model, options.preset, options.deadline, options.plans)

    measured = dict(common.until_interrupted(options, measuring()))
    rows = [
        {"condition": condition, "plans": options.plans, **percentiles(values)}
        for condition, values in measured.items()
    ]
    return common.finish(
        options,
        dtype,
        "Control loop",
        rows,
        notes=lambda: [verdict(rows)],
        figure=lambda: plot(measured),
        preset=options.preset,
        deadline=options.deadline,
    )


Measured = dict[str, np.ndarray]  # setpoint_jitter_ms, latency_ms, overrun_percent


def run(model: VJEPAWorldModel, preset: str, deadline: float, plans: int) -> Measured:
    """Jitter of each set-point, latency and overrun of each of a number of plans."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (2, 256, 256, 3), dtype=np.uint8)
    # More iterations than there is time for, so that the deadline decides.
    mpc = VisualMPC(model, replace(PRESETS[preset], cem_steps=1000, time_budget=deadline))
    mpc.set_goals([SubGoal(image=images[1], endings=(Budget(steps=plans + 10),))])
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
    return {
        "setpoint_jitter_ms": 1e3 * ticker.finish(),
        "latency_ms": 1e3 * np.array(latencies),
        "overrun_percent": 100 * np.array(overruns),
    }


def percentiles(measured: Measured) -> dict[str, float]:
    """Median, 99th percentile and maximum of each quantity."""
    return {
        f"{name}_{label}": round(float(np.percentile(values, share)), 3)
        for name, values in measured.items()
        for label, share in (("p50", 50), ("p99", 99), ("max", 100))
    }


def verdict(rows: Sequence[common.Row]) -> str:
    """Whether plans keep their deadline as required."""
    found = {row["condition"]: row["overrun_percent_p99"] for row in rows}
    missed = [f"{condition}: {overrun} %" for condition, overrun in found.items() if overrun > MOST_OVERRUN]
    return f"Required: overrun's 99th percentile at most {MOST_OVERRUN:.0f} %. {common.met_or_missed(missed)}"


def plot(measured: dict[str, Measured]) -> Figure:
    """Each quantity's distribution: the value that so many percent stay below."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    labels = {
        "setpoint_jitter_ms": "set-point jitter in ms",
        "latency_ms": "picture to action in ms",
        "overrun_percent": "overrun of the deadline in %",
    }
    shares = np.linspace(0, 100, 1001)
    for axes, (name, label) in zip(figure.subplots(1, len(labels)), labels.items(), strict=True):
        for condition, values in measured.items():
            axes.plot(shares, np.percentile(values[name], shares), label=condition)
        axes.set(xlabel="percentile", ylabel=label)
        axes.grid(alpha=0.3)
    figure.axes[0].set(yscale="log", ylim=(0.01, None))
    figure.axes[0].legend()
    return figure


class _Setpoints(threading.Thread):
    """Makes set-points at their period, as the node's timer does."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._settings, self._over, self._times = SetpointSettings(), threading.Event(), list[float]()
        self._measurable = threading.Event()
        self._generator = SetpointGenerator(BOX, MotionLimits(), self._settings)

    def run(self) -> None:
        pose = CartesianPose.from_state(POSE)
        due = time.perf_counter()
        self._generator.engage(pose, due)
        while not self._over.wait(max(0.0, due - time.perf_counter())):
            now = time.perf_counter()
            self._generator.advance(now, pose)
            self._times.append(now)
            if len(self._times) > 1:
                self._measurable.set()
            due += self._settings.period

    def finish(self) -> np.ndarray:
        """Stop after at least one interval; returns how far each interval was from the period, in seconds."""
        self._measurable.wait()
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
    sys.exit(common.run(main))
