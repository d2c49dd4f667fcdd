"""Blocking and pipelined execution, commits, and what the loop does when it fails itself; real threads and clock."""

from __future__ import annotations

import time

import numpy as np
import pytest

from support.rigs.plain_loop import CONFIG, START, PlainLoop, loop_settings, running, wait_until
from vjepa_mpc.controller.step import Observation, Step
from vjepa_mpc.controller.visual_mpc import VisualMPC
from vjepa_mpc.goals.endings.budget import Budget
from vjepa_mpc.goals.sub_goal import SubGoal
from vjepa_mpc.loop.settings import LoopSettings
from vjepa_mpc.safety.reasons import Reason
from vjepa_mpc.worldmodel import PointMassWorldModel

PLAN_SECONDS = 0.15
PATIENCE = 2.5  # seconds that a plan may wait for the arm
GOAL = START + np.array([0.2, 0.2, 0.1])


class SlowMPC(VisualMPC):
    """Takes its time, notes how far the arm still was from where each plan began, and what was asked of it."""

    def __init__(self, model: PointMassWorldModel) -> None:
        super().__init__(model, CONFIG)
        self.still_to_go: list[float] = []
        self.calls: list[tuple[str, Step]] = []

    def propose(self, observation: Observation) -> Step:
        self.still_to_go.append(float(np.linalg.norm(observation.origin[:3] - observation.pose[:3])))
        step = super().propose(observation)
        time.sleep(PLAN_SECONDS)  # as a large model would
        self.calls.append(("propose", step))
        return step

    def commit(self, step: Step) -> None:
        self.calls.append(("commit", step))
        super().commit(step)


@pytest.fixture
def mpc(model: PointMassWorldModel) -> SlowMPC:
    return SlowMPC(model)


def goal(model: PointMassWorldModel, steps: int = 8) -> SubGoal:
    return SubGoal(image=model.render(GOAL), endings=(Budget(steps=steps),))


def speeds(plain: PlainLoop) -> np.ndarray:
    """Of the set-points between the first and the last quarter of the way, m/s."""
    way = np.array([setpoint.position for setpoint in plain.ports.setpoints])
    travelled = np.linalg.norm(way - way[0], axis=1)
    middle = (travelled > 0.25 * travelled.max()) & (travelled < 0.75 * travelled.max())
    found = np.array([np.linalg.norm(setpoint.linear_velocity) for setpoint in plain.ports.setpoints])
    return found[middle]


@pytest.mark.slow
def test_blocking_execution_plans_at_rest_only(model, mpc) -> None:
    with running(loop_settings(), mpc, model) as plain:
        plain.set_goals(goal(model))
        plain.ports.wait_for("GOAL_FINISHED")
        assert max(mpc.still_to_go) == 0.0
        assert speeds(plain).min() < 1e-3
        assert np.linalg.norm(plain.ports.position - GOAL) < 0.01


def test_pipelined_execution_plans_in_motion_and_passes_on_without_stopping(model, mpc) -> None:
    with running(loop_settings(pipelined=True), mpc, model) as plain:
        plain.set_goals(goal(model))
        plain.ports.wait_for("GOAL_FINISHED")
        steps, position = plain.ports.steps, plain.ports.position
        assert max(mpc.still_to_go) > 0.01
        assert speeds(plain).min() > 0.01
        assert np.linalg.norm(position - GOAL) < 0.01
        assert [step.goal_step for step in steps] == list(range(1, 9))
        # What was planned last is carried out to its end before the goal counts as finished.
        assert np.linalg.norm(position - steps[-1].target_pose[:3]) < 0.005


@pytest.mark.parametrize("pipelined", [False, True], ids=["blocking", "pipelined"])
def test_every_step_is_committed_once_before_the_next_is_proposed_and_the_finished_one_too(
    model, mpc, pipelined
) -> None:
    with running(loop_settings(pipelined=pipelined), mpc, model) as plain:
        plain.set_goals(goal(model, steps=3))
        plain.ports.wait_for("GOAL_FINISHED")
    assert [name for name, _ in mpc.calls] == ["propose", "commit"] * 4
    steps = [step for name, step in mpc.calls if name == "propose"]
    assert steps == [step for name, step in mpc.calls if name == "commit"]
    assert steps == [*plain.ports.steps, *plain.ports.finished] and steps[-1].finished


