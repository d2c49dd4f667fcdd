"""Which pictures of a demonstration matter, told from made-up latents."""

from __future__ import annotations

import itertools

import numpy as np
import torch

from vjepa_mpc.demonstrations.keyframes import CLOSED, CLOSES, END, STOP, TURN, find_keyframes

RATE = 5.0


def latents(*waypoints: tuple[float, float], pause: int = 4, steps: int = 10) -> torch.Tensor:
    """A point that goes from one place to the next at one speed, and rests there for ``pause`` pictures."""
    places = [np.repeat(np.array(waypoints[:1]), pause, axis=0)]
    for before, after in itertools.pairwise(waypoints):
        shares = np.linspace(0.0, 1.0, steps + 1)[1:, None]
        places.append((1.0 - shares) * np.array(before) + shares * np.array(after))
        places.append(np.repeat(np.array([after]), pause, axis=0))
    return torch.from_numpy(np.concatenate(places)).float()[:, None]


def stamps(z: torch.Tensor) -> np.ndarray:
    return np.arange(len(z)) / RATE


def test_a_stop_in_between_and_the_end_are_found() -> None:
    z = latents((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
    found = find_keyframes(z, stamps(z))
    assert [each.why for each in found] == [STOP, END]
    assert z[found[0].index, 0].tolist() == [1.0, 0.0] and found[-1].index == len(z) - 1


def test_a_small_change_while_all_else_rests_gives_the_picture_before_and_the_one_after() -> None:
    there, closed = (1.0, 0.0), (1.0, 0.1)
    z = latents((0.0, 0.0), there, pause=4)
    slowly = torch.from_numpy(np.linspace(there, closed, 12)).float()[:, None]
    z = torch.cat([z, slowly, latents(closed, (0.0, 1.0))])
    found = find_keyframes(z, stamps(z))
    assert [each.why for each in found] == [STOP, STOP, END]
    np.testing.assert_allclose([z[each.index, 0].tolist() for each in found[:2]], [there, closed], atol=0.02)


def test_a_way_that_turns_back_without_a_stop_is_a_turn() -> None:
    z = latents((0.0, 0.0), (1.0, 0.0), (0.1, 0.3), pause=0, steps=20)
    z = torch.cat([z[:1].repeat(3, 1, 1), z, z[-1:].repeat(3, 1, 1)])
    found = find_keyframes(z, stamps(z))
    assert [each.why for each in found] == [TURN, END]
    assert torch.linalg.norm(z[found[0].index, 0] - torch.tensor([1.0, 0.0])) < 0.15


def test_a_straight_way_has_its_end_alone() -> None:
    z = latents((0.0, 0.0), (1.0, 1.0))
    assert [each.why for each in find_keyframes(z, stamps(z))] == [END]


def test_a_camera_s_noise_hides_no_stop() -> None:
    plain = latents((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), pause=8).repeat(1, 200, 1)
    noise = 0.02 * torch.randn(plain.shape, generator=torch.Generator().manual_seed(0))
    found = find_keyframes(plain + noise, stamps(plain))
    assert [each.why for each in found] == [STOP, END]


def test_a_recorded_gripper_is_kept_even_where_pictures_hardly_change() -> None:
    z = latents((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), pause=8)
    closedness = np.zeros(len(z))
    closing = 8 + 10 + 3
    closedness[closing : closing + 3] = [0.1, 0.25, 0.38]
    closedness[closing + 3 :] = 0.42
    found = find_keyframes(z, stamps(z), closedness)
    assert [each.why for each in found] == [CLOSES, CLOSED, END]
    before, after, _ = found
    assert closedness[before.index] < 0.05 and closedness[after.index] > 0.37
