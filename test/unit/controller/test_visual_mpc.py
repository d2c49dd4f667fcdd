from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from support.rigs.counting_model import CONFIG, START, follow, goal, observe
from vjepa_mpc.controller.gripper import GripperSettings
from vjepa_mpc.controller.interface import NO_GOAL, NoGoalError
from vjepa_mpc.controller.step import Observation
from vjepa_mpc.controller.visual_mpc import VisualMPC
from vjepa_mpc.geometry.gripper_joint import CLOSED, OPEN
from vjepa_mpc.goals.endings.energy import Energy
from vjepa_mpc.goals.sub_goal import PlannerOverrides
from vjepa_mpc.planning import CEMConfig, CEMPlanner
from vjepa_mpc.worldmodel import PointMassWorldModel


@pytest.mark.parametrize("change", [{}, {"time_budget": 30.0}, {"warm_start": True, "sample_decay": 1.5}], ids=str)
def test_warming_up_changes_no_plan(model, change):
    actions = []
    for warm in (False, True):
        mpc = VisualMPC(model, replace(CONFIG, **change), seed=1)
        if warm:
            assert mpc.warm_up() > 0.0
        mpc.set_goals([goal(model, (0.5, 0.0, 0.2))])
        actions.append(mpc.step(observe(model)).actions)
    assert np.array_equal(*actions)


def test_after_warming_up_a_deadline_knows_how_long_predictions_take(model):
    mpc = VisualMPC(model, replace(CONFIG, cem_steps=10_000, time_budget=0.1), seed=1)
    mpc.warm_up()
    mpc.set_goals([goal(model, (0.5, 0.0, 0.2))])
    step = mpc.step(observe(model))
    assert step.plan.stopped_by == "deadline" and step.plan_seconds < 0.15


def test_warming_up_finds_out_that_predictions_are_no_numbers(model, monkeypatch):
    monkeypatch.setattr(model, "encode", lambda images, crop="square": torch.full((1, 1, 3), torch.nan))
    with pytest.raises(ValueError, match="float32 the world model's numbers are not finite: choose another dtype"):
        VisualMPC(model, CONFIG).warm_up()


def test_one_planner_serves_all_steps_of_a_gripper_intent(model, monkeypatch):
    made = []

    class Planner(CEMPlanner):
        def __init__(self, *args, **options):
            made.append(self)
            super().__init__(*args, **options)

    monkeypatch.setattr("vjepa_mpc.controller.planners.CEMPlanner", Planner)
    mpc = VisualMPC(model, CONFIG, seed=1)
    for kind in ("closed", "free", "open"):
        mpc.set_goals([goal(model, (0.5, 0.0, 0.2), gripper=kind)])
        for closedness in (0.1, 0.6):
            mpc.step(observe(model, np.array([*START[:6], closedness])))
    assert len(made) == 1


def test_sub_goals_are_reached_one_after_the_other(mpc, model):
    mpc.set_goals([goal(model, (0.5, 0.0, 0.2)), goal(model, (0.6, 0.1, 0.3))])
    pose, steps = follow(mpc, model)
    assert np.linalg.norm(pose[:3] - (0.6, 0.1, 0.3)) < 0.01
    assert [step.goal_index for step in steps] == [0] * 4 + [1] * 5
    assert [step.goal_step for step in steps] == [1, 2, 3, 4, 1, 2, 3, 4, 4]
    assert [[end.index for end in step.ended] for step in steps] == [[]] * 4 + [[0]] * 4 + [[0, 1]]
    assert {step.ended_by for step in steps[4:]} == {"BUDGET"}
    assert steps[-1].finished and not steps[-1].actions.any()
    assert steps[0].energy > 20 * steps[-1].energy


def test_goal_images_are_encoded_once_and_not_when_set(mpc, model):
    mpc.set_goals([goal(model, (0.5, 0.0, 0.2)), goal(model, (0.6, 0.1, 0.3))])
    assert model.encoded == 0
    mpc.prepare()
    assert model.encoded == 2
    _, steps = follow(mpc, model)
    assert model.encoded == 3 + len(steps)  # and a grey picture, to compare with


