"""The V-JEPA 2.1 encoder against the published code, and a world model that plans with it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from support.checkpoints import TINY_21
from support.golden import reference, relative_error
from vjepa_mpc.planning import CEMConfig, CEMPlanner
from vjepa_mpc.worldmodel import EncoderSetup, VideoEncoder, build_encoder, build_world_model
from vjepa_mpc.worldmodel.vjepa.config import ENCODER_SETUPS

PREDICTOR = {"predictor_embed_dim": 24, "depth": 1, "num_heads": 2}


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    with np.load(reference("golden/encoder_21.npz")) as archive:
        arrays = {key: torch.from_numpy(archive[key]) for key in archive.files if key != "config"}
        return {"config": json.loads(str(archive["config"])), **arrays}


def encoder(golden: dict[str, Any], **changes: object) -> VideoEncoder:
    state = {key.removeprefix("encoder/"): value for key, value in golden.items() if key.startswith("encoder/")}
    return build_encoder(golden["config"] | changes, state)


@pytest.mark.parametrize(
    ("given", "expected"),
    [("clip", "video_tokens"), ("image", "image_tokens"), ("wide_clip", "wide_tokens")],
)
@torch.no_grad()
def test_tokens_are_those_of_the_published_code(golden: dict[str, Any], given: str, expected: str) -> None:
    assert relative_error(encoder(golden)(golden[given]), golden[expected]) < 1e-6


@torch.no_grad()
def test_dense_features_are_the_four_normed_layers(golden: dict[str, Any]) -> None:
    dense = encoder(golden, dense=True)
    assert dense.config.latent_dim == 4 * 48
    assert relative_error(dense(golden["image"]), golden["image_dense"]) < 1e-6


@torch.no_grad()
def test_an_image_is_not_a_repeated_frame(golden: dict[str, Any]) -> None:
    repeated = golden["image"].expand(-1, -1, 2, -1, -1)
    assert relative_error(encoder(golden)(repeated), golden["repeated_image_tokens"]) < 1e-6
    assert relative_error(golden["image_tokens"], golden["repeated_image_tokens"]) > 0.01


@torch.no_grad()
def test_bfloat16_stays_close(golden: dict[str, Any]) -> None:
    half = encoder(golden).to(torch.bfloat16)
    assert relative_error(half(golden["clip"].bfloat16()), golden["video_tokens"]) < 0.03


@pytest.mark.parametrize("name", ENCODER_SETUPS)
def test_the_four_published_sizes_have_their_parameters(name: str) -> None:
    with torch.device("meta"):
        built = build_encoder(ENCODER_SETUPS[name], device="meta")
    millions = round(sum(weight.numel() for weight in built.parameters()) / 1e6)
    # A layer has 4 width² + 2 width x hidden weights, and there are patches of two and of one frame.
    assert millions == {"vjepa2_1_vitb": 87, "vjepa2_1_vitl": 305, "vjepa2_1_vitg": 1013, "vjepa2_1_vitG": 1845}[name]


@pytest.mark.parametrize(("options", "features"), [({}, 24), ({"frame_as": "clip"}, 24), ({"dense": True}, 96)])
def test_planning_finds_the_action_that_leads_to_the_goal(options: dict[str, Any], features: int) -> None:
    torch.manual_seed(0)
    config = TINY_21.to_dict() | options | {"predictor": {"embed_dim": features, **PREDICTOR}}
    model = build_world_model(config)
    assert model.embed_dim == features and model.tokens_per_frame == 16
    frame = model.encode(np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8))[0]
    assert frame.shape == (16, features)
    assert torch.allclose(frame.mean(-1), torch.zeros(16), atol=1e-5), "latents are layer-normed"
    pose = torch.tensor([0.5, 0.0, 0.2, 3.1, 0.0, 0.0, 0.0])
    wanted = torch.tensor([[0.05, -0.05, 0.05, 0.0, 0.0, 0.0, 0.0]])
    goal = model.start_rollout(frame, pose, 1).step(wanted)[0]
    still = model.start_rollout(frame, pose, 1).step(torch.zeros(1, 7))[0]
    planner = CEMPlanner(model, CEMConfig(samples=64, topk=8, cem_steps=4, rollout=1, maxnorm=0.075))
    result = planner.plan(frame, pose, goal)
    reached = model.start_rollout(frame, pose, 1).step(result.actions[:1].float())[0]
    assert (reached - goal).abs().mean() < 0.5 * (still - goal).abs().mean()


def test_what_shows_a_picture_is_what_encodes_it() -> None:
    torch.manual_seed(0)
    state = {
        key: weight + 0.1 * torch.randn_like(weight) for key, weight in build_encoder(TINY_21).state_dict().items()
    }
    images = torch.randint(0, 256, (1, 64, 64, 3), dtype=torch.uint8)
    latents: dict[str, Tensor] = {}
    for frame_as in ("image", "clip"):
        config = TINY_21.to_dict() | {"frame_as": frame_as, "predictor": {"embed_dim": 24, **PREDICTOR}}
        latents[frame_as] = build_world_model(config, state).encode(images)
    default = build_world_model(TINY_21.to_dict() | {"predictor": {"embed_dim": 24, **PREDICTOR}}, state)
    assert torch.equal(default.encode(images), latents["image"])
    assert relative_error(latents["clip"], latents["image"]) > 0.01


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": "vjepa3"}, "family='vjepa3' is unknown: use one of vjepa2, vjepa2.1"),
        ({"family": "vjepa2", "dense": True}, "only V-JEPA 2.1 encodes single images"),
        ({"family": "vjepa2", "frame_as": "image"}, "only V-JEPA 2.1 encodes single images"),
        ({"frame_as": "film"}, "frame_as='film' is unknown"),
        (
            {"encoder": {"embed_dim": 24, "depth": 3, "num_heads": 2}},
            "encoder.depth=3: V-JEPA 2.1 encoders have 12, 24",
        ),
    ],
)
def test_a_setup_that_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EncoderSetup.from_dict(TINY_21.to_dict() | changes)


def test_a_v_jepa_2_encoder_refuses_an_image_in_words() -> None:
    built = build_encoder({"img_size": 64, "encoder": {"embed_dim": 24, "depth": 1, "num_heads": 2}})
    with pytest.raises(ValueError, match="with at least 2 frames"):
        built(torch.zeros(1, 3, 1, 64, 64))


def test_a_config_of_a_v_jepa_2_model_reads_as_before() -> None:
    plain = {"img_size": 64, "encoder": {"embed_dim": 24, "depth": 1, "num_heads": 2}}
    assert "family" not in EncoderSetup.from_dict(plain).to_dict()
    assert EncoderSetup.from_dict(TINY_21.to_dict()) == TINY_21
