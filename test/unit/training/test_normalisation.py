"""The normalisation that training uses disappears exactly at export."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vjepa_mpc.training.normalisation import STATE_STD_FLOOR, Normaliser, fit_normaliser


@pytest.fixture
def states() -> np.ndarray:
    rng = np.random.default_rng(0)
    values = np.zeros((200, 7))
    values[:, :3] = rng.normal([0.5, 0.0, 0.15], 0.08, size=(200, 3))
    values[:, 3] = np.pi
    values[:, 6] = rng.integers(0, 2, 200)
    return values


def test_folded_linear_gives_the_same_as_the_normalised_one(states: np.ndarray) -> None:
    torch.manual_seed(0)
    normaliser = fit_normaliser(states, STATE_STD_FLOOR, centre=True)
    linear = torch.nn.Linear(7, 32)
    values = torch.from_numpy(states).float()
    weight, bias = normaliser.fold(linear.weight.detach(), linear.bias.detach(), dtype=torch.float32)
    expected = linear(normaliser(values))
    assert torch.allclose(values @ weight.T + bias, expected, atol=1e-5)


def test_fold_absorbs_the_rounding_of_a_half_precision_weight(states: np.ndarray) -> None:
    torch.manual_seed(0)
    normaliser = fit_normaliser(states, STATE_STD_FLOOR, centre=True)
    linear = torch.nn.Linear(7, 32)
    weight, bias = normaliser.fold(linear.weight.detach(), linear.bias.detach(), dtype=torch.float16)
    assert torch.equal(weight, weight.half().float())
    at_mean = normaliser.mean @ weight.T + bias
    assert torch.allclose(at_mean, linear.bias, atol=1e-6)


def test_constant_entries_keep_a_floor(states: np.ndarray) -> None:
    normaliser = fit_normaliser(states, STATE_STD_FLOOR, centre=True)
    assert normaliser.std[3].item() == pytest.approx(STATE_STD_FLOOR[3])
    assert normaliser.mean[3].item() == pytest.approx(np.pi)


def test_uncentred_actions_keep_zero_at_zero() -> None:
    actions = np.full((10, 7), 0.05)
    normaliser = fit_normaliser(actions, (0.03,) * 7, centre=False)
    assert torch.equal(normaliser(torch.zeros(7)), torch.zeros(7))


def test_bad_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \[K, 7\]"):
        fit_normaliser(np.zeros((3, 6)), STATE_STD_FLOOR, centre=True)
    with pytest.raises(ValueError, match="positive"):
        Normaliser(mean=torch.zeros(7), std=torch.zeros(7))


def test_unfolding_undoes_folding(states: np.ndarray) -> None:
    torch.manual_seed(0)
    normaliser = fit_normaliser(states, STATE_STD_FLOOR, centre=True)
    linear = torch.nn.Linear(7, 32)
    weight, bias = normaliser.unfold(*normaliser.fold(linear.weight.detach(), linear.bias.detach(), torch.float32))
    assert torch.allclose(weight, linear.weight, atol=1e-6) and torch.allclose(bias, linear.bias, atol=1e-5)
