from __future__ import annotations

import numpy as np
import pytest

from vjepa_mpc.geometry.gripper_joint import GripperJoint
from vjepa_mpc.geometry.limits import WorkspaceBox
from vjepa_mpc.safety.sanity import FINDINGS, check_gripper_joint, check_moves, check_state

BOX = WorkspaceBox(lower=(0.3, -0.3, 0.0), upper=(0.7, 0.3, 0.5))
GOOD = np.array([0.5, 0.1, 0.2, np.pi, 0.05, -0.3, 0.0])


def changed(**values: float) -> np.ndarray:
    state = GOOD.copy()
    for name, value in values.items():
        state[["x", "y", "z", "rx", "ry", "rz", "g"].index(name)] = value
    return state


CASES = {
    "MILLIMETRES": changed(x=500.0, y=100.0, z=200.0),
    "CENTIMETRES": changed(x=50.0, y=10.0, z=20.0),
    "DEGREES": changed(rx=180.0, ry=3.0, rz=-17.0),
    "ZERO_POSE": np.zeros(7),
    "OTHER_FRAME": changed(x=1.2, y=0.9),
    "GRIPPER_POINTS_UP": changed(rx=0.0),
    "CLOSEDNESS_RANGE": changed(g=40.0),
    "FINGER_METRES": changed(g=0.0399),
}


def names(found) -> list[str]:
    return [finding.name for finding in found]


@pytest.mark.parametrize("g", [0.0, 0.002, 0.37, 1.0])
@pytest.mark.parametrize("roll", [np.pi, np.pi - 0.1, np.pi + 0.1, -np.pi + 0.1])
def test_good_states_pass(roll, g):
    assert check_state(changed(rx=roll, g=g), BOX) == ()


@pytest.mark.parametrize("name", CASES)
def test_each_mistake_is_called_by_its_name(name):
    found = check_state(CASES[name], BOX)
    assert name in names(found)
    assert all(len(str(finding)) > 30 for finding in found)
    assert name not in names(check_state(CASES[name], BOX, ignore=frozenset({name})))


def test_every_finding_is_tested():
    assert {*CASES, "GRIPPER_JOINT_RANGE"} == set(FINDINGS)


@pytest.mark.parametrize("state", [changed(x=0.02, y=0.01, z=0.1), changed(x=-0.5), changed(y=1.25)])
def test_poses_where_no_arm_gets_are_in_another_frame(state):
    assert names(check_state(state, BOX)) == ["OTHER_FRAME"]


def test_what_is_not_finite_is_no_state():
    with pytest.raises(ValueError, match="seven finite"):
        check_state(changed(x=np.nan))


def test_gripper_joints_read_between_open_and_closed():
    finger = GripperJoint(open_position=0.04, closed_position=0.0)
    assert check_gripper_joint(0.039, finger) == check_gripper_joint(-0.001, finger) == ()
    assert names(check_gripper_joint(0.08, finger)) == ["GRIPPER_JOINT_RANGE"]  # both fingers' width
    assert names(check_gripper_joint(39.0, finger)) == ["GRIPPER_JOINT_RANGE"]  # millimetres
    assert check_gripper_joint(0.08, finger, ignore=frozenset({"GRIPPER_JOINT_RANGE"})) == ()


@pytest.mark.parametrize(
    ("move", "expected"),
    [
        ([0.075, -0.075, 0.0, 0.0, 0.0, 0.0, -1.0], []),
        ([0.0, -4.0, 1.0, 0.0, 0.0, 0.0, 0.0], ["CENTIMETRES"]),
        ([40.0, 0.0, 5.0, 0.0, 0.0, 0.0, 0.0], ["MILLIMETRES"]),
        ([0.05, 0.0, 0.0, 0.0, 0.0, 0.0, -80.0], ["CLOSEDNESS_RANGE"]),
    ],
)
def test_moves_in_other_units_are_called_by_name(move, expected):
    actions = np.zeros((2, 3, 7))
    actions[1, 2] = move
    assert names(check_moves(actions)) == expected
    assert check_moves(actions, ignore=frozenset(expected)) == ()
