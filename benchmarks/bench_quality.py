"""What planning needs how many predictions: energies reached on held-out problems, and success in closed loop.

Every preset plans the same problems on the bundled model, and so does every sampler option at several smaller budgets
(regret: how far the energy stays above that of the paper's preset). What a plan spends is counted in predictions, that
is candidates times steps. Reaching and picking-and-placing in the simulator show whether energies matter; sub-goals
end there as with `vjepa-mpc evaluate --ends early`.

Left out, because problems of a single step cannot show it: the noise's colour (it concerns the steps of a sequence) and
warm starts (there is no previous plan). Iterations, samples and elites are varied by the budgets.
"""

from __future__ import annotations

import argparse
import multiprocessing
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter
from problems import OneStepMemory, Problem, held_out_problems, plan_for, reached_energy

from vjepa_mpc.arguments import COUNT, whole
from vjepa_mpc.evaluation.episodes import episode_generator, policy_runner
from vjepa_mpc.evaluation.policies import EARLY, VisualPolicy
from vjepa_mpc.evaluation.report import EpisodeRecord
from vjepa_mpc.evaluation.statistics import median_interval, wilson_interval
from vjepa_mpc.exit_status import ExitStatus
from vjepa_mpc.planning import PRESETS, CEMConfig, CEMPlanner
from vjepa_mpc.sim import FrankaSim
from vjepa_mpc.sim.tasks import TASKS
from vjepa_mpc.worldmodel import VJEPAWorldModel, WorldModel, bundled_model_path, load_world_model, tune_process

REFERENCE = "paper"
MOST_ENERGY = 2.0  # percent above the reference's
MOST_STEPS = {"realtime": 10.0, "fast": 1.5}  # percent of the reference's predictions that a preset may make
NEAR = 0.05  # metres that count as reached
# Reaches and picks-and-places in closed loop: few where each action takes 8000 predictions, ten seconds of a core. What
# `cpu` does with the block is what `vjepa-mpc evaluate` tells.
EPISODES = {"paper": (4, 1), "notebook": (4, 1), "realtime": (20, 6), "cpu": (20, 0), "fast": (20, 6)}
PART = 5  # problems a job

PUBLISHED = PRESETS[REFERENCE]
OPTIONS: dict[str, dict[str, Any]] = {
    "published": {},
    "antithetic": {"sampling": "antithetic"},
    "sobol": {"sampling": "sobol"},
    "mppi": {"update": "mppi"},
    "selection best": {"selection": "best"},
    "std floor": {"std_floor": 0.05},
    "early stop": {"stop_spread": 0.1},
    "icem": {"keep_elites": 0.3, "sample_decay": 1.25, "mean_candidate": True, "selection": "best"},
    "icem, sobol": {"keep_elites": 0.3, "mean_candidate": True, "selection": "best", "sampling": "sobol"},
}
# The options' budgets: about 40, 80, 120 and 160 predictions; the presets have more. The number of samples is the same,
# so that a shorter plan is the beginning of a longer one and costs no predictions of its own.
SAMPLES, ELITES, ITERATIONS = 20, 4, (2, 4, 6, 8)
# What the preset `realtime` would be without each of its choices.
CHANGES: dict[str, dict[str, Any]] = {
    "gaussian samples": {"sampling": "gaussian"},
    "no kept elites": {"keep_elites": 0.0},
    "mean no candidate": {"mean_candidate": False},
    "mean executed": {"selection": "mean"},
    "momentum 0.15, as published": {"momentum_mean": 0.15, "momentum_std": 0.15},
    "momentum 0": {"momentum_mean": 0.0, "momentum_std": 0.0},
    "32 samples, 4 elites": {"samples": 32, "topk": 4},
    "128 samples, 16 elites": {"samples": 128, "topk": 16},
    "4 elites": {"topk": 4},
    "16 elites": {"topk": 16},
    "4 iterations": {"cem_steps": 4},
    "8 iterations": {"cem_steps": 8},
}


@dataclass(frozen=True)
class Setting:
    """What every worker process needs to know."""

    model: Path
    device: str
    dtype: torch.dtype
    seed: int


Plan = tuple[float, int]  # the energy reached and the predictions spent


