"""Topics that show what the planner thinks, made on a thread of their own and only while somebody subscribes."""

from __future__ import annotations

import logging
import threading
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from torch import Tensor

from vjepa_mpc.controller.foresight import Foresees, Foresight
from vjepa_mpc.controller.step import Step
from vjepa_mpc.geometry.setpoint import Setpoint
from vjepa_mpc.imagination.fan import along_robot_axes
from vjepa_mpc.imagination.imagined import Imagination, drawn
from vjepa_mpc.imagination.surprise import Surprise, SurpriseMeter, overlay
from vjepa_mpc.loop.job_queue import StoppedError
from vjepa_mpc.loop.worker import PlanRequest
from vjepa_mpc.msg import PlanCandidates
from vjepa_mpc.msg import Surprise as SurpriseMessage
from vjepa_mpc.ros.common import optional_interfaces
from vjepa_mpc.ros.common.optional_interfaces import MissingInterfaceError
from vjepa_mpc.ros.outputs.markers import path_message, setpoint_markers, step_markers
from vjepa_mpc.ros.parameters.settings import Settings

logger = logging.getLogger(__name__)

MARKERS, PLAN, ENERGIES, IMAGINATION = "~/markers", "~/plan", "~/energies", "~/imagination"
SURPRISE, SURPRISE_VALUES = "~/surprise", "~/surprise_values"
TYPES: dict[str, Callable[[], Any]] = {
    MARKERS: optional_interfaces.marker_array,
    PLAN: optional_interfaces.path,
    ENERGIES: lambda: PlanCandidates,
    IMAGINATION: lambda: Image,
    SURPRISE: lambda: Image,
    SURPRISE_VALUES: lambda: SurpriseMessage,
}
_FORESIGHT = {IMAGINATION, SURPRISE, SURPRISE_VALUES}  # what needs a prediction that planning itself does not keep
_REFRESH = 0.2  # seconds between set-point markers
_END_TIMEOUT = 2.0  # seconds


@dataclass(frozen=True, eq=False)
class _Thought:
    """A step that is being carried out, which one it is of all, and the topics on which somebody wants to see it."""

    number: int
    step: Step
    request: PlanRequest
    wanted: frozenset[str]

    @property
    def origin(self) -> np.ndarray:
        """[7] where the step begins."""
        question = self.step.question
        return self.request.pose if question is None else question.origin.double().numpy()


