"""From episode records to the summary, the table and the JSON of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vjepa_mpc.evaluation.statistics import median_interval, share_within, wilson_interval
from vjepa_mpc.sim.tasks import TASKS


@dataclass(frozen=True, kw_only=True)
class EpisodeRecord:
    """How one episode went. Distances in metres, times in seconds.

    Attributes:
        episode: its number; with the evaluation's seed it determines start and goal.
        success: by the task's definition.
        start_distance, final_distance: as the task's ``distance_means`` says.
        final_closedness: of the gripper, 0 open to 1 closed.
        steps: actions taken; None where they were not counted (the oracle).
        replan_seconds: time from image to action, one entry an action; empty for the baselines.
        endings: what ended each sub-goal, such as BUDGET; empty for the baselines.
        held_by: reasons for which the planner node would have held the arm, such as NO_PROGRESS, one entry a step.
    """

    episode: int
    success: bool
    start_distance: float
    final_distance: float
    final_closedness: float
    steps: int | None
    replan_seconds: tuple[float, ...] = ()
    endings: tuple[str, ...] = ()
    held_by: tuple[str, ...] = ()


def summarise(records: Sequence[EpisodeRecord]) -> dict[str, Any]:
    """Rates, medians and their 95 % intervals (Wilson; bootstrap for medians)."""
    finals = [record.final_distance for record in records]
    count = len(records)
    successes = sum(record.success for record in records)
    steps = [record.steps for record in records if record.steps is not None]
    endings = [name for record in records for name in record.endings]
    replans = [seconds for record in records for seconds in record.replan_seconds]

    def rate_interval(hits: int) -> list[float]:
        return list(wilson_interval(hits, count))

    return {
        "episodes": count,
        "success_rate": successes / count,
        "median_final_distance_m": float(np.median(finals)),
        "success_rate_2_5cm": share_within(finals, 0.025),
        "success_rate_5cm": share_within(finals, 0.05),
        "median_start_distance_m": float(np.median([record.start_distance for record in records])),
        "max_final_distance_m": float(np.max(finals)),
        "mean_steps": float(np.mean(steps)) if steps else None,
        "replan_seconds_median": float(np.median(replans)) if replans else None,
        "endings": {name: endings.count(name) for name in sorted(set(endings))},
        "episodes_held": sum(bool(record.held_by) for record in records),
        "intervals_95": {
            "success_rate": rate_interval(successes),
            "median_final_distance_m": list(median_interval(finals)),
            "success_rate_2_5cm": rate_interval(sum(final <= 0.025 for final in finals)),
            "success_rate_5cm": rate_interval(sum(final <= 0.05 for final in finals)),
        },
    }


def records_as_json(records: Sequence[EpisodeRecord]) -> list[dict[str, Any]]:
    """One plain dictionary an episode."""
    return [asdict(record) for record in records]


def table(task: str, summaries: Mapping[str, Mapping[str, Any]], episodes: int, *, partial: bool = False) -> str:
    """The table that the command prints: one row for the model and one for each baseline.

    Args:
        task: its name.
        summaries: by the name of the row.
        episodes: that each row should have.
        partial: the evaluation was interrupted, and rows tell how many episodes they have.
    """
    if partial:
        summaries = {f"{name} ({summary['episodes']} of {episodes})": summary for name, summary in summaries.items()}
    header = ("", "success", "95 %", "median", "95 %", "<=2.5 cm", "<=5 cm", "max", "replan")
    rows = [header, *(_row(name, summary) for name, summary in summaries.items())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = [_line(row, widths) for row in rows]
    ran = f"{episodes} episodes{', interrupted' if partial else ''}"
    title = f"{task}: {ran}; distance ({TASKS.part(task).distance_means}) in cm, final"
    return "\n".join([title, lines[0], "-" * len(lines[0]), *lines[1:], *_holds(summaries)])


def _holds(summaries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A line for each row whose plans the planner node's guard would have looked at."""
    return [
        f"{name}: the planner node would have held the arm in {summary['episodes_held']} of {summary['episodes']} "
        "episodes (GOAL_NOT_SEEN, NO_PROGRESS)"
        for name, summary in summaries.items()
        if summary["replan_seconds_median"] is not None
    ]


def _row(name: str, summary: Mapping[str, Any]) -> tuple[str, ...]:
    intervals = summary["intervals_95"]
    low, high = intervals["success_rate"]
    median_low, median_high = intervals["median_final_distance_m"]
    replan = summary["replan_seconds_median"]
    return (
        name,
        f"{100 * summary['success_rate']:.0f} %",
        f"{100 * low:.0f}-{100 * high:.0f}",
        f"{100 * summary['median_final_distance_m']:.2f}",
        f"{100 * median_low:.2f}-{100 * median_high:.2f}",
        f"{100 * summary['success_rate_2_5cm']:.0f} %",
        f"{100 * summary['success_rate_5cm']:.0f} %",
        f"{100 * summary['max_final_distance_m']:.1f}",
        "" if replan is None else f"{replan:.2f} s",
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.ljust(width) if index == 0 else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join([first, *rest])
