"""What the control loop and the planning thread know of a controller: it proposes, they accept, it commits.

A controller is one class. Visual MPC is one, the moves of a camera calibration are another, and
``examples/replay_controller.py`` is a third. The parameter ``controller`` chooses one (see
:mod:`~vjepa_mpc.controller.choices`).
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from vjepa_mpc.controller.setup import Setup
from vjepa_mpc.controller.step import Observation, Step
from vjepa_mpc.planning import CEMConfig

G = TypeVar("G")

NO_GOAL = 0  # goal id while there is none


class NoGoalError(RuntimeError):
    """There is nothing to plan for."""


class Controller(ABC):
    """Answers observations with actions, on the way to a goal.

    An action is only a wish: a supervisor may refuse it, and then it must leave no trace. So proposing and committing
    are two calls, and nothing is ever undone.

    Threads: goals are set and cleared from any thread at any time, also while a proposal is being computed; that must
    return at once. All other methods are called on one thread, the planning thread, one at a time.

    A controller's own options are the fields of a dataclass ``Options`` inside it, as for every part that a parameter
    chooses. One that has a planner may also be a :class:`HasPlanner`.
    """

    @classmethod
    def make(cls, setup: Setup, options: Any = None) -> Controller:
        """The controller that a node uses: if not overridden, ``cls(options)``, or ``cls()`` without ``Options``.

        Args:
            setup: what the node's settings say; also loads the world model, for those that ask for it.
            options: an instance of ``Options``; None when it has none.
        """
        return cls() if options is None else cls(options)  # type: ignore[call-arg]  # of the classes derived from this

    @property
    @abstractmethod
    def goal_id(self) -> int:
        """Identity of the goal that is set; ``NO_GOAL`` for none. Any thread."""

    @abstractmethod
    def set_goals(self, goals: Sequence[Any]) -> int:
        """Pursue these goals, one after the other, instead of what was set before; returns an id never used before.

        Any thread. What a goal is depends on the controller; visual MPC takes
        :class:`~vjepa_mpc.goals.sub_goal.SubGoal`.

        Raises:
            ValueError: the goals cannot be used; what was set before stays.
        """

    @abstractmethod
    def clear_goals(self) -> None:
        """Have no goal. Any thread."""

    @abstractmethod
    def propose(self, observation: Observation) -> Step:
        """The next action, or a finished step when there is none left. Changes nothing that the next call could notice.

        Raises:
            NoGoalError: no goal is set.
            Exception: whatever goes wrong; the arm then holds, and the message is shown.
        """

    @abstractmethod
    def commit(self, step: Step) -> None:
        """The step has been accepted and is being carried out: the next proposal goes on from it.

        The step is the newest proposal; proposals that were not accepted before are not committed. Superseded steps are
        never committed, finished ones are.
        """

    def restart(self) -> None:  # noqa: B027 - many controllers have nothing to do here
        """Begin at the measured pose, whatever was commanded before: the arm stood still or was moved meanwhile.

        A grasp is kept. Does nothing if not overridden, for controllers that begin at the measured pose anyway.
        """

    def forget(self) -> None:
        """The arm was taken over anew: restart, and forget what the gripper held, too."""
        self.restart()

    def warm_up(self) -> float:
        """Do everything once before time matters; returns the seconds it took. Changes no later proposal."""
        return 0.0


@runtime_checkable
class HasPlanner(Protocol):
    """A controller that takes changes of the planner's live parameters; those that do not are not told of any.

    Attributes:
        planner_config: settings of the planner. Any thread may replace them at any time; what is set holds from the
            next proposal on.
    """

    planner_config: CEMConfig


class CurrentGoal(Generic[G]):
    """The goal that is set, with its id, for controllers to keep. Any thread may call any method."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last_id = self._id = NO_GOAL
        self._goal: G | None = None

    @property
    def id(self) -> int:
        """Of the goal; ``NO_GOAL`` for none."""
        with self._lock:
            return self._id

    def set(self, make: Callable[[int], G]) -> int:
        """Have the goal that ``make`` makes with its new id instead of the one before; returns the id."""
        with self._lock:
            goal = make(self._last_id + 1)
            self._last_id += 1
            self._id, self._goal = self._last_id, goal
            return self._id

    def clear(self) -> None:
        """Have no goal."""
        with self._lock:
            self._id, self._goal = NO_GOAL, None

    def get(self) -> G:
        """The goal.

        Raises:
            NoGoalError: there is none.
        """
        with self._lock:
            if self._goal is None:
                raise NoGoalError("no goal is set: call set_goals first")
            return self._goal
