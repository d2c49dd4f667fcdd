"""Goals that are found in a video of one demonstration are those that the task's script has."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("av", reason="videos need the extra 'data'")

from vjepa_mpc.evaluation.demonstration import DemonstratedGoals
from vjepa_mpc.evaluation.episodes import episode_generator
from vjepa_mpc.sim import FrankaSim
from vjepa_mpc.sim.tasks import TASKS
from vjepa_mpc.worldmodel import bundled_model_path, load_world_model

pytestmark = pytest.mark.sim


def test_each_phase_of_a_pick_and_place_is_found_once_and_looks_as_its_end() -> None:
    task = TASKS.part("pick_place").sample(episode_generator(7001, 0))
    with FrankaSim() as sim:
        found = DemonstratedGoals(load_world_model(bundled_model_path()))(sim, task)
        scripted = task.goals(sim)
    assert len(found) == len(scripted)
    apart = [[np.abs(a.image.astype(float) - b.image).mean() for b in scripted] for a in found]
    assert np.argmin(apart, axis=1).tolist() == list(range(len(scripted)))
    assert all(3 <= goal.steps <= 8 for goal in found)
