"""A Franka FR3 at a table in MuJoCo: pose commands in, measured pose and camera pictures out. No ROS, no threads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import TracebackType

import numpy as np

from vjepa_mpc.geometry.inverse_kinematics import HOME_POSTURE
from vjepa_mpc.geometry.pose import pose_from_matrix
from vjepa_mpc.sim.appearance import apply_look, place_distractors, sense
from vjepa_mpc.sim.config import SimConfig
from vjepa_mpc.sim.kinematics import DOWN, ArmKinematics
from vjepa_mpc.sim.look import BASE, Look
from vjepa_mpc.sim.rendering import CameraRenderer
from vjepa_mpc.sim.scene import (
    ARM_JOINTS,
    BLOCK,
    FINGER_JOINTS,
    FINGER_TRAVEL,
    HAND_ACTUATOR,
    HAND_ACTUATOR_OPEN,
    TCP_SITE,
    build_model,
    mujoco,
    yaw_quaternion,
)

_MOTION_SHARE = 0.5  # of `execute`'s time; the rest lets arm and fingers come to rest
_RESET_SETTLE = 0.1  # seconds
_STATE = mujoco.mjtState.mjSTATE_INTEGRATION


class FrankaSim:
    """A simulated arm, hand, table, block and camera.

    Poses are [x, y, z, rx, ry, rz, g]: metres and extrinsic xyz Euler radians of the tool centre point in the robot
    base frame (which is the world frame), g the gripper's closedness, 0 open (8 cm) to 1 closed. One instance belongs
    to one thread, because of its OpenGL context; `close` it, or use it as a context manager.

    Args:
        config: what to simulate; the defaults are what the bundled model was trained on.
    """

    def __init__(self, config: SimConfig | None = None) -> None:
        self.config = config or SimConfig()
        self.model = build_model(self.config)
        self.data = mujoco.MjData(self.model)
        self._kinematics = ArmKinematics(self.model)
        self._arm_qpos = np.array([self.model.joint(name).qposadr[0] for name in ARM_JOINTS])
        self._finger_qpos = np.array([self.model.joint(name).qposadr[0] for name in FINGER_JOINTS])
        self._arm_ctrl = np.array([self.model.actuator(name).id for name in ARM_JOINTS])
        self._hand_ctrl = self.model.actuator(HAND_ACTUATOR).id
        block = self.model.joint(BLOCK)
        self._block_qpos, self._block_qvel = int(block.qposadr[0]), int(block.dofadr[0])
        self._tcp = self.model.site(TCP_SITE).id
        self._renderer: CameraRenderer | None = None
        self._look = BASE
        self._sensor_rng = np.random.default_rng(BASE.seed)
        self._unstepped = 0.0
        self._target_joints = np.array(HOME_POSTURE)
        self.reset()

    # -- state ---------------------------------------------------------------------------------------------------

    @property
    def time(self) -> float:
        """Simulated seconds since the last reset."""
        return float(self.data.time)

    @property
    def pose(self) -> np.ndarray:
        """The measured pose [7]."""
        rotation = self.data.site_xmat[self._tcp].reshape(3, 3)
        return pose_from_matrix(self.data.site_xpos[self._tcp].copy(), rotation, self.closedness)

    @property
    def closedness(self) -> float:
        """The measured gripper closedness, 1 - width / 0.08 m."""
        width = float(self.data.qpos[self._finger_qpos].sum())
        return float(np.clip(1.0 - width / (2 * FINGER_TRAVEL), 0.0, 1.0))

    @property
    def joint_positions(self) -> np.ndarray:
        """Arm joint angles [7] in radians."""
        return self.data.qpos[self._arm_qpos].copy()

    @property
    def joint_velocities(self) -> np.ndarray:
        """Arm joint velocities [7] in rad/s."""
        return self.data.qvel[[self.model.joint(name).dofadr[0] for name in ARM_JOINTS]].copy()

    @property
    def finger_positions(self) -> np.ndarray:
        """Finger joint positions [2] in metres, 0 closed to 0.04 open."""
        return self.data.qpos[self._finger_qpos].copy()

    @property
    def block_pose(self) -> np.ndarray:
        """The block's centre [3] and orientation as a quaternion xyzw [4]."""
        position, wxyz = np.split(self.data.qpos[self._block_qpos : self._block_qpos + 7], [3])
        return np.concatenate([position, np.roll(wxyz, -1)])

    @property
    def camera_intrinsics(self) -> tuple[float, float, float, float]:
        """fx, fy, cx, cy of the camera in pixels of a rendered picture."""
        size = self.config.image_size
        focal = size / 2 / math.tan(math.radians(self.config.camera.fovy) / 2)
        return focal, focal, size / 2, size / 2

    @property
    def block_size(self) -> float:
        """Edge of the block in metres."""
        return 2.0 * float(self.model.geom(BLOCK).size[0])

    @property
    def look(self) -> Look:
        """How the scene looks."""
        return self._look

    def set_look(self, look: Look, keep_clear: Sequence[np.ndarray] = ()) -> None:
        """Show the scene in a look from now on; the state of arm and block stays.

        A look with a block of another size counts from the next `reset` on.

        Args:
            look: what to show.
            keep_clear: places [2] in metres that distractors are moved away from, such as the block's and its target.
        """
        changed = apply_look(self.model, self.config, look)
        place_distractors(self.model, look.distractors, keep_clear)
        self._look, self._sensor_rng = look, np.random.default_rng(look.seed)
        if changed and self._renderer is not None:
            self._renderer.upload_textures()
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_comPos(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)

    # -- starting states -----------------------------------------------------------------------------------------

    def reset(
        self,
        *,
        rng: np.random.Generator | None = None,
        block_position: np.ndarray | None = None,
        block_yaw: float | None = None,
        pose: np.ndarray | None = None,
        block_pose: np.ndarray | None = None,
        squeeze: bool = False,
    ) -> None:
        """Start over: arm at rest at `pose`, block on the table.

        Args:
            rng: draws what of the block is not given (position in the middle of the workspace, yaw within 15 degrees);
                without it the configured block is used.
            block_position: block centre [2] in metres.
            block_yaw: radians.
            pose: arm pose [7] of :mod:`vjepa_mpc.geometry.pose`, or None for the middle of the workspace, gripper down
                and open.
            block_pose: full block pose [7] (position, quaternion xyzw) instead of the two above, e.g. in the hand.
            squeeze: command the hand closed although `pose` has it open as far as the block between the fingers.

        Raises:
            ValueError: the pose is not finite.
        """
        mujoco.mj_resetData(self.model, self.data)
        self._unstepped = 0.0
        start = np.array([*self.config.workspace.center, *DOWN, 0.0]) if pose is None else np.asarray(pose, dtype=float)
        self._target_joints = self._place_arm(start)
        self.data.ctrl[self._arm_ctrl] = self._target_joints
        self._command_hand(1.0 if squeeze else start[6])
        if block_pose is None:
            block_pose = self._block_on_table(rng, block_position, block_yaw)
        self._place_block(block_pose)
        mujoco.mj_forward(self.model, self.data)
        self.step(_RESET_SETTLE)

    def _block_on_table(
        self, rng: np.random.Generator | None, position: np.ndarray | None, yaw: float | None
    ) -> np.ndarray:
        default = self.config.block
        if position is None:
            low, high = np.asarray(self.config.workspace.low[:2]), np.asarray(self.config.workspace.high[:2])
            position = np.asarray(default.position) if rng is None else rng.uniform(low + 0.03, high - 0.03)
        if yaw is None:
            yaw = default.yaw if rng is None else float(rng.uniform(-math.pi / 12, math.pi / 12))
        return np.array([*position, self.block_size / 2, *np.roll(yaw_quaternion(yaw), -1)])

    def _place_arm(self, pose: np.ndarray) -> np.ndarray:
        joints = self._kinematics.inverse(pose)
        self.data.qpos[self._arm_qpos] = joints
        self.data.qpos[self._finger_qpos] = FINGER_TRAVEL * (1.0 - np.clip(pose[6], 0.0, 1.0))
        return joints

    def _place_block(self, pose: np.ndarray) -> None:
        start = self._block_qpos
        self.data.qpos[start : start + 3] = pose[:3]
        self.data.qpos[start + 3 : start + 7] = np.roll(pose[3:7], 1)
        self.data.qvel[self._block_qvel : self._block_qvel + 6] = 0.0

    def move_block(self, placed: np.ndarray, number: int = 1) -> None:
        """Put a block elsewhere, at rest, while everything else stays: what a hand that reaches into the scene does.

        Args:
            placed: [7] position in metres and quaternion xyzw.
            number: 1 for the block, 2 for the first of the other ones …

        Raises:
            ValueError: there is no such block.
        """
        count = 1 + len(self.config.other_blocks)
        if not 1 <= number <= count:
            raise ValueError(f"block {number}: the scene has the blocks 1 to {count}")
        joint = self.data.joint(BLOCK if number == 1 else f"{BLOCK}{number}")
        joint.qpos[:] = [*placed[:3], *np.roll(placed[3:7], 1)]
        joint.qvel[:] = 0.0
        mujoco.mj_kinematics(self.model, self.data)

    # -- motion --------------------------------------------------------------------------------------------------

    def command(self, target_pose: np.ndarray, closedness: float) -> None:
        """Set where arm and hand shall go; held until the next command. Nothing moves before `step`.

        Args:
            target_pose: [6] or [7] of :mod:`vjepa_mpc.geometry.pose`; out of reach, the arm goes to the nearest
                posture. An entry 7, the closedness, is ignored.
            closedness: 0 open to 1 closed; on the block the hand squeezes.

        Raises:
            ValueError: the pose or the closedness is not finite; the old command stays.
        """
        if not math.isfinite(closedness):
            raise ValueError(f"closedness {closedness} is not finite: send 0 (open) to 1 (closed)")
        self._target_joints = self._kinematics.inverse(np.asarray(target_pose, dtype=float))
        self._command_hand(closedness)

    def _command_hand(self, closedness: float) -> None:
        self.data.ctrl[self._hand_ctrl] = HAND_ACTUATOR_OPEN * (1.0 - np.clip(closedness, 0.0, 1.0))

    def step(self, seconds: float) -> None:
        """Run the physics on for a time slice of any length; what is left over of a physics step is carried on."""
        period = self.config.control_period
        self._unstepped += seconds
        while self._unstepped >= self.config.timestep * (1 - 1e-9):
            slice_seconds = min(self._unstepped, period)
            steps = max(1, int(slice_seconds / self.config.timestep + 1e-9))
            elapsed = steps * self.config.timestep
            reach = self.config.joint_speed * elapsed
            current = self.data.ctrl[self._arm_ctrl]
            self.data.ctrl[self._arm_ctrl] = current + np.clip(self._target_joints - current, -reach, reach)
            mujoco.mj_step(self.model, self.data, nstep=steps)
            self._unstepped -= elapsed
        mujoco.mj_kinematics(self.model, self.data)  # mj_step leaves body poses one physics step old
        mujoco.mj_comPos(self.model, self.data)

    def execute(self, target_pose: np.ndarray, closedness: float, *, seconds: float | None = None) -> None:
        """One step of a planner: move smoothly to the target while the hand works, then settle.

        Args:
            target_pose: [6] or [7], as for :meth:`command`.
            closedness: 0 open to 1 closed.
            seconds: what it takes in all; default `SimConfig.step_seconds`.
        """
        duration = self.config.step_seconds if seconds is None else seconds
        start = self.data.ctrl[self._arm_ctrl].copy()
        self.command(target_pose, closedness)
        goal = self._target_joints
        ticks = max(1, round(duration * _MOTION_SHARE / self.config.control_period))
        for tick in range(1, ticks + 1):
            share = tick / ticks
            self._target_joints = start + (goal - start) * share**3 * (10 - 15 * share + 6 * share**2)  # minimum jerk
            self.step(self.config.control_period)
        self.step(duration - ticks * self.config.control_period)

    # -- pictures ------------------------------------------------------------------------------------------------

    def render(self) -> np.ndarray:
        """What the camera sees now: uint8 RGB [image_size, image_size, 3].

        Raises:
            RenderBackendError: nothing here can draw; the message says what to install.
        """
        if self._renderer is None:
            self._renderer = CameraRenderer(self.model, self.config.image_size)
        picture = self._renderer.draw(self.data, shadows=self._look.light.shadows)
        return sense(picture, self._look, self._sensor_rng)

    def goal_image(self, pose: np.ndarray, block_pose: np.ndarray | None = None) -> np.ndarray:
        """What the camera would see with the arm at `pose` [7] and the block at `block_pose` [7] (or where it is).

        The arm's pose is one of :mod:`vjepa_mpc.geometry.pose`, the block's a position and a quaternion xyzw.

        The state is the same afterwards as before.
        """
        saved = self.save_state()
        try:
            self._place_arm(np.asarray(pose, dtype=float))
            if block_pose is not None:
                self._place_block(np.asarray(block_pose, dtype=float))
            mujoco.mj_kinematics(self.model, self.data)
            mujoco.mj_comPos(self.model, self.data)
            return self.render()
        finally:
            self.restore_state(saved)

    def save_state(self) -> np.ndarray:
        """Everything the future depends on, for `restore_state`."""
        state = np.empty(mujoco.mj_stateSize(self.model, _STATE))
        mujoco.mj_getState(self.model, self.data, state, _STATE)
        return np.concatenate([state, self._target_joints, [self._unstepped]])

    def restore_state(self, saved: np.ndarray) -> None:
        """Go back to what `save_state` returned."""
        mujoco.mj_setState(self.model, self.data, saved[:-8], _STATE)
        self._target_joints, self._unstepped = saved[-8:-1].copy(), float(saved[-1])
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_comPos(self.model, self.data)

    def close(self) -> None:
        """Free the OpenGL context; the physics can still be stepped."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def __enter__(self) -> FrankaSim:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