def test_an_energy_threshold_ends_at_once_what_is_reached_already(mpc, model):
    near = goal(model, START[:3], endings=(Energy(energy_threshold=0.005),))
    mpc.set_goals([near, goal(model, (0.5, 0.0, 0.2), steps=9, endings=(Energy(energy_threshold=0.005),))])
    _, steps = follow(mpc, model)
    assert steps[0].goal_index == 1 and steps[0].ended[0].by == "ENERGY" and steps[0].ended[0].steps == 0
    assert steps[-1].ended_by == "ENERGY" and len(steps) < 8


def test_stepping_a_finished_goal_stays_finished(mpc, model):
    mpc.set_goals([goal(model, START[:3], steps=1)])
    pose, _ = follow(mpc, model)
    again = mpc.step(observe(model, pose))
    assert again.finished and [end.index for end in again.ended] == [0]
    assert np.allclose(again.target_pose, pose)


def test_there_is_nothing_to_plan_without_a_goal(mpc, model):
    assert mpc.goal_id == NO_GOAL
    with pytest.raises(NoGoalError, match="set_goals"):
        mpc.step(observe(model))
    mpc.set_goals([goal(model, START[:3])])
    mpc.clear_goals()
    with pytest.raises(NoGoalError):
        mpc.prepare()


def test_an_empty_goal_leaves_the_running_one(mpc, model):
    running = mpc.set_goals([goal(model, START[:3])])
    with pytest.raises(ValueError, match="at least one"):
        mpc.set_goals([])
    assert mpc.goal_id == running


def in_another_thread(call) -> tuple[threading.Thread, list]:
    results: list = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    return thread, results


@pytest.mark.parametrize("change", ["set", "clear"])
def test_a_step_for_a_superseded_goal_says_so_and_changes_nothing(mpc, model, change):
    mpc.set_goals([goal(model, (0.5, 0.0, 0.2), gripper="closed")])
    mpc.prepare()
    model.go_on.clear()
    model.entered.clear()
    thread, results = in_another_thread(lambda: mpc.step(observe(model)))
    assert model.entered.wait(10.0)
    new = mpc.set_goals([goal(model, (0.6, 0.0, 0.2))]) if change == "set" else mpc.clear_goals()
    model.go_on.set()
    thread.join(10.0)
    assert results[0].superseded and not results[0].finished and results[0].goal_id != mpc.goal_id
    if change == "set":
        step = mpc.step(observe(model))
        assert (step.goal_id, step.goal_step, step.superseded) == (new, 1, False)
        assert step.target_pose[6] == START[6]  # the superseded goal's "closed" was not latched


def test_encoding_stops_when_the_goal_is_superseded(mpc, model):
    mpc.set_goals([goal(model, (0.5, 0.0, 0.2))] * 20)
    model.go_on.clear()
    thread, results = in_another_thread(lambda: mpc.step(observe(model)))
    assert model.entered.wait(10.0)
    mpc.clear_goals()
    model.go_on.set()
    thread.join(10.0)
    assert results[0].superseded and model.encoded == 1


def test_settings_hold_from_the_next_step_on(mpc, model):
    mpc.set_goals([goal(model, (0.8, 0.3, 0.5), steps=9)])
    assert np.abs(mpc.step(observe(model)).actions[:, :3]).max() > 0.05
    mpc.planner_config = CEMConfig(rollout=2, samples=32, topk=4, cem_steps=3, maxnorm=0.02)
    step = mpc.step(observe(model))
    assert step.actions.shape == (2, 7) and np.abs(step.actions[:, :3]).max() <= 0.02 + 1e-6
    assert len(step.energies) == 3


def test_sub_goals_override_the_planner(mpc, model):
    overrides = PlannerOverrides(maxnorm=0.03, horizon=3)
    mpc.set_goals([goal(model, (0.8, 0.3, 0.5), steps=1, overrides=overrides), goal(model, (0.8, 0.3, 0.5))])
    first, second = mpc.step(observe(model)), mpc.step(observe(model))
    assert first.actions.shape == (3, 7) and np.abs(first.actions[:, :3]).max() <= 0.03 + 1e-6
    assert second.actions.shape == (1, 7) and np.abs(second.actions[:, :3]).max() > 0.05


