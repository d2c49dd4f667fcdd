"""`vjepa-mpc replay`: plan the cycles of a recording again, as they were or with something changed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from vjepa_mpc.arguments import COUNT, SEED, local_path, whole
from vjepa_mpc.data.errors import DataError, listed
from vjepa_mpc.exit_status import ExitStatus, interruption
from vjepa_mpc.files import require_writable
from vjepa_mpc.images import ImageError, read_image_file
from vjepa_mpc.imagination.settings import ImaginationSettings
from vjepa_mpc.replay.again import Changes, Replayed, Replayer
from vjepa_mpc.replay.assignments import read_assignments
from vjepa_mpc.replay.film import film
from vjepa_mpc.replay.recording import Cycle, RecordedRun
from vjepa_mpc.replay.report import HEAD, NotReplayed, Outcome, as_dict, line, summary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.epilog = (
        "Exit status: 0 when cycles were planned again, whether or not the same was found; 1 when none could be; 2 "
        "when an option or the recording cannot be used; 130 after Ctrl-C, with what was planned until then."
    )
    parser.add_argument("run", type=local_path, metavar="RUN", help="a rosbag2 folder that the recorder wrote")
    add_change_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print all of it as JSON")
    parser.add_argument(
        "--video",
        type=local_path,
        metavar="MP4",
        help="plan nothing: write a video of what the camera saw beside what the model expected of each action",
    )
    parser.add_argument("--decoder", default="", help="for --video: as the planner's parameter of this name has it")


def add_change_arguments(parser: argparse.ArgumentParser) -> None:
    """Which cycles, and what is to be other than it was."""
    parser.add_argument("--goal-id", type=whole(1, COUNT), help="only cycles of this goal")
    parser.add_argument("--step", type=whole(1, COUNT), help="only cycles of this step within its sub-goal")
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="parameters of the planner or the world model instead of the recorded ones: --set samples=800 rollout=2",
    )
    parser.add_argument(
        "--checkpoint", metavar="FILE", help="another world model, as the parameter of this name has it"
    )
    parser.add_argument("--goal-picture", type=local_path, metavar="FILE", help="another goal picture")
    parser.add_argument("--seed", type=whole(0, SEED), help="random numbers of this seed instead of the recorded ones")


def main(args: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    changes, run = changes_from(args), RecordedRun(args.run)
    cycles = chosen_cycles(run, args)
    for note in run.notes:
        print(f"replay: {note}", file=sys.stderr)
    if args.video is not None:
        return _film(args, run, cycles, Replayer(run, changes))
    if not args.json:
        print(HEAD)
    outcomes: list[Outcome] = []
    with interruption() as interrupted:
        replayer = Replayer(run, changes)
        for cycle in cycles:
            outcomes.append(_replayed(replayer, cycle))
            if not args.json:
                print(line(outcomes[-1]), flush=True)
    print(json.dumps(as_dict(outcomes, _asked(args, changes), run.notes), indent=1) if args.json else summary(outcomes))
    if interrupted:
        return ExitStatus.INTERRUPTED
    return ExitStatus.DONE if any(isinstance(each, Replayed) for each in outcomes) else ExitStatus.FAILED


def _film(args: argparse.Namespace, run: RecordedRun, cycles: Sequence[Cycle], replayer: Replayer) -> int:
    if args.json:
        raise ValueError("--video plans nothing, so there is nothing to print for --json: give one of them")
    require_writable(args.video, "--video")
    missing = film(run, cycles, replayer, ImaginationSettings(decoder=args.decoder), args.video)
    for each in dict.fromkeys(missing):
        print(f"replay: not shown of {each}", file=sys.stderr)
    print(f"{len(cycles) - len(missing)} of {len(cycles)} cycle(s) shown with what was expected: {args.video}")
    return ExitStatus.DONE


def changes_from(args: argparse.Namespace) -> Changes:
    """What the options ask to be other than it was.

    Raises:
        ValueError: a parameter or the goal picture cannot be used.
    """
    checkpoint = {} if args.checkpoint is None else {"checkpoint": args.checkpoint}
    goal = None if args.goal_picture is None else read_image_file(args.goal_picture)
    return Changes(settings={**read_assignments(args.set), **checkpoint}, goal=goal, seed=args.seed)


def chosen_cycles(run: RecordedRun, args: argparse.Namespace) -> Sequence[Cycle]:
    """The cycles that the options choose.

    Raises:
        DataError: there is none.
    """
    cycles = [
        cycle for cycle in run.cycles if args.goal_id in (None, cycle.goal_id) and args.step in (None, cycle.step)
    ]
    if not cycles:
        there = listed(cycle.name for cycle in run.cycles)
        raise DataError(f"no cycle is of --goal-id {args.goal_id} and --step {args.step}; the recording has {there}")
    return cycles


def _replayed(replayer: Replayer, cycle: Cycle) -> Outcome:
    try:
        return replayer(cycle)
    except (DataError, ImageError) as error:
        return NotReplayed(cycle=cycle, reason=str(error))


def _asked(args: argparse.Namespace, changes: Changes) -> dict[str, Any]:
    goal = {} if args.goal_picture is None else {"goal_picture": str(args.goal_picture)}
    seed = {} if args.seed is None else {"seed": args.seed}
    return {**changes.settings, **goal, **seed}
