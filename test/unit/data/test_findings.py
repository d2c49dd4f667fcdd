"""Each finding names the fault that was made, and nothing else is named; good recordings have none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from support.robot_recordings import IN_MEMORY, InMemory, Truth, make_truth, recording
from vjepa_mpc.data import Episode
from vjepa_mpc.data.episode import Recording
from vjepa_mpc.data.evidence import gather
from vjepa_mpc.data.finding import Found
from vjepa_mpc.data.findings import FINDINGS
from vjepa_mpc.data.tracks import RawGripper, RawPoses

Fault = Callable[[Truth, int], Recording]
EULER = replace(IN_MEMORY, rotation="euler")


@pytest.fixture(scope="module")
def three() -> list[Truth]:
    return [make_truth(seed) for seed in (3, 4, 5)]


def findings(recordings: list[Recording]) -> list[Found]:
    evidence = [gather(Episode(each)) for each in recordings]
    return [found for name in FINDINGS.names for found in FINDINGS.part(name)().look(evidence)]


def degrees(truth: Truth, number: int) -> Recording:
    return recording(
        truth, mapping=EULER, poses=RawPoses(truth.stamps, truth.positions, np.rad2deg(np.abs(truth.euler)))
    )


def millimetres(truth: Truth, number: int) -> Recording:
    return recording(truth, poses=RawPoses(truth.stamps, truth.positions * 1000, truth.quaternions))


def finger_metres(truth: Truth, number: int) -> Recording:
    return recording(truth, gripper=RawGripper(truth.stamps, 0.08 * truth.closedness))


def gripper_range(truth: Truth, number: int) -> Recording:
    return recording(truth, gripper=RawGripper(truth.stamps, 255 * truth.closedness))


def gripper_inverted(truth: Truth, number: int) -> Recording:
    return recording(truth, gripper=RawGripper(truth.stamps, 1 - truth.closedness))


def swapped_colours(truth: Truth, number: int) -> Recording:
    return recording(truth, pictures=InMemory(truth.images[..., ::-1]))


def quaternion_order(truth: Truth, number: int) -> Recording:
    return recording(truth, poses=RawPoses(truth.stamps, truth.positions, truth.quaternions[:, [3, 0, 1, 2]]))


def sign_flips(truth: Truth, number: int) -> Recording:
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (len(truth.stamps), 1))
    return recording(truth, poses=RawPoses(truth.stamps, truth.positions, truth.quaternions * signs))


def still_episode(truth: Truth, number: int) -> Recording:
    if number != 1:
        return recording(truth)
    first = np.zeros(len(truth.stamps), dtype=int)
    return recording(
        truth,
        poses=RawPoses(truth.stamps, truth.positions[first], truth.quaternions[first]),
        gripper=RawGripper(truth.stamps, truth.closedness[first]),
    )


def camera_moved(truth: Truth, number: int) -> Recording:
    if number < 2:
        return recording(truth)
    shift = np.float32([[1, 0, 3], [0, 1, 2]])
    images = [cv2.warpAffine(image, shift, (128, 96), borderMode=cv2.BORDER_REPLICATE) for image in truth.images]
    return recording(truth, pictures=InMemory(images))


def stamps_jump(truth: Truth, number: int) -> Recording:
    stamps = truth.stamps.copy()
    stamps[20:] += 1.0 if number == 1 else 0.0
    poses = RawPoses(stamps, truth.positions, truth.quaternions)
    return recording(truth, stamps=stamps, poses=poses, gripper=RawGripper(stamps, truth.closedness))


def video_rate(truth: Truth, number: int) -> Recording:
    return recording(truth, video_rate=60.0)


def image_late(truth: Truth, number: int) -> Recording:
    return recording(truth, stamps=truth.stamps + 0.12)


def mixed_sizes(truth: Truth, number: int) -> Recording:
    return recording(truth, pictures=InMemory(truth.images[:, 12:84, 16:112] if number == 2 else truth.images))


FAULTS: list[Fault] = [
    degrees,
    millimetres,
    finger_metres,
    gripper_range,
    gripper_inverted,
    swapped_colours,
    quaternion_order,
    sign_flips,
    still_episode,
    camera_moved,
    stamps_jump,
    video_rate,
    image_late,
    mixed_sizes,
]


def test_every_finding_has_a_fault_here() -> None:
    assert {fault.__name__ for fault in FAULTS} == set(FINDINGS.names)


def test_a_finding_is_called_like_its_file() -> None:
    assert [FINDINGS.part(name).name for name in FINDINGS.names] == [name.upper() for name in FINDINGS.names]


def test_nothing_is_found_in_good_recordings(three: list[Truth]) -> None:
    assert findings([recording(truth, f"episode_{number}") for number, truth in enumerate(three)]) == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_named(fault: Fault, three: list[Truth]) -> None:
    made = [replace(fault(truth, number), name=f"episode_{number}") for number, truth in enumerate(three)]
    found = {each.name: each for each in findings(made)}
    # Wrapped and wrongly read rotations flip their signs besides; another crop is another background.
    besides = {"SIGN_FLIPS"} | ({"CAMERA_MOVED"} if fault is mixed_sizes else set())
    assert fault.__name__.upper() in found
    assert set(found) <= besides | {fault.__name__.upper()}


def test_the_delay_of_pictures_is_measured(three: list[Truth]) -> None:
    found = next(each for each in findings([image_late(truth, 0) for truth in three]) if each.name == "IMAGE_LATE")
    assert found.value == pytest.approx(120, abs=20)
    corrected = replace(IN_MEMORY, image_delay=0.12)
    assert findings([replace(image_late(truth, 0), mapping=corrected) for truth in three]) == []


def test_the_episode_is_named(three: list[Truth]) -> None:
    def named(fault: Fault) -> tuple[str, ...]:
        made = [replace(fault(truth, number), name=f"episode_{number}") for number, truth in enumerate(three)]
        return next(each for each in findings(made) if each.name == fault.__name__.upper()).episodes

    assert named(still_episode) == ("episode_1",)
    assert named(camera_moved) == ("episode_2",)
    assert named(stamps_jump) == ("episode_1",)


def test_quaternions_are_named_in_either_wrong_order(three: list[Truth]) -> None:
    """Even when the tool hardly turns: it would point up, or be turned by half a turn."""
    down = Rotation.from_euler("xyz", [np.pi, 0.01, 0.02]).as_quat()
    quaternions = np.tile(down, (len(three[0].stamps), 1))
    for order, stored in (("quaternion_wxyz", [0, 1, 2, 3]), ("quaternion_xyzw", [3, 0, 1, 2])):
        made = recording(
            three[0],
            mapping=replace(IN_MEMORY, rotation=order),
            poses=RawPoses(three[0].stamps, three[0].positions, quaternions[:, stored]),
        )
        assert "QUATERNION_ORDER" in [found.name for found in findings([made])]


def test_a_remedy_in_the_mapping_ends_a_finding(three: list[Truth]) -> None:
    cures = {
        degrees: replace(EULER, angle_unit="deg"),
        millimetres: replace(IN_MEMORY, position_unit="mm"),
        finger_metres: replace(IN_MEMORY, gripper_closed=0.08),
        gripper_inverted: replace(IN_MEMORY, gripper_open=1.0, gripper_closed=0.0),
        swapped_colours: replace(IN_MEMORY, colours="bgr"),
        quaternion_order: replace(IN_MEMORY, rotation="quaternion_wxyz"),
    }
    for fault, mapping in cures.items():
        cured = [replace(fault(three[0], 0), mapping=mapping)]
        assert [each.name for each in findings(cured) if each.name != "SIGN_FLIPS"] == [], fault.__name__


def test_rotations_in_angles_that_jump_are_the_same_rotations(three: list[Truth]) -> None:
    truth = three[0]
    episode = Episode(recording(truth, mapping=EULER, poses=RawPoses(truth.stamps, truth.positions, truth.euler)))
    between = (truth.stamps[:-1] + truth.stamps[1:]) / 2
    turned = Rotation.from_euler("xyz", episode.states(between)[:, 3:6])
    known = Rotation.from_quat(truth.quaternions)
    assert (turned * known[:-1].inv()).magnitude().max() < 0.2
