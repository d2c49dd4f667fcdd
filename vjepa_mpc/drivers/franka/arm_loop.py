"""The thread that owns the connection to the arm: keeps it up, reads states, passes targets on, stops when they end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

import numpy as np

from vjepa_mpc.drivers.franka.condition import Condition
from vjepa_mpc.drivers.franka.libfranka import ArmState, ConnectionLostError
from vjepa_mpc.drivers.franka.settings import ArmSettings
from vjepa_mpc.geometry.inverse_kinematics import TargetError

_log = logging.getLogger(__name__)
_REFUSAL_MEMORY = 0.5  # seconds


class Arm(Protocol):
    """What the loop drives: :class:`~vjepa_mpc.drivers.franka.libfranka.LibfrankaArm`, or a test's."""

    @property
    def condition(self) -> tuple[Condition, str]: ...  # noqa: D102

    def read(self) -> ArmState: ...  # noqa: D102

    def follow(self, position: np.ndarray, quaternion: np.ndarray) -> None: ...  # noqa: D102

    def hold(self) -> None: ...  # noqa: D102

    def recover(self) -> None: ...  # noqa: D102

    def close(self) -> None: ...  # noqa: D102


class ArmLoop:
    """Streams targets to an arm from any thread, over connections that come and go.

    A target counts once, when it comes: what was asked for before a loss, a reflex or a silence is not taken up again.

    Args:
        connect: makes a connection, or raises ConnectionLostError.
        publish: called on the loop's thread with every new state.
        settings: rates, limits and timeouts.
        clock: steady seconds.
    """

    def __init__(
        self,
        connect: Callable[[], Arm],
        publish: Callable[[ArmState], None],
        settings: ArmSettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect, self._publish, self._settings, self._clock = connect, publish, settings, clock
        self._woken = threading.Condition()
        self._stopping = False
        self._target: tuple[np.ndarray, np.ndarray] | None = None
        self._target_at = -np.inf
        self._streaming = False
        self._recoveries: list[Future[str]] = []
        self._condition: tuple[Condition, str] = (Condition.CONNECTING, "")
        self._state: ArmState | None = None
        self._state_at = -np.inf
        self._refusal = ("", -np.inf)
        # A daemon: connecting to an address where nobody answers cannot be interrupted, and must not keep the process.
        self._thread = threading.Thread(target=self._run, name="arm", daemon=True)

    # -- any thread ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start connecting; returns at once."""
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Bring the arm to rest and end the thread; False: it hangs in the network and is left behind."""
        with self._woken:
            self._stopping = True
            self._woken.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def condition(self) -> tuple[Condition, str]:
        """Why the robot does not move, or READY; with a detail."""
        now, (condition, detail) = self._clock(), self._condition
        age = now - self._state_at
        if condition is not Condition.CONNECTING and age > self._settings.silence:
            return Condition.CONNECTION_LOST, detail or f"no new state for {age:.1f} s"
        refusal, refused_at = self._refusal
        if condition is Condition.READY and now - refused_at < _REFUSAL_MEMORY:
            return Condition.TARGET_REFUSED, refusal
        return condition, detail

    def target(self, position: np.ndarray, quaternion: np.ndarray) -> str:
        """Go to a pose [3] metres, [4] unit quaternion xyzw; "" or why not. The newest replaces others."""
        condition, detail = self.condition
        if condition not in (Condition.READY, Condition.TARGET_REFUSED):
            return condition.message(detail)
        lead = float(np.linalg.norm(position - self._state.position)) if self._state is not None else np.inf
        if lead > self._settings.max_lead:
            most = self._settings.max_lead
            return self.refuse(f"it is {lead:.3f} m from the measured position, more than max_lead={most}")
        with self._woken:
            self._target, self._target_at = (position, quaternion), self._clock()
        return ""

    def refuse(self, why: str) -> str:
        """Note that a target was not usable; returns the reason."""
        self._refusal = (why, self._clock())
        return why

    def recover(self) -> Future[str]:
        """Ask for error recovery; the result is "" when the robot is ready, else why it is not."""
        done: Future[str] = Future()
        with self._woken:
            if self._stopping:
                done.set_result("the driver is stopping")
            else:
                self._recoveries.append(done)
                self._woken.notify()
        return done

    # -- the loop's thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            arm: Arm | None = None
            try:
                arm = self._connect()
                self._serve(arm)
            except ConnectionLostError as error:
                self._lost(str(error))
            except Exception as error:  # whatever it is, the driver must go on, with a new connection
                _log.exception("the connection to the arm is given up")
                self._lost(repr(error))
            finally:
                self._target, self._streaming = None, False
                if arm is not None:
                    arm.close()
        self._answer(lambda: (Condition.CONNECTION_LOST, "the driver is stopping"))

    def _lost(self, detail: str) -> None:
        never = self._condition[0] is Condition.CONNECTING
        self._condition = (Condition.CONNECTING if never else Condition.CONNECTION_LOST, detail)
        self._answer(lambda: self.condition)
        self._wait(self._clock() + self._settings.retry_period)

    def _serve(self, arm: Arm) -> None:
        period, due = 1.0 / self._settings.rate, self._clock()
        while True:
            self._read(arm)
            if self._recoveries:
                arm.recover()
                self._read(arm)
                self._answer(lambda: arm.condition)
            self._pass_on(arm)
            due = max(due + period, self._clock())
            if not self._wait(due):
                return

    def _read(self, arm: Arm) -> None:
        state = arm.read()
        if self._state is None or state.time != self._state.time:
            self._state, self._state_at = state, self._clock()
            self._publish(state)
        self._condition = arm.condition

    def _pass_on(self, arm: Arm) -> None:
        with self._woken:
            target, self._target = self._target, None
        if self._condition[0] is not Condition.READY:
            self._streaming = False
        elif target is not None:
            try:
                arm.follow(*target)
            except TargetError as error:
                self.refuse(str(error))
            else:
                self._streaming = True
        elif self._streaming and self._clock() - self._target_at > self._settings.target_timeout:
            arm.hold()
            self._streaming = False

    def _wait(self, due: float) -> bool:
        """Until `due`, or until somebody wants something; False: stop."""
        with self._woken:
            self._woken.wait_for(lambda: self._stopping or self._recoveries, timeout=max(0.0, due - self._clock()))
            return not self._stopping

    def _answer(self, condition: Callable[[], tuple[Condition, str]]) -> None:
        with self._woken:
            waiting, self._recoveries = self._recoveries, []
        for done in waiting:
            result, detail = condition()
            done.set_result("" if result is Condition.READY else f"{result.name}: {result.message(detail)}")
