"""Which observation to plan from, and when: the share of pipelined execution that needs no arm."""

from __future__ import annotations

from collections import deque

from vjepa_mpc.geometry.cartesian import CartesianPose

_REMEMBERED = 5  # plans
_REMEMBERED_POSES = 100  # two seconds of set-point periods


class PlanningTime:
    """How long plans take, so that one can be begun in time to be ready when the arm arrives."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_REMEMBERED)

    def took(self, seconds: float) -> None:
        """Take note of a plan."""
        self._seconds.append(seconds)

    def due(self, now: float, arrival: float) -> bool:
        """Whether it is time to begin a plan that shall be ready at the arrival; False while no plan was seen."""
        return bool(self._seconds) and now + max(self._seconds) >= arrival


class PoseHistory:
    """Recent measured poses: a picture belongs to the pose of its moment, not to the newest one."""

    def __init__(self) -> None:
        self._poses: deque[tuple[float, CartesianPose]] = deque(maxlen=_REMEMBERED_POSES)

    def add(self, stamp: float, pose: CartesianPose) -> None:
        """Take note of a pose and its header stamp."""
        if not self._poses or self._poses[-1][0] != stamp:
            self._poses.append((stamp, pose))

    def forget(self) -> None:
        """The arm is taken over anew."""
        self._poses.clear()

    def at(self, stamp: float) -> CartesianPose | None:
        """The pose with the nearest stamp; None before the first one."""
        nearest = min(self._poses, key=lambda entry: abs(entry[0] - stamp), default=None)
        return None if nearest is None else nearest[1]
