"""`vjepa-mpc subgoals`: find the pictures of one demonstration that matter, and write them as a goal folder."""

from __future__ import annotations

import argparse
from typing import get_args

from vjepa_mpc.arguments import local_path, real
from vjepa_mpc.controller.model_arguments import add_model_arguments, load_model
from vjepa_mpc.demonstrations.proposal import MARGIN, Pace, propose
from vjepa_mpc.demonstrations.sheet import contact_sheet
from vjepa_mpc.demonstrations.source import RATE, open_demonstration
from vjepa_mpc.exit_status import ExitStatus
from vjepa_mpc.files import replacing, require_writable
from vjepa_mpc.goals.folder import LIST, PictureGoal, write_goals
from vjepa_mpc.images import encode_png
from vjepa_mpc.planning import PRESETS
from vjepa_mpc.worldmodel import Crop

SHEET = "sheet.png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("source", type=local_path, metavar="VIDEO|BAG|DATASET", help="one demonstration")
    parser.add_argument(
        "--out", type=local_path, required=True, help=f"folder to make: pictures, {LIST}, and {SHEET} to look at"
    )
    parser.add_argument("--episode", metavar="NAME", help="of a dataset (default: the first)")
    parser.add_argument("--mapping", type=local_path, help="YAML that says what is where in a dataset")
    parser.add_argument(
        "--rate", type=real(1.0, 60.0), default=RATE, help="pictures a second to look at (default: %(default)g)"
    )
    parser.add_argument(
        "--step-seconds",
        type=real(0.05, 60.0),
        default=Pace.step_seconds,
        help=f"of a video for which an action is budgeted, beside {MARGIN} more for each picture (default: "
        "%(default)g); where poses were recorded, their way counts instead",
    )
    parser.add_argument("--crop", choices=get_args(Crop), default="square", help="of the pictures (default: square)")
    add_model_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    require_writable(args.out / LIST, "--out")
    demonstration = open_demonstration(args.source, rate=args.rate, episode=args.episode, mapping=args.mapping)
    _, model = load_model(args)
    pace = Pace(step_seconds=args.step_seconds, maxnorm=PRESETS[args.preset].maxnorm)
    goals = propose(model, args.crop, demonstration, pace)
    write_goals(args.out, [PictureGoal(each.why, encode_png(each.picture), each.steps, each.gripper) for each in goals])
    with replacing(args.out / SHEET) as partial:
        partial.write_bytes(contact_sheet(goals))
    for number, goal in enumerate(goals, start=1):
        print(f"{number:2d}  at {goal.seconds:5.1f} s: {goal.why:17}  {goal.steps:3d} steps  gripper {goal.gripper}")
    if demonstration.closedness is None:
        print("The gripper was not recorded: it is left to the planner. Say open or closed where you know.")
    print(f"wrote {args.out}. Look at {SHEET}, change {LIST} where you like, then: set_goal {args.out}")
    return ExitStatus.DONE
