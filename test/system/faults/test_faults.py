"""Every fault of the list: real processes, measured reactions. results/ is written when all have run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage
from std_srvs.srv import Trigger
from vjepa_mpc.msg import PlanStatus
from vjepa_mpc.srv import SetGoal

from support.rig import BLOCK, START, SimulatedArm
from support.rigs.setpoint_checks import ENGAGED
from system.faults import scenarios
from system.faults.case import LIMITS, PERIOD, TIMEOUT, Case, python_path, wait
from system.faults.catalogue import MODEL_FAULTS, STREAM_FAULTS, ModelFault, StreamFault
from vjepa_mpc.images import encode_png
from vjepa_mpc.loop.deciding import PUBLISHER_CHECK_PERIOD

CASES = 30
ELSEWHERE = START + np.array([0.0, -0.1, 0.03, 0.0, 0.0, 0.0, 0.0])
CLOCK_SET_BACK = 100.0  # seconds
# While rclpy takes 200 MB in, nothing else is received, and the planner is right to hold.
DEAF = tuple(f"{stream}_{how}" for stream in ("POSE", "IMAGE", "GRIPPER") for how in ("STALE", "SILENT"))
FLOOD, FLOOD_RATE = 30.0, 20.0  # seconds, Hz


def cases(faults: tuple[Any, ...]) -> Any:
    return pytest.mark.parametrize(
        "fault", [pytest.param(fault, id=fault.name, marks=pytest.mark.fault(fault.name)) for fault in faults]
    )


# -- inputs and model --------------------------------------------------------------------------------------------------


@cases(STREAM_FAULTS)
def test_input(case: Case, fault: StreamFault) -> None:
    case.set_off()
    scenarios.inject(case, fault)


@cases(MODEL_FAULTS)
def test_model(case: Case, fault: ModelFault) -> None:
    case.set_off()
    scenarios.fail(case, fault)


# -- goals and parameters ----------------------------------------------------------------------------------------------


@pytest.mark.fault("goal changed in mid-plan")
def test_the_goal_is_changed_in_mid_plan(case: Case) -> None:
    case.be_in_mid_plan()
    old = case.goal_id
    new = case.set_goal(steps=1)
    case.plan_quickly()
    case.rig.wait_for_reason("GOAL_FINISHED", TIMEOUT)
    executed = [status.goal_id for status in case.statuses() if status.state == PlanStatus.EXECUTING]
    assert executed and set(executed) == {new} != {old}
    case.record.reason, case.record.recovered = "PLANNING", True
    case.record.note = "required: no plan for the old goal is carried out; the new goal is pursued to its end"


@pytest.mark.fault("parameters changed in mid-plan, valid")
def test_valid_parameters_in_mid_plan(case: Case) -> None:
    case.be_in_mid_plan()
    case.plan_quickly()
    first = case.rig.wait_for_state(PlanStatus.EXECUTING, TIMEOUT)
    second = case.link.wait_for_status(lambda s: s.state == PlanStatus.EXECUTING and s.step == 2, TIMEOUT)
    assert second.plan_time < 0.5 * first.plan_time
    assert {status.state for status in case.statuses()} <= {PlanStatus.PLANNING, PlanStatus.EXECUTING}
    case.record.reason, case.record.recovered = "PLANNING", True
    case.record.note = (
        f"required: the plan under way ends as it began, the next one is shorter: {first.plan_time:.2f} s, then "
        f"{second.plan_time:.2f} s"
    )


@pytest.mark.fault("parameters changed in mid-plan, invalid")
def test_invalid_parameters_in_mid_plan(case: Case) -> None:
    case.be_in_mid_plan()
    scenarios.invalid_parameters(case)
    case.goes_on()
    assert {status.state for status in case.statuses()} <= {PlanStatus.PLANNING, PlanStatus.EXECUTING}
    case.plan_quickly()
    case.record.reason = "PLANNING"
    case.record.note = "required: refused with both values, the plan under way is carried out"


@pytest.mark.fault("20 set_goal calls a second for 30 s")
def test_a_flood_of_goals(case: Case) -> None:
    data = encode_png(case.picture)
    request = SetGoal.Request(images=[CompressedImage(format="png", data=data)], steps=[1])
    case.begins()
    before, futures, started = resident(case), [], time.monotonic()
    while time.monotonic() - started < FLOOD:
        futures.append(case.link.send(SetGoal, "planner_node/set_goal", request)[1])
        due = started + len(futures) / FLOOD_RATE
        time.sleep(max(0.0, due - time.monotonic()))
    answers = [wait(future) for future in futures]
    assert all(answer.success for answer in answers), [answer.message for answer in answers if not answer.success][:3]
    ids = [int(answer.goal_id) for answer in answers]
    assert len(set(ids)) == len(ids)
    case.rig.wait_for_reason("GOAL_FINISHED", TIMEOUT)
    assert {status.state for status in case.statuses()} <= {
        PlanStatus.IDLE,
        PlanStatus.PLANNING,
        PlanStatus.EXECUTING,
    }
    grown = (resident(case) - before) / 2**20
    assert grown < 64.0
    case.goal_id = case.set_goal()
    case.goes_on()
    case.record.reason = "PLANNING"
    case.record.note = (
        f"required: every one is answered, the last one is carried out; {len(ids)} in {FLOOD:.0f} s, memory "
        f"{grown:+.1f} MiB"
    )


def resident(case: Case) -> int:
    """Bytes of memory that the planner's process occupies."""
    with open(f"/proc/{case.rig.planner.pid}/statm") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.fault("corrupt image bytes in set_goal")
