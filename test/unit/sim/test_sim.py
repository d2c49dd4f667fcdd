"""The simulated arm: it goes where it is told, says where it is, grasps, and shows what is there."""

from __future__ import annotations

import numpy as np
import pytest

from vjepa_mpc.geometry.inverse_kinematics import HOME_POSTURE
from vjepa_mpc.sim import Block, Camera, FrankaSim, RenderBackendError, SimConfig, Workspace
from vjepa_mpc.sim import rendering as rendering_module
from vjepa_mpc.sim.backend import choose_gl_backend
from vjepa_mpc.sim.kinematics import ArmKinematics
from vjepa_mpc.sim.moves import down_pose

pytestmark = pytest.mark.sim
CENTER = down_pose(np.array([0.52, 0.0, 0.15]))


@pytest.fixture(scope="module")
def sim():
    with FrankaSim() as sim:
        yield sim


def test_ik_reaches_every_corner_with_one_posture(sim):
    kinematics = ArmKinematics(sim.model)
    box = sim.config.workspace
    rng = np.random.default_rng(0)
    corners = np.array(np.meshgrid(*zip(box.low, box.high, strict=True))).reshape(3, -1).T
    for position in (*corners, *rng.uniform(box.low, box.high, (50, 3))):
        joints = kinematics.inverse(down_pose(position))
        reached, rotation = kinematics.forward(joints)
        np.testing.assert_allclose(reached, position, atol=1e-5)
        np.testing.assert_allclose(rotation, np.diag([1.0, -1.0, -1.0]), atol=1e-4)
        # A centimetre away the elbow must not have jumped.
        neighbour = kinematics.inverse(down_pose(position + rng.normal(0, 0.01 / np.sqrt(3), 3)))
        assert np.abs(neighbour - joints).max() < 0.2
    np.testing.assert_allclose(kinematics.inverse(CENTER)[6], HOME_POSTURE[6], atol=0.05)


def test_posture_does_not_depend_on_the_way(sim):
    sim.reset(pose=CENTER)
    direct = sim.joint_positions
    for position in ((0.45, 0.1, 0.2), (0.6, -0.1, 0.25), (0.52, 0.0, 0.15)):
        sim.execute(down_pose(np.array(position)), 0.0)
    np.testing.assert_allclose(sim.joint_positions, direct, atol=2e-3)


def test_unreachable_pose_goes_near_and_invalid_is_refused(sim):
    sim.reset()
    sim.command(down_pose(np.array([1.5, 0.0, 0.4])), 0.0)
    sim.step(1.0)
    assert np.isfinite(sim.pose).all()
    for pose, closedness in ((CENTER * np.nan, 0.0), (CENTER, float("inf"))):
        with pytest.raises(ValueError, match="is not finite"):
            sim.command(pose, closedness)


def test_settled_pose_is_the_commanded_one(sim):
    sim.reset(block_position=np.array([0.60, 0.12]))
    rng = np.random.default_rng(1)
    for _ in range(15):
        target = rng.uniform((0.40, -0.14, 0.08), (0.65, 0.14, 0.26))
        sim.command(down_pose(target), 0.0)
        sim.step(1.5)
        assert np.linalg.norm(sim.pose[:3] - target) < 1e-3
        assert abs(sim.pose[3] - np.pi) < 2e-3  # the roll stays in one branch


def test_streamed_set_points_are_tracked(sim):
    start, end = np.array([0.45, -0.1, 0.1]), np.array([0.6, 0.1, 0.2])
    sim.reset(pose=down_pose(start), block_position=np.array([0.42, 0.12]))
    for share in np.linspace(0, 1, 150):  # 0.27 m in 1.5 s at 100 Hz
        sim.command(down_pose(start + share * (end - start)), 0.0)
        sim.step(0.01)
        assert np.linalg.norm(sim.pose[:3] - start - share * (end - start)) < 0.015
    sim.step(0.4)
    assert np.linalg.norm(sim.pose[:3] - end) < 1e-3


def test_far_command_keeps_the_joint_speed(sim):
    sim.reset(pose=down_pose(np.array([0.40, -0.14, 0.2])))
    sim.command(down_pose(np.array([0.64, 0.14, 0.05])), 0.0)
    fastest = 0.0
    for _ in range(30):
        sim.step(0.01)
        fastest = max(fastest, float(np.abs(sim.joint_velocities).max()))
    assert 0.1 < fastest < 1.1 * sim.config.joint_speed


