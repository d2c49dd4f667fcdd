"""Outputs are parts: the package's own, and one from outside, which is a class in this file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vjepa_mpc.msg", reason="the package is not built: run `make build`")
pytest.importorskip("trajectory_msgs", reason="trajectory_msgs is not installed")
pytest.importorskip("vjepa_mpc.sim", reason="the simulator's packages are not installed")

from builtin_interfaces.msg import Duration, Time
from scipy.spatial.transform import Rotation
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from support.rigs.loop_rig import START, running, settings
from vjepa_mpc.geometry.setpoint import Setpoint
from vjepa_mpc.options import option
from vjepa_mpc.registry import PartError
from vjepa_mpc.ros.outputs import arm
from vjepa_mpc.ros.outputs.arm import OUTPUTS
from vjepa_mpc.ros.outputs.interface import Output
from vjepa_mpc.ros.parameters.planner import known
from vjepa_mpc.sim import FrankaSim
from vjepa_mpc.sim.kinematics import ArmKinematics

pytestmark = [pytest.mark.ros, pytest.mark.sim]

GOAL = START + np.array([0.08, 0.06, 0.0])


class JointOutput(Output):
    """Set-points as joint angles, for ros2_control's joint_trajectory_controller."""

    message_type = JointTrajectory

    @dataclass(frozen=True, kw_only=True)
    class Options:
        """Its parameters."""

        prefix: str = option("fr3_", "What the joints' names begin with.")
        lead: float = option(0.04, "When a point shall be reached, after it was sent.", unit="s", low=0.0, high=1.0)

    def __init__(self, frame_id: str, options: Options) -> None:
        super().__init__(frame_id, options)
        self.kinematics = ArmKinematics(FrankaSim().model)

    def message(self, setpoint: Setpoint, stamp: Time) -> JointTrajectory:
        turn = Rotation.from_quat(setpoint.quaternion).as_euler("xyz")
        joints = self.kinematics.inverse(np.concatenate([setpoint.position, turn]))
        reached = Duration(nanosec=round(1e9 * self.options.lead))
        result = JointTrajectory(joint_names=[f"{self.options.prefix}joint{number}" for number in range(1, 8)])
        result.points = [JointTrajectoryPoint(positions=joints.tolist(), time_from_start=reached)]
        result.header.stamp = stamp
        return result


class Mute:
    """No output: it makes no messages."""

    message_type = JointTrajectory


def test_the_names_are_those_of_the_files() -> None:
    assert {"pose", "twist"} <= set(OUTPUTS.names)


def test_an_output_whose_messages_are_not_installed_is_missed_only_when_it_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "zz_absent.py").write_text("from absent_msgs.msg import Absent\n")
    monkeypatch.setattr(arm, "__path__", [*arm.__path__, str(tmp_path)])
    assert settings(output="pose").output == "pose"
    with pytest.raises(PartError, match="output 'zz_absent' needs absent_msgs, which cannot be imported"):
        known({"output": "zz_absent"})
    with pytest.raises(PartError, match="needs absent_msgs"):
        settings(output="zz_absent")


def test_an_output_from_outside_moves_the_arm() -> None:
    kinematics = ArmKinematics(FrankaSim().model)
    with running(settings(output=f"{__name__}:JointOutput")) as rig:

        def obey(message: Any) -> None:
            rig.position = kinematics.forward(np.array(message.points[0].positions))[0]

        rig.target.listener = obey
        rig.set_goal(GOAL, steps=4)
        rig.wait_for("GOAL_FINISHED")
    np.testing.assert_allclose(rig.position, GOAL, atol=0.01)
    assert rig.target.messages[0].joint_names[0] == "fr3_joint1"
    assert rig.target.messages[0].points[0].time_from_start.nanosec == 40_000_000


def test_its_options_are_parameters_with_its_name_in_front() -> None:
    built = settings(output=f"{__name__}:JointOutput", **{"joint_output.prefix": "left_"})
    assert built.output_options == JointOutput.Options(prefix="left_")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("poses", "there is no output 'poses': did you mean pose"),
        ("nowhere:Output", "output 'nowhere:Output' cannot be imported"),
        (f"{__name__}:Mute", "is no output: it lacks message; see vjepa_mpc.ros.outputs.interface.Output"),
    ],
)
def test_what_is_no_output_is_refused_with_the_remedy(name: str, says: str) -> None:
    with pytest.raises(PartError, match=says):
        settings(output=name)


def test_whether_the_arm_integrates_velocities_is_the_outputs_to_say() -> None:
    assert not settings(output="pose", execution="pipelined").motion.integrates
    assert settings(output="twist").motion.integrates
    with pytest.raises(ValueError, match="execution=pipelined with output=twist"):
        settings(output="twist", execution="pipelined")