@dataclass(frozen=True)
class Plans:
    """What planning each problem came to: the energies reached, and the mean number of predictions spent."""

    energies: np.ndarray
    candidate_steps: int


def main() -> ExitStatus:
    """Presets and options on all problems, presets in closed loop as well."""
    parser = common.arguments(__doc__.splitlines()[0])
    parser.add_argument("--problems", type=whole(1, COUNT), default=200, help="planning problems")
    parser.add_argument("--presets", nargs="+", choices=sorted(PRESETS), default=["paper", "realtime", "cpu", "fast"])
    parser.add_argument("--reference", choices=sorted(PRESETS), default=REFERENCE, help="preset to compare with")
    parser.add_argument("--options", nargs="*", choices=list(OPTIONS), default=list(OPTIONS), help="regret curves")
    parser.add_argument("--changes", action="store_true", help="also the preset realtime with each choice changed")
    parser.add_argument("--reach", type=whole(0, COUNT), help=f"episodes of reaching (default: {_by_preset(0)})")
    parser.add_argument(
        "--pick-place", type=whole(0, COUNT), help=f"episodes of picking and placing (default: {_by_preset(1)})"
    )
    parser.add_argument("--processes", type=whole(1, COUNT), default=2, help="with one CPU thread each")
    options = parser.parse_args()
    dtype = common.begin(options)
    setting = Setting(options.model or bundled_model_path(), options.device, dtype, options.seed)
    with workers(options.processes) as pool:
        jobs = Jobs(pool, setting)
        presets = sorted(options.presets, key=lambda name: -PRESETS[name].candidate_steps)
        # Everything is queued at once, what takes longest first, so that no process is idle before the end.
        loops = {name: jobs.closed_loop(name, episodes_of(name, options)) for name in presets}
        problems = held_out_problems(_model(setting), options.problems, options.seed)
        planned = {name: jobs.plans(PRESETS[name], problems) for name in dict.fromkeys((options.reference, *presets))}
        configs = curve_configs(options.options)
        if options.changes:
            configs += [(name, replace(PRESETS["realtime"], **change)) for name, change in CHANGES.items()]
        one_by_one = jobs.plans_of_all([config for _, config in configs], problems)

        def of_presets() -> Iterator[dict[str, Any]]:
            reference = gathered(planned[options.reference])
            for name in options.presets:
                yield preset_row(name, gathered(planned[name]), reference, loops[name])

        def of_configs() -> Iterator[tuple[str, dict[str, Any]]]:
            reference = gathered(planned[options.reference])
            by_config = zip(*(job.result() for job in one_by_one), strict=True)
            for (name, _), plans in zip(configs, by_config, strict=True):
                yield name, against(summarised(plans), reference)

        rows = list(common.until_interrupted(options, of_presets()))
        compared = list(common.until_interrupted(options, of_configs()))
    points = [{"preset": f"option: {name}", **row} for name, row in compared if name in OPTIONS]
    changed = [{"preset": f"realtime, {name}", **row} for name, row in compared if name in CHANGES]
    return common.finish(
        options,
        dtype,
        "Plan quality against predictions",
        rows,
        tables={"curves": points} | ({"realtime, each choice changed": changed} if changed else {}),
        notes=lambda: verdict(rows),
        figure=lambda: plot(points, rows, options.reference),
        reference=options.reference,
        endings={ending.name: asdict(ending) for ending in EARLY},
    )


@contextmanager
def workers(processes: int) -> Iterator[ProcessPoolExecutor]:
    """Worker processes; what they still compute when the block ends, as after Ctrl-C, is given up."""
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _begin_worker) as pool:
        try:
            yield pool
        finally:
            for process in multiprocessing.active_children():
                process.terminate()


def _by_preset(task: int) -> str:
    return ", ".join(f"{name} {episodes[task]}" for name, episodes in EPISODES.items())


def episodes_of(preset: str, options: argparse.Namespace) -> dict[str, int]:
    """Closed-loop episodes of each task."""
    reach, pick_place = EPISODES[preset]
    return {
        "reach": reach if options.reach is None else options.reach,
        "pick_place": pick_place if options.pick_place is None else options.pick_place,
    }


