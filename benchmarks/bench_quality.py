"""What planning needs how many predictions: energies reached on held-out problems, and success in closed loop.

Every preset plans the same problems on the bundled model; samplers and updates are compared at several budgets
(regret: how far the energy stays above that of the paper's preset). Reaching and picking-and-placing in the simulator
show whether energies matter.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch
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

PUBLISHED = PRESETS[REFERENCE]
OPTIONS: dict[str, dict[str, Any]] = {
    "published": {},
    "no momentum": {"momentum_mean": 0.0, "momentum_std": 0.0},
    "antithetic": {"sampling": "antithetic"},
    "sobol": {"sampling": "sobol"},
    "mppi": {"update": "mppi"},
    "execute best": {"execute": "best"},
    "icem": {"keep_elites": 0.3, "sample_decay": 1.25, "mean_candidate": True, "execute": "best"},
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
    """Presets on all problems, options on some, presets in closed loop."""
    parser = common.arguments(__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=200, help="planning problems for the presets")
    parser.add_argument("--curve-problems", type=int, default=30, help="of these, problems for the regret curves")
    parser.add_argument("--presets", nargs="+", choices=sorted(PRESETS), default=["paper", "realtime", "cpu"])
    parser.add_argument("--episodes", type=int, default=5, help="closed-loop episodes of reaching, for each preset")
    parser.add_argument("--pick-place-episodes", type=int, default=4, help="the same for picking and placing")
    parser.add_argument("--full", action="store_true", help=f"pick and place with {REFERENCE} as well (an hour)")
    parser.add_argument("--processes", type=int, default=2, help="with one CPU thread each")
    options = parser.parse_args()
    dtype = common.begin(options)
    setting = Setting(options.model or bundled_model_path(), options.device, dtype, options.seed)
    problems = held_out_problems(_model(setting), options.problems, options.seed)
    with ProcessPoolExecutor(options.processes, multiprocessing.get_context("spawn"), _begin_worker) as pool:

        def energies(config: CEMConfig, count: int) -> np.ndarray:
            numbers = list(range(count))
            parts = [numbers[worker :: options.processes] for worker in range(options.processes)]
            jobs = [pool.submit(_plan_all, setting, config, [problems[n] for n in part], part) for part in parts]
            found = np.empty(count)
            for part, job in zip(parts, jobs, strict=True):
                found[part] = job.result()
            return found

        reference = energies(PRESETS[REFERENCE], options.problems)
        rows = []
        for name in options.presets:
            reached = reference if name == REFERENCE else energies(PRESETS[name], options.problems)
            jobs = {"reach": options.episodes}
            if options.full or name != REFERENCE:
                jobs["pick_place"] = options.pick_place_episodes
            loops = {
                task: [pool.submit(_closed_loop, setting, name, task, episode) for episode in range(count)]
                for task, count in jobs.items()
            }
            outcomes = {task: [loop.result() for loop in started] for task, started in loops.items()}
            rows.append(preset_row(name, reached, reference, outcomes))
        few = reference[: options.curve_problems]
        curves = [
            curve_row(name, config, energies(config, options.curve_problems), few) for name, config in curve_configs()
        ]
    common.finish(options, dtype, "Plan quality against predictions", rows, curves, problems=options.problems)
    if options.json:
        plot(curves, options.json.with_suffix(".png"))


def curve_configs() -> list[tuple[str, CEMConfig]]:
    """Every option at every budget."""
    return [
        (name, replace(PUBLISHED, samples=samples, topk=topk, cem_steps=steps, **changes))
        for name, changes in OPTIONS.items()
        for samples, topk, steps in BUDGETS
    ]


def preset_row(
    name: str, reached: np.ndarray, reference: np.ndarray, outcomes: dict[str, list[Outcome]]
) -> dict[str, Any]:
    """Energy and success of a preset."""
    distances = [outcome.distance for outcome in outcomes["reach"]]
    row = {
        "preset": name,
        "candidate_steps": PRESETS[name].candidate_steps,
        **_energies(reached, reference),
        **_rate("success_rate_5cm", [distance <= NEAR for distance in distances]),
        "reach_median_cm": round(100 * float(np.median(distances)), 2),
    }
    if "pick_place" in outcomes:
        row |= _rate("pick_place_rate", [outcome.success for outcome in outcomes["pick_place"]])
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
        sim.execute(command.target, float(command.target[6]))
    return task.outcome(sim)


def plot(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Regret curves with their intervals."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name in OPTIONS:
        points = [row for row in rows if row["preset"] == f"option: {name}"]
        steps, regret = ([row[key] for row in points] for key in ("candidate_steps", "regret_percent"))
        low, high = zip(*(row["regret_interval"] for row in points), strict=True)
        (line,) = axes.plot(steps, regret, marker="o", label=name)
        axes.fill_between(steps, low, high, color=line.get_color(), alpha=0.12)
    axes.axhline(0.0, color="black", linewidth=0.8)
    axes.set(xscale="log", xlabel="predictions a plan", ylabel="energy above the paper's preset, median in %")
    axes.legend()
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
