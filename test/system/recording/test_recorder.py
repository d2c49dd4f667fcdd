"""The recorder beside a working planner: what it writes is whole, standard, and there after kill -9."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rosbags", reason="the packages of the extra `data` are not installed")

from rosbags.highlevel import AnyReader
from vjepa_mpc.msg import PlanStatus

from support.rig import Rig
from vjepa_mpc.data import DataWarning, open_dataset
from vjepa_mpc.images import decode_image
from vjepa_mpc.ros.recorder.message_types import types_for
from vjepa_mpc.tools.processes import NodeProcess

PICTURES = "/camera/image_raw/compressed"
JPEG = b"\xff\xd8\xff"  # what a picture begins with
TIMEOUT = 180.0  # seconds
SAMPLES = 24


def recorder(domain: int, folder: Path, **parameters: str) -> NodeProcess:
    given = {"folder": str(folder / "bags"), "min_free_megabytes": "1", **parameters}
    return NodeProcess("recorder", folder / "recorder.log", domain, parameters=given)


def bags(folder: Path) -> list[Path]:
    return sorted((folder / "bags").glob("*"))


def written(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for bag in bags(folder) for file in bag.glob("*.mcap"))


def contents(bag: Path) -> dict[str, list[Any]]:
    """All messages by topic."""
    found: dict[str, list[Any]] = {}
    status = "vjepa_mpc/msg/PlanStatus"
    with AnyReader([bag], default_typestore=types_for(status)) as reader:
        for connection, _, data in reader.messages():
            found.setdefault(connection.topic, []).append(reader.deserialize(data, connection.msgtype))
    return found


def reach(rig: Rig, picture: np.ndarray, steps: int = 2) -> None:
    rig.request([picture], steps=[steps])
    rig.wait_for_state(PlanStatus.EXECUTING)
    rig.wait_for_reason("GOAL_FINISHED")


def wait_for(accept: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not accept():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def start(process: NodeProcess) -> None:
    """Until it hears the planner."""
    wait_for(lambda: "has told its parameters" in process.output())


def see(folder: Path, pictures: int = 2) -> None:
    """Until so many more are written: the recorder waits when processors are short, and the camera may be slow."""
    before = written(folder).count(JPEG)
    wait_for(lambda: written(folder).count(JPEG) >= before + pictures)


def test_a_run_is_one_bag_with_everything(rig: Rig, domain: int, tmp_path: Path, picture: np.ndarray) -> None:
    with recorder(domain, tmp_path) as process:
        start(process)
        see(tmp_path)
        reach(rig, picture)
        see(tmp_path)
        before = rig.link.parameter("planner_node", "samples")
        assert not rig.link.set_parameters("planner_node", samples=SAMPLES)
        wait_for(lambda: written(tmp_path).count(b"samples\0") >= 2)  # as it was, and its change
        assert process.stop(signal.SIGINT) == 0, process.output()
        assert not rig.link.set_parameters("planner_node", samples=before)
    (bag,) = bags(tmp_path)
    found = contents(bag)
    assert {PICTURES, "/current_pose", "/joint_states", "/target_pose", "/planner_node/status", "/rosout"} <= set(found)
    assert found["/planner_node/status"][-1].reason == "GOAL_FINISHED"
    events = [each for each in found["/parameter_events"] if each.node == "/planner_node"]
    names = {each.name for each in events[0].new_parameters}
    assert {"samples", "limits.linear_speed", "workspace.lower", "seed"} <= names
    assert events[-1].changed_parameters[0].value.integer_value == SAMPLES
    (episode,) = open_dataset(bag)
    states = episode.states(episode.stamps)
    assert np.linalg.norm(np.ptp(states[:, :3], axis=0)) > 0.01, "the arm moved"
    assert episode.images(episode.stamps[:1]).shape[1:] == picture.shape


def test_a_recorded_plan_can_be_made_again(rig: Rig, domain: int, tmp_path: Path, picture: np.ndarray) -> None:
    with recorder(domain, tmp_path, jpeg_quality="0") as process:
        start(process)
        for topic in ("/planner_node/plan_record", "/camera/image_raw"):
            wait_for(lambda: "recorder" in {each.node_name for each in rig.link.subscribers_of(topic)})  # noqa: B023
        rig.link.wait_for_view()
        reach(rig, picture)
        assert process.stop(signal.SIGINT) == 0, process.output()
    (bag,) = bags(tmp_path)
    found = contents(bag)
    (goal,) = {each.goal_id: each for each in found["/planner_node/goal"][-1:]}.values()
    records = found["/planner_node/plan_record"]
    assert [(each.goal_id, each.step) for each in records] == [(goal.goal_id, 1), (goal.goal_id, 2)]
    assert np.array_equal(decode_image(goal.images[0].data, "goal"), picture) and goal.gripper == ["free"]
    command = [sys.executable, "-m", "vjepa_mpc", "replay", bag, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    replayed = json.loads(done.stdout)
    assert (replayed["planned"], replayed["identical"]) == (2, 2), done.stdout
    for cycle, record in zip(replayed["cycles"], records, strict=True):
        assert (cycle["goal_id"], cycle["step"], cycle["notes"]) == (record.goal_id, record.step, [])
        assert np.array_equal(np.float32(cycle["again"]["actions"]).ravel(), record.actions)


def test_each_goal_is_a_bag(rig: Rig, domain: int, tmp_path: Path, picture: np.ndarray) -> None:
    with recorder(domain, tmp_path, bags="goal") as process:
        start(process)
        for number in (1, 2):
            reach(rig, picture)
            wait_for(lambda: process.output().count("is complete") == number)  # noqa: B023 - at once
    assert len(bags(tmp_path)) == 2
    for bag in bags(tmp_path):
        statuses = contents(bag)["/planner_node/status"]
        assert len({each.goal_id for each in statuses}) == 1
        assert statuses[-1].reason == "GOAL_FINISHED"
        assert (bag / "metadata.yaml").is_file()


def test_kill_9_leaves_a_readable_bag(rig: Rig, domain: int, tmp_path: Path, picture: np.ndarray) -> None:
    with recorder(domain, tmp_path) as process:
        start(process)
        reach(rig, picture)
        wait_for(lambda: b"GOAL_FINISHED" in written(tmp_path))
        see(tmp_path, 12)
        process.send(signal.SIGKILL)
        process.wait()
    (bag,) = bags(tmp_path)
    with pytest.warns(DataWarning, match="cut short"):
        (episode,) = open_dataset(bag)
    assert len(episode.stamps) > 10


def test_a_folder_that_cannot_be_written_is_one_line(domain: int, tmp_path: Path) -> None:
    (tmp_path / "bags").write_text("a file")
    with recorder(domain, tmp_path) as process:
        assert process.wait(TIMEOUT) == 2
        assert "cannot start: folder=" in process.output() and "Traceback" not in process.output()