class Jobs:
    """What is computed in worker processes; each method returns at once."""

    def __init__(self, pool: ProcessPoolExecutor, setting: Setting) -> None:
        self._pool, self._setting = pool, setting

    def plans(self, config: CEMConfig, problems: Sequence[Problem]) -> list[Future[list[Plan]]]:
        """Plans for the problems, a few at a time."""
        parts = [range(len(problems))[first : first + PART] for first in range(0, len(problems), PART)]
        return [
            self._pool.submit(_plan_all, self._setting, config, [problems[n] for n in part], part) for part in parts
        ]

    def plans_of_all(self, configs: Sequence[CEMConfig], problems: Sequence[Problem]) -> list[Future[list[Plan]]]:
        """For each problem the plans by all of the settings."""
        return [
            self._pool.submit(_plan_by_all, self._setting, configs, problem, seed)
            for seed, problem in enumerate(problems)
        ]

    def closed_loop(self, preset: str, episodes: dict[str, int]) -> dict[str, list[Future[EpisodeRecord]]]:
        """How the first episodes of each task end; the longest task first."""
        return {
            task: [self._pool.submit(_closed_loop, self._setting, preset, task, n) for n in range(episodes[task])]
            for task in ("pick_place", "reach")
        }


def gathered(parts: Sequence[Future[list[Plan]]]) -> Plans:
    """All plans, in the problems' order."""
    return summarised([plan for part in parts for plan in part.result()])


def summarised(plans: Sequence[Plan]) -> Plans:
    """Plans of all problems, in their order."""
    energies, spent = zip(*plans, strict=True)
    return Plans(np.array(energies), round(float(np.mean(spent))))


def curve_configs(names: Sequence[str]) -> list[tuple[str, CEMConfig]]:
    """The options at every budget."""
    return [
        (name, replace(PUBLISHED, samples=SAMPLES, topk=ELITES, cem_steps=iterations, **OPTIONS[name]))
        for name in names
        for iterations in ITERATIONS
    ]


def preset_row(
    name: str, plans: Plans, reference: Plans, loops: dict[str, list[Future[EpisodeRecord]]]
) -> dict[str, Any]:
    """Energy and success of a preset."""
    row = {"preset": name, **against(plans, reference)}
    row["share_of_reference_steps_percent"] = round(100 * plans.candidate_steps / reference.candidate_steps, 2)
    records = {task: [episode.result() for episode in episodes] for task, episodes in loops.items()}
    if reaches := records["reach"]:
        distances = [record.final_distance for record in reaches]
        row |= _rate("success_rate_5cm", [distance <= NEAR for distance in distances])
        row |= {"reach_episodes": len(reaches), "reach_median_cm": round(100 * float(np.median(distances)), 2)}
        row["reach_steps"] = _mean_steps(reaches)
    if places := records["pick_place"]:
        row |= _rate("pick_place_rate", [record.success for record in places])
        row |= {"pick_place_episodes": len(places), "pick_place_steps": _mean_steps(places)}
    return row


def _mean_steps(records: Sequence[EpisodeRecord]) -> float:
    return round(float(np.mean([record.steps for record in records])), 1)


def _rate(name: str, successes: Sequence[bool]) -> dict[str, Any]:
    interval = wilson_interval(sum(successes), len(successes))
    return {name: sum(successes) / len(successes), f"{name}_interval": _rounded(interval)}


def against(plans: Plans, reference: Plans) -> dict[str, Any]:
    """Energy as the ratio of the medians, and regret as the median over problems of how far each is above."""
    median, regret = float(np.median(plans.energies)), 100 * (plans.energies / reference.energies - 1)
    return {
        "candidate_steps": plans.candidate_steps,
        "energy_median": round(median, 5),
        "energy_vs_reference_percent": round(100 * (median / float(np.median(reference.energies)) - 1), 3),
        "regret_percent": round(float(np.median(regret)), 3),
        "regret_interval": _rounded(median_interval(regret)),
        "regret_p90_percent": round(float(np.percentile(regret, 90)), 3),
        "problems": len(regret),
    }


def verdict(rows: Sequence[common.Row]) -> list[str]:
    """Whether presets are as good as required; nothing about those that were not compared with the reference."""
    found = {row["preset"]: row for row in rows}
    compared = [name for name in MOST_STEPS if {name, REFERENCE} <= set(found)]
    return [
        f"Required of `{name}`: the energy of `{REFERENCE}` within {MOST_ENERGY:g} % (median) for at most "
        f"{MOST_STEPS[name]:g} % of its predictions, and no lower success within the interval. "
        f"{common.met_or_missed(_missed(found[name], found[REFERENCE], MOST_STEPS[name]))}"
        for name in compared
    ]