def test_a_warm_start_goes_on_from_the_newest_plan_of_the_same_sub_goal(model):
    # Two samples hardly off the mean: without a previous plan they find next to no motion.
    cold = CEMConfig(rollout=1, samples=64, topk=8, cem_steps=4, maxnorm=0.075)
    warm = replace(cold, samples=2, topk=2, cem_steps=1, warm_start=True, warm_start_std=1e-6)

    def goes_on(between=lambda mpc: None, steps=4, config=warm, committed=True) -> bool:
        mpc = VisualMPC(model, cold)
        mpc.set_goals([goal(model, (0.7, 0.1, 0.4), steps=steps), goal(model, (0.7, 0.1, 0.4))])
        first = mpc.step(observe(model)) if committed else mpc.propose(observe(model))
        mpc.planner_config = config
        between(mpc)
        return bool(np.allclose(mpc.step(observe(model)).actions[0, :3], first.actions[0, :3], atol=1e-4))

    assert goes_on()
    assert not goes_on(lambda mpc: mpc.restart())
    assert not goes_on(committed=False)
    assert not goes_on(steps=1), "another sub-goal"
    assert not goes_on(config=replace(warm, rollout=2)), "another horizon, changed while running"


def test_gripper_intents(mpc, model):
    intents = ["closed", "open", "close_after:2"]
    mpc.set_goals([goal(model, START[:3], steps=4, gripper=text) for text in intents])
    _, steps = follow(mpc, model)
    commands = [step.target_pose[6] for step in steps[:-1]]
    assert commands == [1.0] * 4 + [0.0] * 4 + [0.0, 0.0, 1.0, 1.0]
    # What the model is told: closing is a change once, then none; opening likewise.
    assert [float(step.actions[0, 6]) for step in steps[:8]] == pytest.approx([1, 0, 0, 0, -1, 0, 0, 0], abs=0.01)


def test_close_after_reaches_into_the_horizon(model):
    mpc = VisualMPC(model, CEMConfig(rollout=3, samples=32, topk=4, cem_steps=3, maxnorm=0.05))
    mpc.set_goals([goal(model, START[:3], gripper="close_after:2")])
    closing = [mpc.step(observe(model)).actions[:, 6] > 0.99 for _ in range(4)]
    assert [row[2] for row in closing] == [True] * 4
    assert [row[0] for row in closing] == [False, False, True, True]


def test_the_held_gripper_command_is_forgotten_on_request(mpc, model):
    mpc.planner_config = replace(CONFIG, axis={3: 0.0})
    mpc.set_goals([goal(model, START[:3], steps=1, gripper="closed"), goal(model, START[:3], steps=9)])
    mpc.step(observe(model))
    half = START.copy()
    half[6] = 0.37
    assert mpc.step(observe(model, half)).target_pose[6] == CLOSED
    mpc.restart()
    assert mpc.step(observe(model, half)).target_pose[6] == CLOSED, "what is grasped stays grasped"
    mpc.forget()
    assert mpc.step(observe(model, half)).target_pose[6] == pytest.approx(0.37)


def test_plans_that_would_open_and_close_by_turns_move_the_hand_once_and_the_steps_say_so(mpc, model):
    mpc.set_goals([goal(model, START[:3], steps=9)])
    steps = []
    for change in (0.6, -0.6, 0.6, -0.6, -0.6):
        mpc.planner_config = replace(CONFIG, axis={3: change})
        steps.append(mpc.step(observe(model)))
    assert [step.target_pose[6] for step in steps] == [CLOSED] * 4 + [OPEN]
    assert ["by turns" in step.clipped for step in steps] == [False, True, False, True, False]


def test_the_continuous_gripper_follows_the_measured_one(model):
    mpc = VisualMPC(model, CONFIG, gripper=GripperSettings(mode="continuous"))
    mpc.set_goals([goal(model, START[:3], steps=9)])
    half = START.copy()
    half[6] = 0.4
    step = mpc.step(observe(model, half))
    assert step.target_pose[6] == pytest.approx(np.clip(0.4 + step.actions[0, 6], 0, 1))


