"""The simulated table behind the libfranka network protocol: to a client it is a Franka FR3 at an address.

franky-sim provides the protocol, the robot's internal controllers and its dynamics; this module puts them on the scene
of :class:`~vjepa_mpc.sim.franka_sim.FrankaSim`, so that pictures look the same, and adds what a real arm's controller
does and franky-sim leaves out: reflexes, the user stop, and refusing to move in either.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import numpy as np
from franky_sim import BaseSimulator
from franky_sim.franka_robot_protocol import (
    AutomaticErrorRecoveryCommand,
    BaseCommand,
    MoveCommand,
    MoveStatus,
    RobotCommand,
    RobotMode,
)
from franky_sim.franka_robot_server import FrankaRobotServer
from franky_sim.mujoco_simulator import FrankaMujocoRobot

from vjepa_mpc.sim.config import SimConfig
from vjepa_mpc.sim.franka_sim import FrankaSim
from vjepa_mpc.sim.scene import FINGER_TRAVEL, mujoco

TICK = 0.001  # seconds: the control period of a Franka
CATCH_UP = 0.01  # seconds
LOCAL_ADDRESS = "127.0.0.1"
_RESET_PATIENCE, _PATIENCE_STEP = 2.0, 0.05  # seconds
_CARTESIAN_REFLEX = 7  # index among libfranka's 41 errors
_NO_ERRORS = (False,) * 41


class TableRobot(FrankaMujocoRobot):
    """franky-sim's robot, driven by torques, in our scene instead of its own."""

    def __init__(self, sim: FrankaSim) -> None:
        super().__init__(
            initial_q=sim.joint_positions.tolist(), initial_hand_width=2 * FINGER_TRAVEL * (1.0 - sim.closedness)
        )
        self._sim = sim
        model = sim.model
        # What the scene holds its arm with: joint actuators and gravity compensation.
        self._strengths = (model.actuator_gainprm, model.actuator_biasprm, model.body_gravcomp)
        self._scene_values = [strength.copy() for strength in self._strengths]
        self._attach_to_scene(model, sim.data, "")
        self.take_over()

    def take_over(self) -> None:
        """Torques in place of the scene's actuators, gravity compensated by the controller; the fingers stay."""
        for strength in self._strengths:
            strength[:] = 0.0
        self._sim.data.qfrc_applied[:] = 0.0
        self.set_hand_goal(self.hand_width, np.inf, np.inf)
        # Velocities and accelerations are differences of what was commanded: a jump of the arm is none.
        for component in self._tracked_state_components.values():
            for observer in component.observers.values():
                observer.clear()

    @contextmanager
    def released(self) -> Iterator[None]:
        """Give the arm back to the scene's own actuators for a while."""
        for strength, value in zip(self._strengths, self._scene_values, strict=True):
            strength[:] = value
        try:
            yield
        finally:
            self.take_over()


class TableSimulator(BaseSimulator):
    """What franky-sim steps: the scene with one robot."""

    def __init__(self, sim: FrankaSim) -> None:
        super().__init__()
        self._sim = sim
        self.robot = TableRobot(sim)

    def _step(self) -> None:
        mujoco.mj_step(self._sim.model, self._sim.data)

    def _get_robots(self) -> list[Any]:
        return [self.robot]


class TableServer(FrankaRobotServer):
    """franky-sim's controller with reflexes and a user stop."""

    def __init__(self, robot: TableRobot, address: str) -> None:
        super().__init__(robot, [address])
        # The commands' classes are fixed in the base class's constructor; there is no other way in.
        commands = self._FrankaServer__command_class_map
        commands[RobotCommand.kMove] = _Move
        commands[RobotCommand.kAutomaticErrorRecovery] = _Recover
        self.stopped: RobotMode | None = None

    def stop_arm(self, mode: RobotMode) -> None:
        """Abort a running motion as a collision (`kReflex`) or the user stop (`kUserStopped`) does, and stay so."""
        if self.current_motion_id:
            reflex = mode is RobotMode.kReflex
            status = MoveStatus.kReflexAborted if reflex else MoveStatus.kPreemptedDueToActivatedSafetyFunctions
            BaseCommand.send_response(self._tcp_socket, RobotCommand.kMove, self.current_motion_id, status)
        self.stopped = mode
        self.hold()

    def hold(self) -> None:
        """Stay at the present joint angles, whatever was commanded before; the connection stays up."""
        self._reset_state()

    @property
    def robot_state(self) -> Any:
        """The state as sent to the client."""
        state = super().robot_state
        if self.stopped is None:
            return state
        reflex = self.stopped is RobotMode.kReflex
        errors = tuple(reflex and index == _CARTESIAN_REFLEX for index in range(len(_NO_ERRORS)))
        return state.replace(robot_mode=self.stopped, errors=errors, reflex_reason=errors)


