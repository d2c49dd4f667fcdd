"""`vjepa-mpc compare-endings`: the same episodes with sub-goals that end by budget alone, and by energy and plateau."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vjepa_mpc.evaluation.arguments import (
    add_ending_arguments,
    add_episode_arguments,
    add_model_arguments,
    add_task_argument,
    check_episodes,
    early_endings,
    ending_options,
    load_model,
)
from vjepa_mpc.evaluation.episodes import policy_runner, run_all
from vjepa_mpc.evaluation.policies import BUDGET_ONLY, VisualPolicy
from vjepa_mpc.evaluation.report import records_as_json, summarise
from vjepa_mpc.planning import PRESETS
from vjepa_mpc.sim import FrankaSim
from vjepa_mpc.sim.tasks import TASKS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.epilog = "Exit status: 0 when early endings take fewer steps and succeed no less often, else 2; 1: an error."
    add_task_argument(parser, default="pick_place")
    add_episode_arguments(parser, episodes=20)
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder for goals.json and goals.md")
    add_model_arguments(parser)
    add_ending_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    check_episodes(args)
    task = TASKS.part(args.task)
    early = early_endings(args)
    path, world_model = load_model(args)
    records = {}
    with FrankaSim() as sim:
        for name, endings in (("budget", BUDGET_ONLY), ("early", early)):
            run = policy_runner(sim, VisualPolicy(world_model, PRESETS[args.preset], endings))
            records[name] = run_all(task, args.episodes, args.seed, run, name)
    summaries = {name: summarise(episodes) for name, episodes in records.items()}
    better = is_better(summaries["early"], summaries["budget"])
    settings = {
        "task": args.task,
        "episodes": args.episodes,
        "seed": args.seed,
        "model": path.name,
        "preset": args.preset,
        "early": ending_options(early),
    }
    text = markdown(settings, summaries)
    print(text)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "goals.md").write_text(text, encoding="utf-8")
    document = {
        **settings,
        "fewer_steps_and_no_less_success": better,
        "endings": summaries,
        "records": {name: records_as_json(episodes) for name, episodes in records.items()},
    }
    (args.out / "goals.json").write_text(json.dumps(document, indent=1), encoding="utf-8")
    return 0 if better else 2


def is_better(early: Mapping[str, Any], budget: Mapping[str, Any]) -> bool:
    """Whether early endings take fewer steps and succeed no less often."""
    return bool(early["mean_steps"] < budget["mean_steps"] and early["success_rate"] >= budget["success_rate"])


def markdown(settings: Mapping[str, Any], summaries: Mapping[str, Mapping[str, Any]]) -> str:
    """The comparison as a table."""
    how = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in settings["early"].items())
    lines = [
        f"`{settings['task']}`, {settings['episodes']} episodes, seed {settings['seed']}, "
        f"preset `{settings['preset']}`",
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
