"""Settings of the planner, and the presets that the papers and we recommend."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

# Columns of the distribution that is searched; rotations are not (upstream plans with zero rotation).
X, Y, Z, GRIPPER = range(4)

Sampling = Literal["gaussian", "antithetic", "sobol"]
Update = Literal["cem", "mppi"]
Execute = Literal["mean", "best"]


@dataclass(frozen=True, kw_only=True)
class CEMConfig:
    """Parameters of the planner. The defaults are the published one (upstream ``mpc_utils.cem``), names included.

    As published:

    Attributes:
        rollout: steps that are planned ahead (horizon).
        samples: candidate action sequences an iteration.
        topk: elites, the candidates that the next distribution is fitted to; at least 2.
        cem_steps: iterations.
        momentum_mean: share of the old mean that is kept, for xyz.
        momentum_std: share of the old standard deviation that is kept, for xyz.
        momentum_mean_gripper: the same for the gripper's mean.
        momentum_std_gripper: the same for the gripper's standard deviation.
        maxnorm: most metres along each axis in one step (a box, not a ball), and the first xyz standard deviation.
        axis: coordinates (0 x, 1 y, 2 z in metres, 3 gripper) pinned to a value.
        close_gripper: plan step from which on the gripper action is +1; None leaves it free.
        gripper_clip: most that a candidate may change the gripper in one step.
        gripper_dead_band: smaller gripper actions become 0 in the result.
        verbose: log every iteration's best energy, mean and spread.

    Fewer samples for the same plan (iCEM is arXiv 2008.06389, MPPI is arXiv 1509.01149):

    Attributes:
        warm_start: begin at the previous plan, moved on by one step, when the caller has one.
        warm_start_std: first standard deviation of a warm start, as a share of the cold start's.
        sampling: ``gaussian``; ``antithetic``, each sample with its mirror image; or ``sobol``, points that fill the
            space evenly instead of at random.
        noise_colour: exponent of the noise spectrum over the horizon (iCEM): 0 white, 1 pink, 2 red; the larger, the
            smoother are the sampled sequences. Without effect on a single step.
        update: ``cem`` fits the next distribution to the elites, ``mppi`` to all candidates, weighted by
            exp(-energy / temperature).
        temperature: of ``mppi``, in standard deviations of the candidates' energies.
        keep_elites: share of the elites that stays in the competition in the next iteration (iCEM), and with a warm
            start in the next plan.
        sample_decay: the number of samples is divided by this after each iteration (iCEM), down to twice ``topk``.
        mean_candidate: the mean itself is a candidate of each iteration (iCEM).
        std_floor: least standard deviation, as a share of the first: keeps the search from collapsing early.
        execute: ``mean`` of the last distribution, or the ``best`` of all candidates and the last mean (iCEM).
        stop_spread: stop as soon as the elites' xyz spread is below this share of the first; 0 never. The gripper, of
            which a binary hand uses the sign only, is not waited for.

    Time and memory:

    Attributes:
        deadline: seconds that a plan may take; the best plan found within them is returned. None: no limit.
        micro_batch: candidates that are predicted at once; None: as many as the memory limit admits.
        memory_limit_mb: what predicting a micro-batch may need; None: 80 % of what is free on a GPU (half of that with
            ``cuda_graphs``), 32 MB for each thread of a CPU (what its caches hold: more at once is slower).
        cuda_graphs: on a GPU, record an iteration once and replay it from then on. Without effect, and with a warning,
            on a CPU, with a deadline, a sample decay or several ranks.
    """

    rollout: int = 2
    samples: int = 400
    topk: int = 10
    cem_steps: int = 10
    momentum_mean: float = 0.15
    momentum_std: float = 0.15
    momentum_mean_gripper: float = 0.15
    momentum_std_gripper: float = 0.15
    maxnorm: float = 0.05
    axis: Mapping[int, float] = field(default_factory=dict)
    close_gripper: int | None = None
    gripper_clip: float = 0.75
    gripper_dead_band: float = 0.25
    verbose: bool = False

    warm_start: bool = False
    warm_start_std: float = 1.0
    sampling: Sampling = "gaussian"
    noise_colour: float = 0.0
    update: Update = "cem"
    temperature: float = 0.3
    keep_elites: float = 0.0
    sample_decay: float = 1.0
    mean_candidate: bool = False
    std_floor: float = 0.0
    execute: Execute = "mean"
    stop_spread: float = 0.0

    deadline: float | None = None
    micro_batch: int | None = None
    memory_limit_mb: float | None = None
    cuda_graphs: bool = False

    def __post_init__(self) -> None:
        self._check_counts()
        self._check_ranges()
        for name, kind in (("sampling", Sampling), ("update", Update), ("execute", Execute)):
            if getattr(self, name) not in get_args(kind):
                raise ValueError(f"{name}={getattr(self, name)!r}: choose one of {', '.join(get_args(kind))}")
        object.__setattr__(self, "axis", checked_pins(self.axis))

    def _check_counts(self) -> None:
        for name, least in (("rollout", 1), ("samples", 2), ("topk", 2), ("cem_steps", 1), ("micro_batch", 1)):
            value = getattr(self, name)
            if value is None and name == "micro_batch":
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                why = " (the spread of a single elite is undefined)" if name == "topk" else ""
                raise ValueError(f"{name}={value}: must be a whole number of at least {least}{why}")
        if self.topk > self.samples:
            raise ValueError(f"topk={self.topk} > samples={self.samples}: elites are chosen among the samples")
        if self.close_gripper is not None and self.close_gripper < 0:
            raise ValueError(f"close_gripper={self.close_gripper}: must be a plan step from 0 on, or None for never")

    def _check_ranges(self) -> None:
        for name in ("momentum_mean", "momentum_std", "momentum_mean_gripper", "momentum_std_gripper"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name}={getattr(self, name)}: must lie between 0 (forget) and 1 (keep all)")
        for name in ("keep_elites", "std_floor", "stop_spread"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name}={getattr(self, name)}: is a share and must lie between 0 (off) and 1")
        for name in ("maxnorm", "gripper_clip", "warm_start_std", "temperature", "deadline", "memory_limit_mb"):
            value = getattr(self, name)
            if value is not None and not 0.0 < value < math.inf:
                raise ValueError(f"{name}={value}: must be a positive, finite number")
        for name in ("gripper_dead_band", "noise_colour"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name}={getattr(self, name)}: must be 0 or a positive, finite number")
        if not 1.0 <= self.sample_decay < math.inf:
            raise ValueError(f"sample_decay={self.sample_decay}: must be 1 (as many samples each time) or more")
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
        """Predictions that a whole plan takes: candidates times horizon, over all iterations."""
        drawn = sum(self.samples_of(iteration) for iteration in range(self.cem_steps))
        extra = (self.cem_steps if self.mean_candidate else 0) + (1 if self.execute == "best" else 0)
        return (drawn + extra) * self.rollout


def checked_pins(pins: Mapping[Any, float]) -> dict[int, float]:
    """Coordinates with the values that they are pinned to; JSON and YAML have no integer keys, so "1" is taken for 1.

    Raises:
        ValueError: there is no such coordinate, or the value is not finite.
    """
    checked = {int(index): float(value) for index, value in pins.items()}
    for index, value in checked.items():
        if index not in (X, Y, Z, GRIPPER) or not math.isfinite(value):
            raise ValueError(f"axis={{{index}: {value}}}: pin 0 (x), 1 (y), 2 (z) or 3 (gripper) to a finite value")
    return checked


# Each value's reason, with what it is worth where that was measured, is told in docs/performance.md.
PRESETS: dict[str, CEMConfig] = {
    # The robot experiments of arXiv 2506.09985: a single long step, many samples.
    "paper": CEMConfig(rollout=1, samples=800, topk=10, cem_steps=10, maxnorm=0.075),
    # Upstream's notebook.
    "notebook": CEMConfig(rollout=2, samples=400, topk=10, cem_steps=10, maxnorm=0.05),
    # The energy of "paper" for a twentieth of its predictions (benchmarks/bench_quality.py): iCEM's kept elites, the
    # mean as a candidate and the best of all executed, on evenly spread samples.
    "realtime": CEMConfig(
        rollout=1,
        samples=64,
        topk=8,
        cem_steps=6,
        maxnorm=0.075,
        momentum_mean=0.1,
        momentum_std=0.1,
        sampling="sobol",
        keep_elites=0.3,
        mean_candidate=True,
        execute="best",
    ),
    # The published planner, small enough for two or three plans a second of the bundled model on two cores.
    "cpu": CEMConfig(rollout=1, samples=100, topk=10, cem_steps=6, maxnorm=0.075),
}