def test_a_corrupt_goal_picture(case: Case) -> None:
    case.set_off()
    sent = time.time()
    scenarios.corrupt_goal(case)
    undisturbed(case, sent)


@pytest.mark.fault("200 MB image in set_goal")
def test_a_huge_goal_picture(case: Case) -> None:
    case.set_off()
    sent = time.time()
    assert "more than 67108864" in huge_picture(case, "goal")
    undisturbed(case, sent, unless=DEAF)


@pytest.mark.fault("200 MB camera image")
def test_a_huge_camera_image(case: Case) -> None:
    case.set_off()
    sent = time.time()
    huge_picture(case, "camera")
    undisturbed(case, sent, unless=("IMAGE_UNREADABLE", *DEAF))


def huge_picture(case: Case, where: str) -> str:
    """Send 200 MB from a process of its own, so that the fault injector is not held up; what it says."""
    command = [sys.executable, "-m", "system.faults.huge_picture", where]
    environment = {**os.environ, "PYTHONPATH": python_path()}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=2 * TIMEOUT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def undisturbed(case: Case, since: float, unless: Sequence[str] = ()) -> None:
    """The running goal goes on; the arm held for no other reason than these."""
    scenarios.next_step(case)
    held = {status.reason for status in case.statuses() if status.state not in ENGAGED}
    assert held <= set(unless), held
    gap = np.diff([entry.stamp for entry in case.link.recording().setpoints if entry.stamp > since - 0.1]).max()
    case.record.reason, case.record.recovered = ", ".join(sorted(held)) or "NONE", True
    case.record.note = (
        f"required: the running goal goes on; {time.time() - since:.1f} s until its next step, longest pause of the "
        f"set-points meanwhile {1e3 * gap:.0f} ms"
    )


# -- people ------------------------------------------------------------------------------------------------------------


@pytest.mark.fault("pause, move the arm by hand, resume")
def test_the_arm_is_moved_by_hand(case: Case) -> None:
    case.set_off()
    scenarios.pause(case)
    place_arm(case, ELSEWHERE)
    assert case.link.stays_silent()
    resumed = scenarios.resume(case)
    first = next(entry for entry in case.link.recording().setpoints if entry.stamp > resumed)
    away = float(np.linalg.norm(first.position - ELSEWHERE[:3]))
    assert away < 0.01
    case.record.note = (
        f"required: motion starts where the arm is then; first set-point {1e3 * away:.1f} mm from there, "
        f"{1e3 * float(np.linalg.norm(ELSEWHERE[:3] - START[:3])):.0f} mm from the start"
    )


