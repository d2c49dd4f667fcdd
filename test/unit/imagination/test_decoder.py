"""Pixel decoders: what they draw, which files are read, and that one that belongs to another encoder is refused."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from support.rigs.small_model import small_model
from vjepa_mpc.images import read_image_file
from vjepa_mpc.imagination.imagined import DECODED, NEAREST, SIDE, Imagination, drawn
from vjepa_mpc.imagination.pixels.decoder import (
    DecoderError,
    decoder_beside,
    open_decoder,
    probe_picture,
    save_decoder,
)
from vjepa_mpc.imagination.pixels.nearest import NearestSeen
from vjepa_mpc.imagination.pixels.network import PixelConfig, PixelNetwork
from vjepa_mpc.imagination.settings import ImaginationSettings
from vjepa_mpc.worldmodel import bundled_model_path, load_world_model

CONFIG = PixelConfig(grid=2, latent_dim=24, width=20)
PLACES, WIDTH, PATCH, FEATURES = 16, 64, 4, 24  # of a tiny decoder as jepa-wms writes it


def ours(path: Path, sight: Tensor | None = None) -> PixelNetwork:
    torch.manual_seed(0)
    network = PixelNetwork(CONFIG)
    latent = small_model().encode(probe_picture()[None])[0] if sight is None else sight
    save_decoder(path, network, latent, {"model": "tiny"})
    return network


def theirs(path: Path, **changed: Tensor) -> Path:
    """A file of jepa-wms' layout: one block that adds nothing, so that what is drawn can be told."""
    state = {
        "decoder_embed.weight": torch.zeros(WIDTH, FEATURES),
        "decoder_embed.bias": torch.zeros(WIDTH),
        "decoder_pos_embed": torch.randn(1, PLACES, WIDTH, generator=torch.Generator().manual_seed(0)),
        "view_tokens": torch.zeros(1, 1, WIDTH),
        "decoder_norm.weight": torch.ones(WIDTH),
        "decoder_norm.bias": torch.zeros(WIDTH),
        "decoder_proj.weight": torch.zeros(3 * PATCH**2, WIDTH),
        "decoder_proj.bias": torch.zeros(3 * PATCH**2),
    }
    shapes = {
        "norm1.weight": (WIDTH,),
        "norm1.bias": (WIDTH,),
        "norm2.weight": (WIDTH,),
        "norm2.bias": (WIDTH,),
        "attn.qkv.weight": (3 * WIDTH, WIDTH),
        "attn.qkv.bias": (3 * WIDTH,),
        "attn.proj.weight": (WIDTH, WIDTH),
        "attn.proj.bias": (WIDTH,),
        "mlp.fc1.weight": (2 * WIDTH, WIDTH),
        "mlp.fc1.bias": (2 * WIDTH,),
        "mlp.fc2.weight": (WIDTH, 2 * WIDTH),
        "mlp.fc2.bias": (WIDTH,),
    }
    state |= {f"decoder_blocks.0.{name}": torch.zeros(shape) for name, shape in shapes.items()}
    named = {f"module.{key}": value for key, value in {**state, **changed}.items()}
    torch.save({"model": named, "opt": None, "scaler": None, "epoch": 7}, path)
    return path


def test_a_file_of_ours_draws_what_was_saved(tmp_path: Path) -> None:
    network = ours(tmp_path / "a.safetensors").half().float()
    decoder = open_decoder(tmp_path / "a.safetensors")
    latents = torch.randn(3, 4, 24, generator=torch.Generator().manual_seed(1))
    pictures = decoder(latents)
    assert pictures.shape == (3, 32, 32, 3) and pictures.dtype == np.uint8
    wanted = (255.0 * network(latents).clamp(0.0, 1.0)).round().byte().permute(0, 2, 3, 1).detach().numpy()
    np.testing.assert_array_equal(pictures, wanted)
    assert decoder.card["model"] == "tiny"


def test_another_encoder_is_refused_and_the_same_one_in_half_precision_is_not(tmp_path: Path) -> None:
    model = small_model()
    ours(tmp_path / "a.safetensors")
    decoder = open_decoder(tmp_path / "a.safetensors")
    decoder.require_belongs(model.encode(probe_picture()[None])[0].bfloat16())
    other = torch.nn.functional.layer_norm(torch.randn(4, 24, generator=torch.Generator().manual_seed(3)), (24,))
    with pytest.raises(DecoderError, match=r"another encoder than this model's.*train-decoder"):
        decoder.require_belongs(other)
    with pytest.raises(DecoderError, match=r"24 features.*9 tokens of 8"):
        decoder.require_belongs(torch.zeros(9, 8))
    with pytest.raises(DecoderError, match=r"for 4 tokens.*9 a picture"):
        decoder.require_belongs(torch.zeros(9, 24))


