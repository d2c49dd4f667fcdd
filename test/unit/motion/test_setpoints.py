from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from vjepa_mpc.geometry.cartesian import CartesianPose
from vjepa_mpc.geometry.limits import MotionLimits, WorkspaceBox
from vjepa_mpc.geometry.setpoint import Setpoint
from vjepa_mpc.motion.setpoints import SetpointGenerator, SetpointSettings
from vjepa_mpc.safety.invariants import check_setpoint

BOX = WorkspaceBox(lower=(0.3, -0.2, 0.02), upper=(0.7, 0.2, 0.4))
LIMITS = MotionLimits()
DT = 0.02


def pose(x=0.5, y=0.0, z=0.2, yaw=0.0, pitch=0.0) -> CartesianPose:
    return CartesianPose.from_state(np.array([x, y, z, np.pi, pitch, yaw]))


class Stream:
    """A generator driven at 50 Hz before an arm that follows with a lag; checks every set-point."""

    def __init__(self, start: CartesianPose, limits=LIMITS, lag=0.05) -> None:
        self.generator = SetpointGenerator(BOX, limits)
        self.limits, self.lag = limits, lag
        self.now, self.measured, self.previous = 100.0, start, None
        self.log: list[Setpoint] = []
        assert self.generator.engage(start, self.now)

    def tick(self, dt=DT) -> Setpoint | None:
        self.now += dt
        setpoint = self.generator.advance(self.now, self.measured)
        if setpoint is None:
            return None
        wrong = check_setpoint(
            setpoint, previous=self.previous, measured=self.measured, workspace=BOX, limits=self.limits
        )
        assert not wrong, wrong
        self.previous = setpoint
        self.log.append(setpoint)
        if self.lag < np.inf:
            share = 1.0 - np.exp(-dt / self.lag)
            position = self.measured.position + share * (setpoint.position - self.measured.position)
            self.measured = CartesianPose(position, setpoint.quaternion)
        return setpoint

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / DT)):
            self.tick()


def test_a_step_goes_straight_without_overshoot_and_ends_exactly():
    stream, target = Stream(pose()), pose(0.56, 0.03, 0.17)
    stream.generator.follow(target)
    stream.run(1.0)
    path = np.array([setpoint.position for setpoint in stream.log]) - pose().position
    line = target.position - pose().position
    direction = line / np.linalg.norm(line)
    along = path @ direction
    assert np.abs(path - along[:, None] * direction).max() < 1e-9
    assert along.max() <= np.linalg.norm(line) + 1e-9
    assert stream.generator.at_target and not stream.generator.moving
    speeds = np.linalg.norm([setpoint.linear_velocity for setpoint in stream.log], axis=1)
    assert speeds.max() == pytest.approx(LIMITS.linear_speed, rel=0.01)


def test_a_seven_centimetre_step_takes_about_half_a_second():
    stream = Stream(pose())
    stream.generator.follow(pose(0.575))
    stream.run(0.7)
    assert stream.generator.at_target


def test_orientation_turns_the_shorter_way_with_bounded_rate():
    stream = Stream(pose(yaw=0.2))
    target = CartesianPose(pose().position, -pose(yaw=-0.2).quaternion)  # the same rotation with the other sign
    stream.generator.follow(target)
    stream.run(1.5)
    assert stream.generator.at_target
    turned = [Rotation.from_quat(setpoint.quaternion).as_euler("xyz")[2] for setpoint in stream.log]
    assert max(turned) < 0.21 and min(turned) > -0.21


@pytest.mark.parametrize("seed", range(8))
def test_every_setpoint_keeps_the_invariants_under_random_replans(seed):
    rng = np.random.default_rng(seed)
    stream = Stream(pose(*rng.uniform(BOX.lower, BOX.upper)), lag=rng.choice([0.01, 0.05, 0.2]))
    for _ in range(60):
        # Targets up to 13 cm away, also outside the box, at random moments and with timer jitter.
        target = stream.measured.position + rng.uniform(-0.075, 0.075, 3)
        yaw, pitch = rng.uniform(-0.4, 0.4, 2)
        stream.generator.follow(pose(*target, yaw, pitch), stream.now + rng.uniform(0.1, 2.0))
        for _ in range(rng.integers(1, 30)):
            stream.tick(DT * rng.uniform(0.2, 3.0))
        if rng.random() < 0.1:
            stream.generator.stop()


@pytest.mark.parametrize("seed", range(4))
def test_replans_always_end_at_the_last_target(seed):
    rng = np.random.default_rng(seed)
    stream = Stream(pose(*rng.uniform(BOX.lower, BOX.upper)))
    for _ in range(20):
        stream.generator.follow(pose(*rng.uniform(BOX.lower, BOX.upper), rng.uniform(-0.4, 0.4)))
        stream.run(rng.uniform(0.05, 0.4))
    stream.run(6.0)
    assert stream.generator.at_target


def test_targets_outside_the_box_end_at_its_face():
    stream = Stream(pose(0.65))
    stream.generator.follow(pose(0.75, 0.0, 0.2))
    stream.run(1.5)
    assert stream.generator.at_target
    assert stream.log[-1].position[0] == pytest.approx(BOX.upper[0], abs=1e-4)


def test_a_blocked_arm_is_led_no_further_than_a_step():
    limits = MotionLimits(max_step=0.03)
    stream = Stream(pose(), limits=limits, lag=np.inf)
    stream.generator.follow(pose(0.65, 0.1, 0.3))
    stream.run(3.0)
    lead = np.linalg.norm(stream.log[-1].position - stream.measured.position)
    assert 0.02 < lead < 0.03
    stream.generator.follow(pose(0.5, 0.0, 0.2))  # and comes back freely
    stream.run(1.0)
    assert stream.generator.at_target


