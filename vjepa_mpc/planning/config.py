"""Settings of the planner."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, is_dataclass
from typing import Any, TypeVar, get_type_hints

from vjepa_mpc.options import check_options, option
from vjepa_mpc.planning.pins import FrozenDict, checked_pins, pins_from_text, pins_to_text
from vjepa_mpc.planning.updates.mppi import MPPI
from vjepa_mpc.registry import part_names

SELECTIONS = ("mean", "best")
FOLDERS = ("optimisers", "samplers", "updates", "objectives")
"""Folders of parts that the settings choose from."""

_FORMER_KEYWORDS = {"deadline": "time_budget", "execute": "selection", "temperature": "options['mppi']"}
T = TypeVar("T")


def _parts(folder: str) -> Callable[[], tuple[str, ...]]:
    """The names of the parts in a folder, looked up when they are asked for."""
    return lambda: part_names(f"vjepa_mpc.planning.{folder}")


def _with_former_keywords(kind: type[T]) -> type[T]:
    """Have the constructor take the keywords of the release before, with a warning."""
    new: Callable[..., None] = kind.__init__

    @functools.wraps(new)
    def init(self: T, **settings: Any) -> None:
        for former in settings.keys() & _FORMER_KEYWORDS.keys():
            warnings.warn(
                f"CEMConfig({former}=…) is called {_FORMER_KEYWORDS[former]} now; the old name goes with the next "
                "release",
                DeprecationWarning,
                stacklevel=2,
            )
            value = settings.pop(former)
            if former == "temperature":
                settings["options"] = {**settings.get("options", {}), "mppi": MPPI.Options(temperature=value)}
            else:
                settings[_FORMER_KEYWORDS[former]] = value
        new(self, **settings)

    kind.__init__ = init  # type: ignore[assignment, method-assign]
    return kind


@_with_former_keywords
@dataclass(frozen=True, kw_only=True)
class CEMConfig:
    """Settings of the planner. The defaults are the published ones (upstream ``mpc_utils.cem``), names included.

    Each field's meaning, unit and range are in its declaration, which is also its ROS parameter's. Two fields are no
    ROS parameters of their own:

    Attributes:
        verbose: log every iteration's best energy, mean and spread. Reading them waits for the device.
        options: options of the chosen parts, by the part's name, such as ``{"mppi": MPPI.Options(temperature=0.5)}``.
            As ROS parameters they are called ``<part>.<field>``. Options that are all default are left out.

    Raises:
        ValueError: a value is out of range, or two values do not fit together; the message names them.
    """

    # As published.
    rollout: int = option(2, "Steps that are planned ahead: the horizon H.", low=1, high=64, live=True)
    samples: int = option(
        400, "Candidate action sequences that are drawn per iteration.", low=2, high=100_000, live=True
    )
    topk: int = option(
        10,
        "Elites: the best candidates of an iteration, to which the next distribution is fitted. At most samples.",
        low=2,
        high=100_000,
        live=True,
    )
    cem_steps: int = option(10, "Iterations of the planner.", low=1, high=1_000_000, live=True)
    momentum_mean: float = option(
        0.15, "Share of the old mean of x, y and z that an iteration keeps.", low=0.0, high=1.0, live=True
    )
    momentum_std: float = option(
        0.15, "Share of the old standard deviation of x, y and z that an iteration keeps.", low=0.0, high=1.0, live=True
    )
    momentum_mean_gripper: float = option(
        0.15, "Share of the old mean of the gripper that an iteration keeps.", low=0.0, high=1.0, live=True
    )
    momentum_std_gripper: float = option(
        0.15,
        "Share of the old standard deviation of the gripper that an iteration keeps.",
        low=0.0,
        high=1.0,
        live=True,
    )
    maxnorm: float = option(
        0.05,
        "Longest planned move along each axis in one step (a box, not a ball); also the first standard deviation of "
        "x, y and z.",
        unit="m",
        low=0.001,
        high=0.5,
        live=True,
    )
    axis: Mapping[int, float] = option(
        default_factory=FrozenDict,
        text="Coordinates that every planned action has a given value of, such as 'z=0.0, gripper=-1.0': metres, and "
        "changes of closedness. Empty: none.",
        live=True,
        to_plain=pins_to_text,
        from_plain=pins_from_text,
    )
    close_gripper: int | None = option(
        None,
        "Plan step, from 0, from which on the gripper closes; -1: the planner decides.",
        low=-1,
        high=64,
        live=True,
        none_is=-1,
    )
    gripper_clip: float = option(
        0.75,
        "Largest change of the gripper's closedness (0 open, 1 closed) in one step of a candidate.",
        low=0.01,
        high=1.0,
        live=True,
    )
    gripper_dead_band: float = option(
        0.25, "Planned changes of the gripper's closedness below this become 0.", low=0.0, high=1.0, live=True
    )
    verbose: bool = False

    # Other methods (iCEM is arXiv 2008.06389).
    optimiser: str = option(
        "cem",
        "Method of the search.",
        choices=_parts("optimisers"),
        open_choices=True,
        live=True,
    )
    objective: str = option(
        "l1",
        "What is minimised: the energy of predicted latents, given the goal's.",
        choices=_parts("objectives"),
        open_choices=True,
    )
    warm_start: bool = option(False, "Begin at the previous plan, moved on by one step.", live=True)
    warm_start_std: float = option(
        1.0,
        "First standard deviation of a warm start, as a share of the usual first one.",
        low=1e-6,
        high=10.0,
        live=True,
    )
    sampling: str = option(
        "gaussian",
        "How candidates are drawn.",
        choices=_parts("samplers"),
        open_choices=True,
        live=True,
    )
    noise_colour: float = option(
        0.0,
        "Exponent of the noise spectrum over the horizon: 0 white, 1 pink, 2 red. Larger values draw smoother "
        "sequences. No effect with rollout=1.",
        low=0.0,
        high=10.0,
        live=True,
    )
    update: str = option(
        "cem",
        "How the next distribution is fitted to the candidates and their energies.",
        choices=_parts("updates"),
        open_choices=True,
        live=True,
    )
    keep_elites: float = option(
        0.0,
        "Share of the elites that also competes in the next iteration, and with a warm start in the next plan.",
        low=0.0,
        high=1.0,
        live=True,
    )
    sample_decay: float = option(
        1.0,
        "The number of samples is divided by this after each iteration, down to twice topk.",
        low=1.0,
        high=100.0,
        live=True,
    )
    mean_candidate: bool = option(
        False, "The mean of the distribution is a candidate of each iteration itself.", live=True
    )
    std_floor: float = option(
        0.0,
        "Least standard deviation, as a share of the first one: keeps the search from collapsing early.",
        low=0.0,
        high=1.0,
        live=True,
    )
    selection: str = option(
        "mean",
        "Which sequence of the search is returned: the mean of the last distribution, or the best of all candidates.",
        choices=SELECTIONS,
        live=True,
        former=("execute",),
    )
    least_gain: float = option(
        0.005,
        "The arm stays where it is unless a plan is better than doing nothing by more than this share of what any "
        "action changes: of the distance from the first candidates' mean energy to the plan's. Larger values leave an "
        "arm alone that is nearly there.",
        low=0.0,
        high=1.0,
        live=True,
    )
    stop_spread: float = option(
        0.0,
        "Stop as soon as the spread of x, y and z among the elites is below this share of the first one; 0: never.",
        low=0.0,
        high=1.0,
        live=True,
    )

    # Time and memory.
    time_budget: float | None = option(
        None,
        "Time that a plan may take; the best plan that was found within it is returned. 0: no limit.",
        unit="s",
        low=0.0,
        high=3600.0,
        live=True,
        none_is=0.0,
        former=("deadline",),
    )
    micro_batch: int | None = option(
        None,
        "Candidates that are predicted at once; 0: as many as memory_limit_mb admits.",
        low=0,
        high=100_000,
        live=True,
        none_is=0,
    )
    memory_limit_mb: float | None = option(
        None,
        "Memory that predicting a micro-batch may need. 0: 80 % of what is free on a GPU (40 % with cuda_graphs), or "
        "32 MB per thread on a CPU, which is what its caches hold.",
        unit="MB",
        low=0.0,
        high=1e6,
        live=True,
        none_is=0.0,
    )
    cuda_graphs: bool = option(
        False,
        "On a GPU, record an iteration once and replay it from then on. No effect, and a warning, on a CPU and "
        "together with a time budget, a sample decay or several processes.",
        live=True,
    )
    options: Mapping[str, object] = field(default_factory=FrozenDict)

    def __post_init__(self) -> None:
        self._check_whole_numbers()
        check_options(self)
        self._check_together()
        object.__setattr__(self, "axis", checked_pins(self.axis))
        object.__setattr__(self, "options", _checked_options(self.options))

    def _check_whole_numbers(self) -> None:
        for name in _whole_numbers():
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
                raise ValueError(f"{name}={value}: use a whole number")
        if self.topk == 1:
            raise ValueError("topk=1: use at least 2 (the spread of a single elite is undefined)")

    def _check_together(self) -> None:
        """What a range alone does not say."""
        if self.topk > self.samples:
            raise ValueError(f"topk={self.topk} > samples={self.samples}: elites are chosen among the samples")
        if self.close_gripper is not None and self.close_gripper < 0:
            raise ValueError(f"close_gripper={self.close_gripper}: use a plan step from 0 on, or None for never")
        for name in ("time_budget", "micro_batch", "memory_limit_mb"):
            if getattr(self, name) == 0:
                raise ValueError(f"{name}={getattr(self, name)}: use a positive number, or None for no limit of yours")
        if self.std_floor and self.stop_spread and self.std_floor >= self.stop_spread:
            raise ValueError(
                f"std_floor={self.std_floor} >= stop_spread={self.stop_spread}: the spread is kept above the floor, "
                "so the plan would seldom stop early; lower the floor"
            )

    def samples_of(self, iteration: int) -> int:
        """Samples drawn in an iteration, from 0."""
        least = min(self.samples, 2 * self.topk)
        return max(least, round(self.samples / self.sample_decay**iteration))

    @property
    def candidate_steps(self) -> int:
        """Predictions of a whole search with the optimiser ``cem``: candidates times horizon, over all iterations."""
        drawn = sum(self.samples_of(iteration) for iteration in range(self.cem_steps))
        extra = (self.cem_steps if self.mean_candidate else 0) + (1 if self.selection == "best" else 0)
        return (drawn + extra) * self.rollout


@functools.cache
def _whole_numbers() -> tuple[str, ...]:
    """The fields that are declared as whole numbers, or as these or None."""
    return tuple(name for name, kind in get_type_hints(CEMConfig).items() if kind in (int, int | None))


def _checked_options(options: Mapping[str, object]) -> FrozenDict:
    """Options of parts by the parts' names, without those that are all default."""
    known = {name for folder in FOLDERS for name in _parts(folder)()} if options else set()
    for name, value in options.items():
        if name not in known and ":" not in name:
            raise ValueError(f"options[{name!r}]: there is no such part; parts are {', '.join(sorted(known))}")
        if not is_dataclass(value) or isinstance(value, type):
            raise ValueError(f"options[{name!r}]={value!r}: give an instance of the part's Options")
    return FrozenDict((name, value) for name, value in options.items() if value != _default(value))


def _default(options: Any) -> object:
    try:
        return type(options)()
    except TypeError:  # an option without a default
        return None
