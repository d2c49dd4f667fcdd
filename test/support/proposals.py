"""Steps that ask to be carried out, without a controller behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vjepa_mpc.controller.step import Step
from vjepa_mpc.planning import PlanResult


@dataclass(frozen=True, kw_only=True, eq=False)
class FakeProposal:
    """What the supervisor looks at."""

    step: Step
    epoch: int
    observed_at: float
    seconds: float


def a_plan(energies: tuple[float, ...] = (0.5,), **changes: Any) -> PlanResult:
    """What a planner found, its numbers made up."""
    values: dict[str, Any] = {
        "actions": torch.zeros(1, 7),
        "elite_std": torch.zeros(1, 4),
        "elites": torch.zeros(1, 1, 7),
        "elite_energies": torch.zeros(1),
        "stopped_by": "iterations",
        "candidate_steps": 1,
        "timings": {"total": 0.1},
    }
    return PlanResult(energies=energies, **values | changes)


def a_step(**changes: Any) -> Step:
    """A step, its numbers made up."""
    values: dict[str, Any] = {"goal_id": 1, "goal_step": 1, "actions": np.zeros((1, 7)), "target_pose": np.zeros(7)}
    return Step(**values | changes)
