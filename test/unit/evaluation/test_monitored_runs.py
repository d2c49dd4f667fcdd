"""Runs of the work in the simulator: what happens in them, and that they are recorded once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from vjepa_mpc.evaluation.monitoring.recording import RATE, record
from vjepa_mpc.evaluation.monitoring.store import RunStore
from vjepa_mpc.evaluation.monitoring.work import sim_config
from vjepa_mpc.sim.franka_sim import FrankaSim

pytestmark = pytest.mark.sim
RED_GOAL, GREEN_GOAL = np.array([0.44, 0.08]), np.array([0.60, 0.08])


@pytest.fixture(scope="module")
def sim() -> Iterator[FrankaSim]:
    with FrankaSim(sim_config(128)) as made:
        yield made


def green_block(sim: FrankaSim) -> np.ndarray:
    return sim.data.joint("block2").qpos[:3].copy()


def test_normal_work_brings_both_blocks_to_their_places(sim: FrankaSim) -> None:
    run = record(sim, "normal", 1)
    assert np.linalg.norm(sim.block_pose[:2] - RED_GOAL) < 0.025
    assert np.linalg.norm(green_block(sim)[:2] - GREEN_GOAL) < 0.025
    assert run.images.shape == (len(run.stamps), 128, 128, 3) and run.states.shape == (len(run.stamps), 7)
    assert np.isnan(run.onset) and np.allclose(np.diff(run.stamps), 1 / RATE)


def test_a_dropped_block_stays_where_it_fell(sim: FrankaSim) -> None:
    run = record(sim, "dropped", 2)
    far = [np.linalg.norm(sim.block_pose[:2] - RED_GOAL), np.linalg.norm(green_block(sim)[:2] - GREEN_GOAL)]
    assert max(far) > 0.03
    before, after = (run.states[int(run.onset * RATE) + shift, 6] for shift in (0, 4))
    assert before < 0.6 < after  # the hand closes on nothing


def test_a_frozen_picture_does_not_change(sim: FrankaSim) -> None:
    frozen = next(
        run for run in (record(sim, "frozen or blurred", seed) for seed in range(8)) if _is_frozen(run.images)
    )
    change = np.abs(np.diff(frozen.images.astype(int), axis=0)).mean(axis=(1, 2, 3))
    onset = int(frozen.onset * RATE) + 1
    assert change[: onset - 1].min() > 0.5 and change[onset + 1 :].max() == 0.0


def _is_frozen(images: np.ndarray) -> bool:
    return bool((images[-1] == images[-2]).all())


def test_a_run_is_recorded_once(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    try:
        wanted = [("stuck", 3), ("stuck", 4)]
        assert store.missing(wanted) == wanted
        made = store.get("stuck", 3)
        assert store.missing(wanted) == [("stuck", 4)]
    finally:
        store.close()
    again = RunStore(tmp_path).get("stuck", 3)
    np.testing.assert_array_equal(made.images, again.images)
    assert (made.onset, made.step_seconds) == (again.onset, again.step_seconds)


def test_a_block_that_there_is_not_cannot_be_moved(sim: FrankaSim) -> None:
    with pytest.raises(ValueError, match="block 3: the scene has the blocks 1 to 2"):
        sim.move_block(np.array([0.5, 0.0, 0.025, 0.0, 0.0, 0.0, 1.0]), number=3)
