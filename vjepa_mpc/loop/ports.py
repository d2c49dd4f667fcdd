"""What the control loop needs from outside. ROS nodes implement these; tests use plain objects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np

from vjepa_mpc.controller.step import Step
from vjepa_mpc.geometry.setpoint import Setpoint
from vjepa_mpc.loop.worker import PlanRequest
from vjepa_mpc.safety.guards.violation import Violation
from vjepa_mpc.safety.samples import GripperSample, ImageSample, Now, PoseSample
from vjepa_mpc.safety.supervisor import Decision


class Clock(Protocol):
    """The clock that stamps messages."""

    def __call__(self) -> float:
        """Seconds; may jump. Called on the loop's thread."""


class ProposalSource(Protocol):
    """Where action sequences from elsewhere come in."""

    def take(self, now: float) -> np.ndarray | None:
        """[P, H, 7] for a plan that begins now, in steady seconds; None when there are no new ones."""


class Inputs(Protocol):
    """The newest message of each input; attributes are replaced as a whole, by any thread, at any time."""

    @property
    def samples(self) -> Iterable[Any]:
        """The newest sample of every input that has come, for the supervisor.

        The pose is at least as new as the image, so that an image is never compared with an older pose.
        """

    @property
    def image(self) -> tuple[ImageSample, Any] | None:
        """The newest image's sample, and the message as :func:`~vjepa_mpc.images.image_to_rgb` takes it."""

    @property
    def pose(self) -> PoseSample | None:
        """The newest pose."""

    @property
    def gripper(self) -> GripperSample | None:
        """The newest finger position; None also where there is no finger joint to read."""

    @property
    def unheard(self) -> str:
        """Who sends an input in a way that is not heard, in words; empty when nobody does."""

    @property
    def proposals(self) -> ProposalSource:
        """Action sequences that compete with the planner's own."""

    def forget(self) -> None:
        """Wait for new messages; what came before may be long past."""


class Publishers(Protocol):
    """Where the loop's results go; called on the loop's thread."""

    def setpoint(self, setpoint: Setpoint, now: Now) -> None:
        """Send a set-point, which was computed for this moment."""

    def gripper(self, closedness: float) -> None:
        """Command a closedness."""

    def gripper_trouble(self) -> Violation | None:
        """What the gripper has against moving: what lasts at every call, events once."""

    def status(self, decision: Decision, goal_id: int, step: Step | None) -> None:
        """Tell what is being done and why; ``step`` is the newest that was accepted for the goal."""

    def debug(self, step: Step, request: PlanRequest) -> None:
        """Show a step that is being carried out, and what it was planned from."""

    def followers(self) -> str:
        """Who gets the set-points, and what usually keeps an arm from following them, in words."""

    def other_publishers(self) -> list[str]:
        """Names of others that publish targets."""


class Listener(Protocol):
    """Who wants to know how a goal goes; called on the loop's thread."""

    def planned(self, step: Step, seconds: float) -> None:
        """A step was accepted and is being carried out; ``seconds`` from its observation to the step."""

    def ended(self, goal_id: int, step: Step) -> None:
        """Every sub-goal has ended."""

    def decided(self, decision: Decision) -> None:
        """State or reason changed."""
