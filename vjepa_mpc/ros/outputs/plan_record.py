"""The message from which a plan can be made again."""

from __future__ import annotations

from array import array

from std_msgs.msg import Header
from torch import Tensor

from vjepa_mpc.controller.step import Step
from vjepa_mpc.loop.worker import PlanRequest
from vjepa_mpc.msg import PlanRecord
from vjepa_mpc.planning import GRIPPER, Question


def plan_record(step: Step, request: PlanRequest, header: Header) -> PlanRecord | None:
    """What a step was planned from and what the planner found; None for a controller without a planner.

    Args:
        step: that was accepted.
        request: that it answers.
        header: of the message.
    """
    plan, question = step.plan, step.question
    if plan is None or question is None:
        return None
    message = PlanRecord(header=header, goal_id=step.goal_id, sub_goal=step.goal_index, step=step.goal_step)
    message.image_stamp = request.image.header.stamp
    message.pose = request.pose.tolist()
    # To the last bit, which the question has not: what the camera will see there is predicted from it.
    start = request.start
    message.origin = (request.pose if start is None else start.state(request.pose[6])).tolist()
    _put_question(message, question)
    message.horizon = len(plan.actions)
    message.actions, message.energies = _floats(plan.actions), array("d", plan.energies)
    message.elites, message.elite_energies = _floats(plan.elites), _floats(plan.elite_energies)
    return message


def _put_question(message: PlanRecord, question: Question) -> None:
    message.goal_sha256 = question.goal.sha256
    message.random_state = array("B", question.random_state.numpy().tobytes())
    message.gripper_action = float(question.pins.get(GRIPPER, float("nan")))
    if question.previous is not None:
        message.previous_actions = _floats(question.previous.actions)
        message.previous_elites = _floats(question.previous.elites)
    if question.proposals is not None:
        message.proposals, message.proposal_horizon = _floats(question.proposals), question.proposals.shape[1]


def _floats(values: Tensor) -> array[float]:
    return array("f", values.float().numpy().tobytes())
