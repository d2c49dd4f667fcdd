from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from vjepa_mpc.calibration.calibrator import Calibrator
from vjepa_mpc.calibration.explain import explain_moves
from vjepa_mpc.calibration.fit import fit_rotation, load_rotation, mean_direction_error, save_rotation
from vjepa_mpc.calibration.route import RouteSettings, calibration_moves, calibration_route
from vjepa_mpc.controller.interface import NO_GOAL, NoGoalError
from vjepa_mpc.controller.step import Observation
from vjepa_mpc.controller.visual_mpc import VisualMPC
from vjepa_mpc.geometry.limits import WorkspaceBox
from vjepa_mpc.goals.sub_goal import SubGoal
from vjepa_mpc.planning import CEMConfig
from vjepa_mpc.worldmodel import PointMassWorldModel

BOX = WorkspaceBox(lower=(0.3, -0.3, 0.0), upper=(0.8, 0.3, 0.5))
MIDDLE = np.array([0.55, 0.0, 0.25])
CONFIG = CEMConfig(rollout=1, samples=200, topk=10, cem_steps=8, maxnorm=0.075)


def pairs(angle_degrees: float, noise: float = 0.0, scale: float = 1.0, axis=(0, 0, 1), seed=0):
    """Moves, and how a model that sees the axes turned explains them."""
    rng = np.random.default_rng(seed)
    rotation = Rotation.from_rotvec(np.radians(angle_degrees) * np.array(axis, dtype=float)).as_matrix()
    made = np.array(calibration_moves(MIDDLE, BOX))
    planned = made @ rotation / scale + noise * rng.standard_normal(made.shape)
    return planned, made, rotation


@pytest.mark.parametrize("angle", [-170, -40, -20, 0, 20, 40, 120])
@pytest.mark.parametrize("axis", [(0, 0, 1), (0.6, 0, 0.8)])
def test_a_rotation_is_found_exactly_without_noise(angle, axis):
    planned, made, rotation = pairs(angle, axis=axis)
    fit = fit_rotation(planned, made)
    assert np.allclose(fit.matrix, rotation)
    assert np.degrees(fit.angle) == pytest.approx(abs(angle), abs=1e-6)
    if angle:
        assert np.allclose(fit.axis, np.sign(angle) * np.array(axis))
    assert fit.residual < 1e-9 and fit.direction_error < 1e-6 and fit.confidence > 0.999 and fit.reliable


@pytest.mark.parametrize("noise", [0.003, 0.01])
def test_noise_is_reported_as_uncertainty(noise):
    errors, deviations = [], []
    for seed in range(200):
        planned, made, rotation = pairs(30, noise=noise, seed=seed)
        fit = fit_rotation(planned, made)
        errors.append(Rotation.from_matrix(fit.matrix @ rotation.T).as_rotvec())
        deviations.append(fit.angle_std)
        assert fit.direction_error < fit.direction_error_before
    spread = np.sqrt(np.mean(np.square(errors), axis=0))
    assert np.mean(deviations) == pytest.approx(spread.max(), rel=0.2)


def test_a_model_that_underestimates_moves_turns_them_no_less_well():
    planned, made, rotation = pairs(25, scale=1.6)
    fit = fit_rotation(planned, made)
    assert np.allclose(fit.matrix, rotation)
    assert fit.scale == pytest.approx(1.6) and fit.residual > 0.01 and fit.reliable


def test_nonsense_is_not_reliable():
    rng = np.random.default_rng(0)
    assert not fit_rotation(rng.normal(0, 0.05, (10, 3)), rng.normal(0, 0.05, (10, 3))).reliable


