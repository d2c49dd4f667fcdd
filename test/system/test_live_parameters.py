"""Parameters change while the planner runs, or are refused with the values that do not fit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from vjepa_mpc.msg import PlanStatus

from support.rig import Rig

PLANS: dict[str, str] = {}  # as the profile has it


def test_a_change_in_flight_takes_effect_and_the_goal_goes_on(rig: Rig, picture: np.ndarray) -> None:
    answer = rig.request([picture], steps=[5])
    before = rig.wait_for_state(PlanStatus.EXECUTING)
    assert rig.link.set_parameters("planner_node", samples=24, topk=4, cem_steps=2) == ""
    rig.wait_for_reason("GOAL_FINISHED")
    steps = [status for status in rig.link.statuses_of(answer.goal_id) if status.state == PlanStatus.EXECUTING]
    assert len(steps) == 5
    assert steps[-1].plan_time < 0.5 * before.plan_time
    assert rig.link.set_parameters("planner_node", samples=100, topk=10, cem_steps=6) == ""


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"topk": 20, "samples": 16}, "topk=20 > samples=16"),
        ({"topk": 101}, "topk=101 > samples=100"),
        ({"rollout": 0}, "rollout"),
        ({"samples": -5}, "samples"),
        ({"maxnorm": math.nan}, "maxnorm"),
        ({"maxnorm": 0.2}, "maxnorm=0.2 > limits.max_step=0.075"),
        ({"maxnorm": "far"}, "Wrong parameter type"),
        ({"gripper_clip": math.inf}, "gripper_clip"),
        ({"axis": "up"}, "axis='up'"),
        ({"sampling": "dice"}, "antithetic, gaussian, sobol"),
        ({"crop": "droid"}, "crop cannot change now"),
        ({"workspace__lower": [0.0, 0.0, 0.0]}, "workspace.lower cannot change now"),
        ({"preset": "paper"}, "preset cannot change now"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_refusals_name_the_values_and_change_nothing(rig: Rig, values: dict[str, Any], says: str) -> None:
    names = [name.replace("__", ".") for name in values]
    before = [rig.link.parameter("planner_node", name) for name in names]
    assert says in rig.link.set_parameters("planner_node", **values)
    assert [rig.link.parameter("planner_node", name) for name in names] == before


def test_a_refused_change_in_flight_does_not_disturb(rig: Rig, picture: np.ndarray) -> None:
    answer = rig.request([picture], steps=[3])
    rig.wait_for_state(PlanStatus.EXECUTING)
    assert "topk=500 > samples=100" in rig.link.set_parameters("planner_node", topk=500)
    finished = rig.wait_for_reason("GOAL_FINISHED")
    assert finished.goal_id in (0, answer.goal_id)
    assert "BUDGET after 3" in finished.message
