"""Looks: what they change in the picture, what they leave alone, and how they are drawn."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("franky_sim", reason="the simulator's packages are not installed")

from vjepa_mpc.sim import FrankaSim, SimConfig
from vjepa_mpc.sim.appearance import aside
from vjepa_mpc.sim.look import BASE, GROUPS, CameraLook, Distractor, LightLook, Look, contrast, draw_look, look_groups

pytestmark = pytest.mark.sim


@pytest.fixture(scope="module")
def simulator() -> Iterator[FrankaSim]:
    with FrankaSim(SimConfig(image_size=128)) as sim:
        yield sim


@pytest.fixture
def sim(simulator: FrankaSim) -> FrankaSim:
    simulator.set_look(BASE)
    simulator.reset()
    return simulator


def drawn(group: str, seed: int = 0) -> Look:
    return draw_look(np.random.default_rng(seed), look_groups(group))


@pytest.mark.parametrize("group", [*GROUPS, "all"])
def test_a_look_changes_the_picture_and_the_base_look_brings_it_back(sim: FrankaSim, group: str) -> None:
    before = sim.render()
    sim.set_look(drawn(group), [sim.block_pose])
    sim.reset()
    assert np.abs(sim.render().astype(int) - before).mean() > 0.1
    sim.set_look(BASE)
    sim.reset()
    assert np.array_equal(sim.render(), before)


@pytest.mark.parametrize("group", [*GROUPS, "all"])
def test_the_arm_moves_as_in_the_base_look(sim: FrankaSim, group: str) -> None:
    target = sim.pose + np.array([0.04, 0.03, 0.02, 0, 0, 0, 0])
    sim.execute(target, 0.0)
    expected = sim.pose
    sim.set_look(drawn(group))
    sim.reset()
    sim.execute(target, 0.0)
    np.testing.assert_allclose(sim.pose[:6], expected[:6], atol=1e-6)


def test_the_same_seed_draws_the_same_look() -> None:
    assert drawn("all", 3) == drawn("all", 3)
    assert drawn("all", 3) != drawn("all", 4)


@pytest.mark.parametrize("seed", range(30))
def test_the_block_can_be_told_from_the_table_and_from_the_others(seed: int) -> None:
    look = drawn("all", seed)
    assert contrast(look.surface.block, look.surface.table) > 0.3
    assert all(contrast(each.color, look.surface.block) > 0.3 for each in look.distractors)


def test_distractors_lie_aside_of_the_places_that_have_to_stay_clear() -> None:
    near = Distractor(shape="box", color=(0.0, 1.0, 0.0), size=0.02, position=(0.5, 0.01))
    block = np.array([0.5, 0.0])
    assert np.linalg.norm(aside(near, [block]) - block) == pytest.approx(0.085)
    assert np.array_equal(aside(near, [np.array([0.65, 0.1])]), near.position)


def test_a_block_of_another_size_lies_on_the_table_and_is_grasped(sim: FrankaSim) -> None:
    sim.set_look(Look(block_size=0.04))
    sim.reset(block_position=np.array([0.5, 0.0]))
    assert sim.block_pose[2] == pytest.approx(0.02, abs=0.001)
    at_block = np.array([0.5, 0.0, 0.027, *sim.pose[3:6], 0.0])
    sim.execute(at_block, 0.0)
    sim.execute(at_block, 1.0)
    sim.execute(at_block + np.array([0, 0, 0.08, 0, 0, 0, 0]), 1.0)
    assert sim.block_pose[2] > 0.06


@pytest.mark.parametrize("size", [0.04, 0.05, 0.06])
def test_a_block_is_turned_as_far_as_it_fits_between_the_fingers(size: float) -> None:
    yaw = Look(block_size=size, block_yaw=np.pi / 4).yaw_limit
    assert size * (np.cos(yaw) + np.sin(yaw)) <= 0.0741
    assert yaw == pytest.approx(np.pi / 4) or size == 0.06


def test_noise_differs_from_picture_to_picture_and_repeats_with_the_seed(sim: FrankaSim) -> None:
    look = draw_look(np.random.default_rng(1), ["camera"])
    noisy = Look(camera=CameraLook(), light=LightLook(exposure=0.9), sensor=type(look.sensor)(noise=4.0), seed=5)
    sim.set_look(noisy)
    first, second = sim.render(), sim.render()
    assert not np.array_equal(first, second)
    sim.set_look(noisy)
    assert np.array_equal(sim.render(), first)


def test_an_unknown_look_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"look 'dark': use base, camera, light, .* or all"):
        look_groups("dark")
