"""What happens in a fault's case from when the arm moves, for the fault suite and the soak test."""

from __future__ import annotations

import time

import numpy as np
from geometry_msgs.msg import PoseStamped
from lifecycle_msgs.srv import ChangeState
from sensor_msgs.msg import CompressedImage
from std_srvs.srv import SetBool, Trigger
from vjepa_mpc.srv import SetGoal

from support.rig import SimulatedArm
from support.rigs.setpoint_checks import ENGAGED
from system.faults.case import LIMITS, TIMEOUT, Case, wait
from system.faults.catalogue import ModelFault, StreamFault
from vjepa_mpc.images import encode_png
from vjepa_mpc.loop.deciding import PUBLISHER_CHECK_PERIOD


def inject(case: Case, fault: StreamFault) -> None:
    """A fault of an input comes and goes."""
    case.begins()
    case.injector.inject(fault.stream, fault.alteration())
    case.held(*fault.reasons, known=lambda held: fault.known(case.injector, held))
    case.recovers(resume=fault.faults)


def fail(case: Case, fault: ModelFault) -> None:
    """The world model fails and behaves again."""
    case.begins()
    case.planners.order(fault.order)
    case.held(fault.reason, known=case.planners.predicted)
    case.recovers(resume=True)


def pause(case: Case) -> None:
    """Somebody pauses."""
    sent = case.call(SetBool, "pause", SetBool.Request(data=True))
    case.held("PAUSED", known=lambda _: sent)


def resume(case: Case) -> float:
    """And resumes; when, in seconds of the system's clock."""
    sent = case.call(Trigger, "resume", Trigger.Request())
    case.goes_on()
    return sent


def deactivate(case: Case) -> None:
    """The lifecycle manager deactivates the planner and activates it again, and somebody sets the goal again."""
    request = ChangeState.Request()
    request.transition.label = "deactivate"
    sent = case.call(ChangeState, "change_state", request)
    case.held("NOT_ACTIVE", known=lambda _: sent)
    request.transition.label = "activate"
    case.call(ChangeState, "change_state", request)
    case.link.wait_for_status(lambda status: status.reason == "NO_GOAL", 10.0)
    case.set_goal()
    case.goes_on()


def second_publisher(case: Case) -> None:
    """Somebody else offers targets for a while, and sends none."""
    intruder = case.injector.create_publisher(PoseStamped, "target_pose", 1)
    try:
        while len(case.link.publishers_of("target_pose")) < 2:
            time.sleep(0.002)
        seen = time.time()
        case.held("OTHER_PUBLISHER", known=lambda held: min(held, seen + PUBLISHER_CHECK_PERIOD))
    finally:
        case.injector.destroy_publisher(intruder)
    case.recovers()


def kill_simulator(case: Case, sim: SimulatedArm) -> None:
    """The arm vanishes and comes back elsewhere."""
    sim.kill()
    case.held(
        "POSE_STALE",
        "POSE_SILENT",
        known=lambda held: case.injector.newest("pose", held).stamp + LIMITS.pose_timeout,
    )
    sim.start()
    case.recovers()


def corrupt_goal(case: Case) -> None:
    """A goal picture that is none is refused and changes nothing."""
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    request = SetGoal.Request(images=[CompressedImage(format="png", data=encode_png(noise)[:900])])
    _, future = case.link.send(SetGoal, "planner_node/set_goal", request)
    answer = wait(future)
    assert not answer.success and "goal image 0" in answer.message, answer.message
    assert {status.state for status in case.statuses()} <= set(ENGAGED)


def invalid_parameters(case: Case) -> None:
    """A change of parameters that do not fit together is refused with both values, and changes nothing."""
    before = case.link.parameter("planner_node", "samples")
    assert f"topk=500 > samples={before}" in case.link.set_parameters("planner_node", topk=500)
    assert case.link.parameter("planner_node", "topk") < before


def next_step(case: Case) -> None:
    """The goal goes on with its next step."""
    step = max(status.step for status in case.link.statuses_of(case.goal_id))
    case.link.wait_for_status(lambda s: s.goal_id == case.goal_id and s.step > step, TIMEOUT)