def place_arm(case: Case, pose: np.ndarray) -> None:
    """Put the arm somewhere else, as a hand would."""
    request = SetParametersAtomically.Request()
    values = {"start_pose": [float(v) for v in pose], "block_position": [float(v) for v in BLOCK]}
    request.parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
    assert case.link.call(SetParametersAtomically, "sim_node/set_parameters_atomically", request).result.successful
    assert case.link.call(Trigger, "sim_node/reset", Trigger.Request()).success
    deadline = time.monotonic() + TIMEOUT
    while np.linalg.norm(case.rig.position() - pose[:3]) > 0.01:
        assert time.monotonic() < deadline, "the arm does not get there"


@pytest.mark.fault("second publisher on the target topic")
def test_a_second_publisher(case: Case) -> None:
    case.set_off()
    scenarios.second_publisher(case)
    case.record.note = (
        f"the planner looks every {PUBLISHER_CHECK_PERIOD:g} s: periods count from its next look at the latest"
    )


# -- processes ---------------------------------------------------------------------------------------------------------


@pytest.mark.fault("deactivate while planning")
def test_deactivation(case: Case) -> None:
    case.be_in_mid_plan()
    case.plan_quickly()
    scenarios.deactivate(case)


@pytest.mark.fault("kill -9 of the simulator, and its return")
def test_the_simulator_is_killed(case: Case, sim: SimulatedArm) -> None:
    case.set_off()
    scenarios.kill_simulator(case, sim)


@pytest.mark.fault("SIGINT while planning")
def test_sigint(case: Case) -> None:
    ended_by(case, signal.SIGINT)


@pytest.mark.fault("clock jumps back")
def test_the_clock_jumps_back(case: Case) -> None:
    case.timed = False  # stamps are as coarse as the clock's rate
    case.injector.lead_clock(0.0)
    try:
        case.planners.start(use_sim_time="true")
        case.rig.planner = case.planners.process
        case.rig.reset()
        case.set_off()
        case.link.clock_back, jumped = CLOCK_SET_BACK, time.time()
        case.injector.lead_clock(-CLOCK_SET_BACK)
        case.held("CLOCK_JUMPED", known=lambda _: jumped)
        case.recovers()
    finally:
        case.planners.stop()
        case.link.wait_until_silent(TIMEOUT)
        case.link.clock_back = 0.0
        case.injector.lead_clock(None)


@pytest.mark.parametrize(
    "fault",
    [pytest.param(fault, marks=pytest.mark.fault(f"{fault.name}, in motion")) for fault in MODEL_FAULTS[:2]],
    ids=lambda fault: fault.name,
)
@pytest.mark.pipelined
def test_model_in_motion(case: Case, fault: ModelFault) -> None:
    """Pipelined execution plans while the arm moves."""
    case.set_off()
    scenarios.fail(case, fault)


@pytest.mark.pipelined
@pytest.mark.fault("kill -9 of the planner")
def test_the_planner_is_killed(case: Case) -> None:
    case.killed = True
    case.set_off()
    killed = time.time()
    case.rig.planner.send(signal.SIGKILL)
    case.rig.planner.wait()
    case.link.wait_until_silent(TIMEOUT)
    recording = case.link.recording()
    last = recording.setpoints[-1]
    measured = max((pose for pose in recording.poses if pose.stamp <= last.stamp), key=lambda pose: pose.stamp)
    lead = float(np.linalg.norm(last.position - measured.position))
    assert lead <= LIMITS.max_step
    rest = case.rig.position()
    assert np.linalg.norm(rest - last.position) < 0.005
    case.record.note = (
        f"required: the arm is left with a target at most {1e3 * LIMITS.max_step:.0f} mm away; it was "
        f"{1e3 * lead:.0f} mm, and the arm rests there"
    )
    assert last.stamp < killed + PERIOD
    case.next_planner()


@pytest.mark.pipelined
@pytest.mark.fault("SIGTERM while planning")
def test_sigterm(case: Case) -> None:
    ended_by(case, signal.SIGTERM)


def ended_by(case: Case, number: int) -> None:
    """The planner ends in an orderly way, and another one takes over."""
    case.be_in_mid_plan()
    sent = time.time()
    case.rig.planner.send(number)
    case.held("NOT_ACTIVE", known=lambda _: sent)
    assert case.rig.planner.wait() == 0, case.rig.planner.output()
    assert "Traceback" not in case.rig.planner.output()
    case.next_planner()
    case.record.note = "required too: status 0; another planner takes over"
