"""Command-line options that several commands share, and what they stand for."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from vjepa_mpc import options
from vjepa_mpc.arguments import COUNT, SEED, whole
from vjepa_mpc.controller.model_arguments import add_option
from vjepa_mpc.evaluation.policies import EARLY
from vjepa_mpc.goals import endings
from vjepa_mpc.goals.endings.budget import Budget
from vjepa_mpc.goals.endings.interface import Ending
from vjepa_mpc.options import Parameter
from vjepa_mpc.sim.tasks import TASKS


def add_task_argument(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """Which task; required where there is no default. `TASKS.part` turns the name into the task's class."""
    known = f"{', '.join(TASKS.names)}, or your own as package.module:Class"
    how = f"{known} (default: {default})" if default else known
    parser.add_argument("--task", metavar="NAME", default=default, required=default is None, help=how)


def add_episode_arguments(parser: argparse.ArgumentParser, episodes: int, what: str = "how many") -> None:
    """How many episodes, and which."""
    parser.add_argument("--episodes", type=whole(1, COUNT), default=episodes, help=f"{what} (default: {episodes})")
    parser.add_argument(
        "--seed", type=whole(0, SEED), default=0, help="which episodes; never ones that were trained on"
    )


def add_ending_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of all endings but the budget, which the task gives; they count with --ends early."""
    group = parser.add_argument_group("with --ends early")
    chosen = ending_options(EARLY)
    for parameter in _ending_parameters():
        name = parameter.name.removeprefix(endings.PREFIX)
        add_option(group, parameter, chosen.get(name, parameter.default), endings.PREFIX)


def early_endings(args: argparse.Namespace) -> tuple[Ending, ...]:
    """What `add_ending_arguments` was given.

    Raises:
        ValueError: an unusable value.
    """
    given = vars(args)
    made = endings.build({entry.name: given[entry.name] for entry in _ending_parameters()})
    return tuple(ending for ending in made if not isinstance(ending, Budget))


def ending_options(chosen: Sequence[Ending]) -> dict[str, Any]:
    """The options of endings by name, for reports."""
    return {name: value for ending in chosen for name, value in asdict(ending).items()}


def _ending_parameters() -> list[Parameter]:
    budget = {entry.name for entry in options.parameters(Budget, endings.PREFIX)}
    return [entry for entry in endings.parameters() if entry.name not in budget]
