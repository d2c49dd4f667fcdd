"""What a guard is: it observes one thing, says what is wrong with it, names its reasons, and carries its options.

Guards have no clock, no topic and no thread; times are passed in. A set of guards lives from one activation to the
next. The supervisor holds them in its order (:mod:`vjepa_mpc.safety.config`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from vjepa_mpc.geometry.cartesian import CartesianPose
from vjepa_mpc.options import check_options
from vjepa_mpc.safety.guards.violation import Violation
from vjepa_mpc.safety.reasons import Reason
from vjepa_mpc.safety.samples import Now, PlannedStep


@dataclass(frozen=True, kw_only=True)
class GuardOptions:
    """What the options of every guard derive from; they are parameters without a prefix, such as ``image_timeout``.

    Raises:
        ValueError: an option is out of range; the message names it.
    """

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(eq=False)
class Scene:
    """What the guards of one activation tell each other.

    Attributes:
        engaged: the arm may be moved by this node; otherwise somebody may be moving it by hand.
        pose: the newest well-formed pose in the right frame, whatever its age; None if there is none.
        closedness: measured last, 0 (open) … 1 (closed); 0 where there is no gripper feedback.
    """

    engaged: bool = False
    pose: CartesianPose | None = None
    closedness: float = 0.0


class Guard(ABC):
    """Watches one thing.

    Attributes:
        reasons: every reason that it may give.
    """

    reasons: ClassVar[tuple[Reason, ...]]


class StepGuard(Guard):
    """Watches the steps that a controller proposes one after the other.

    What is wrong stays wrong until another proposal says otherwise, so the supervisor has steps proposed while it
    holds.

    Args:
        options: the guard's ``Options``, or what derives from them.
    """

    @abstractmethod
    def __init__(self, options: Any) -> None: ...

    @property
    @abstractmethod
    def violation(self) -> Violation | None:
        """What was wrong with the newest proposal; None when nothing was."""

    @abstractmethod
    def look(self, step: PlannedStep) -> Violation | None:
        """What is wrong now that this step is proposed."""

    @abstractmethod
    def accepted(self, step: PlannedStep) -> None:
        """The step is being carried out."""

    @abstractmethod
    def change(self, options: Any) -> None:
        """Judge by other options from now on, as in a new attempt."""

    @abstractmethod
    def forget(self) -> None:
        """Another goal was set, or somebody wants another attempt."""

    def interrupted(self) -> None:
        """The arm was stopped or moved by somebody else: what was promised before does not count any more."""
        return None


S = TypeVar("S")


class InputGuard(Guard, Generic[S]):
    """Watches one input.

    Args:
        options: the guard's ``Options``, or what derives from them.
        scene: of this activation.

    Attributes:
        kind: the class of the input's samples; each guard has its own.
        missing: the reason why the arm waits before the first sample.
        newest: the newest sample; None before the first.
    """

    kind: ClassVar[type[Any]]
    missing: ClassVar[Reason]

    @abstractmethod
    def __init__(self, options: Any, scene: Scene) -> None:
        self.newest: S | None = None

    @property
    def required(self) -> bool:
        """Whether the arm waits for a first sample."""
        return True

    @abstractmethod
    def observe(self, sample: S) -> None:
        """Take note of a sample, unchecked as it came; it may be the same as before."""

    @abstractmethod
    def check(self, now: Now) -> Violation | None:
        """What is wrong with the newest sample now; None when nothing is, or before the first."""

    def incident(self) -> Violation | None:
        """What happened since the last call and counts only if the arm is engaged, such as a jump of the pose."""
        return None

    def hold_ended(self) -> None:
        """The arm is about to move again; it may have been moved by hand meanwhile."""
        return None
