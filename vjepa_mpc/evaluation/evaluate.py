"""`vjepa-mpc evaluate`: a model in closed loop in the simulator, on held-out seeds, beside three baselines."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vjepa_mpc.arguments import SEED, local_path, real, whole
from vjepa_mpc.controller.model_arguments import add_model_arguments, load_model
from vjepa_mpc.evaluation.arguments import (
    add_ending_arguments,
    add_episode_arguments,
    add_task_argument,
    early_endings,
    ending_options,
)
from vjepa_mpc.evaluation.demonstration import DemonstratedGoals
from vjepa_mpc.evaluation.episodes import oracle_runner, policy_runner, run_all, scripted_goals
from vjepa_mpc.evaluation.looks import LOOKS, EpisodeLooks
from vjepa_mpc.evaluation.policies import BUDGET_ONLY, NoMotion, Policy, RandomActions, VisualPolicy
from vjepa_mpc.evaluation.report import EpisodeRecord, records_as_json, summarise, table
from vjepa_mpc.exit_status import ExitStatus, interruption
from vjepa_mpc.files import require_writable, write_text
from vjepa_mpc.planning import PRESETS, CEMConfig
from vjepa_mpc.sim import FrankaSim
from vjepa_mpc.sim.tasks import TASKS

SCRIPTED, DEMONSTRATED = "scripted", "demonstration"
GOALS = (SCRIPTED, DEMONSTRATED)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _epilog()
    add_task_argument(parser)
    add_episode_arguments(parser, episodes=20)
    parser.add_argument("--json", type=local_path, default=None, help="write summary and episodes to this file")
    add_model_arguments(parser)
    parser.add_argument("--ends", choices=("budget", "early"), default="budget", help="what ends sub-goals")
    add_ending_arguments(parser)
    parser.add_argument(
        "--goals",
        choices=GOALS,
        default=SCRIPTED,
        help=f"where goal pictures come from: {SCRIPTED}, the task's own; {DEMONSTRATED}, found in a video of one "
        "demonstration with the same start, as `vjepa-mpc subgoals` does (default: %(default)s)",
    )
    parser.add_argument(
        "--look",
        nargs="+",
        choices=LOOKS,
        default=["base"],
        metavar="LOOK",
        help=f"how the scene looks, one or several: {', '.join(LOOKS)} (default: base, what the model was trained on)",
    )
    parser.add_argument("--look-seed", type=whole(0, SEED), default=0, help="which looks are drawn (default: 0)")
    parser.add_argument("--no-baselines", action="store_true", help="the model only")
    parser.add_argument(
        "--require", type=real(0.0, 1.0), default=None, help="success rate below which the exit status is 1"
    )


def _epilog() -> str:
    """What success means for each task, as the tasks themselves say."""
    tasks = {name: TASKS.part(name) for name in TASKS.names}
    meanings = [
        textwrap.fill(
            task.success_means, 115, initial_indent=f"  {name:12}", subsequent_indent=14 * " ", break_long_words=False
        )
        for name, task in tasks.items()
    ]
    promised = ", ".join(f"{name} {100 * task.promised_rate:.0f} %" for name, task in tasks.items())
    exit_status = (
        "Exit status: 0 when the model's success rate is what the bundled model is promised to reach\n"
        f"({promised}), or --require; 1 when it is lower; 2 when an option or a file cannot be used;\n"
        "130 after Ctrl-C, with the episodes that are done in the table and, marked as partial, in the JSON."
    )
    return "\n".join(["Success of an episode", *meanings, exit_status])


def main(args: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    if args.json is not None:
        require_writable(args.json, "--json")
    task = TASKS.part(args.task)
    needed = task.promised_rate if args.require is None else args.require
    config = PRESETS[args.preset]
    endings = early_endings(args) if args.ends == "early" else BUDGET_ONLY
    path, world_model = load_model(args)
    make_goals = scripted_goals if args.goals == SCRIPTED else DemonstratedGoals(world_model)
    policies: dict[str, Policy | None] = {"model": VisualPolicy(world_model, config, endings)}
    if not args.no_baselines:
        policies |= {"no motion": NoMotion(), "random actions": RandomActions(config.maxnorm), "scripted oracle": None}
    results: dict[str, list[EpisodeRecord]] = {}
    with interruption() as interrupted, FrankaSim() as sim:
        for look in args.look:
            looks = EpisodeLooks(look, args.look_seed)
            for policy_name, policy in policies.items():
                name = policy_name if args.look == ["base"] else f"{policy_name}, {look}"
                run = oracle_runner(sim, looks) if policy is None else policy_runner(sim, policy, looks, make_goals)
                for record in run_all(task, args.episodes, args.seed, run, name):
                    results.setdefault(name, []).append(record)
    if not results:
        print("interrupted before the first episode ended", file=sys.stderr)
        return ExitStatus.INTERRUPTED
    summaries = {name: summarise(records) for name, records in results.items()}
    print(table(args.task, summaries, args.episodes, partial=bool(interrupted)))
    if args.json is not None:
        document = _document(args, path, config, results, summaries)
        write_text(args.json, json.dumps({**document, "partial": bool(interrupted)}, indent=1))
    if interrupted:
        return ExitStatus.INTERRUPTED
    reached = all(summary["success_rate"] >= needed for summary in _of_model(args, summaries).values())
    return ExitStatus.DONE if reached else ExitStatus.FAILED


def _of_model(args: argparse.Namespace, summaries: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The model's summary in each look that it was shown in."""
    names = {"base": "model"} if args.look == ["base"] else {look: f"model, {look}" for look in args.look}
    return {look: summaries[name] for look, name in names.items() if name in summaries}


def _document(
    args: argparse.Namespace,
    path: Path,
    config: CEMConfig,
    results: dict[str, list[EpisodeRecord]],
    summaries: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    of_model = _of_model(args, summaries)
    shown = ("success_rate", "median_final_distance_m")
    return {
        "task": args.task,
        **of_model[args.look[0]],
        "looks": {
            look: {**{name: summary[name] for name in shown}, "episodes": summary["episodes"]}
            for look, summary in of_model.items()
        },
        "look_seed": args.look_seed,
        "episodes": of_model[args.look[0]]["episodes"],
        "episodes_asked_for": args.episodes,
        "seed": args.seed,
        "model": str(path),
        "preset": args.preset,
        "goals": args.goals,
        "ends": ending_options(early_endings(args) if args.ends == "early" else BUDGET_ONLY),
        "planner": asdict(config),
        "device": args.device,
        "dtype": args.dtype,
        "threads": args.threads,
        "baselines": {name: summary for name, summary in summaries.items() if name.split(",")[0] != "model"},
        "records": {name: records_as_json(records) for name, records in results.items()},
    }
