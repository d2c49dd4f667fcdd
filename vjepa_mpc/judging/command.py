"""`vjepa-mpc judge`: what a model is worth on recordings of an arm, before it moves that arm."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np

from vjepa_mpc.arguments import COUNT, SEED, local_path, real, whole
from vjepa_mpc.calibration.fit import save_rotation
from vjepa_mpc.controller.model_arguments import add_model_arguments, load_model
from vjepa_mpc.data import Dataset, Episode, open_dataset
from vjepa_mpc.data.errors import warnings_as_lines
from vjepa_mpc.exit_status import ExitStatus, interruption
from vjepa_mpc.files import require_writable, write_text
from vjepa_mpc.judging.evidence import Evidence, Settings, gather
from vjepa_mpc.judging.page import page
from vjepa_mpc.judging.report import Judgement, as_dict, as_text
from vjepa_mpc.judging.verdict import CALIBRATE
from vjepa_mpc.planning import PRESETS
from vjepa_mpc.registry import names_code
from vjepa_mpc.worldmodel import Crop
from vjepa_mpc.worldmodel.checkpoints.opening import open_source

PAGE_FILE, JSON_FILE, ROTATION_FILE = "judge.html", "judge.json", "action_rotation.yaml"
_SECONDS, _CROP = 0.25, "square"  # of a model whose file does not say: upstream's step, and the node's crop


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.epilog = (
        "Exit status: 0 whatever the verdict is; 2 when an option or a file cannot be used; 130 after Ctrl-C, with "
        "what was measured until then, marked as partial."
    )
    parser.add_argument(
        "--data", type=local_path, required=True, help="recordings, in any format that `vjepa-mpc data inspect` reads"
    )
    parser.add_argument("--mapping", type=local_path, metavar="YAML", help="what is what in them: see docs/datasets.md")
    parser.add_argument(
        "--out", type=local_path, default=Path("results/judge"), help=f"folder for {PAGE_FILE} and {JSON_FILE}"
    )
    for name, default, least, what in (
        ("samples", 60, 1, "clips and moves to look at, each"),
        ("episodes", 50, 1, "episodes to draw them from, at most"),
        ("pictures", 4, 0, "energy landscapes to draw"),
    ):
        parser.add_argument(f"--{name}", type=whole(least, COUNT), default=default, help=f"{what} (default: {default})")
    parser.add_argument("--seconds-a-step", type=real(0.001, 60.0), help="default: what the model's file says, or 0.25")
    parser.add_argument("--crop", choices=get_args(Crop), help="default: what the model's file says, or square")
    parser.add_argument("--seed", type=whole(0, SEED), default=0, help="of what is drawn and planned (default: 0)")
    parser.add_argument("--trained-on", action="store_true", help="use episodes that the model was trained on, too")
    add_model_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    for name in (PAGE_FILE, JSON_FILE):
        require_writable(args.out / name, "--out")
    path, world_model = load_model(args)
    header = {} if names_code(str(path)) else open_source(path).header
    settings = _settings(args, header)
    with warnings_as_lines("judge"):
        dataset = open_dataset(args.data, args.mapping)
        episodes, about = held_out(dataset, header, args)
        evidence = Evidence(left_out=[f"{each.name}: {each.reason}" for each in dataset.skipped])
        with interruption() as interrupted:
            gather(evidence, world_model, episodes, settings, _show)
            _show("", 0, 0)
    judgement = Judgement.of(
        evidence, settings, model=Path(path).name, data=args.data.name, about=about, partial=bool(interrupted)
    )
    _write(args.out, judgement)
    print(as_text(judgement))
    print(f"\n{args.out / PAGE_FILE}")
    return ExitStatus.INTERRUPTED if interrupted else ExitStatus.DONE


def _settings(args: argparse.Namespace, header: Mapping[str, str]) -> Settings:
    crop: Any = args.crop or header.get("crop", _CROP)
    return Settings(
        planner=PRESETS[args.preset],
        seconds=args.seconds_a_step or float(header.get("seconds_a_step", _SECONDS)),
        crop=crop,
        samples=args.samples,
        pictures=args.pictures,
        seed=args.seed,
    )


def held_out(
    dataset: Dataset, header: Mapping[str, str], args: argparse.Namespace
) -> tuple[Sequence[Episode], list[str]]:
    """Episodes that the model was not trained on, as far as its file tells, and notes on which these are."""
    episodes, about = list(dataset), []
    if header.get("training_data", "").endswith(f" of {args.data.name}") and not args.trained_on:
        names = header["held_out_data"].split(", ")
        episodes = [each for each in episodes if each.name in names]
        about.append(f"only the episodes of {args.data.name} that the model was not trained on, as its file says")
        if not episodes:
            raise ValueError(
                f"the model was trained on all episodes of {args.data}: record others, or give --trained-on to see how "
                "well it knows these"
            )
    elif args.trained_on:
        about.append("episodes may have been trained on: what is said here is too good")
    chosen = np.unique(np.linspace(0, len(episodes) - 1, args.episodes).round().astype(int))
    return [episodes[index] for index in chosen.tolist()], about


def _write(out: Path, judgement: Judgement) -> None:
    write_text(out / JSON_FILE, json.dumps(as_dict(judgement), indent=1))
    write_text(out / PAGE_FILE, page(judgement))
    if judgement.verdict.motion == CALIBRATE and judgement.turn is not None:
        save_rotation(out / ROTATION_FILE, judgement.turn.fit)
    else:
        (out / ROTATION_FILE).unlink(missing_ok=True)  # of a former run, which another verdict has overruled


def _show(what: str, done: int, count: int) -> None:
    """A live line on a terminal, a line at every beginning elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\033[K{what} {done + 1}/{count}" if what else "\r\033[K", end="", file=sys.stderr, flush=True)
    elif what and done == 0:
        print(f"{what}: {count}", file=sys.stderr, flush=True)
