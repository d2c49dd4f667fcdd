"""Blocking and pipelined execution, and what the control loop does when it fails itself; real threads and clock."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

from support.loop_rig import START, TIMEOUT, LoopRig, running, settings, stamp
from vjepa_mpc.controller.step import MPCStep
from vjepa_mpc.controller.visual_mpc import Observation, VisualMPC
from vjepa_mpc.loop.timing import DeadlineMeter
from vjepa_mpc.planning.config import CEMConfig
from vjepa_mpc.ros.common.conversions import position_of
from vjepa_mpc.ros.planner import diagnostics
from vjepa_mpc.safety.reasons import Reason
from vjepa_mpc.worldmodel import PointMassWorldModel

pytestmark = pytest.mark.ros

PLAN_SECONDS = 0.15
HESITATION = 0.6  # seconds
GOAL = START + np.array([0.2, 0.2, 0.1])


class SlowMPC(VisualMPC):
    """Takes its time, and notes how far the arm still was from where each plan began."""

    def __init__(self, model: PointMassWorldModel, config: CEMConfig, **options) -> None:
        super().__init__(model, config, **options)
        self.still_to_go: list[float] = []

    def step(self, observation: Observation) -> MPCStep:
        self.still_to_go.append(float(np.linalg.norm(observation.origin[:3] - observation.pose[:3])))
        step = super().step(observation)
        time.sleep(PLAN_SECONDS)  # as a large model would
        return step


class HesitantModel(PointMassWorldModel):
    """Takes its time for each prediction."""

    def start_rollout(self, *args, **options):
        time.sleep(HESITATION)
        return super().start_rollout(*args, **options)


class HesitantMPC(VisualMPC):
    """Looks at the world through a hesitant model."""

    def __init__(self, _: PointMassWorldModel, config: CEMConfig, **options) -> None:
        super().__init__(HesitantModel(), config, **options)


def speeds(rig: LoopRig) -> np.ndarray:
    """Of the set-points between the first and the last quarter of the way, m/s."""
    way = np.array([position_of(message) for message in rig.target.messages])
    travelled = np.linalg.norm(way - way[0], axis=1)[:-1]
    middle = (travelled > 0.25 * travelled.max()) & (travelled < 0.75 * travelled.max())
    return np.linalg.norm(np.diff(way, axis=0), axis=1)[middle] / rig.settings.setpoints.period


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_blocking_execution_plans_at_rest_only() -> None:
    with running(settings(execution="blocking"), mpc_type=SlowMPC) as rig:
        rig.set_goal(GOAL, steps=8)
        rig.wait_for("GOAL_FINISHED")
        assert max(rig.mpc.still_to_go) == 0.0
        assert speeds(rig).min() < 1e-3
        assert np.linalg.norm(rig.position - GOAL) < 0.01


def test_pipelined_execution_plans_in_motion_and_passes_on_without_stopping() -> None:
    with running(settings(execution="pipelined"), mpc_type=SlowMPC) as rig:
        rig.set_goal(GOAL, steps=8)
        rig.wait_for("GOAL_FINISHED")
        assert max(rig.mpc.still_to_go) > 0.01
        assert speeds(rig).min() > 0.01
        assert np.linalg.norm(rig.position - GOAL) < 0.01
        assert [step.goal_step for step in rig.steps] == list(range(1, 9))
        # What was planned last is carried out to its end before the goal counts as finished.
        assert np.linalg.norm(rig.position - rig.steps[-1].target_pose[:3]) < 0.005


def test_after_an_interruption_nothing_is_carried_out_that_was_planned_before() -> None:
    with running(settings(execution="pipelined"), mpc_type=SlowMPC) as rig:
        rig.set_goal(GOAL, steps=8)
        wait_until(lambda: len(rig.steps) >= 2)
        rig.loop.call(rig.loop.pause)
        rig.loop.wait_silent()
        carried_out = len(rig.steps)
        rig.position = rig.position - (0.1, 0.0, 0.0)  # somebody pushes the arm back
        wait_until(lambda: np.linalg.norm(rig.loop.decision.measured.position - rig.position) < 1e-6)
        rig.loop.call(rig.loop.unpause)
        pushed = rig.position
        wait_until(lambda: len(rig.steps) > carried_out)
        resumed = rig.steps[carried_out]
        assert np.allclose(resumed.target_pose[:3], pushed + resumed.actions[0, :3], atol=1e-6)
        rig.wait_for("GOAL_FINISHED")
        assert [step.goal_step for step in rig.steps] == list(range(1, 9))


def test_an_arm_that_does_not_arrive_is_a_hold_and_the_next_plan_begins_where_it_is() -> None:
    with running(settings(execution="pipelined", plan_max_age=0.6), mpc_type=SlowMPC) as rig:
        rig.set_goal(GOAL, steps=8)
        wait_until(lambda: len(rig.steps) >= 1)
        rig.target.listener = lambda message: None  # the arm no longer obeys
        rig.wait_for("PLAN_EXPIRED")
        stuck, sent = rig.position, len(rig.target.messages)
        rig.wait_for("NONE")
        rig.wait_for("PLAN_EXPIRED")
        for message in rig.target.messages[sent:]:
            assert np.linalg.norm(position_of(message) - stuck) < rig.settings.limits.max_step


def test_an_error_in_the_loop_stops_the_arm_by_name_and_can_be_resumed() -> None:
    with running(settings(execution="blocking"), mpc_type=SlowMPC) as rig:
        rig.set_goal(GOAL, steps=8)
        rig.wait_for("NONE")
        status = rig.node.publishers["~/status"]
        listen = status.listener

        def fail(_) -> None:
            status.listener = listen
            raise RuntimeError("no memory for a message")

        status.listener = fail
        rig.loop.call(rig.loop.pause)
        assert "no memory for a message" in rig.wait_for("CONTROL_LOOP_ERROR").message
        rig.loop.wait_silent()
        assert rig.loop.call(rig.loop.resume) is Reason.CONTROL_LOOP_ERROR
        rig.wait_for("GOAL_FINISHED")


def test_a_stopped_loop_refuses_calls_instead_of_hanging() -> None:
    with running(settings()) as rig:
        pass
    with pytest.raises(RuntimeError, match="control loop has stopped"):
        rig.loop.call(rig.loop.pause)


# -- the planner's deadline --------------------------------------------------------------------------------------------

MISSES, CUT_SHORT, NO_ITERATION = (
    "planner deadline misses",
    "plans cut short by the deadline",
    "plans without an iteration",
)


def planned(**changes) -> MPCStep:
    values = {"plan_seconds": 0.1, "energies": (0.5,), "deadline": 0.2, "stopped_by": "iterations"}
    return MPCStep(
        goal_id=1,
        goal_index=0,
        goal_count=1,
        goal_step=1,
        step_budget=None,
        actions=np.zeros((1, 7)),
        target_pose=np.zeros(7),
        energy=1.0,
        encode_seconds=0.0,
        **values | changes,
    )


@pytest.mark.parametrize(
    ("changes", "counted"),
    [
        ({}, ()),
        ({"plan_seconds": 9.0, "deadline": None}, ()),
        ({"plan_seconds": 0.209}, ()),  # within the tolerated twentieth
        ({"plan_seconds": 0.211}, (MISSES,)),
        ({"stopped_by": "deadline"}, (CUT_SHORT,)),
        ({"stopped_by": "deadline", "plan_seconds": 0.25}, (MISSES, CUT_SHORT)),
        ({"stopped_by": "deadline", "energies": ()}, (CUT_SHORT, NO_ITERATION)),
        ({"finished": True, "energies": (), "plan_seconds": 0.0}, ()),
    ],
)
def test_plans_are_counted_by_what_the_deadline_did_to_them(changes, counted) -> None:
    meter = DeadlineMeter()
    meter.note(planned(**changes))
    assert meter.summary() == {name: str(int(name in counted)) for name in (MISSES, CUT_SHORT, NO_ITERATION)}


def deadline_counts(rig: LoopRig) -> list[int]:
    """What /diagnostics says."""
    status = diagnostics.configured("planner", stamp(), rig.loop, rig.inputs).status[0]
    values = {value.key: value.value for value in status.values}
    return [int(values[name]) for name in (MISSES, CUT_SHORT, NO_ITERATION)]


def test_diagnostics_tell_late_plans_from_plans_that_end_early() -> None:
    # The first plan cannot know how slow the model is and is late; the second one knows, and does not even begin.
    few = {"samples": 8, "topk": 4}
    with running(settings(deadline=HESITATION / 6, **few), mpc_type=HesitantMPC) as rig:
        rig.set_goal(GOAL, steps=2)
        rig.wait_for("GOAL_FINISHED")
        assert deadline_counts(rig) == [1, 2, 1]
    with running(settings(deadline=0.2, cem_steps=1_000_000)) as rig:
        rig.set_goal(GOAL, steps=2)
        rig.wait_for("GOAL_FINISHED")
        assert deadline_counts(rig)[1:] == [2, 0]
    with running(settings()) as rig:
        rig.set_goal(GOAL, steps=2)
        rig.wait_for("GOAL_FINISHED")
        assert deadline_counts(rig) == [0, 0, 0]
