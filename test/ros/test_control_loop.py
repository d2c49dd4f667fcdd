"""The control loop joined to real inputs and outputs, and what /diagnostics says of it; real threads and clock."""

from __future__ import annotations

import time

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

from support.rigs.loop_rig import START, LoopRig, running, settings, stamp
from vjepa_mpc.controller.visual_mpc import VisualMPC
from vjepa_mpc.planning.config import CEMConfig
from vjepa_mpc.ros.planner import diagnostics
from vjepa_mpc.worldmodel import PointMassWorldModel

pytestmark = pytest.mark.ros

HESITATION = 0.6  # seconds
GOAL = START + np.array([0.2, 0.2, 0.1])
MISSES, CUT_SHORT, NO_ITERATION = (
    "planner deadline misses",
    "plans cut short by the deadline",
    "plans without an iteration",
)


class HesitantModel(PointMassWorldModel):
    """Takes its time for each prediction."""

    def start_rollout(self, *args, **options):
        time.sleep(HESITATION)
        return super().start_rollout(*args, **options)


class HesitantMPC(VisualMPC):
    """Looks at the world through a hesitant model."""

    def __init__(self, _: PointMassWorldModel, config: CEMConfig, **options) -> None:
        super().__init__(HesitantModel(), config, **options)


@pytest.mark.parametrize("execution", ["blocking", "pipelined"])
def test_a_goal_is_reached_from_messages_to_messages(execution: str) -> None:
    with running(settings(execution=execution)) as rig:
        rig.set_goal(GOAL, steps=8)
        status = rig.wait_for("GOAL_FINISHED")
        assert np.linalg.norm(rig.position - GOAL) < 0.01
        assert (status.ended_by, status.step, status.step_budget) == ("BUDGET", 8, 8)
        assert [step.goal_step for step in rig.steps] == list(range(1, 9))


def deadline_counts(rig: LoopRig) -> list[int]:
    """What /diagnostics says."""
    status = diagnostics.configured("planner", stamp(), rig.loop, rig.inputs).status[0]
    values = {value.key: value.value for value in status.values}
    return [int(values[name]) for name in (MISSES, CUT_SHORT, NO_ITERATION)]


def test_diagnostics_tell_late_plans_from_plans_that_end_early() -> None:
    # The first plan cannot know how slow the model is and is late; the second one knows, and does not even begin.
    few = {"samples": 8, "topk": 4}
    with running(settings(time_budget=HESITATION / 6, **few), mpc_type=HesitantMPC) as rig:
        rig.set_goal(GOAL, steps=2)
        rig.wait_for("GOAL_FINISHED")
        assert deadline_counts(rig) == [1, 2, 1]
    with running(settings(time_budget=0.2, cem_steps=1_000_000)) as rig:
        rig.set_goal(GOAL, steps=2)
        rig.wait_for("GOAL_FINISHED")
        assert deadline_counts(rig)[1:] == [2, 0]
    with running(settings()) as rig:
        rig.set_goal(GOAL, steps=2)
        rig.wait_for("GOAL_FINISHED")
        assert deadline_counts(rig) == [0, 0, 0]
