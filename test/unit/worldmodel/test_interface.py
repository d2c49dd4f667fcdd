"""What is no world model is refused before planning begins, with everything that it lacks."""

from __future__ import annotations

import pytest
import torch

from vjepa_mpc.controller.visual_mpc import VisualMPC
from vjepa_mpc.planning import CEMConfig, CEMPlanner
from vjepa_mpc.worldmodel import PointMassWorldModel, VJEPAWorldModel, build_world_model, check_world_model
from vjepa_mpc.worldmodel.vjepa.config import ModelConfig

TINY = ModelConfig.from_dict(
    {
        "img_size": 32,
        "encoder": {"embed_dim": 24, "depth": 1, "num_heads": 2},
        "predictor": {"embed_dim": 24, "predictor_embed_dim": 24, "depth": 1, "num_heads": 2},
    }
)


class HalfAModel:
    embed_dim = 3
    device = "cpu"
    dtype = torch.float32

    def encode(self, images, crop="square"):
        return images


def test_the_world_models_of_the_package_satisfy_their_interface() -> None:
    tiny: VJEPAWorldModel = build_world_model(TINY)
    for model in (PointMassWorldModel(), tiny):
        check_world_model(model)


def test_one_message_names_all_that_is_missing_or_of_another_type() -> None:
    with pytest.raises(TypeError) as refusal:
        check_world_model(HalfAModel())
    message = str(refusal.value)
    assert "it lacks tokens_per_frame, start_rollout(), rollout_bytes();" in message
    assert "device is a str instead of a torch.device" in message
    assert "embed_dim" not in message and "vjepa_mpc.worldmodel.interface.WorldModel" in message


@pytest.mark.parametrize("door", [CEMPlanner, VisualMPC])
def test_planner_and_controller_ask_at_their_door(door) -> None:
    with pytest.raises(TypeError, match="HalfAModel is no world model"):
        door(HalfAModel(), CEMConfig(samples=4, topk=2))


def test_preprocess_is_a_public_name_of_the_world_models() -> None:
    from vjepa_mpc.worldmodel import preprocess
    from vjepa_mpc.worldmodel.preprocess import preprocess as same

    assert preprocess is same
