"""Nothing moves before the node is active, everything stops after; signals end it with status 0."""

from __future__ import annotations

import pickle
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.srv import GetState
from sensor_msgs.msg import CompressedImage
from std_srvs.srv import SetBool, Trigger
from vjepa_mpc.action import ReachGoal
from vjepa_mpc.msg import PlanStatus
from vjepa_mpc.srv import SetGoal

from support.rig import FAST, Recorder, Rig, SimulatedArm
from support.rigs.action_client import Client, wait
from vjepa_mpc.exit_status import ExitStatus
from vjepa_mpc.images import encode_png
from vjepa_mpc.tools.processes import NodeProcess


@contextmanager
def running(link: Recorder, domain: int, folder: Path, **parameters: str) -> Iterator[Rig]:
    """A planner of the test's own; its set-points are checked at the end."""
    link.forget_planner()
    with Rig.start_planner(folder / "planner_node.log", domain, **{**FAST, **parameters}) as process:
        link.forget()
        yield Rig(process, link)
    link.check_setpoints()


def state_of(link: Recorder) -> str:
    return str(link.call(GetState, "planner_node/get_state", GetState.Request()).current_state.label)


def resume(link: Recorder) -> Trigger.Response:
    return link.call(Trigger, "planner_node/resume", Trigger.Request())


def test_nothing_moves_before_activation(
    sim: SimulatedArm, link: Recorder, domain: int, tmp_path: Path, picture: np.ndarray
) -> None:
    with running(link, domain, tmp_path, autostart="false") as rig:
        assert state_of(link) == "unconfigured"
        refusal = rig.request([picture]).message
        assert "not configured" in refusal and "ros2 lifecycle set /planner_node configure" in refusal
        assert link.change_state("planner_node", "configure")
        assert "NOT_ACTIVE" in rig.request([picture], steps=[2]).message
        assert rig.wait_for_reason("NOT_ACTIVE").state == PlanStatus.IDLE
        paused = link.call(SetBool, "planner_node/pause", SetBool.Request(data=True))
        assert not paused.success and "NOT_ACTIVE" in paused.message
        assert link.change_state("planner_node", "activate")
        assert rig.wait_for_reason("NO_GOAL").goal_id == 0
        assert link.stays_silent()
        assert not link.setpoints
        assert rig.request([picture], steps=[2]).success
        rig.wait_for_state(PlanStatus.EXECUTING)
        assert link.change_state("planner_node", "deactivate")
        assert link.stays_silent()
        assert link.change_state("planner_node", "cleanup")
        assert state_of(link) == "unconfigured"
        assert link.set_parameters("planner_node", crop="droid") == ""


def test_pause_holds_and_resume_goes_on(
    sim: SimulatedArm, link: Recorder, domain: int, tmp_path: Path, picture: np.ndarray
) -> None:
    with running(link, domain, tmp_path) as rig:
        rig.reset()
        assert rig.request([picture], steps=[3]).success
        rig.wait_for_state(PlanStatus.EXECUTING)
        assert link.call(SetBool, "planner_node/pause", SetBool.Request(data=True)).success
        assert rig.wait_for_state(PlanStatus.PAUSED).reason == "PAUSED"
        link.wait_until_silent()
        assert "PAUSED: " in rig.request([picture], steps=[3]).message
        resumed = resume(link)
        assert resumed.success and "PAUSED is over: going on" in resumed.message
        rig.wait_for_state(PlanStatus.EXECUTING)
        assert "no fault and no pause" in resume(link).message
        rig.wait_for_reason("GOAL_FINISHED")
        resumed = resume(link)
        assert not resumed.success and "GOAL_FINISHED" in resumed.message


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("state", ["IDLE", "PLANNING", "EXECUTING"])
def test_signals_bring_the_arm_to_rest_and_end_with_status_0(
    sim: SimulatedArm, link: Recorder, domain: int, tmp_path: Path, picture: np.ndarray, number: int, state: str
) -> None:
    with running(link, domain, tmp_path) as rig:
        rig.reset()
        if state != "IDLE":
            # A long plan: samples and iterations that take many seconds.
            slow = {"samples": 2000, "cem_steps": 50} if state == "PLANNING" else {}
            assert not slow or link.set_parameters("planner_node", **slow) == ""
            assert rig.request([picture], steps=[50]).success
        rig.wait_for_state(getattr(PlanStatus, state))
        before = rig.position()
        rig.planner.send(number)
        assert rig.planner.wait() == 0, rig.planner.output()
        assert "Traceback" not in rig.planner.output()
        assert link.stays_silent()
        where = rig.position()
        assert state == "EXECUTING" or np.linalg.norm(where - before) < 1e-3
        assert link.stays_silent() and np.linalg.norm(rig.position() - where) < 1e-3


