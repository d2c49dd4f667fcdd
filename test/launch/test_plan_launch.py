"""plan.launch.py sim:=true, for real: a goal by service brings the arm near its pose; both processes exit with 0."""

from __future__ import annotations

import os
import sys
import unittest
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("launch_testing", reason="launch_testing is not installed (it comes with ROS 2, not from PyPI)")

import launch_testing.asserts
import numpy as np
from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_testing.actions import ReadyToTest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

DOMAIN = int(os.environ.setdefault("ROS_DOMAIN_ID", str(101 + os.getpid() % 100)))
STEPS = 6


@pytest.mark.launch_test
@pytest.mark.ros
@pytest.mark.slow
def generate_test_description() -> LaunchDescription:
    """The main job, as a user starts it."""
    path = Path(get_package_share_directory("vjepa_mpc")) / "launch" / "plan.launch.py"
    plan = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(path)), launch_arguments={"sim": "true", "namespace": "left"}.items()
    )
    return LaunchDescription([plan, ReadyToTest()])


class TestArrival(unittest.TestCase):
    """While both run."""

    def test_a_goal_image_brings_the_arm_near(self) -> None:
        from support.rig import BLOCK, GOAL, START, Recorder, goal_picture

        with Recorder(DOMAIN, namespace="left") as link:
            link.wait_for_view(60.0)
            link.reset(START, BLOCK, 0.0)
            before = float(np.linalg.norm(link.wait_for_view().pose[:3] - GOAL[:3]))
            link.set_goal([goal_picture()], [STEPS])
            link.wait_for_status(lambda status: status.reason == "GOAL_FINISHED", 120.0)
            link.check_setpoints()
            after = float(np.linalg.norm(link.wait_for_view().pose[:3] - GOAL[:3]))
        self.assertLess(after, min(0.025, before))


@launch_testing.post_shutdown_test()
class TestEnd(unittest.TestCase):
    """After SIGINT."""

    def test_both_exit_with_0(self, proc_info: Any) -> None:
        launch_testing.asserts.assertExitCodes(proc_info)
