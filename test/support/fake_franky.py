"""A stand-in for franky: a robot that is where it is told to be, and fails as it is told to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

DOWN = np.array([1.0, 0.0, 0.0, 0.0])
URDF = "<robot>{}</robot>".format(
    "".join(f'<joint name="fr3_joint{i}" type="revolute"><limit lower="-3" upper="3"/></joint>' for i in range(1, 8))
)


class Exception(Exception):  # noqa: N818 - franky's name
    pass


class NetworkException(Exception):  # noqa: N818
    pass


class ProtocolException(Exception):  # noqa: N818
    pass


class CommandException(Exception):  # noqa: N818
    pass


class ControlException(Exception):  # noqa: N818
    pass


class Limit:
    def __init__(self, most: Any) -> None:
        self.max, self.value = most, None

    def set(self, value: Any) -> None:
        self.value = value


class Affine:
    def __init__(self, translation: np.ndarray, quaternion: np.ndarray) -> None:
        self.translation, self.quaternion = translation, quaternion


class Motion:
    def __init__(self, target: Any = None, return_when_finished: bool = True) -> None:
        self.target, self.return_when_finished = target, return_when_finished


class CartesianMotion(Motion):
    pass


class CartesianStopMotion(Motion):
    pass


class JointMotion(Motion):
    pass


class JointStopMotion(Motion):
    pass


class Robot:
    """Connected at once; `fails` is raised by the next call that talks to it."""

    instances: ClassVar[list[Robot]] = []
    refuses: ClassVar[Exception | None] = None

    def __init__(self, address: str, **options: Any) -> None:
        if Robot.refuses is not None:
            raise Robot.refuses
        self.address, self.options = address, options
        self.motions: list[Motion] = []
        self.fails: BaseException | None = None
        self.mode, self.time, self.position = "Idle", 0, np.array([0.5, 0.0, 0.2])
        self.model, self.model_urdf = SimpleNamespace(), URDF
        for part in ("translation", "rotation", "joint"):
            for kind in ("velocity", "acceleration", "jerk"):
                setattr(self, f"{part}_{kind}_limit", Limit(np.full(7, 2.0) if part == "joint" else 5.0))
        Robot.instances.append(self)

    def _fail(self) -> None:
        failure, self.fails = self.fails, None
        if failure is not None:
            raise failure

    @property
    def has_errors(self) -> bool:
        return self.mode == "Reflex"

    @property
    def is_in_control(self) -> bool:
        return bool(self.motions) and not isinstance(self.motions[-1], CartesianStopMotion | JointStopMotion)

    @property
    def state(self) -> Any:
        self._fail()
        self.time += 1
        return SimpleNamespace(
            time=SimpleNamespace(to_msec=lambda: self.time),
            robot_mode=SimpleNamespace(name=self.mode),
            current_errors='["cartesian_reflex"]' if self.has_errors else "[]",
            O_T_EE=Affine(self.position, DOWN),
            F_T_EE=None,
            EE_T_K=None,
            q=np.zeros(7),
            dq=np.zeros(7),
        )

    def poll_motion(self) -> bool:
        return self.is_in_control

    def move(self, motion: Motion, asynchronous: bool) -> None:
        assert asynchronous
        self._fail()
        self.motions.append(motion)

    def join_motion(self, timeout: float) -> bool:
        return True

    def recover_from_errors(self) -> bool:
        self._fail()
        if self.mode == "Reflex":
            self.mode = "Idle"
        return False  # franky answers from the state before


def RobotPose(pose: Affine) -> Affine:  # noqa: N802 - franky's name
    return pose


RealtimeConfig = SimpleNamespace(Ignore="ignore", Enforce="enforce")
Frame = SimpleNamespace(EndEffector="ee")