def test_a_signal_while_the_model_is_being_loaded_ends_with_status_0(
    sim: NodeProcess, link: Recorder, domain: int, tmp_path: Path
) -> None:
    with Rig.start_planner(tmp_path / "planner_node.log", domain) as process:
        deadline = time.monotonic() + 60.0
        while "loading the world model" not in process.output():
            assert time.monotonic() < deadline, process.output()
            time.sleep(0.02)
        process.send(signal.SIGINT)
        assert process.wait() == 0, process.output()
        assert "Traceback" not in process.output()


def unusable_checkpoints(folder: Path) -> dict[str, Path]:
    """Files that are no world model."""
    files = {name: folder / name for name in ("missing.safetensors", "short.safetensors", "code.pt", "text.pt")}
    files["short.safetensors"].write_bytes(b"\x10\x00\x00")
    files["code.pt"].write_bytes(pickle.dumps({"encoder": print}))
    files["text.pt"].write_text("not a checkpoint")
    return files


def test_unusable_checkpoints_leave_the_node_up_and_unconfigured(
    sim: SimulatedArm, link: Recorder, domain: int, tmp_path: Path
) -> None:
    with running(link, domain, tmp_path, autostart="false") as rig:
        for name, file in unusable_checkpoints(tmp_path).items():
            assert link.set_parameters("planner_node", checkpoint=str(file)) == ""
            assert not link.change_state("planner_node", "configure")
            assert state_of(link) == "unconfigured"
            assert "cannot load the world model" in rig.planner.output() and name in rig.planner.output()
        assert not link.call(SetGoal, "planner_node/set_goal", SetGoal.Request()).success


def test_without_a_workspace_the_node_is_not_activated(
    sim: SimulatedArm, link: Recorder, domain: int, tmp_path: Path, picture: np.ndarray
) -> None:
    link.forget_planner()
    log = tmp_path / "planner_node.log"
    with NodeProcess("planner_node", log, domain, parameters=Rig.checkpoint()):
        status = link.wait_for_status(lambda status: status.reason == "NO_WORKSPACE", 30.0)
        assert "workspace.lower" in status.message and "model" not in status.message
        assert state_of(link) == "inactive"
        assert "workspace.lower and workspace.upper are not set" in log.read_text()
        link.wait_for_health("planner_node: planner", DiagnosticStatus.WARN, "NO_WORKSPACE")
        request = SetGoal.Request(images=[CompressedImage(format="png", data=encode_png(picture))])
        answer = link.call(SetGoal, "planner_node/set_goal", request)
        assert not answer.success and "NO_WORKSPACE" in answer.message


def test_start_parameters_that_do_not_fit_end_the_process_with_a_reason(domain: int, tmp_path: Path) -> None:
    process = Rig.start_planner(tmp_path / "planner_node.log", domain, topk="200", samples="100")
    assert process.wait(60.0) == ExitStatus.MISUSED
    assert "topk=200 > samples=100" in process.output()
    assert "Traceback" not in process.output()


def test_a_signal_tells_the_client_of_the_action_before_the_node_ends(
    sim: SimulatedArm, link: Recorder, domain: int, tmp_path: Path, picture: np.ndarray
) -> None:
    with running(link, domain, tmp_path) as rig:
        rig.reset()
        client = Client(link)
        handle, _ = client.send(picture, steps=[50])
        result = handle.get_result_async()
        rig.wait_for_state(PlanStatus.EXECUTING)
        rig.planner.send(signal.SIGINT)
        answer = wait(result)
        client.destroy()
        assert (answer.status, answer.result.code) == (GoalStatus.STATUS_ABORTED, ReachGoal.Result.FAULT)
        assert rig.planner.wait() == 0 and "Traceback" not in rig.planner.output()


def test_diagnostics_name_the_node_with_its_namespace_and_know_the_end_of_its_life(
    link: Recorder, domain: int, tmp_path: Path
) -> None:
    link.forget_planner()
    log = tmp_path / "planner_node.log"
    with Rig.start_planner(log, domain, remappings={"__ns": "/left"}, autostart="false"):
        link.wait_for_health("left/planner_node: planner", DiagnosticStatus.WARN, "configure")
        assert link.change_state("left/planner_node", "shutdown")
        link.wait_for_health("left/planner_node: planner", DiagnosticStatus.WARN, "shut down")
        answer = link.call(SetGoal, "left/planner_node/set_goal", SetGoal.Request())
        assert not answer.success and "start the node again" in answer.message
