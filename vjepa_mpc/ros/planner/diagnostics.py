"""What /diagnostics says about the planner."""

from __future__ import annotations

import math
import time

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from vjepa_mpc.loop.control_loop import ControlLoop
from vjepa_mpc.ros.planner.inputs import Inputs
from vjepa_mpc.safety.reasons import State

_LEVELS = {
    State.FAULT: DiagnosticStatus.ERROR,
    State.UNCONFIGURED: DiagnosticStatus.WARN,
    State.HOLDING: DiagnosticStatus.WARN,
    State.WAITING_INPUT: DiagnosticStatus.WARN,
    State.PAUSED: DiagnosticStatus.WARN,
}


def unconfigured(name: str, stamp: Time, *, shut_down: bool) -> DiagnosticArray:
    """There is no planner yet, or none any more. ``name``: of the node, with its namespace."""
    what = "FINALIZED: shut down; start the node again" if shut_down else "UNCONFIGURED: configure the node"
    return _array(name, stamp, DiagnosticStatus.WARN, what, {})


def configured(name: str, stamp: Time, loop: ControlLoop, inputs: Inputs) -> DiagnosticArray:
    """State, ages of the inputs, timing, how plans keep the planner's deadline, proposals, progress."""
    decision, step = loop.decision, loop.step
    now = time.monotonic()
    values = {
        "image age [s]": _age(None if inputs.image is None else inputs.image[0].received, now),
        "images": inputs.images,
        "pose age [s]": _age(None if inputs.pose is None else inputs.pose.received, now),
        "gripper age [s]": _age(None if inputs.gripper is None else inputs.gripper.received, now),
        **loop.diagnostics(),
        **inputs.proposals.summary(),
    }
    if step is not None:
        values |= {
            "goal": str(step.goal_id),
            "sub-goal": f"{step.goal_index + 1} of {step.goal_count}",
            "step": f"{step.goal_step} of {step.step_budget}",
            "energy": f"{step.energy:.4f}",
            "plan time [s]": f"{step.plan_seconds:.3f}",
            "encode time [s]": f"{step.encode_seconds:.3f}",
        }
        if not math.isnan(step.surprise):
            values |= {
                "surprise": f"{step.surprise:.4f}",
                "share of the surprises so far that were smaller": f"{step.surprise_rank:.3f}",
            }
        if step.outlook is not None:
            values |= {
                "energy after doing nothing, predicted": f"{step.outlook.still:.4f}",
                "energy after the plan, predicted": f"{step.outlook.expected:.4f}",
                "contrast": f"{step.outlook.contrast:.3f}",
                "share of the promised fall that came true": f"{step.kept:.3f}",
            }
    if decision is None:
        return _array(name, stamp, DiagnosticStatus.OK, "starting", values)
    level = _LEVELS.get(decision.state, DiagnosticStatus.OK)
    return _array(
        name, stamp, level, f"{decision.state.name}: {decision.reason.name}: {inputs.explain(decision)}", values
    )


def _array(name: str, stamp: Time, level: bytes, message: str, values: dict[str, str]) -> DiagnosticArray:
    status = DiagnosticStatus(level=level, name=f"{name}: planner", hardware_id="vjepa_mpc", message=message)
    status.values = [KeyValue(key=key, value=value) for key, value in values.items()]
    result = DiagnosticArray(status=[status])
    result.header.stamp = stamp
    return result


def _age(received: float | None, now: float) -> str:
    return f"{math.inf if received is None else now - received:.3f}"
