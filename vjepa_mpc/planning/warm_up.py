"""Doing everything once before time matters."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import torch

from vjepa_mpc.planning.cem import CEMPlanner
from vjepa_mpc.planning.config import CEMConfig
from vjepa_mpc.planning.ranks import Ranks
from vjepa_mpc.worldmodel.world_model import WorldModel


def warm_up(world_model: WorldModel, config: CEMConfig, ranks: Ranks | None = None) -> float:
    """Encode a black picture and plan with it, so that kernels are chosen, compiled and loaded; returns the seconds.

    Two iterations have the shapes of all, unless the settings let samples decay.
    """
    started = time.perf_counter()
    latent = world_model.encode(np.zeros((1, 256, 256, 3), dtype=np.uint8))[0]
    steps = config.cem_steps if config.sample_decay > 1.0 else min(2, config.cem_steps)
    planner = CEMPlanner(world_model, replace(config, cem_steps=steps, deadline=None, stop_spread=0.0), ranks=ranks)
    planner.plan(latent, torch.zeros(7), latent)
    return time.perf_counter() - started