def test_after_an_interruption_nothing_is_carried_out_or_committed_that_was_planned_before(model, mpc) -> None:
    with running(loop_settings(pipelined=True), mpc, model) as plain:
        ports, loop = plain.ports, plain.loop
        plain.set_goals(goal(model))
        wait_until(lambda: len(ports.steps) >= 2)
        loop.call(loop.pause)
        loop.wait_silent()
        carried_out = len(ports.steps)
        ports.position = ports.position - (0.1, 0.0, 0.0)  # somebody pushes the arm back
        wait_until(lambda: np.linalg.norm(loop.decision.measured.position - ports.position) < 1e-6)
        loop.call(loop.unpause)
        pushed = ports.position
        wait_until(lambda: len(ports.steps) > carried_out)
        resumed = ports.steps[carried_out]
        assert np.allclose(resumed.target_pose[:3], pushed + resumed.actions[0, :3], atol=1e-6)
        ports.wait_for("GOAL_FINISHED")
        assert [step.goal_step for step in ports.steps] == list(range(1, 9))
    committed = [step for name, step in mpc.calls if name == "commit"]
    assert committed == [*ports.steps, *ports.finished]


def test_an_arm_that_does_not_arrive_is_a_hold_and_the_next_plan_begins_where_it_is(model, mpc) -> None:
    # Many times what a plan takes: on a busy machine one that is merely late would expire, too, and nothing ever moves.
    settings = loop_settings(pipelined=True, plan_max_age=PATIENCE, following_timeout=20 * PATIENCE)
    with running(settings, mpc, model) as plain:
        ports = plain.ports
        plain.set_goals(goal(model))
        wait_until(lambda: len(ports.steps) >= 1)
        ports.obeys = False
        ports.wait_for("PLAN_EXPIRED")
        stuck, sent = ports.position, len(ports.setpoints)
        ports.wait_for("NONE")
        ports.wait_for("PLAN_EXPIRED")
        assert settings.supervisor is not None
        for setpoint in ports.setpoints[sent:]:
            assert np.linalg.norm(setpoint.position - stuck) < settings.supervisor.limits.max_step


@pytest.mark.slow
def test_an_error_in_the_loop_stops_the_arm_by_name_and_can_be_resumed(model, mpc) -> None:
    with running(loop_settings(), mpc, model) as plain:
        ports, loop = plain.ports, plain.loop
        plain.set_goals(goal(model))
        ports.wait_for("NONE")

        def fail() -> None:
            ports.on_status = lambda: None
            raise RuntimeError("no memory for a message")

        ports.on_status = fail
        loop.call(loop.pause)
        assert "no memory for a message" in ports.wait_for("CONTROL_LOOP_ERROR").message
        loop.wait_silent()
        assert loop.call(loop.resume) is Reason.CONTROL_LOOP_ERROR
        ports.wait_for("GOAL_FINISHED")


class ForgetfulMPC(VisualMPC):
    """Fails the first time that it is to commit."""

    failed = False

    def commit(self, step: Step) -> None:
        if not self.failed:
            self.failed = True
            raise KeyError("no such state")
        super().commit(step)


def test_a_commit_that_fails_is_a_fault_and_not_the_end_of_the_planning_thread(model) -> None:
    with running(loop_settings(), ForgetfulMPC(model, CONFIG), model) as plain:
        plain.set_goals(goal(model))
        assert "no such state" in plain.ports.wait_for("PLANNER_EXCEPTION").message
        plain.loop.call(plain.loop.resume)
        plain.ports.wait_for("GOAL_FINISHED")


def test_a_stopped_loop_refuses_calls_instead_of_hanging(model, mpc) -> None:
    with running(loop_settings(), mpc, model) as plain:
        pass
    with pytest.raises(RuntimeError, match="control loop has stopped"):
        plain.loop.call(plain.loop.pause)


def test_without_a_workspace_goals_are_refused_and_nothing_moves(model, mpc) -> None:
    plain = PlainLoop(LoopSettings(supervisor=None), mpc, model)
    plain.loop.start()
    try:
        with pytest.raises(ValueError, match="NO_WORKSPACE"):
            plain.set_goals(goal(model))
        with pytest.raises(ValueError, match=r"workspace\.lower"):
            plain.loop.call(plain.loop.activate)
        plain.loop.call(plain.loop.deactivate)
        plain.loop.wait_silent()
        assert plain.ports.wait_for("NO_WORKSPACE")
    finally:
        assert plain.loop.stop(10.0)
    assert not mpc.calls and not plain.ports.setpoints


def test_nothing_is_sent_while_there_is_no_goal(model, mpc) -> None:
    with running(loop_settings(), mpc, model) as plain:
        plain.ports.wait_for("NO_GOAL")
        assert np.array_equal(plain.ports.position, START) and not plain.ports.setpoints
