"""Loss terms on latents whose distances are known."""

from __future__ import annotations

import pytest
import torch

from vjepa_mpc.training import losses


def test_prediction_loss_counts_changing_tokens_more() -> None:
    before = torch.zeros(1, 2, 4)
    after = before.clone()
    after[0, 1] = 1.0
    weights = losses.token_weights(before, after, strength=1.0)
    assert weights.mean() == pytest.approx(1.0)
    assert weights[0, 1] > weights[0, 0] > 0
    error_on_static, error_on_moving = torch.zeros(1, 2, 4), after.clone()
    error_on_static[0, 0] = 0.1
    error_on_static[0, 1] = 1.0
    error_on_moving[0, 1] = 1.1
    assert losses.prediction_loss(error_on_moving, after, weights) > losses.prediction_loss(
        error_on_static, after, weights
    )


def test_prediction_target_gets_no_gradient() -> None:
    predicted, target = (torch.randn(2, 3, 4, requires_grad=True) for _ in range(2))
    losses.prediction_loss(predicted, target, torch.ones(2, 3)).backward()
    assert predicted.grad is not None and target.grad is None


def test_collapse_terms() -> None:
    torch.manual_seed(0)
    collapsed, spread = torch.ones(8, 4, 6), torch.randn(8, 64, 6)
    assert losses.variance_loss(collapsed) > 0.4
    assert losses.variance_loss(spread) == 0.0
    copied = spread[..., :1].expand_as(spread)
    assert losses.covariance_loss(copied) > 10 * losses.covariance_loss(spread)


def test_label_distance_adds_position_gripper_and_block() -> None:
    first = torch.zeros(1, 7)
    second = torch.tensor([[0.03, 0.04, 0.0, 1.0, 0.0, 0.0, 0.2]])
    distance = losses.label_distance(first, second, scale=2.0, gripper=0.12)
    assert distance.item() == pytest.approx(2.0 * (0.05 + 0.12 + 0.2))


def test_metric_loss_weighs_near_pairs_more() -> None:
    error = torch.tensor([0.01])
    near = losses.metric_loss(torch.tensor([0.02]) + error, torch.tensor([0.02]))
    far = losses.metric_loss(torch.tensor([0.6]) + error, torch.tensor([0.6]))
    assert near > 3 * far


def test_pair_shifts_never_pair_a_frame_with_itself() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        shifts = losses.pair_shifts(6, 4, generator)
        assert len(set(shifts)) == 4 and all(1 <= shift <= 5 for shift in shifts)
