"""From messages to what the page shows, and what its parameters let be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, ParameterType
from sensor_msgs.msg import JointState
from vjepa_mpc.msg import PlanCandidates, PlanStatus

from vjepa_mpc.dashboard.seen import MOVING, STOPPED, WAITING, Seen
from vjepa_mpc.ros.dashboard import reading
from vjepa_mpc.ros.dashboard.parameters import DashboardSettings
from vjepa_mpc.ros.dashboard.tuning import is_tunable, tunable_of

pytestmark = pytest.mark.ros


def test_every_state_of_the_planner_has_a_mood() -> None:
    moods = {number: reading.status_of(PlanStatus(state=number)).mood for number in range(8)}
    assert moods[PlanStatus.EXECUTING] == moods[PlanStatus.PLANNING] == MOVING
    assert moods[PlanStatus.FAULT] == moods[PlanStatus.UNCONFIGURED] == STOPPED
    assert {moods[state] for state in (PlanStatus.HOLDING, PlanStatus.PAUSED, PlanStatus.WAITING_INPUT)} == {WAITING}
    assert reading.status_of(PlanStatus(state=99, reason="NEW")).reason == "NEW"  # of a newer planner


def test_candidates_become_lines_with_the_best_last() -> None:
    seen = Seen()
    actions = np.zeros((3, 2, 7), dtype=np.float32)
    actions[:, :, 0] = [[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]]
    message = PlanCandidates(horizon=2, origin=[1.0, 0, 0, 0, 0, 0, 0])
    message.energies, message.actions = [0.5, 0.1, 0.9], actions.ravel().tolist()
    reading.take_candidates(seen, message)
    assert seen.candidates.ends.shape == (6, 2, 3)
    assert seen.candidates.ends[-2:, :, 0] == pytest.approx(np.array([[1.0, 1.2], [1.2, 1.4]]), abs=1e-6)
    assert seen.candidates.colours[-1].argmax() == 1 and seen.candidates.colours[0].argmax() == 0  # green, red
    reading.take_candidates(seen, PlanCandidates())
    assert seen.candidates is None


def test_ages_are_those_of_this_planner() -> None:
    def told(name: str) -> DiagnosticArray:
        values = [KeyValue(key="image age [s]", value="0.250"), KeyValue(key="goal", value="3")]
        return DiagnosticArray(status=[DiagnosticStatus(name=f"{name}: planner", values=values)])

    assert reading.ages_of(told("/left/planner_node"), "/left/planner_node") == {"image": 0.25}
    assert reading.ages_of(told("/right/planner_node"), "/left/planner_node") == {}


def test_joint_states_without_the_arm_change_nothing() -> None:
    seen = Seen()
    names = [f"fr3_joint{number}" for number in range(1, 8)]
    reading.take_joints(seen, JointState(name=names, position=[0.1] * 7))
    for other in (JointState(name=["finger"], position=[1.0]), JointState(name=names, position=[float("nan")] * 7)):
        reading.take_joints(seen, other)
    assert seen.joints.tolist() == [0.1] * 7


def test_parameters_that_may_change_are_read_with_their_bounds() -> None:
    samples = ParameterDescriptor(
        name="samples",
        type=ParameterType.PARAMETER_INTEGER,
        description="how many",
        additional_constraints="live",
        integer_range=[IntegerRange(from_value=2, to_value=2**63 - 1)],
    )
    found = tunable_of(samples, 100)
    assert is_tunable(samples) and (found.low, found.high, found.text) == (2, None, "how many")
    update = ParameterDescriptor(
        name="update", type=ParameterType.PARAMETER_STRING, additional_constraints="one of cem, mppi, a.b:C; live"
    )
    assert tunable_of(update, "cem").choices == ("cem", "mppi")
    spread = [FloatingPointRange(from_value=0.0, to_value=1.0)]
    fixed = ParameterDescriptor(
        name="dt", type=ParameterType.PARAMETER_DOUBLE, additional_constraints="static", floating_point_range=spread
    )
    assert not is_tunable(fixed)


def test_the_token_is_asked_for_where_others_can_come(tmp_path: Path) -> None:
    assert DashboardSettings().token() == ""
    made = {DashboardSettings(host="0.0.0.0").token() for _ in range(2)}
    assert len(made) == 2 and min(map(len, made)) >= 20
    file = tmp_path / "token"
    file.write_text("correct-horse-battery\nsecond line\n")
    assert DashboardSettings(host="0.0.0.0", token_file=str(file)).token() == "correct-horse-battery"
    for text, says in (("short", "12 or more"), ("with spaces in it ; and more", "12 or more"), ("", "12 or more")):
        file.write_text(text)
        with pytest.raises(ValueError, match=says):
            DashboardSettings(host="0.0.0.0", token_file=str(file)).token()
    with pytest.raises(ValueError, match="cannot be read"):
        DashboardSettings(host="0.0.0.0", token_file=str(tmp_path / "none")).token()