class _Move(MoveCommand):
    def handle(self, server: TableServer) -> None:
        if server.stopped is not None:
            self.reply(MoveStatus.kCommandNotPossibleRejected)
            return
        super().handle(server)


class _Recover(AutomaticErrorRecoveryCommand):
    def handle(self, server: TableServer) -> None:
        if server.stopped is RobotMode.kReflex:
            server.stopped = None
        super().handle(server)


class LibfrankaSim:
    """A simulated FR3 with table, block and camera that libfranka clients can connect to. One thread owns it.

    It looks like a `FrankaSim` to whoever steps and watches it, but only the protocol moves the arm.

    Args:
        config: the scene; its timestep is replaced by the controller's 1 ms.
        address: loopback address to listen at (TCP ports 1337 and 1338).

    Raises:
        OSError: the address is taken, e.g. by another simulated robot.
    """

    def __init__(self, config: SimConfig | None = None, address: str = LOCAL_ADDRESS) -> None:
        self.address = address
        self.scene = FrankaSim(dataclasses.replace(config or SimConfig(), timestep=TICK))
        self._simulator = TableSimulator(self.scene)
        self._server = TableServer(self._simulator.robot, address)
        self._simulator.init()
        try:
            self._server.init()
        except OSError as error:
            self.scene.close()
            remedy = "stop the other simulated robot, or choose another address, e.g. 127.0.0.2"
            raise OSError(f"{address} is taken ({error}): {remedy}") from error
        self._simulator.start()

    @property
    def config(self) -> SimConfig:
        """The scene's settings."""
        return self.scene.config

    @property
    def camera_intrinsics(self) -> tuple[float, float, float, float]:
        """fx, fy, cx, cy in pixels."""
        return self.scene.camera_intrinsics

    @property
    def pose(self) -> np.ndarray:
        """The true pose [7]."""
        return self.scene.pose

    @property
    def block_pose(self) -> np.ndarray:
        """The block's centre [3] and orientation as a quaternion xyzw [4]."""
        return self.scene.block_pose

    def render(self) -> np.ndarray:
        """What the camera sees: uint8 RGB [image_size, image_size, 3]."""
        return self.scene.render()

    def goal_image(self, pose: np.ndarray, block_pose: np.ndarray | None = None) -> np.ndarray:
        """What the camera would see; see `FrankaSim.goal_image`."""
        return self.scene.goal_image(pose, block_pose)

    @property
    def moving(self) -> bool:
        """Whether a client is in control of the arm."""
        return bool(self._server.current_motion_id)

    def reset(self, **start: Any) -> None:
        """Start over as `FrankaSim.reset` does, after a moment in which a client may end its motion.

        Raises:
            RuntimeError: a client is still moving the arm; a jump would tear its motion apart.
        """
        for _ in range(round(_RESET_PATIENCE / _PATIENCE_STEP)):
            if not self.moving:
                break
            self.step(_PATIENCE_STEP)
        if self.moving:
            raise RuntimeError("a libfranka client is moving the arm: stop its motion before resetting the scene")
        with self._simulator.robot.released():
            self.scene.reset(**start)
        self._server.hold()

    def reflex(self) -> None:
        """Stop as after a collision, until the client asks for automatic error recovery."""
        self._server.stop_arm(RobotMode.kReflex)

    def user_stop(self, pressed: bool) -> None:
        """Press or release the external activation device."""
        if pressed:
            self._server.stop_arm(RobotMode.kUserStopped)
        elif self._server.stopped is RobotMode.kUserStopped:
            self._server.stopped = None

    def step(self, seconds: float) -> None:
        """Run on in real time, a millisecond at a time: obey, step, report.

        Of the time that a slow machine loses, only the last few milliseconds are caught up, in a burst that the client
        takes for a short delay; beyond them the arm becomes slower than real time.
        """
        next_tick = time.monotonic()
        for _ in range(max(1, round(seconds / TICK))):
            self._server.process_commands()
            self._simulator.step()
            self._server.send_state()
            now = time.monotonic()
            next_tick = max(next_tick + TICK, now - CATCH_UP)
            time.sleep(max(0.0, next_tick - now))
        mujoco.mj_kinematics(self.scene.model, self.scene.data)  # mj_step leaves body poses one step old

    def close(self) -> None:
        """Disconnect the client and free the address."""
        self._server.reset_state()
        self._server.cleanup()
        self._simulator.cleanup()
        self.scene.close()

    def __enter__(self) -> LibfrankaSim:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
