"""The cached rollout gives what the plain predictor gives on the whole sequence."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from support.golden import relative_error
from vjepa_mpc.geometry.pose import integrate_pose
from vjepa_mpc.geometry.rotation import continue_branch
from vjepa_mpc.worldmodel import ModelConfig, VJEPAWorldModel, build_world_model
from vjepa_mpc.worldmodel.vjepa.layers import layer_norm_features

TOLERANCE = 1e-5
CONFIG = ModelConfig.from_dict(
    {
        "img_size": 64,
        "encoder": {"embed_dim": 32, "depth": 1, "num_heads": 2},
        "predictor": {"embed_dim": 32, "predictor_embed_dim": 48, "depth": 3, "num_heads": 3},
    }
)


@pytest.fixture(scope="module")
def model() -> VJEPAWorldModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        built = build_world_model(CONFIG)
        for weight in built.predictor.parameters():  # larger than at initialisation, so that attention is not uniform
            weight.add_(0.1 * torch.randn_like(weight))
    return built


def scene(model: VJEPAWorldModel, observed: int, samples: int, horizon: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(observed * 100 + samples)
    context = layer_norm_features(torch.randn(observed, model.tokens_per_frame, model.embed_dim, generator=random))
    poses = torch.randn(observed, 7, generator=random)
    past = 0.1 * torch.randn(observed - 1, 7, generator=random)
    return context, poses, past, 0.1 * torch.randn(horizon, samples, 7, generator=random)


def uncached(model: VJEPAWorldModel, context: Tensor, poses: Tensor, past: Tensor, actions: Tensor) -> list[Tensor]:
    """Predict by running the whole sequence through the predictor at every step."""
    samples = actions.shape[1]
    frames = context.flatten(0, 1).expand(samples, -1, -1)
    states, taken = poses.expand(samples, -1, -1), past.expand(samples, -1, -1)
    predictions = []
    for action in actions:
        taken = torch.cat([taken, action[:, None]], dim=1)
        raw = model.predictor(frames, taken, states)[:, -model.tokens_per_frame :]
        predictions.append(layer_norm_features(raw))
        frames = torch.cat([frames, predictions[-1]], dim=1)
        state = integrate_pose(states[:, -1], action)
        state[:, 3:6] = continue_branch(state[:, 3:6], states[:, -1, 3:6])
        states = torch.cat([states, state[:, None]], dim=1)
    return predictions


@pytest.mark.parametrize("observed", [1, 3])
@pytest.mark.parametrize("horizon", range(1, 9))
@pytest.mark.parametrize("samples", [1, 64])
def test_cached_rollout_equals_the_whole_sequence(
    model: VJEPAWorldModel, observed: int, horizon: int, samples: int
) -> None:
    context, poses, past, actions = scene(model, observed, samples, horizon)
    rollout = model.start_rollout(context, poses, samples, horizon, past)
    with torch.no_grad():
        expected = uncached(model, context, poses, past, actions)
        for step, action in enumerate(actions):
            assert relative_error(rollout.step(action), expected[step]) < TOLERANCE, f"step {step + 1}"


@torch.no_grad()
def test_a_reset_rollout_forgets_the_first_candidates(model: VJEPAWorldModel) -> None:
    context, poses, past, actions = scene(model, 2, 6, 3)
    rollout = model.start_rollout(context, poses, samples=8, horizon=3, past_actions=past)
    for action in torch.randn(3, 8, 7):
        rollout.step(action)
    rollout.reset()
    expected = uncached(model, context, poses, past, actions)
    for step, action in enumerate(actions):  # fewer candidates than the cache has room for
        assert relative_error(rollout.step(action), expected[step]) < TOLERANCE


@torch.no_grad()
def test_bfloat16_stays_close_and_reads_poses_in_float32(model: VJEPAWorldModel) -> None:
    half = build_world_model(CONFIG, model.encoder.state_dict(), model.predictor.state_dict(), dtype=torch.bfloat16)
    context, poses, _, actions = scene(model, 1, 4, 2)
    exact, rounded = (built.start_rollout(context[0], poses[0], 4, 2) for built in (model, half))
    for action in actions:
        assert relative_error(rounded.step(action), exact.step(action)) < 0.05
    assert half.predictor.state_encoder.weight.dtype == torch.float32


def test_too_many_candidates_or_steps_are_refused(model: VJEPAWorldModel) -> None:
    context, poses, _, actions = scene(model, 1, 4, 2)
    rollout = model.start_rollout(context[0], poses[0], samples=2, horizon=1)
    with pytest.raises(ValueError, match="4 candidates"):
        rollout.step(actions[0])
    rollout.step(actions[0, :2])
    with pytest.raises(ValueError, match="step 2"):
        rollout.step(actions[1, :2])


def test_context_of_the_wrong_shape_is_refused(model: VJEPAWorldModel) -> None:
    with pytest.raises(ValueError, match=r"context \[1, 5, 32\]"):
        model.start_rollout(torch.zeros(5, 32), torch.zeros(7), samples=1)
    with pytest.raises(ValueError, match="0 past actions"):
        model.start_rollout(torch.zeros(2, 16, 32), torch.zeros(2, 7), samples=1)
