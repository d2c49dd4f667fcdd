"""Command-line options that several commands share, and what they stand for."""

from __future__ import annotations

import argparse
from pathlib import Path

from vjepa_mpc.evaluation.policies import EARLY, Endings
from vjepa_mpc.goals.sub_goal import Plateau
from vjepa_mpc.planning import PRESETS
from vjepa_mpc.sim.tasks import TASKS
from vjepa_mpc.worldmodel import VJEPAWorldModel, bundled_model_path, load_world_model, resolve_dtype, tune_process


def add_task_argument(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """Which task; required where there is no default. `TASKS.part` turns the name into the task's class."""
    known = f"{', '.join(TASKS.names)}, or your own as package.module:Class"
    how = f"{known} (default: {default})" if default else known
    parser.add_argument("--task", metavar="NAME", default=default, required=default is None, help=how)


def add_episode_arguments(parser: argparse.ArgumentParser, episodes: int, what: str = "how many") -> None:
    """How many episodes, and which."""
    parser.add_argument("--episodes", type=int, default=episodes, help=f"{what} (default: {episodes})")
    parser.add_argument("--seed", type=int, default=0, help="which episodes; never ones that were trained on")


def check_episodes(args: argparse.Namespace) -> None:
    """Refuse numbers that no episodes can be drawn with.

    Raises:
        ValueError: the message names both.
    """
    if args.episodes < 1 or args.seed < 0:
        raise ValueError(f"--episodes {args.episodes} --seed {args.seed}: need at least 1 episode and a seed from 0 on")


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Which world model plans, and how."""
    parser.add_argument("--model", type=Path, default=None, help="checkpoint (default: the bundled model)")
    parser.add_argument("--preset", choices=sorted(PRESETS), default="cpu", help="planner settings (default: cpu)")
    parser.add_argument("--device", default="cpu", help="of the model (default: cpu)")
    parser.add_argument("--dtype", default="auto", help="of the model: auto, float32, bfloat16, float16")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: 0, PyTorch's choice)")


def load_model(args: argparse.Namespace) -> tuple[Path, VJEPAWorldModel]:
    """The checkpoint of `add_model_arguments` and the world model in it, in a process prepared for planning."""
    tune_process(args.threads)
    path = args.model or bundled_model_path()
    return path, load_world_model(path, device=args.device, dtype=resolve_dtype(args.dtype, args.device))


def add_ending_arguments(parser: argparse.ArgumentParser) -> None:
    """When sub-goals end early."""
    threshold, plateau = EARLY.energy_threshold, EARLY.plateau or Plateau(window=3, slope=0.0)
    how = "with --ends early, a sub-goal ends"
    parser.add_argument(
        "--energy-threshold",
        type=float,
        default=threshold,
        help=f"{how} at this energy; 0: never (default: {threshold})",
    )
    parser.add_argument(
        "--plateau-window",
        type=int,
        default=plateau.window,
        help=f"{how} by so many energies that have levelled off; 0: never (default: {plateau.window})",
    )
    parser.add_argument(
        "--plateau-slope",
        type=float,
        default=plateau.slope,
        help=f"that is, fall less a step than this share of the first (default: {plateau.slope})",
    )


def early_endings(args: argparse.Namespace) -> Endings:
    """What `add_ending_arguments` was given.

    Raises:
        ValueError: an unusable value.
    """
    window = args.plateau_window
    plateau = Plateau(window=window, slope=args.plateau_slope) if window else None
    return Endings(energy_threshold=args.energy_threshold or None, plateau=plateau)