def test_time_slices_of_any_length_add_up(sim):
    sim.reset()
    before = sim.time
    for _ in range(100):
        sim.step(0.0033)
    assert sim.time - before == pytest.approx(0.33, abs=sim.config.timestep)


def test_gripper_opens_and_closes(sim):
    sim.reset(pose=CENTER)
    assert sim.closedness == pytest.approx(0.0, abs=0.02)
    sim.execute(CENTER, 1.0)
    assert sim.pose[6] == pytest.approx(1.0, abs=0.02)
    sim.execute(CENTER, 0.0)
    assert sim.pose[6] == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize("yaw", [-0.26, 0.0, 0.26])
def test_block_is_grasped_lifted_and_carried(sim, yaw):
    place = np.array([0.5, 0.05])
    sim.reset(pose=down_pose(np.array([*place, 0.12])), block_position=place, block_yaw=yaw)
    for height, closedness in ((0.06, 0.0), (0.027, 0.0), (0.027, 1.0), (0.1, 1.0), (0.17, 1.0)):
        sim.execute(down_pose(np.array([*place, height])), closedness)
    sim.execute(down_pose(np.array([0.57, -0.02, 0.2])), 1.0)
    np.testing.assert_allclose(sim.block_pose[:3], sim.pose[:3], atol=0.006)
    assert 0.3 < sim.closedness < 0.45
    sim.step(5.0)
    np.testing.assert_allclose(sim.block_pose[:3], sim.pose[:3], atol=0.008)  # it does not creep out


def test_reset_draws_the_block_from_the_generator(sim):
    sim.reset(rng=np.random.default_rng(5))
    first = sim.block_pose
    sim.reset(rng=np.random.default_rng(5))
    np.testing.assert_array_equal(sim.block_pose, first)
    sim.reset(rng=np.random.default_rng(6))
    assert np.abs(sim.block_pose - first).max() > 0.01


def test_goal_image_shows_what_arriving_shows_and_leaves_the_state(sim):
    goal = down_pose(np.array([0.45, 0.08, 0.2]))
    sim.reset(pose=down_pose(np.array([0.6, -0.1, 0.1])))
    sim.command(goal, 0.0)
    sim.step(0.05)  # in motion, with a fraction of a physics step left over
    view, pose, saved = sim.render(), sim.pose, sim.save_state()
    picture = sim.goal_image(goal)
    np.testing.assert_array_equal(sim.save_state(), saved)
    np.testing.assert_array_equal(sim.render(), view)
    np.testing.assert_array_equal(sim.pose, pose)
    assert (picture != view).any()
    sim.command(goal, 0.0)
    sim.step(1.5)
    assert np.abs(sim.render().astype(int) - picture).mean() < 0.3


def test_goal_image_moves_block_and_fingers(sim):
    sim.reset(pose=CENTER)
    assert (sim.goal_image(CENTER) != sim.goal_image(down_pose(CENTER[:3], 1.0))).any()
    moved = sim.block_pose + np.array([0.05, 0, 0, 0, 0, 0, 0])
    assert (sim.goal_image(CENTER) != sim.goal_image(CENTER, moved)).any()


def _count(image: np.ndarray, color: str) -> int:
    """Pixels whose hue is the block's or a sleeve's."""
    red, green, blue = (image[..., channel].astype(int) for channel in range(3))
    return int(
        {
            "block": (red > 120) & (green < 60) & (blue < 60),
            "left": (blue > 120) & (red < 80),
            "right": (red > 120) & (green > 100) & (blue < 60),
        }[color].sum()
    )


def test_fingers_and_block_are_seen_all_over_the_workspace(sim):
    box = sim.config.workspace
    for x in (box.low[0], box.high[0]):
        for y in (box.low[1], box.high[1]):
            for z in (box.low[2] + 0.01, box.high[2]):
                pose = down_pose(np.array([x, y, z]))
                block = np.array([x, y, 0.025, 0, 0, 0, 1])
                image = sim.goal_image(pose, block)
                assert image.shape == (256, 256, 3) and image.dtype == np.uint8
                assert _count(image, "block") > 250 and _count(image, "left") > 80 and _count(image, "right") > 80