def test_a_mirrored_world_still_gives_a_rotation():
    _, made, _ = pairs(0)
    assert np.linalg.det(fit_rotation(made * [1, 1, -1], made).matrix) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("planned", "made", "words"),
    [
        (np.eye(3)[:2], np.eye(3)[:2], "2 moves"),
        (np.eye(3), np.eye(4), r"\[3, 3\] and \[4, 4\]"),
        (np.eye(3) * np.nan, np.eye(3), "not finite"),
        (np.eye(3), np.eye(3) * 1e-6, "made moves are too small"),
        (np.outer([1, 2, -1], [0.05, 0, 0]), np.eye(3), "planned moves are too small or lie along one line"),
    ],
)
def test_unusable_moves_are_named(planned, made, words):
    with pytest.raises(ValueError, match=words):
        fit_rotation(planned, made)


@pytest.mark.parametrize("start", [MIDDLE, np.array([0.31, 0.29, 0.49]), np.array([0.79, -0.29, 0.01])])
def test_moves_stay_in_the_box_and_come_back(start):
    try:
        moves = calibration_moves(start, BOX)
    except ValueError as error:
        assert "no room" in str(error) and start is not MIDDLE
        return
    path = start + np.cumsum(moves, axis=0)
    assert all(BOX.contains(point) for point in path) and np.allclose(path[-1], start)
    assert np.linalg.matrix_rank(np.array(moves)) == 3


class TurnedCameraModel(PointMassWorldModel):
    """Pictures taken by a camera that is turned by an angle about the vertical through the middle of the box."""

    def __init__(self, degrees: float) -> None:
        super().__init__()
        self.turn = Rotation.from_euler("z", degrees, degrees=True).as_matrix()

    def picture(self, position: np.ndarray) -> np.ndarray:
        return self.render(MIDDLE + self.turn @ (position - MIDDLE))


@pytest.mark.parametrize("degrees", [-40, -20, 20, 40])
def test_a_turned_camera_is_calibrated_away(degrees):
    model = TurnedCameraModel(degrees)
    poses = [np.array([*MIDDLE, np.pi, 0.0, 0.0, 0.0])]
    for move in calibration_moves(MIDDLE, BOX):
        poses.append(poses[-1] + np.array([*move, 0.0, 0.0, 0.0, 0.0]))
    observations = [Observation(image=model.picture(pose[:3]), pose=pose) for pose in poses]
    planned, made = explain_moves(model, observations, CONFIG)
    fit = fit_rotation(planned, made)
    assert np.degrees(fit.angle) == pytest.approx(abs(degrees), abs=2.0)
    assert fit.reliable and fit.direction_error < 0.3 * fit.direction_error_before

    goal = MIDDLE + np.array([0.06, 0.0, 0.03])
    errors = []
    for rotation in (None, fit.matrix):
        mpc = VisualMPC(model, CONFIG, action_rotation=rotation)
        mpc.set_goals([SubGoal(image=model.picture(goal))])
        moved = mpc.step(observations[0]).target_pose[:3] - MIDDLE
        errors.append(mean_direction_error(moved[None], (goal - MIDDLE)[None]))
    assert errors[0] > np.radians(abs(degrees) * 0.6) and errors[1] < np.radians(4)


def test_a_calibration_is_stored_as_a_parameter_file(tmp_path):
    planned, made, _ = pairs(20, noise=0.002)
    path = tmp_path / "robots" / "camera.yaml"
    fit = fit_rotation(planned, made)
    save_rotation(path, fit)
    assert np.allclose(load_rotation(path), fit.matrix, atol=1e-8)
    assert "20." in path.read_text() or "19." in path.read_text()
    assert [entry.name for entry in path.parent.iterdir()] == ["camera.yaml"]


@pytest.mark.parametrize("text", ["", "a: [1", "/**: {ros__parameters: {action_rotation: [1, 2]}}", "[]", "/**: {}"])
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "camera.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match="not a calibration file"):
        load_rotation(path)


@pytest.mark.parametrize("places", [1, 3, 5])
def test_a_route_stays_in_the_box_and_ends_where_it_began(places):
    route = calibration_route(MIDDLE, BOX, RouteSettings(length=0.06, places=places, spread=0.1))
    assert all(BOX.contains(point) for point in route) and np.allclose(route[-1], MIDDLE)
    moves = np.diff([MIDDLE, *route], axis=0)
    assert sum(np.isclose(np.linalg.norm(moves, axis=1), 0.06)) == 10 * places


