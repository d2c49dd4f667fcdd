"""Settings of the cross-entropy-method planner, and the presets that the papers and we recommend."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

# Columns of the distribution that is searched; rotations are not (upstream plans with zero rotation).
X, Y, Z, GRIPPER = range(4)


@dataclass(frozen=True, kw_only=True)
class CEMConfig:
    """Parameters of the published planner (upstream ``mpc_utils.cem``), same names and meaning.

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
        memory_limit_mb: candidates are predicted in batches that need no more than this; None for all at once.
        verbose: log every iteration's best energy, mean and spread.
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
    memory_limit_mb: float | None = None
    verbose: bool = False

    def __post_init__(self) -> None:
        for name, least in (("rollout", 1), ("samples", 2), ("topk", 2), ("cem_steps", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                why = " (the spread of a single elite is undefined)" if name == "topk" else ""
                raise ValueError(f"{name}={value}: must be a whole number of at least {least}{why}")
        if self.topk > self.samples:
            raise ValueError(f"topk={self.topk} > samples={self.samples}: elites are chosen among the samples")
        for name in ("momentum_mean", "momentum_std", "momentum_mean_gripper", "momentum_std_gripper"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name}={getattr(self, name)}: must lie between 0 (forget) and 1 (keep all)")
        for name in ("maxnorm", "gripper_clip", "memory_limit_mb"):
            value = getattr(self, name)
            if value is not None and not 0.0 < value < math.inf:
                raise ValueError(f"{name}={value}: must be a positive, finite number")
        if not 0.0 <= self.gripper_dead_band < math.inf:
            raise ValueError(f"gripper_dead_band={self.gripper_dead_band}: must be 0 or a positive, finite number")
        if self.close_gripper is not None and self.close_gripper < 0:
            raise ValueError(f"close_gripper={self.close_gripper}: must be a plan step from 0 on, or None for never")
        # JSON and YAML have no integer keys, so "1" is taken for 1.
        pins = {int(index): float(value) for index, value in dict(self.axis).items()}
        for index, value in pins.items():
            if index not in (X, Y, Z, GRIPPER) or not math.isfinite(value):
                raise ValueError(f"axis={{{index}: {value}}}: pin 0 (x), 1 (y), 2 (z) or 3 (gripper) to a finite value")
        object.__setattr__(self, "axis", pins)


PRESETS: dict[str, CEMConfig] = {
    # The robot experiments of arXiv 2506.09985: a single long step, many samples.
    "paper": CEMConfig(rollout=1, samples=800, topk=10, cem_steps=10, maxnorm=0.075),
    # Upstream's notebook.
    "notebook": CEMConfig(rollout=2, samples=400, topk=10, cem_steps=10, maxnorm=0.05),
    # The bundled model on two CPU cores: twice a second.
    "cpu": CEMConfig(rollout=1, samples=100, topk=10, cem_steps=6, maxnorm=0.075),
}
