"""What planning needs how many predictions: energies reached on held-out problems, and success in closed loop.

Every preset plans the same problems on the bundled model; samplers and updates are compared at several budgets
(regret: how far the energy stays above that of the paper's preset). Reaching and picking-and-placing in the simulator
show whether energies matter.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch
from matplotlib.figure import Figure
from problems import Problem, held_out_problems, plan_for, reached_energy

from vjepa_mpc.planning import PRESETS, CEMConfig, CEMPlanner
from vjepa_mpc.sim import FrankaSim
from vjepa_mpc.sim.tasks import TASKS, Outcome
from vjepa_mpc.training.evaluate import episode_generator
from vjepa_mpc.training.policies import VisualPolicy
from vjepa_mpc.training.statistics import median_interval, wilson_interval
from vjepa_mpc.worldmodel import VJEPAWorldModel, bundled_model_path, load_world_model

REFERENCE = "paper"
NEAR = 0.05  # metres that count as reached
SLOW = 2000  # predictions a plan; above, an episode on two CPU cores takes minutes
PART = 5  # problems a job

PUBLISHED = PRESETS[REFERENCE]
OPTIONS: dict[str, dict[str, Any]] = {
    "published": {},
    "no momentum": {"momentum_mean": 0.0, "momentum_std": 0.0},
    "antithetic": {"sampling": "antithetic"},
    "sobol": {"sampling": "sobol"},
    "mppi": {"update": "mppi"},
    "execute best": {"execute": "best"},
    "std floor": {"std_floor": 0.05},
    "icem": {"keep_elites": 0.3, "sample_decay": 1.25, "mean_candidate": True, "execute": "best"},
    "icem, sobol": {"keep_elites": 0.3, "mean_candidate": True, "execute": "best", "sampling": "sobol"},
}
# Samples, elites and iterations of about 100, 200, 400 and 800 predictions.
BUDGETS = ((25, 4, 4), (40, 5, 5), (64, 8, 6), (100, 10, 8))


@dataclass(frozen=True)
class Setting:
    """What every worker process needs to know."""

    model: Path
    device: str
    dtype: torch.dtype
    seed: int


def main() -> None:
    """Presets on all problems and in closed loop, options on some problems."""
    parser = common.arguments(__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=200, help="planning problems for the presets")
    parser.add_argument("--curve-problems", type=int, default=20, help="of these, problems for the regret curves")
    parser.add_argument("--presets", nargs="+", choices=sorted(PRESETS), default=["paper", "realtime", "cpu"])
    parser.add_argument("--reach", type=int, default=20, help="closed-loop episodes of reaching, for each preset")
    parser.add_argument("--pick-place", type=int, default=8, help="the same for picking and placing")
    parser.add_argument("--slow-reach", type=int, default=4, help=f"instead, for presets of over {SLOW} predictions")
    parser.add_argument("--slow-pick-place", type=int, default=2, help="the same for picking and placing")
    parser.add_argument("--processes", type=int, default=2, help="with one CPU thread each")
    options = parser.parse_args()
    dtype = common.begin(options)
    setting = Setting(options.model or bundled_model_path(), options.device, dtype, options.seed)
    problems = held_out_problems(_model(setting), options.problems, options.seed)
    with ProcessPoolExecutor(options.processes, multiprocessing.get_context("spawn"), _begin_worker) as pool:
        jobs = Jobs(pool, setting, problems)
        presets = sorted(options.presets, key=lambda name: -PRESETS[name].candidate_steps)
        # Everything is queued at once, what takes longest first, so that no process is idle before the end.
        loops = {name: jobs.closed_loop(name, episodes_of(name, options)) for name in presets}
        energies = {
            name: jobs.energies(PRESETS[name], options.problems) for name in dict.fromkeys((REFERENCE, *presets))
        }
        curves = [(*point, jobs.energies(point[1], options.curve_problems)) for point in curve_configs()]
        reference = gathered(energies[REFERENCE])
        rows = [preset_row(name, gathered(energies[name]), reference, loops[name]) for name in options.presets]
        few = reference[: options.curve_problems]
        points = [curve_row(name, config, gathered(parts), few) for name, config, parts in curves]
    common.finish(options, dtype, "Plan quality against predictions", rows, points, plot(points))


def episodes_of(preset: str, options: argparse.Namespace) -> dict[str, int]:
    """Closed-loop episodes of each task: fewer where a plan takes long."""
    if PRESETS[preset].candidate_steps > SLOW:
        return {"reach": options.slow_reach, "pick_place": options.slow_pick_place}
    return {"reach": options.reach, "pick_place": options.pick_place}


class Jobs:
    """What is computed in worker processes; each method returns at once."""

    def __init__(self, pool: ProcessPoolExecutor, setting: Setting, problems: Sequence[Problem]) -> None:
        self._pool, self._setting, self._problems = pool, setting, problems

    def energies(self, config: CEMConfig, count: int) -> list[Future[list[float]]]:
        """Energies that plans for the first problems reach, a few problems at a time."""
        parts = [range(first, min(first + PART, count)) for first in range(0, count, PART)]
        return [
            self._pool.submit(_plan_all, self._setting, config, [self._problems[n] for n in part], part)
            for part in parts
        ]

    def closed_loop(self, preset: str, episodes: dict[str, int]) -> dict[str, list[Future[Outcome]]]:
        """How the first episodes of each task end; the longest task first."""
        return {
            task: [self._pool.submit(_closed_loop, self._setting, preset, task, n) for n in range(episodes[task])]
            for task in ("pick_place", "reach")
        }


def gathered(parts: Sequence[Future[list[float]]]) -> np.ndarray:
    """All energies, in the problems' order."""
    return np.concatenate([part.result() for part in parts])


