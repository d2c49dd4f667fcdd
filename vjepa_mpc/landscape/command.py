"""`vjepa-mpc landscape`: the energy around a plan, from two pictures, recordings, or a recorded planning cycle."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from vjepa_mpc.arguments import SEED, Parser, local_path, real, whole
from vjepa_mpc.controller.model_arguments import add_model_arguments, load_model
from vjepa_mpc.controller.sight import Sight
from vjepa_mpc.data import open_dataset
from vjepa_mpc.data.errors import DataError, listed
from vjepa_mpc.exit_status import ExitStatus
from vjepa_mpc.files import replacing, require_writable, write_text
from vjepa_mpc.geometry.pose import POSE_DIM, check_poses, pose_difference
from vjepa_mpc.images import read_image_file
from vjepa_mpc.landscape.drawing import draw
from vjepa_mpc.landscape.scene import Scene, around, look
from vjepa_mpc.planning import PRESETS
from vjepa_mpc.replay.again import Replayer
from vjepa_mpc.replay.command import add_change_arguments, changes_from, chosen_cycles
from vjepa_mpc.replay.recording import RecordedRun
from vjepa_mpc.worldmodel import Crop, WorldModel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options, by where the scene is from."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="FROM", parser_class=Parser)
    pictures = kinds.add_parser("pictures", help="two picture files and the arm's pose at the first")
    pictures.add_argument("seen", type=local_path, help="what the camera sees")
    pictures.add_argument("wanted", type=local_path, help="the goal picture")
    pictures.add_argument(
        "--pose",
        type=real(-100.0, 100.0),
        nargs=POSE_DIM,
        required=True,
        metavar=("X", "Y", "Z", "RX", "RY", "RZ", "G"),
        help="metres, radians (extrinsic xyz Euler), closedness 0 to 1; robot base frame",
    )
    data = kinds.add_parser("data", help="two moments of an episode; what the arm did between them is drawn, too")
    data.add_argument("data", type=local_path, help="recordings, in any format that `vjepa-mpc data inspect` reads")
    data.add_argument("--mapping", type=local_path, metavar="YAML", help="what is what in them: see docs/datasets.md")
    data.add_argument("--episode", help="its name (default: the first one)")
    data.add_argument("--at", type=real(0.0, 1e6), default=0.0, help="seconds since its beginning (default: 0)")
    data.add_argument("--ahead", type=real(0.001, 1e4), default=0.8, help="seconds to the goal picture (default: 0.8)")
    for kind in (pictures, data):
        add_model_arguments(kind)
        kind.add_argument("--crop", choices=get_args(Crop), default="square", help="of the pictures (default: square)")
        kind.add_argument("--seed", type=whole(0, SEED), default=0, help="of the plan (default: 0)")
    run = kinds.add_parser("run", help="a recorded planning cycle, as `vjepa-mpc replay` plans it again")
    run.add_argument("run", type=local_path, metavar="RUN", help="a rosbag2 folder that the recorder wrote")
    add_change_arguments(run)
    for kind in (pictures, data, run):
        kind.add_argument("--json", action="store_true", help="print the figures as JSON")
        kind.add_argument(
            "--out", type=local_path, default=Path("landscape.png"), help="PNG to write; a .json with all is beside it"
        )


def main(args: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    beside = args.out.with_suffix(".json")
    for file in (args.out, beside):
        require_writable(file, "--out")
    if beside == args.out:
        raise ValueError(f"--out {args.out}: name a .png; the figures are written as .json beside it")
    scene = {"pictures": _from_pictures, "data": _from_data, "run": _from_run}[args.kind](args)
    found = json.dumps(as_dict(scene), indent=1)
    with replacing(args.out) as partial:
        partial.write_bytes(draw(scene))
    write_text(beside, found)
    print(found if args.json else f"{scene.words}\n{args.out}")
    return ExitStatus.DONE


def as_dict(scene: Scene) -> dict[str, Any]:
    """All figures, for JSON."""
    surface, outlook = scene.surface, scene.plan.outlook
    return {
        "name": scene.name,
        "says": scene.words,
        "flat": scene.flat,
        "doubtful": scene.doubtful,
        "contrast": surface.contrast,
        "contrast_of_nothing": scene.nothing,
        "lowest_metres": surface.lowest.tolist(),
        "chosen": scene.planned.tolist(),
        "true": None if scene.made is None else scene.made.tolist(),
        "gain": None if outlook is None else outlook.gain,
        "axis_metres": surface.axis.tolist(),
        "energy_dy_dx": surface.xy.tolist(),
        "energy_dz_dx": surface.xz.tolist(),
        "closing": surface.closing.tolist(),
        "energy_gripper": surface.gripper.tolist(),
        "iterations": [
            {"actions": each.actions.double().sum(dim=1)[:, [0, 1, 2, 6]].tolist(), "energies": each.energies.tolist()}
            for each in scene.plan.history or ()
        ],
    }


def _from_pictures(args: argparse.Namespace) -> Scene:
    pose = np.array(args.pose)
    check_poses(pose, "--pose")
    seen, wanted = read_image_file(args.seen), read_image_file(args.wanted)
    return _look(args, f"{args.seen.name} to {args.wanted.name}", seen, wanted, pose, None)


def _from_data(args: argparse.Namespace) -> Scene:
    episodes = {each.name: each for each in open_dataset(args.data, args.mapping)}
    episode = episodes.get(args.episode or next(iter(episodes)))
    if episode is None:
        raise DataError(f"--episode {args.episode}: {args.data} has {listed(episodes)}")
    stamps = episode.stamps[0] + np.array([args.at, args.at + args.ahead])
    if stamps[1] > episode.stamps[-1]:
        length = episode.stamps[-1] - episode.stamps[0]
        raise DataError(f"--at {args.at:g} --ahead {args.ahead:g}: {episode.name} ends after {length:.2f} s")
    (seen, wanted), states = episode.images(stamps), episode.states(stamps)
    made = pose_difference(*torch.from_numpy(np.ascontiguousarray(states))).numpy()
    return _look(args, f"{episode.name}, {args.ahead:g} s from {args.at:g} s on", seen, wanted, states[0], made)


def _look(
    args: argparse.Namespace, name: str, seen: np.ndarray, wanted: np.ndarray, pose: np.ndarray, made: np.ndarray | None
) -> Scene:
    model: WorldModel = load_model(args)[1]
    return look(
        model,
        PRESETS[args.preset],
        args.crop,
        name=name,
        seen=seen,
        wanted=wanted,
        pose=pose,
        made=made,
        seed=args.seed,
    )


def _from_run(args: argparse.Namespace) -> Scene:
    changes, run = changes_from(args), RecordedRun(args.run)
    cycle, *_ = chosen_cycles(run, args)
    situation = Replayer(run, changes).situation(cycle)
    return around(
        situation.world_model,
        situation.config,
        Sight(situation.world_model, situation.crop),
        situation.latent,
        situation.question,
        situation.plan(keep_candidates=True),
        name=f"{args.run.name}, {cycle.name}",
        seen=situation.picture.image,
        wanted=situation.goal_image,
    )