class Thoughts:
    """Publishers of what is made for eyes only.

    With no subscriber nothing is computed and nothing waits: the control loop's thread asks each publisher whether it
    has any, and that is all. What is wanted is made on a thread of this object's; predictions on the planning thread,
    after the plan has been answered. While steps come faster than they can be shown, the newest is.

    Args:
        node: which publishes.
        settings: of the node.
        controller: whose thoughts these are; one that foresees nothing has no surprises.
        foresee: what is expected after a step, from any thread, as of :meth:`ControlLoop.foresee`.
        look: the latent of a picture, from any thread, as of :meth:`ControlLoop.look`.
    """

    def __init__(
        self,
        node: LifecycleNode,
        settings: Settings,
        controller: object,
        foresee: Callable[[Step], Foresight | None],
        look: Callable[[np.ndarray], Tensor],
    ) -> None:
        self._node, self._settings, self._foresee = node, settings, foresee
        self._foreseeing = controller if isinstance(controller, Foresees) else None
        self._publishers: dict[str, Any] = {}
        for topic, kind in TYPES.items():
            try:
                self._publishers[topic] = node.create_publisher(kind(), topic, 1)
            except MissingInterfaceError as error:
                node.get_logger().warning(f"{topic} is off: {error}")
        self.setpoint: Setpoint | None = None  # the newest; any thread
        self._meter = SurpriseMeter()
        self._imagination = Imagination(
            lambda: settings.imagination.open(settings.model.checkpoint), look, settings.model.crop
        )
        self._before: tuple[_Thought, Foresight] | None = None  # what was foreseen last
        self._failures: set[str] = set()  # that were told
        self._changed = threading.Condition()
        self._taken = 0  # steps, seen by somebody or not
        self._newest: _Thought | None = None
        self._closed = False
        self._thread: threading.Thread | None = None  # from the first subscriber on

    def show(self, step: Step, request: PlanRequest) -> None:
        """A step is being carried out; returns at once."""
        wanted = frozenset(topic for topic, each in self._publishers.items() if each.get_subscription_count())
        if self._foreseeing is not None:
            self._foreseeing.keep_candidates = ENERGIES in wanted  # from the next plan on
        self._taken += 1
        if not wanted:
            return
        with self._changed:
            self._newest = _Thought(self._taken, step, request, wanted)
            self._changed.notify()
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="thoughts", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End the thread, or what it does when it next looks; after the control loop was stopped."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(_END_TIMEOUT)

    def destroy(self) -> None:
        """End the publishers, after :meth:`close`."""
        for publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)

    # -- on the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                # Between steps only the set-point's marker is new.
                shows = bool(MARKERS in self._publishers and self._publishers[MARKERS].get_subscription_count())
                self._changed.wait_for(lambda: self._newest or self._closed, _REFRESH if shows else None)
                if self._closed:
                    return
                thought, self._newest = self._newest, None
            try:
                self._show_setpoint() if thought is None else self._show(thought)
            except StoppedError:
                return  # the node ends, or is cleaned up
            except Exception as error:  # what is only to be looked at must not end more than itself
                self._tell(error)

    def _tell(self, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"
        if text not in self._failures and not self._closed:
            self._failures.add(text)
            logger.warning("what the planner thinks cannot be shown: %s", text)

    def _show(self, thought: _Thought) -> None:
        step, header = thought.step, self._header()
        if MARKERS in thought.wanted:
            box = self._settings.workspace
            self._publishers[MARKERS].publish(step_markers(step, thought.origin, box, header))
        if PLAN in thought.wanted:
            self._publishers[PLAN].publish(path_message(step, thought.origin, header))
        if ENERGIES in thought.wanted and (candidates := _candidates(thought, header)) is not None:
            self._publishers[ENERGIES].publish(candidates)
        if thought.wanted & _FORESIGHT:
            self._show_foresight(thought, header)

    def _show_setpoint(self) -> None:
        if self.setpoint is not None:
            self._publishers[MARKERS].publish(setpoint_markers(self.setpoint, self._header()))

    def _show_foresight(self, thought: _Thought, header: Header) -> None:
        foresight, before = self._foresee(thought.step), self._before
        self._before = None if foresight is None else (thought, foresight)
        if foresight is not None and IMAGINATION in thought.wanted:
            self._show_imagination(thought, foresight, header)
        if foresight is None or before is None or not _follows(before[0], thought):
            return
        found = self._meter.compare(before[1].seen, before[1].expected, foresight.seen)
        if SURPRISE_VALUES in thought.wanted:
            self._publishers[SURPRISE_VALUES].publish(_surprise_message(found, before[0].step, header))
        if SURPRISE in thought.wanted:
            seen = thought.request.observation().image
            self._publishers[SURPRISE].publish(image_message(overlay(seen, found, self._settings.model.crop), header))

    def _show_imagination(self, thought: _Thought, foresight: Foresight, header: Header) -> None:
        self._imagination.remember(foresight.looked, thought.request.observation().image)
        imagined = self._imagination.picture(foresight.expected)
        if imagined is not None:
            step = thought.step
            picture = drawn(imagined, f"expected after goal {step.goal_index + 1}, step {step.goal_step}")
            self._publishers[IMAGINATION].publish(image_message(picture, header))

    def _header(self) -> Header:
        return Header(frame_id=self._settings.frame_id, stamp=self._node.get_clock().now().to_msg())


def _follows(before: _Thought, now: _Thought) -> bool:
    """Whether a step began where the one before ended: the very next one, for the same goal, and uninterrupted."""
    uninterrupted = before.request.epoch == now.request.epoch
    return now.number == before.number + 1 and before.step.goal_id == now.step.goal_id and uninterrupted


def _candidates(thought: _Thought, header: Header) -> PlanCandidates | None:
    """What the last iteration predicted; None where the plan does not tell."""
    step = thought.step
    if step.plan is None or not step.plan.history:
        return None
    last = step.plan.history[-1]
    message = PlanCandidates(header=header, goal_id=step.goal_id, sub_goal=step.goal_index, step=step.goal_step)
    message.origin, message.energy, message.horizon = thought.origin.tolist(), step.energy, last.actions.shape[1]
    message.energies = _floats(last.energies.numpy())
    message.actions = _floats(along_robot_axes(last.actions.numpy(), step.action_rotation))
    return message


def _surprise_message(found: Surprise, step: Step, header: Header) -> SurpriseMessage:
    message = SurpriseMessage(header=header, goal_id=step.goal_id, step=step.goal_step)
    message.level, message.nothing, message.usual = found.level, found.nothing, found.usual
    message.rows = message.columns = found.side
    message.patches = _floats(found.patches)
    return message


def image_message(image: np.ndarray, header: Header) -> Image:
    """A picture, uint8 RGB [height, width, 3], as a message."""
    height, width = image.shape[:2]
    data = array("B", np.ascontiguousarray(image).tobytes())
    return Image(header=header, height=height, width=width, encoding="rgb8", step=3 * width, data=data)


def _floats(values: np.ndarray) -> array[float]:
    return array("f", values.astype(np.float32).tobytes())
