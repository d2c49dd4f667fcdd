"""Tasks with goal pictures and an oracle, and the episodes a model learns from."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from vjepa_mpc.sim import FrankaSim, Workspace
from vjepa_mpc.sim.episodes.behaviours import MIX, avoid_pressing
from vjepa_mpc.sim.episodes.recording import EpisodeConfig, episode_look, generate_episodes, halve
from vjepa_mpc.sim.look import BASE
from vjepa_mpc.sim.moves import MAX_STEP, down_pose
from vjepa_mpc.sim.tasks import TASKS, Task, run_oracle
from vjepa_mpc.sim.tasks.gripper import GripperTask
from vjepa_mpc.sim.tasks.pick_place import PickPlaceTask
from vjepa_mpc.sim.tasks.reach import ReachTask
from vjepa_mpc.worldmodel.preprocess import preprocess

pytestmark = pytest.mark.sim


@pytest.fixture(scope="module")
def sim():
    with FrankaSim() as sim:
        yield sim


@pytest.mark.parametrize("name", TASKS.names)
def test_oracle_succeeds(sim, name):
    for seed in range(6):
        outcome = run_oracle(sim, TASKS.part(name).sample(np.random.default_rng(seed)))
        assert outcome.success and outcome.distance < 0.015, (seed, outcome)


@pytest.mark.parametrize("name", TASKS.names)
def test_doing_nothing_fails(sim, name):
    for seed in range(3):
        task = TASKS.part(name).sample(np.random.default_rng(seed))
        task.start(sim)
        assert not task.outcome(sim).success


def test_every_file_of_the_folder_is_a_task_that_tells_what_success_is():
    assert set(TASKS.names) >= {"gripper", "pick_place", "reach"}
    for name in TASKS.names:
        task = TASKS.part(name)
        assert issubclass(task, Task) and task.success_means and task.distance_means != Task.distance_means
        assert 0.8 < task.promised_rate < 1.0


def test_a_task_from_outside_is_found_by_module_and_name():
    assert TASKS.part("vjepa_mpc.sim.tasks.reach:ReachTask") is ReachTask
    with pytest.raises(ValueError, match="did you mean reach"):
        TASKS.part("reech")


def test_reach_pairs_are_10_to_25_cm_apart():
    box = Workspace()
    for seed in range(50):
        task = ReachTask.sample(np.random.default_rng(seed))
        assert 0.10 <= np.linalg.norm(task.goal_pose[:3] - task.start_pose[:3]) <= 0.25
        assert box.contains(task.start_pose[:3]) and box.contains(task.goal_pose[:3])
        assert task.start_pose[6] == task.goal_pose[6]


def test_gripper_task_toggles_in_place():
    tasks = [GripperTask.sample(np.random.default_rng(seed)) for seed in range(20)]
    assert all(abs(task.goal_pose[6] - task.start_pose[6]) == 1.0 for task in tasks)
    assert {task.goal_pose[6] for task in tasks} == {0.0, 1.0}


def test_pick_place_phases_fit_their_budgets():
    for seed in range(30):
        task = PickPlaceTask.sample(np.random.default_rng(seed))
        assert np.linalg.norm(task.target_position - task.block_position) >= 0.08
        assert abs(task.block_yaw) <= np.pi / 12
        position = task.start_pose[:3]
        for phase in task.script():
            assert np.abs(phase.position - position).max() <= phase.steps * MAX_STEP
            position = phase.position


def test_pick_place_goals_tell_the_story(sim):
    task = PickPlaceTask.sample(np.random.default_rng(0))
    goals = task.goals(sim)
    assert [goal.steps for goal in goals] == [4, 4, 3, 4, 5, 4, 3, 3]
    heights = [goal.block_pose[2] for goal in goals]
    assert max(*heights[:2], *heights[6:]) < 0.03 and min(heights[3:5]) > 0.1
    assert goals[0].pose[6] < 0.1 < 0.3 < goals[2].pose[6] and goals[-1].pose[6] < 0.1
    np.testing.assert_allclose(goals[-1].block_pose[:2], task.target_position, atol=0.015)
    for before, after in itertools.pairwise(goals):
        assert (before.image != after.image).any()
    task.start(sim)
    np.testing.assert_allclose(sim.block_pose[:2], task.block_position, atol=1e-3)


def test_single_picture_goals_show_the_goal(sim):
    for task_type in (ReachTask, GripperTask):
        task = task_type.sample(np.random.default_rng(2))
        (goal,) = task.goals(sim)
        run_oracle(sim, task)
        assert np.abs(sim.render().astype(int) - goal.image).mean() < 0.3


def test_a_block_still_held_or_not_lying_is_not_placed(sim):
    task = PickPlaceTask.sample(np.random.default_rng(1))
    held = down_pose(np.array([*task.target_position, 0.027]), 0.4)
    block = np.array([*task.target_position, 0.0255, 0, 0, 0, 1])
    sim.reset(pose=held, block_pose=block, squeeze=True)
    assert not task.outcome(sim).success
    sim.execute(held, 0.0)
    assert task.outcome(sim).success


def test_a_workspace_too_small_for_the_task_says_so():
    tiny = Workspace(low=(0.5, 0.0, 0.1), high=(0.6, 0.07, 0.12))
    with pytest.raises(ValueError, match="larger workspace"):
        PickPlaceTask.sample(np.random.default_rng(0), tiny)


def test_episodes_have_their_shapes_and_depend_on_the_seed_alone():
    config = EpisodeConfig(frames=4)
    both = generate_episodes(config, [11, [12, 3]])
    assert both.images.shape == (2, 4, 128, 128, 3) and both.images.dtype == np.uint8
    assert both.states.shape == both.blocks.shape == (2, 4, 7)
    assert both.states.dtype == both.blocks.dtype == np.float32
    alone = generate_episodes(config, [[12, 3]])
    for together, single in zip(both, alone, strict=True):
        np.testing.assert_array_equal(together[1], single[0])
    assert (both.images[0] != both.images[1]).any()


@pytest.mark.parametrize("behaviour", [behaviour for behaviour, _ in MIX], ids=lambda behaviour: behaviour.__name__)
def test_behaviours_stay_in_the_workspace(sim, behaviour):
    box = sim.config.workspace
    commands = behaviour(sim, np.random.default_rng(4))
    for _ in range(12):
        position, closedness = next(commands)
        assert box.contains(position, margin=-1e-3) and 0.0 <= closedness <= 1.0
        sim.execute(down_pose(avoid_pressing(sim, position, closedness)), closedness, seconds=0.5)
        assert box.contains(sim.pose[:3], margin=-0.01)
        assert 0.0 < sim.block_pose[2] < 0.35


def test_fingers_are_not_pressed_onto_the_block(sim):
    sim.reset(pose=down_pose(np.array([0.5, 0.0, 0.12])), block_position=np.array([0.5, 0.0]), block_yaw=0.0)
    beside, between = np.array([0.5, 0.03, 0.03]), np.array([0.5, 0.0, 0.03])
    assert avoid_pressing(sim, beside, 0.0)[2] > 0.06
    np.testing.assert_array_equal(avoid_pressing(sim, between, 0.0), between)
    assert avoid_pressing(sim, between, 1.0)[2] > 0.06


def test_stored_picture_is_what_the_planner_makes_of_the_live_one(sim):
    live = sim.render()
    seen = preprocess(live, size=128, crop="square").numpy()
    mean, std = np.array([0.485, 0.456, 0.406]).reshape(3, 1, 1), np.array([0.229, 0.224, 0.225]).reshape(3, 1, 1)
    pixels = (seen * std + mean) * 255  # ImageNet's normalisation undone
    np.testing.assert_allclose(pixels.transpose(1, 2, 0), halve(live), atol=0.51)


def test_episode_settings_check_themselves():
    with pytest.raises(ValueError, match="frames is 1"):
        EpisodeConfig(frames=1)
    with pytest.raises(ValueError, match="positive range"):
        EpisodeConfig(step_seconds=(0.5, 0.2))


@pytest.mark.sim
def test_a_share_of_the_training_episodes_is_seen_in_looks_of_their_own() -> None:
    seeds = [[1, 2, episode] for episode in range(4)]
    looks = [episode_look(seed, 1.0) for seed in seeds]
    assert len(set(looks)) == 4 and looks == [episode_look(seed, 1.0) for seed in seeds]
    assert all(episode_look(seed, 0.0) == BASE for seed in seeds)
    assert 0.4 < np.mean([episode_look([9, n], 0.5) == BASE for n in range(200)]) < 0.6
    usual, drawn = (
        generate_episodes(EpisodeConfig(image_size=32, frames=2, look_share=share), seeds[:2]) for share in (0.0, 1.0)
    )
    assert (np.abs(usual.images.astype(int) - drawn.images).mean(axis=(1, 2, 3, 4)) > 3.0).all()