def test_a_plan_that_runs_out_decays_to_a_hold():
    stream = Stream(pose())
    stream.generator.follow(pose(0.6), stream.now + 0.2)
    stream.run(0.2)
    assert stream.generator.moving
    stream.run(0.3)
    assert stream.generator.target is None and not stream.generator.moving and stream.generator.engaged
    held = stream.log[-1].position
    stream.run(0.2)
    assert np.array_equal(stream.log[-1].position, held)


def test_stop_brakes_within_the_limits_and_goes_on_sending():
    stream = Stream(pose())
    stream.generator.follow(pose(0.6))
    stream.run(0.3)
    speed = np.linalg.norm(stream.log[-1].linear_velocity)
    stream.generator.stop()
    assert np.linalg.norm(stream.tick().linear_velocity) < speed
    stream.run(0.3)
    assert not stream.generator.moving and stream.tick() is not None


def test_release_is_silent_once_at_rest_and_engage_starts_from_the_measured_pose():
    stream = Stream(pose())
    stream.generator.follow(pose(0.6))
    stream.run(0.3)
    stream.generator.release()
    assert not stream.generator.engaged
    assert not stream.generator.engage(pose(0.4), stream.now), "still braking"
    stream.run(0.5)
    assert stream.tick() is None
    stream.measured = pose(0.4, 0.1, 0.3)  # moved by hand meanwhile
    assert stream.generator.engage(stream.measured, stream.now)
    assert stream.generator.target is None
    first = stream.tick()
    assert first.restarted and np.allclose(first.position, stream.measured.position)
    assert not stream.tick().restarted


def test_engaging_twice_changes_nothing():
    stream = Stream(pose())
    stream.generator.follow(pose(0.6))
    stream.run(0.2)
    assert stream.generator.engage(pose(0.4), stream.now) and stream.generator.target is not None


def test_nothing_comes_out_before_engaging_or_without_time_passing():
    generator = SetpointGenerator(BOX, LIMITS)
    assert generator.advance(1.0, pose()) is None
    with pytest.raises(RuntimeError, match="engage"):
        generator.follow(pose())
    generator.engage(pose(), 1.0)
    assert generator.advance(1.0, pose()) is None
    assert generator.advance(0.5, pose()) is None


def test_after_a_gap_motion_goes_on_from_rest():
    stream = Stream(pose())
    stream.generator.follow(pose(0.6))
    stream.run(0.3)
    before = stream.log[-1]
    after = stream.tick(dt=1.0)
    assert np.linalg.norm(after.linear_velocity) <= LIMITS.linear_acceleration * DT
    assert np.linalg.norm(after.position - before.position) < 0.001


def test_a_start_just_outside_the_box_is_taken_to_its_face():
    stream = Stream(pose(0.705))
    assert stream.tick().position[0] == BOX.upper[0]


def test_braking_goes_on_without_a_measured_pose():
    stream = Stream(pose())
    stream.generator.follow(pose(0.6))
    stream.run(0.2)
    stream.measured = None
    stream.lag = np.inf
    stream.generator.release()
    stream.run(1.0)
    assert stream.tick() is None


@pytest.mark.parametrize("options", [{"period": 0.0}, {"period": 0.2}, {"max_gap": float("inf")}])
def test_bad_timing_is_named(options):
    with pytest.raises(ValueError, match=r"period=|max_gap=inf"):
        SetpointSettings(**options)


def setpoint(**changes) -> Setpoint:
    values = {
        "position": pose().position,
        "quaternion": pose().quaternion,
        "linear_velocity": np.zeros(3),
        "angular_velocity": np.zeros(3),
        "time": 10.0,
    }
    return Setpoint(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"position": np.array([0.5, np.nan, 0.2])}, "not finite"),
        ({"quaternion": np.array([0.0, 0.0, 0.0, 1.1])}, "norm 1.1"),
        ({"position": np.array([0.5, 0.0, 0.0])}, "outside the workspace"),
        ({"position": np.array([0.58, 0.0, 0.2])}, "distance from the measured pose 0.08 m exceeds 0.075 m"),
        ({"quaternion": pose(yaw=0.6).quaternion}, "turn from the measured pose"),
        ({"linear_velocity": np.array([0.3, 0.0, 0.0])}, "linear speed 0.3 m/s exceeds 0.2"),
        ({"angular_velocity": np.array([0.6, 0.0, 0.0])}, "angular speed"),
        ({"time": 9.98}, "back"),
        ({"position": np.array([0.501, 0.0, 0.2])}, "position changed"),
        ({"quaternion": pose(yaw=0.01).quaternion}, "orientation changed"),
        ({"linear_velocity": np.array([0.1, 0.0, 0.0])}, "linear acceleration"),
        ({"angular_velocity": np.array([0.3, 0.0, 0.0])}, "angular acceleration"),
        ({"time": 10.5, "position": np.array([0.55, 0.2, 0.2])}, "mean linear speed"),
    ],
)
def test_the_check_finds_each_violation(changes, words):
    previous = setpoint(time=9.99)
    found = check_setpoint(setpoint(**changes), previous=previous, measured=pose(), workspace=BOX, limits=LIMITS)
    assert any(words in text for text in found), found
    assert not check_setpoint(setpoint(), previous=previous, measured=pose(), workspace=BOX, limits=LIMITS)