def _missed(preset: common.Row, reference: common.Row, most_steps: float) -> list[str]:
    """What of a preset is worse than required, with the figures."""
    bounds = {"energy_vs_reference_percent": MOST_ENERGY, "share_of_reference_steps_percent": most_steps}
    rates = [rate for rate in ("success_rate_5cm", "pick_place_rate") if rate in preset and rate in reference]
    return [f"{what} {preset[what]}" for what, most in bounds.items() if preset[what] > most] + [
        f"{rate} {preset[rate]} against {reference[rate]}"
        for rate in rates
        if preset[f"{rate}_interval"][1] < reference[rate]
    ]


def _rounded(interval: tuple[float, float]) -> list[float]:
    return [round(bound, 3) for bound in interval]


def _begin_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a terminal's Ctrl-C ends the workers without a traceback
    tune_process(1)


@cache
def _model(setting: Setting) -> VJEPAWorldModel:
    return load_world_model(setting.model, setting.device, setting.dtype)


@cache
def _simulator() -> FrankaSim:
    return FrankaSim()


def _plan_all(setting: Setting, config: CEMConfig, problems: Sequence[Problem], seeds: Sequence[int]) -> list[Plan]:
    """What the plans come to; each problem has its own random numbers."""
    model = _model(setting)
    return [_plan(setting, model, config, *job) for job in zip(problems, seeds, strict=True)]


def _plan_by_all(setting: Setting, configs: Sequence[CEMConfig], problem: Problem, seed: int) -> list[Plan]:
    """What the settings' plans of one problem come to; what several of them predict is predicted once."""
    model = OneStepMemory(_model(setting))
    return [_plan(setting, model, config, problem, seed) for config in configs]


def _plan(setting: Setting, model: WorldModel, config: CEMConfig, problem: Problem, seed: int) -> Plan:
    generator = torch.Generator(device=model.device).manual_seed(setting.seed + seed)
    result = plan_for(CEMPlanner(model, config, generator), problem)
    return reached_energy(model, config, problem, result), result.candidate_steps


def _closed_loop(setting: Setting, preset: str, task: str, episode: int) -> EpisodeRecord:
    """How an episode of a task goes."""
    run = policy_runner(_simulator(), VisualPolicy(_model(setting), PRESETS[preset], EARLY))
    return run(TASKS.part(task).sample(episode_generator(setting.seed, episode)), episode)


def plot(points: Sequence[common.Row], presets: Sequence[common.Row], reference: str) -> Figure:
    """Regret curves of the options with their intervals, and the presets beside them."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name in dict.fromkeys(row["preset"] for row in points):
        curve = [row for row in points if row["preset"] == name]
        steps, regret = ([row[key] for row in curve] for key in ("candidate_steps", "regret_percent"))
        low, high = zip(*(row["regret_interval"] for row in curve), strict=True)
        (line,) = axes.plot(steps, regret, marker="o", markersize=4, label=name.removeprefix("option: "))
        axes.fill_between(steps, low, high, color=line.get_color(), alpha=0.1)
    for row, marker in zip(presets, "*sDv", strict=False):
        if row["preset"] != reference:
            place = {"color": "black", "marker": marker, "linestyle": "none", "label": f"preset {row['preset']}"}
            axes.plot(row["candidate_steps"], row["regret_percent"], **place)
    axes.axhline(0.0, color="black", linewidth=0.8)
    axes.set(xscale="log", xlabel="predictions a plan")
    axes.set_yscale("symlog", linthresh=0.1)
    axes.set_ylim(bottom=-0.1)
    axes.set_ylabel(f"energy above the preset {reference}'s, median in %")
    axes.xaxis.set_major_locator(FixedLocator([50, 100, 200, 400, 800]))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_locator(NullLocator())
    if axes.lines[:-1]:  # beside the line at zero
        axes.legend(fontsize="small", ncols=2)
    return figure


if __name__ == "__main__":
    sys.exit(common.run(main))