def test_jepa_wms_file_is_read_with_its_order_of_pixels_and_its_colours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # The values of a place are rows, columns, colours: the first row of each patch is red, the rest black.
    values = torch.full((PATCH, PATCH, 3), -10.0)
    values[0, :, 0] = 10.0
    decoder = open_decoder(theirs(tmp_path / "theirs.pth.tar", **{"decoder_proj.bias": values.flatten()}))
    (picture,) = decoder(torch.zeros(1, 4, FEATURES))
    assert picture.shape == (16, 16, 3)
    assert (picture[0::PATCH] == [255, 0, 0]).all() and (picture[1::PATCH] == 0).all()
    decoder.require_belongs(torch.zeros(4, FEATURES))
    assert "does not say which encoder" in caplog.text


def test_jepa_wms_decoder_sees_each_token_where_it_lies(tmp_path: Path) -> None:
    embed = torch.zeros(WIDTH, FEATURES)
    embed[0, 0], embed[1, 0] = 1.0, -1.0
    project = torch.zeros(3 * PATCH**2, WIDTH)
    project[:, 0] = 1.0
    changed = {"decoder_embed.weight": embed, "decoder_proj.weight": project}
    decoder = open_decoder(theirs(tmp_path / "t.pt", decoder_pos_embed=torch.zeros(1, PLACES, WIDTH), **changed))
    latents = torch.zeros(1, 4, FEATURES)
    latents[0, 1, 0] = 5.0  # the upper right token of 2 x 2
    bright = decoder(latents)[0].mean(axis=-1)
    corners = {name: bright[rows, columns].mean() for name, rows, columns in _CORNERS}
    assert max(corners, key=corners.__getitem__) == "upper right"


_CORNERS = (
    ("upper left", slice(0, 4), slice(0, 4)),
    ("upper right", slice(0, 4), slice(12, 16)),
    ("lower left", slice(12, 16), slice(0, 4)),
    ("lower right", slice(12, 16), slice(12, 16)),
)


def test_what_is_no_decoder_is_said(tmp_path: Path) -> None:
    text = tmp_path / "notes.safetensors"
    text.write_text("these are no weights")
    for path, says in (
        (text, "cannot be read"),
        (tmp_path / "gone.safetensors", "cannot be read"),
        (bundled_model_path(), "without a pixel decoder in it"),
        (theirs(tmp_path / "cut.pt", **{"decoder_norm.bias": torch.full((WIDTH,), torch.nan)}), "NaN"),
    ):
        with pytest.raises(DecoderError, match=says):
            open_decoder(path)


def test_the_nearest_seen_picture_is_the_one_whose_latent_is() -> None:
    seen = NearestSeen(most=3)
    assert seen.nearest(torch.zeros(4, 2)) is None
    for value in range(5):
        seen.remember(torch.full((4, 2), float(value)), np.full((2, 2, 3), value, np.uint8))
    assert seen.nearest(torch.full((4, 2), 3.2))[0, 0, 0] == 3
    assert seen.nearest(torch.zeros(4, 2))[0, 0, 0] == 2, "the oldest are forgotten"


def test_without_a_decoder_that_belongs_the_nearest_picture_is_shown_and_called_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = small_model()
    ours(tmp_path / "other.safetensors", torch.randn(4, 24, generator=torch.Generator().manual_seed(5)))
    settings = ImaginationSettings(decoder=str(tmp_path / "other.safetensors"))
    imagination = Imagination(lambda: settings.open(""), lambda image: model.encode(image[None])[0], "square")
    picture = np.full((48, 64, 3), 77, np.uint8)
    latent = model.encode(picture[None])[0]
    with caplog.at_level(logging.WARNING):
        assert imagination.picture(latent) is None
        imagination.remember(latent, picture)
        found = imagination.picture(latent + 0.1)
    assert found is not None and found.how == NEAREST and (found.picture == 77).all()
    assert len([record for record in caplog.records if "another encoder" in record.message]) == 1
    large = drawn(found, "expected")
    assert large.shape == (SIDE, SIDE, 3) and large[-10:].max() > 200, "the words are on it"


def test_the_bundled_model_has_a_decoder_that_belongs_and_draws_the_scene() -> None:
    model = load_world_model(bundled_model_path())
    beside = decoder_beside("")
    assert beside is not None and beside.stat().st_size <= 2_000_000
    imagination = Imagination(
        lambda: ImaginationSettings().open(""), lambda image: model.encode(image[None])[0], "square"
    )
    scene = read_image_file(Path(__file__).resolve().parents[3] / "examples/goals/above_block.png")
    found = imagination.picture(model.encode(scene[None])[0])
    assert found is not None and found.how == DECODED
    seen = scene.reshape(128, 2, 128, 2, 3).mean(axis=(1, 3))
    assert np.abs(found.picture - seen).mean() < 0.5 * np.abs(seen - seen.mean(axis=(0, 1))).mean()
    assert ImaginationSettings(decoder="none").open("") is None
    assert decoder_beside("some.package:model") is None