def test_camera_turns_about_its_target():
    base, turned = Camera(), Camera(turn=20.0)
    radii = [np.linalg.norm(camera.placement()[0] - camera.target) for camera in (base, turned)]
    assert radii[0] == pytest.approx(radii[1])
    assert np.linalg.norm(base.placement()[0] - turned.placement()[0]) > 0.2
    with FrankaSim(SimConfig(image_size=64, camera=turned)) as moved, FrankaSim(SimConfig(image_size=64)) as plain:
        assert (moved.render() != plain.render()).mean() > 0.2


def test_camera_intrinsics_project_the_block_to_its_pixels(sim):
    sim.reset(pose=down_pose(np.array([0.42, -0.12, 0.25])), block_position=np.array([0.55, 0.05]))
    image = sim.render().astype(int)
    rows, columns = np.nonzero((image[..., 0] > 120) & (image[..., 1] < 60))
    fx, fy, cx, cy = sim.camera_intrinsics
    position, axes = sim.config.camera.placement()
    right, up, backwards = (sim.block_pose[:3] - position) @ axes
    np.testing.assert_allclose(
        [cx - fx * right / backwards, cy + fy * up / backwards], [columns.mean(), rows.mean()], atol=3
    )


def test_more_blocks_can_be_added():
    other = Block(position=(0.45, -0.1), color=(0.1, 0.7, 0.2))
    with FrankaSim(SimConfig(image_size=64, other_blocks=(other,))) as sim:
        sim.step(0.2)
        image = sim.render().astype(int)
        assert ((image[..., 1] > 100) & (image[..., 0] < 60)).any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SimConfig(image_size=0), "image_size=0: use"),
        (lambda: SimConfig(timestep=float("nan")), "timestep is nan"),
        (lambda: SimConfig(control_period=0.001), "raise it"),
        (lambda: SimConfig(block_size=0.2), "block_size is 0.2"),
        (lambda: SimConfig(grip_stiffness=-1.0), "must be positive"),
        (lambda: Camera(fovy=0.0), "fovy is 0"),
        (lambda: Camera(turn=400.0), "camera_turn=400.0: use"),
        (lambda: Workspace(low=(1.0, 0.0, 0.0)), "must lie below"),
    ],
)
def test_settings_check_themselves(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_without_opengl_the_physics_runs_and_rendering_says_what_to_install(monkeypatch):
    def no_context(*args, **kwargs):
        raise AttributeError("'NoneType' object has no attribute 'eglQueryString'")

    with FrankaSim() as sim:
        monkeypatch.setattr(rendering_module.mujoco, "Renderer", no_context)
        sim.step(0.1)
        with pytest.raises(RenderBackendError, match=r"apt-get install libegl1.*libosmesa6"):
            sim.render()


def test_backend_choice_prefers_egl_then_osmesa_and_respects_the_user(monkeypatch):
    works = {"egl": True, "osmesa": True}
    monkeypatch.setattr("vjepa_mpc.sim.backend.egl_works", lambda: works["egl"])
    monkeypatch.setattr("vjepa_mpc.sim.backend.osmesa_works", lambda: works["osmesa"])
    monkeypatch.setattr("sys.platform", "linux")
    environment: dict[str, str] = {}
    assert choose_gl_backend(environment) == "egl"
    assert environment == {"LP_NUM_THREADS": "1", "MUJOCO_GL": "egl"}
    works["egl"] = False
    environment = {"LP_NUM_THREADS": "4"}
    assert choose_gl_backend(environment) == "osmesa"
    assert environment == {"LP_NUM_THREADS": "4", "MUJOCO_GL": "osmesa", "PYOPENGL_PLATFORM": "osmesa"}
    works["osmesa"] = False
    assert choose_gl_backend(environment := {}) is None and "MUJOCO_GL" not in environment
    assert choose_gl_backend({"MUJOCO_GL": "glfw"}) == "glfw"
    with pytest.raises(RenderBackendError, match=r"MUJOCO_GL=osmesa is set.*unset it"):
        choose_gl_backend({"MUJOCO_GL": "osmesa"})