def test_actions_are_turned_by_the_calibrated_rotation(model):
    quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    plain, turned = VisualMPC(model, CONFIG, seed=5), VisualMPC(model, CONFIG, seed=5, action_rotation=quarter)
    targets = []
    for mpc in (plain, turned):
        mpc.set_goals([goal(model, (0.6, -0.1, 0.3))])
        targets.append(mpc.step(observe(model)).target_pose[:3] - START[:3])
    assert np.allclose(targets[1], quarter @ targets[0])
    with pytest.raises(ValueError, match="proper rotation"):
        plain.action_rotation = -np.eye(3)
    assert np.allclose(plain.action_rotation, np.eye(3))


def proposals(moves: list[float], turn: float = 0.0) -> np.ndarray:
    """One sequence [1, H, 7] of moves along x, with a rotation."""
    result = np.zeros((1, len(moves), 7))
    result[0, :, 0], result[0, :, 5] = moves, turn
    return result


@pytest.mark.parametrize("turn", [0.0, 0.6])
def test_what_is_proposed_is_carried_out_when_it_leads_closer_than_the_samples(model, turn):
    # Two samples are all that the planner has of its own; along the model's axes the goal lies elsewhere.
    rotation = np.array([[np.cos(turn), -np.sin(turn), 0.0], [np.sin(turn), np.cos(turn), 0.0], [0.0, 0.0, 1.0]])
    few = replace(CONFIG, samples=2, topk=2, cem_steps=1, selection="best")
    mpc = VisualMPC(TurnedModel(rotation), few, action_rotation=rotation)
    move = np.array([0.03, -0.01, 0.04])
    mpc.set_goals([goal(model, START[:3] + move)])
    alone = mpc.step(observe(model))
    assert np.linalg.norm(alone.actions[0, :3] - move) > 0.02
    proposed = np.zeros((3, 1, 7))
    proposed[1, 0, :3] = move
    step = mpc.step(replace(observe(model), proposals=proposed))
    assert np.allclose(step.actions[0, :3], move, atol=1e-6)
    assert step.energies[0] < alone.energies[0]
    assert np.array_equal(proposed[1, 0, :3], move), "the caller's array stays"


def test_proposals_keep_to_the_planner_s_bounds_and_horizon(model):
    mpc = VisualMPC(model, replace(CONFIG, samples=2, topk=2, cem_steps=1, selection="best", rollout=2))
    mpc.set_goals([goal(model, (0.8, -0.1, 0.3))])
    for moves in ([0.4], [0.4, 0.4, 0.4]):
        step = mpc.step(replace(observe(model), proposals=proposals(moves)))
        assert np.allclose(step.actions[:, :3], [[0.075, 0.0, 0.0]] * 2, atol=1e-6)


def test_a_bad_proposal_is_not_followed(mpc, model):
    mpc.set_goals([goal(model, (0.45, -0.1, 0.3))])
    step = mpc.step(replace(observe(model), proposals=proposals([-0.075])))
    assert np.linalg.norm(step.actions[0, :3] - (0.05, 0.0, 0.0)) < 0.01


def test_a_down_pointing_gripper_keeps_its_roll_branch(mpc, model):
    mpc.set_goals([goal(model, (0.5, 0.0, 0.2))])
    for roll in (np.pi + 0.01, np.pi - 0.01):
        pose = START.copy()
        pose[3] = roll
        mpc.forget()
        assert mpc.step(observe(model, pose)).target_pose[3] == pytest.approx(roll)


def test_the_same_seed_plans_the_same(model):
    results = []
    for _ in range(2):
        mpc = VisualMPC(model, CONFIG, seed=3)
        mpc.set_goals([goal(model, (0.5, 0.0, 0.2))])
        results.append(mpc.step(observe(model)).actions)
    assert np.array_equal(*results)


