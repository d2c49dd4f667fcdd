"""The arm plays by itself, under the same supervisor, limits and services as with goals."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rosbags", reason="the packages of the extra `data` are not installed")

from std_srvs.srv import SetBool, Trigger
from vjepa_mpc.msg import PlanStatus

from support.rig import LIMITS, PROFILE, ROOT, Recorder
from vjepa_mpc.data import open_dataset
from vjepa_mpc.tools.processes import NodeProcess

MINUTES = "0.3"  # long enough for a recorder that has to wait for a busy machine
TOGGLES = {"play__toggle": "0.5"}
ENDS_WITHIN = 180.0  # seconds, of which a busy machine starts processes for most


def play(domain: int, folder: Path, *arguments: str, **parameters: str) -> NodeProcess:
    """It takes the planner's name, so that the test's link hears it."""
    return NodeProcess(
        "play",
        folder / "play.log",
        domain,
        params_files=[ROOT / "config/planner.yaml", PROFILE],
        parameters={name.replace("__", "."): value for name, value in parameters.items()},
        remappings={"__node": "planner_node"},
        arguments=arguments,
    )


@pytest.fixture
def arm(link: Recorder) -> Recorder:
    """Wherever the test before left it."""
    link.forget_planner()
    link.forget()
    return link


def executing(status: PlanStatus) -> bool:
    return status.state == PlanStatus.EXECUTING


def test_it_plays_for_so_long_and_is_recorded(arm: Recorder, domain: int, tmp_path: Path) -> None:
    with play(
        domain, tmp_path, "--minutes", MINUTES, "--record", str(tmp_path / "bags"), play__toggle="0.5"
    ) as process:
        assert process.wait(ENDS_WITHIN) == 0, process.output()
    assert f"played for {MINUTES} min" in process.output()
    arm.check_setpoints()
    positions = np.array([setpoint.position for setpoint in arm.setpoints])
    assert np.ptp(positions, axis=0).max() > 0.02
    assert (positions >= np.array(LIMITS["workspace.lower"]) - 1e-6).all()
    assert (positions <= np.array(LIMITS["workspace.upper"]) + 1e-6).all()
    (episode,) = open_dataset(tmp_path / "bags")
    closedness = episode.states(episode.stamps)[:, 6]
    assert closedness.max() > 0.9 and closedness.min() < 0.1


def test_each_episode_has_a_bag_of_its_own(arm: Recorder, domain: int, tmp_path: Path) -> None:
    words = ("--minutes", "0.4", "--episode", "8", "--record", str(tmp_path / "bags"))
    with play(domain, tmp_path, *words) as process:
        assert process.wait(ENDS_WITHIN) == 0, process.output()
    arm.check_setpoints()
    episodes = open_dataset(tmp_path / "bags")
    assert len(episodes) >= 2
    ends = [(each.stamps[0], each.stamps[-1]) for each in episodes]
    assert all(first[1] < second[0] for first, second in itertools.pairwise(ends))
    assert all(np.ptp(each.states(each.stamps)[:, :3], axis=0).max() > 0.005 for each in list(episodes)[:2])


def test_pause_holds_and_resume_goes_on(arm: Recorder, domain: int, tmp_path: Path) -> None:
    with play(domain, tmp_path) as process:
        arm.wait_for_status(executing, ENDS_WITHIN)
        assert arm.call(SetBool, "planner_node/pause", SetBool.Request(data=True)).success
        arm.wait_for_status(lambda status: status.state == PlanStatus.PAUSED, 10.0)
        arm.wait_until_silent()
        assert arm.stays_silent()
        assert arm.call(Trigger, "planner_node/resume", Trigger.Request()).success
        arm.wait_for_status(executing, 30.0)
        assert arm.call(Trigger, "planner_node/clear_goal", Trigger.Request()).success
        arm.wait_until_silent()
        assert process.stop() == 0, process.output()
    arm.check_setpoints()


def test_without_a_box_it_says_so_and_ends(domain: int, tmp_path: Path) -> None:
    with NodeProcess("play", tmp_path / "play.log", domain) as process:
        assert process.wait(ENDS_WITHIN) == 1
    assert "workspace.lower and workspace.upper are not set" in process.output()
