"""`vjepa-mpc compare-endings`: the same episodes with sub-goals that end by budget alone, and by energy and plateau."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vjepa_mpc.arguments import local_path
from vjepa_mpc.controller.model_arguments import add_model_arguments, load_model
from vjepa_mpc.evaluation.arguments import (
    add_ending_arguments,
    add_episode_arguments,
    add_task_argument,
    early_endings,
    ending_options,
)
from vjepa_mpc.evaluation.episodes import policy_runner, run_all
from vjepa_mpc.evaluation.policies import BUDGET_ONLY, VisualPolicy
from vjepa_mpc.evaluation.report import EpisodeRecord, records_as_json, summarise
from vjepa_mpc.exit_status import ExitStatus, interruption
from vjepa_mpc.files import require_writable, write_text
from vjepa_mpc.planning import PRESETS
from vjepa_mpc.sim import FrankaSim
from vjepa_mpc.sim.tasks import TASKS

TABLE_FILE, JSON_FILE = "goals.md", "goals.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.epilog = (
        "Exit status: 0 when early endings take fewer steps and succeed no less often, else 1; 2: an option or a file "
        "cannot be used; 130: Ctrl-C, and what is done so far is written, marked as partial."
    )
    add_task_argument(parser, default="pick_place")
    add_episode_arguments(parser, episodes=20)
    parser.add_argument(
        "--out", type=local_path, default=Path("results"), help=f"folder for {JSON_FILE} and {TABLE_FILE}"
    )
    add_model_arguments(parser)
    add_ending_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    for name in (TABLE_FILE, JSON_FILE):
        require_writable(args.out / name, "--out")
    task = TASKS.part(args.task)
    early = early_endings(args)
    path, world_model = load_model(args)
    records: dict[str, list[EpisodeRecord]] = {}
    with interruption() as interrupted, FrankaSim() as sim:
        for name, endings in (("budget", BUDGET_ONLY), ("early", early)):
            run = policy_runner(sim, VisualPolicy(world_model, PRESETS[args.preset], endings))
            for record in run_all(task, args.episodes, args.seed, run, name):
                records.setdefault(name, []).append(record)
    summaries = {name: summarise(episodes) for name, episodes in records.items()}
    better = not interrupted and is_better(summaries["early"], summaries["budget"])
    settings = {
        "task": args.task,
        "episodes": args.episodes,
        "seed": args.seed,
        "model": path.name,
        "preset": args.preset,
        "early": ending_options(early),
    }
    text = markdown(settings, summaries, partial=bool(interrupted))
    print(text)
    write_text(args.out / TABLE_FILE, text)
    document = {
        **settings,
        "partial": bool(interrupted),
        "fewer_steps_and_no_less_success": None if interrupted else better,
        "endings": summaries,
        "records": {name: records_as_json(episodes) for name, episodes in records.items()},
    }
    write_text(args.out / JSON_FILE, json.dumps(document, indent=1))
    if interrupted:
        return ExitStatus.INTERRUPTED
    return ExitStatus.DONE if better else ExitStatus.FAILED


def is_better(early: Mapping[str, Any], budget: Mapping[str, Any]) -> bool:
    """Whether early endings take fewer steps and succeed no less often."""
    return bool(early["mean_steps"] < budget["mean_steps"] and early["success_rate"] >= budget["success_rate"])


def markdown(settings: Mapping[str, Any], summaries: Mapping[str, Mapping[str, Any]], *, partial: bool = False) -> str:
    """The comparison as a table; a partial one says so."""
    how = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in settings["early"].items())
    lines = [
        f"`{settings['task']}`, {settings['episodes']} episodes, seed {settings['seed']}, "
        f"preset `{settings['preset']}`",
        *(["", "**Interrupted:** not all episodes were run."] if partial else []),
        "",
        "| Sub-goals end by | success | 95 % (Wilson) | steps, mean | final distance, median | what ended them |",
        "|---|---|---|---|---|---|",
    ]
    for name, summary in summaries.items():
        low, high = summary["intervals_95"]["success_rate"]
        by = "budget" if name == "budget" else f"budget, or {how}"
        ended = ", ".join(f"{kind.lower()} {count}" for kind, count in summary["endings"].items())
        lines.append(
            f"| {by} | {100 * summary['success_rate']:.0f} % | {100 * low:.0f}–{100 * high:.0f} % "
            f"| {summary['mean_steps']:.1f} | {100 * summary['median_final_distance_m']:.2f} cm | {ended} |"
        )
    return "\n".join(lines) + "\n"