def test_places_without_room_are_left_out_but_not_the_start():
    corner = np.array([0.36, -0.24, 0.05])
    route = calibration_route(corner, BOX, RouteSettings(length=0.06, spread=0.1))
    assert all(BOX.contains(point) for point in route) and 10 < len(route) < 50
    with pytest.raises(ValueError, match="no room"):
        calibration_route(corner - 0.2, BOX, RouteSettings(length=0.06))


class Rig:
    """A calibrator and an arm that does what it is told."""

    def __init__(self, settings, max_step=0.075):
        self.calibrator = Calibrator(BOX, max_step)
        self.goal_id = self.calibrator.set_goals([settings])
        self.pose = np.array([*MIDDLE, np.pi, 0.0, 0.0, 0.0])

    def propose(self):
        return self.calibrator.propose(Observation(image=np.zeros((8, 8, 3), np.uint8), pose=self.pose))

    def step(self):
        step = self.propose()
        self.calibrator.commit(step)
        return step

    def made(self):
        return np.diff([observation.pose[:3] for observation in self.calibrator.observations], axis=0)


def test_the_calibrator_makes_the_route_and_keeps_what_it_saw():
    settings = RouteSettings(length=0.06, places=2, spread=0.1)
    rig = Rig(settings)
    while not (step := rig.step()).finished:
        assert step.goal_id == rig.goal_id and np.abs(step.actions[0, :3]).max() <= 0.075 + 1e-12
        assert np.allclose(step.target_pose[3:], rig.pose[3:])
        rig.pose = step.target_pose
    assert np.allclose(rig.pose[:3], MIDDLE)
    places = MIDDLE + np.cumsum(rig.made(), axis=0)
    for place in calibration_route(MIDDLE, BOX, settings):
        assert np.isclose(places, place).all(axis=1).any()


def test_a_move_that_was_refused_or_interrupted_is_made_again():
    rig = Rig(RouteSettings(length=0.06, places=1))
    first = rig.propose()
    assert not rig.calibrator.observations
    again = rig.step()
    assert np.allclose(again.target_pose, first.target_pose) and len(rig.calibrator.observations) == 1
    rig.pose = rig.pose + 0.3 * (first.target_pose - rig.pose)  # interrupted on its way
    rig.calibrator.restart()
    assert np.allclose(rig.step().target_pose, first.target_pose)


def test_the_last_step_is_kept_also_when_the_route_is_cleared_before_it_is_committed():
    rig = Rig(RouteSettings(length=0.06, places=1))
    while not (step := rig.propose()).finished:
        rig.calibrator.commit(step)
        rig.pose = step.target_pose
    rig.calibrator.clear_goals()
    rig.calibrator.commit(step)
    assert len(rig.calibrator.observations) == 11


def test_an_arm_that_does_not_quite_get_there_goes_on():
    rig = Rig(RouteSettings(length=0.06, places=1))
    count = 0
    while not (step := rig.step()).finished:
        rig.pose = np.add(step.target_pose, [0, 0, -0.012, 0, 0, 0, 0])
        count += 1
    assert count == 10


def test_a_calibrator_without_a_route_has_nothing_to_do():
    rig = Rig(RouteSettings())
    rig.calibrator.clear_goals()
    assert rig.calibrator.goal_id == NO_GOAL
    with pytest.raises(NoGoalError):
        rig.step()
    with pytest.raises(ValueError, match="2 routes"):
        rig.calibrator.set_goals([RouteSettings(), RouteSettings()])


@pytest.mark.parametrize("wrong", [{"length": 0.0}, {"places": 0}, {"places": 6}, {"spread": -0.1}])
def test_unusable_routes_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RouteSettings(**wrong)
