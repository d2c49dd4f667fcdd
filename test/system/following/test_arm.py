"""Nobody moves the arm, or its pose is in another frame: both are named, with who listens and the usual causes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from std_srvs.srv import Trigger
from vjepa_mpc.msg import PlanStatus

from support.fault_injector import FaultInjector
from support.rig import FAST, START, Recorder, Rig

UNHEARD = "nobody/listens"
TIMEOUT = 90.0


@pytest.fixture
def start(domain: int, link: Recorder, tmp_path: Path) -> Callable[..., Iterator[Rig]]:
    """Starts a planner that moves the arm only if its targets are heard."""

    @contextmanager
    def started(remappings: dict[str, str] | None = None, **parameters: str) -> Iterator[Rig]:
        link.forget_planner()
        with Rig.start_planner(tmp_path / "planner_node.log", domain, remappings, **parameters, **FAST) as process:
            rig = Rig(process, link)
            rig.reset()
            yield rig

    return started


@pytest.mark.parametrize(
    ("output", "cause"), [("pose", "ros2 control list_controllers"), ("twist", "switch_command_type")]
)
def test_an_arm_that_nobody_moves_is_named_and_led_again_when_resumed(
    start: Callable[..., Iterator[Rig]], link: Recorder, picture: np.ndarray, output: str, cause: str
) -> None:
    with start(output=output, topics__target=UNHEARD) as rig:
        assert rig.request([picture], steps=[50]).success
        status = rig.wait_for_reason("ARM_NOT_FOLLOWING", TIMEOUT)
        assert status.state == PlanStatus.FAULT
        assert f"on /{UNHEARD} listens: nobody" in status.message and cause in status.message
        assert link.call(Trigger, "planner_node/resume", Trigger.Request()).success
        link.wait_for_status(lambda s: s.state == PlanStatus.EXECUTING, TIMEOUT)
        rig.wait_for_reason("ARM_NOT_FOLLOWING", TIMEOUT)


def quarter_turn(message: PoseStamped) -> PoseStamped:
    """The pose as it is in a frame that is turned about where the arm starts."""
    position = message.pose.position
    x, y = position.x - START[0], position.y - START[1]
    position.x, position.y = START[0] - y, START[1] + x
    return message


def test_a_pose_in_another_frame_stops_the_arm_before_it_is_far(
    start: Callable[..., Iterator[Rig]], injector: FaultInjector, link: Recorder, picture: np.ndarray
) -> None:
    with start(FaultInjector.REMAPPINGS) as rig:
        injector.inject("pose", quarter_turn)
        try:
            assert rig.request([picture], steps=[50]).success
            status = rig.wait_for_reason("FRAME_SUSPECTED", TIMEOUT)
            assert status.state == PlanStatus.FAULT and "frame" in status.message
            link.wait_until_silent()
            assert np.linalg.norm(rig.position() - START[:3]) < 0.12
        finally:
            injector.behave()