def test_an_energy_that_is_no_number_is_an_error(mpc, model):
    mpc.set_goals([goal(model, (0.5, 0.0, 0.2))])
    mpc.prepare()
    model.low = torch.full((3,), torch.nan)
    with pytest.raises(ValueError, match="energy=nan"):
        mpc.step(observe(model))


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"pose": np.full(7, np.nan)}, ValueError, "seven finite"),
        ({"pose": np.zeros(6)}, ValueError, "seven finite"),
        (
            {"pose": np.array([400.0, 0.0, 300.0, 0.0, 0.0, 0.0, 0.0])},
            ValueError,
            "pose: a position of 400: give metres",
        ),
        ({"start": np.array([0.4, 0.0, 0.3, 180.0, 0.0, 0.0, 0.0])}, ValueError, "start: an angle of 180: .* radians"),
        ({"image": np.zeros((4, 4, 3))}, TypeError, "camera image"),
        ({"proposals": np.zeros((1, 7))}, ValueError, r"shape \[1, 7\]: give \[P, H, 7\]"),
        ({"proposals": np.zeros((1, 2, 4))}, ValueError, r"shape \[1, 2, 4\]"),
        ({"proposals": np.zeros((0, 1, 7))}, ValueError, r"shape \[0, 1, 7\]"),
        ({"proposals": proposals([0.1, np.nan])}, ValueError, r"proposals\[0, 1\] is \[nan, .*finite"),
        ({"proposals": proposals([0.0, 0.1], turn=0.2)}, ValueError, r"proposals\[0, 0\] is .*0.2.*rotations"),
    ],
)
def test_bad_observations_are_named(changes, error, words):
    with pytest.raises(error, match=words):
        Observation(**{"image": np.zeros((4, 4, 3), np.uint8), "pose": START, **changes})


def test_a_closedness_beside_its_range_is_left_to_the_sanity_check():
    pose = np.append(START[:6], 1.3)
    assert Observation(image=np.zeros((4, 4, 3), np.uint8), pose=pose).pose[6] == 1.3


def test_a_measured_tilt_does_not_enter_the_next_command(mpc, model):
    mpc.set_goals([goal(model, (0.5, 0.0, 0.2))])
    first = mpc.step(observe(model))
    tilted = START.copy()
    tilted[3] += 0.05
    assert mpc.step(observe(model, tilted)).target_pose[3:6] == pytest.approx(first.target_pose[3:6])
    mpc.restart()
    assert mpc.propose(observe(model, tilted)).target_pose[3] == pytest.approx(tilted[3])
    assert mpc.step(observe(model)).target_pose[3] == pytest.approx(START[3])


@pytest.mark.parametrize("turn", [0.0, 0.6])
def test_an_action_for_a_moving_arm_begins_where_its_motion_ends(model, turn):
    rotation = np.array([[np.cos(turn), -np.sin(turn), 0.0], [np.sin(turn), np.cos(turn), 0.0], [0.0, 0.0, 1.0]])
    turned = VisualMPC(TurnedModel(rotation), CONFIG, action_rotation=rotation, seed=1)
    start = START + np.array([0.05, 0.03, -0.02, 0.0, 0.0, 0.0, 0.0])
    target = start[:3] + np.array([-0.03, 0.02, 0.04])
    turned.set_goals([goal(model, target)])
    step = turned.step(Observation(image=model.render(START), pose=START, start=start))
    assert np.linalg.norm(step.target_pose[:3] - target) < 0.01
    assert np.linalg.norm(step.actions[0, :3] - (target - start[:3])) < 0.01


class TurnedModel(PointMassWorldModel):
    """Believes that the robot's axes are turned, as a camera that stands elsewhere makes it."""

    def __init__(self, rotation: np.ndarray) -> None:
        super().__init__()
        self._rotation = torch.as_tensor(rotation, dtype=torch.float32)

    def start_rollout(self, *args, **options):
        rollout = super().start_rollout(*args, **options)
        step = rollout.step
        rollout.step = lambda actions: step(torch.cat([actions[:, :3] @ self._rotation.T, actions[:, 3:]], dim=1))
        return rollout
