"""What the arm's driver makes of franky's answers, with a stand-in for franky."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from support import fake_franky
from vjepa_mpc.drivers.franka.condition import Condition
from vjepa_mpc.drivers.franka.libfranka import ConnectionLostError, LibfrankaArm, joint_limits, load_franky
from vjepa_mpc.drivers.franka.settings import ArmSettings

HERE, DOWN = np.array([0.5, 0.0, 0.2]), fake_franky.DOWN


@pytest.fixture(autouse=True)
def no_robots() -> Iterator[None]:
    fake_franky.Robot.instances.clear()
    yield
    fake_franky.Robot.refuses = None


def connect(**settings: Any) -> tuple[LibfrankaArm, fake_franky.Robot]:
    arm = LibfrankaArm(ArmSettings(robot_ip="10.0.0.1", **{"motion": "cartesian", **settings}), fake_franky)
    arm.read()
    return arm, fake_franky.Robot.instances[-1]


def test_connection_uses_the_settings() -> None:
    _, robot = connect(realtime=True, force_threshold=12.0, linear_speed=0.4, joint_speed=2.5)
    assert robot.address == "10.0.0.1"
    assert robot.options["realtime_config"] == "enforce"
    assert robot.options["default_force_threshold"] == 12.0
    assert robot.translation_velocity_limit.value == 0.4
    np.testing.assert_allclose(robot.joint_velocity_limit.value, 2.0)  # no more than the robot can


def test_no_robot_at_the_address() -> None:
    fake_franky.Robot.refuses = fake_franky.NetworkException("Connection refused")
    with pytest.raises(ConnectionLostError, match=r"10\.0\.0\.1: Connection refused"):
        connect()


def test_targets_replace_each_other_without_end() -> None:
    arm, robot = connect()
    arm.follow(HERE, DOWN)
    arm.follow(HERE + 0.01, DOWN)
    assert [type(motion) for motion in robot.motions] == [fake_franky.CartesianMotion] * 2
    assert not robot.motions[-1].return_when_finished
    np.testing.assert_allclose(robot.motions[-1].target.translation, HERE + 0.01)


def test_a_target_that_stays_is_not_sent_again() -> None:
    arm, robot = connect()
    for jitter in (0.0, 1e-5, -1e-5):
        arm.follow(HERE + jitter, DOWN)
    assert len(robot.motions) == 1
    arm.hold()
    arm.follow(HERE, DOWN)
    assert len(robot.motions) == 3  # the stop, and the target again


def test_a_failed_trajectory_is_no_lost_connection() -> None:
    arm, robot = connect()
    arm.follow(HERE, DOWN)
    robot.fails = RuntimeError("Motion planner failed with error code -111")
    arm.follow(HERE + 0.01, DOWN)
    arm.follow(HERE + 0.01, DOWN)
    assert arm.condition[0] is Condition.READY
    np.testing.assert_allclose(robot.motions[-1].target.translation, HERE + 0.01)


def test_hold_stops_only_what_moves() -> None:
    arm, robot = connect()
    arm.hold()
    assert robot.motions == []
    arm.follow(HERE, DOWN)
    arm.hold()
    assert isinstance(robot.motions[-1], fake_franky.CartesianStopMotion)


@pytest.mark.parametrize(
    ("mode", "condition"),
    [
        ("Idle", Condition.READY),
        ("Move", Condition.READY),
        ("Reflex", Condition.REFLEX),
        ("UserStopped", Condition.USER_STOPPED),
        ("Guiding", Condition.GUIDING),
        ("Other", Condition.OTHER_MODE),
    ],
)
def test_robot_modes_have_names(mode: str, condition: Condition) -> None:
    arm, robot = connect()
    robot.mode = mode
    assert arm.read().mode == mode
    assert arm.condition[0] is condition


def test_reflex_ends_with_recovery() -> None:
    arm, robot = connect()
    robot.mode, robot.fails = "Reflex", fake_franky.ControlException("aborted by reflex!\nmore")
    arm.follow(HERE, DOWN)
    assert "cartesian_reflex" in arm.read().errors
    assert arm.condition == (Condition.REFLEX, "aborted by reflex!")
    arm.recover()
    arm.read()
    assert arm.condition == (Condition.READY, "")


@pytest.mark.parametrize(
    ("error", "condition"),
    [
        (fake_franky.CommandException("not possible in the current mode"), Condition.MOTION_REFUSED),
        (fake_franky.ControlException("motion preempted"), Condition.MOTION_ABORTED),
        (fake_franky.Exception("wrong type of motion"), Condition.MOTION_REFUSED),
    ],
)
def test_failed_motions_stay_failed_until_recovery(error: fake_franky.Exception, condition: Condition) -> None:
    arm, robot = connect()
    robot.fails = error
    arm.follow(HERE, DOWN)
    arm.read()
    assert arm.condition == (condition, str(error))
    arm.recover()
    arm.read()
    assert arm.condition[0] is Condition.READY


@pytest.mark.parametrize("error", [fake_franky.NetworkException("UDP receive: Timeout"), RuntimeError("Net Exception")])
@pytest.mark.parametrize("action", ["read", "follow", "recover"])
def test_network_errors_end_the_connection(error: BaseException, action: str) -> None:
    arm, robot = connect()
    robot.fails = error
    with pytest.raises(ConnectionLostError, match=str(error)):
        arm.follow(HERE, DOWN) if action == "follow" else getattr(arm, action)()
    arm.close()  # says nothing more


def test_joint_limits_come_from_the_robots_description() -> None:
    low, high = joint_limits(fake_franky.URDF)
    np.testing.assert_allclose([low, high], [[-3.0] * 7, [3.0] * 7])
    with pytest.raises(ConnectionLostError, match="0 arm joints"):
        joint_limits("<robot/>")


def test_missing_client_library_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "franky":
            raise ModuleNotFoundError("No module named 'franky'", name="franky")
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "franky", raising=False)
    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ImportError, match="pip install franky-control"):
        load_franky()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"robot_ip": " "}, "robot_ip=''"),
        ({"motion": "fast"}, "motion='fast': use one of joint, cartesian"),
        ({"home_posture": (0.0,)}, "home_posture has 1 angles"),
        ({"joint_speed": 9.0}, r"joint_speed=9\.0: use a finite number from 0\.001 to 2\.62 rad/s"),
        ({"target_timeout": 0.0}, r"target_timeout=0\.0"),
    ],
)
def test_settings_refuse_what_cannot_be(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ArmSettings(**{"robot_ip": "10.0.0.1", **values})
