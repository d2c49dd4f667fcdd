"""What the demo leaves behind: a table, results.json and a plot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from vjepa_mpc.sim.tasks import TASKS


@dataclass(kw_only=True)
class Episode:
    """How one episode went. Distances in metres, as the task's ``distance_means`` says.

    Attributes:
        times: seconds since the goal was set, of the curves below.
        distances: at these times.
        step_times: seconds at which steps were planned.
        energies: to the sub-goal at these times.
        sub_goals: index of the sub-goal at these times.
        plan_seconds: of each step.
    """

    index: int
    start_distance: float
    final_distance: float = float("nan")
    steps: int = 0
    reached: bool = False
    seconds: float = 0.0
    message: str = ""
    times: list[float] = field(default_factory=list)
    distances: list[float] = field(default_factory=list)
    step_times: list[float] = field(default_factory=list)
    energies: list[float] = field(default_factory=list)
    sub_goals: list[int] = field(default_factory=list)
    plan_seconds: list[float] = field(default_factory=list)


def table(episodes: Sequence[Episode]) -> str:
    """The episodes as text, one a line."""
    lines = ["episode  start distance  final distance  steps  seconds  plan time  reached"]
    for episode in episodes:
        plan = f"{np.median(episode.plan_seconds):.2f} s" if episode.plan_seconds else "-"
        reached = "yes" if episode.reached else "NO" + (f" ({episode.message})" if episode.message else "")
        lines.append(
            f"{episode.index + 1:7d}  {100 * episode.start_distance:11.1f} cm  {100 * episode.final_distance:11.2f} cm"
            f"  {episode.steps:5d}  {episode.seconds:7.1f}  {plan:>9}  {reached}"
        )
    return "\n".join(lines)


def success_rate(episodes: Sequence[Episode]) -> float:
    """Share of the episodes that reached their goal."""
    return float(np.mean([episode.reached for episode in episodes])) if episodes else 0.0


def save_json(path: Path, task: str, seed: int, required: float, episodes: Sequence[Episode]) -> None:
    """Everything as numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    finals = [episode.final_distance for episode in episodes]
    plans = [seconds for episode in episodes for seconds in episode.plan_seconds]
    summary = {
        "task": task,
        "seed": seed,
        "success_rate": success_rate(episodes),
        "required_rate": required,
        "median_final_distance_m": float(np.median(finals)) if finals else None,
        "plan_seconds_median": float(np.median(plans)) if plans else None,
        "episodes": [asdict(episode) for episode in episodes],
    }
    path.write_text(json.dumps(_without_nan(summary), indent=1) + "\n")


def save_plot(path: Path, task: str, episodes: Sequence[Episode]) -> None:
    """Distance and energy over time, one curve an episode."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    kind = TASKS.part(task)
    within = 100 * kind.reached_within  # cm
    figure, (upper, lower) = pyplot.subplots(2, 1, figsize=(9, 7), sharex=True, constrained_layout=True)
    for episode in episodes:
        style = "-" if episode.reached else "--"
        label = f"episode {episode.index + 1}" + ("" if episode.reached else " (not reached)")
        (line,) = upper.plot(episode.times, 100 * np.array(episode.distances), style, lw=1.6, label=label)
        for times, energies in _by_sub_goal(episode):
            lower.plot(times, energies, style, marker=".", color=line.get_color(), lw=1.2)
        if len(episodes) == 1:
            for change in _changes(episode):
                upper.axvline(change, color="0.85", lw=1, zorder=0)
                lower.axvline(change, color="0.85", lw=1, zorder=0)
    upper.axhline(within, color="0.5", ls=":", lw=1)
    upper.annotate(
        f"reached: {within:g} cm",
        (0.995, within),
        xycoords=("axes fraction", "data"),
        ha="right",
        va="bottom",
        color="0.4",
    )
    upper.set(
        ylabel=f"distance, {kind.distance_means} [cm]",
        ylim=(0, None),
        title=f"make demo TASK={task}: {_headline(episodes)}",
    )
    lower.set(
        ylabel="energy (latent L1 to the sub-goal's image)", xlabel="time since the goal was set [s]", ylim=(0, None)
    )
    if len(episodes) <= 10:
        upper.legend(loc="upper right", frameon=False)
    for axes in (upper, lower):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def _by_sub_goal(episode: Episode) -> list[tuple[list[float], list[float]]]:
    """Times and energies, a pair for each sub-goal: energies to different images do not belong on one line."""
    pieces: dict[int, tuple[list[float], list[float]]] = {}
    for time, energy, sub_goal in zip(episode.step_times, episode.energies, episode.sub_goals, strict=True):
        times, energies = pieces.setdefault(sub_goal, ([], []))
        times.append(time)
        energies.append(energy)
    return list(pieces.values())


def _changes(episode: Episode) -> list[float]:
    """When the sub-goal changed, in seconds."""
    pairs = zip(episode.sub_goals, episode.sub_goals[1:], strict=False)
    return [episode.step_times[step] for step, (before, after) in enumerate(pairs, start=1) if before != after]


def _headline(episodes: Sequence[Episode]) -> str:
    return f"{sum(episode.reached for episode in episodes)} of {len(episodes)} reached"


def _without_nan(value: object) -> object:
    """JSON has no NaN: null instead."""
    if isinstance(value, dict):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_nan(entry) for entry in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value