def curve_configs() -> list[tuple[str, CEMConfig]]:
    """Every option at every budget."""
    return [
        (name, replace(PUBLISHED, samples=samples, topk=topk, cem_steps=steps, **changes))
        for name, changes in OPTIONS.items()
        for samples, topk, steps in BUDGETS
    ]


def preset_row(
    name: str, reached: np.ndarray, reference: np.ndarray, loops: dict[str, list[Future[Outcome]]]
) -> dict[str, Any]:
    """Energy and success of a preset."""
    row: dict[str, Any] = {
        "preset": name,
        "candidate_steps": PRESETS[name].candidate_steps,
        **_energies(reached, reference),
    }
    outcomes = {task: [episode.result() for episode in episodes] for task, episodes in loops.items()}
    if outcomes["reach"]:
        distances = [outcome.distance for outcome in outcomes["reach"]]
        row |= _rate("success_rate_5cm", [distance <= NEAR for distance in distances])
        row |= {"reach_episodes": len(distances), "reach_median_cm": round(100 * float(np.median(distances)), 2)}
    if outcomes["pick_place"]:
        row |= _rate("pick_place_rate", [outcome.success for outcome in outcomes["pick_place"]])
        row["pick_place_episodes"] = len(outcomes["pick_place"])
    return row


def _rate(name: str, successes: Sequence[bool]) -> dict[str, Any]:
    interval = wilson_interval(sum(successes), len(successes))
    return {name: sum(successes) / len(successes), f"{name}_interval": _rounded(interval)}


def curve_row(name: str, config: CEMConfig, reached: np.ndarray, reference: np.ndarray) -> dict[str, Any]:
    """A point of a regret curve."""
    return {"preset": f"option: {name}", "candidate_steps": config.candidate_steps, **_energies(reached, reference)}


def _energies(reached: np.ndarray, reference: np.ndarray) -> dict[str, Any]:
    regret = 100 * (reached / reference - 1)
    return {
        "energy_median": round(float(np.median(reached)), 5),
        "regret_percent": round(float(np.median(regret)), 3),
        "regret_interval": _rounded(median_interval(regret)),
        "problems": len(reached),
    }


def _rounded(interval: tuple[float, float]) -> list[float]:
    return [round(bound, 3) for bound in interval]


def _begin_worker() -> None:
    torch.set_num_threads(1)


@cache
def _model(setting: Setting) -> VJEPAWorldModel:
    return load_world_model(setting.model, setting.device, setting.dtype)


@cache
def _simulator() -> FrankaSim:
    return FrankaSim()


def _plan_all(setting: Setting, config: CEMConfig, problems: Sequence[Problem], seeds: Sequence[int]) -> list[float]:
    """Energies that the plans reach; each problem has its own random numbers."""
    model, energies = _model(setting), []
    for problem, seed in zip(problems, seeds, strict=True):
        generator = torch.Generator(device=model.device).manual_seed(setting.seed + seed)
        result = plan_for(CEMPlanner(model, config, generator), problem)
        energies.append(reached_energy(model, config, problem, result))
    return energies


def _closed_loop(setting: Setting, preset: str, task_name: str, episode: int) -> Outcome:
    """How an episode of a task ends."""
    sim, policy = _simulator(), VisualPolicy(_model(setting), PRESETS[preset])
    task = TASKS[task_name].sample(episode_generator(setting.seed, episode))
    goals = task.goals(sim)
    task.start(sim)
    policy.begin(goals, seed=episode)
    while (command := policy.act(sim)) is not None:
        # As the planner node does: whatever is planned, the arm stays in its workspace.
        position = sim.config.workspace.clip(command.target[:3])
        sim.execute(np.concatenate([position, command.target[3:]]), float(command.target[6]))
    return task.outcome(sim)


def plot(rows: Sequence[dict[str, Any]]) -> Figure:
    """Regret curves with their intervals."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name in OPTIONS:
        points = [row for row in rows if row["preset"] == f"option: {name}"]
        steps, regret = ([row[key] for row in points] for key in ("candidate_steps", "regret_percent"))
        low, high = zip(*(row["regret_interval"] for row in points), strict=True)
        (line,) = axes.plot(steps, regret, marker="o", label=name)
        axes.fill_between(steps, low, high, color=line.get_color(), alpha=0.12)
    axes.axhline(0.0, color="black", linewidth=0.8)
    axes.set_yscale("symlog", linthresh=0.1)
    axes.set(xscale="log", xlabel="predictions a plan", ylabel="energy above the paper's preset, median in %")
    axes.legend()
    return figure


if __name__ == "__main__":
    main()
