"""What weights do not show: told by a config, betrayed by other weights, or assumed and said."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from support.checkpoints import TINY, TINY_YAML, converted, header, refused, run
from vjepa_mpc.worldmodel import (
    MODEL_CONFIGS,
    CheckpointError,
    EncoderSetup,
    Predictor,
    Told,
    build_encoder,
    bundled_model_path,
    convert,
    load_encoder,
    load_world_model,
)
from vjepa_mpc.worldmodel.checkpoints.architecture import read_encoder, read_predictor
from vjepa_mpc.worldmodel.checkpoints.parts import Part
from vjepa_mpc.worldmodel.vjepa.config import ENCODER_SETUPS


def test_a_training_yaml_tells_what_the_weights_do_not(checkpoint: Path, tmp_path: Path, out: Path) -> None:
    (tmp_path / "droid.yaml").write_text(TINY_YAML)
    converted(checkpoint, "--config", tmp_path / "droid.yaml", "--encoder-heads", "2", out)
    assert load_world_model(out).config == TINY
    assert header(out)["seconds_a_step"] == "0.25" and header(out)["crop"] == "droid"
    # Half as many heads compute something else from the same weights: the config is not decoration.
    converted(checkpoint, "--config", tmp_path / "droid.yaml", "--encoder-heads", "2", "--pred-heads", "6", out)
    assert load_world_model(out).config.predictor.num_heads == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("use_rope: true->use_rope: false", "without rotary positions"),
        ("use_extrinsics: false->use_extrinsics: true", "reads camera extrinsics"),
        ("pred_is_frame_causal: true->pred_is_frame_causal: false", "without causal attention"),
        ("use_rope: true->use_rope: true, use_silu: true", "with SiLU in place of GELU"),
        ("pred_depth: 1->pred_depth: 24", r"width and layers are \(36, 1\), and the config says \(36, 24\)"),
        ("patch_size: 16->patch_size: 14", "patch_size is 16, and the config says 14"),
        ("model: {->model: {model_name: vit_giant_xformers, ", r"are \(24, 2\), and the config says \(1408, 40\)"),
        ("model: {->model: {model_name: resnet, ", "'resnet' is none of upstream's encoders"),
        ("pred_num_heads: 3->pred_num_heads: many", "model.pred_num_heads='many' is no whole number"),
        ("use_rope: true->use_rope: 3", "model.use_rope='3' is no truth value"),
    ],
)
def test_a_yaml_that_tells_of_another_model_is_refused(
    checkpoint: Path, tmp_path: Path, out: Path, change: str, message: str
) -> None:
    (tmp_path / "droid.yaml").write_text(TINY_YAML.replace(*change.split("->")))
    with pytest.raises(CheckpointError, match=message):
        run(convert, checkpoint, "--config", tmp_path / "droid.yaml", "--encoder-heads", "2", out)
    assert not out.exists()


@pytest.mark.parametrize(("text", "message"), [("a: 1", "names none of"), ("{", "is not YAML"), ("", "names none of")])
def test_a_yaml_of_something_else_is_named(
    checkpoint: Path, tmp_path: Path, out: Path, text: str, message: str
) -> None:
    (tmp_path / "other.yaml").write_text(text)
    assert message in refused(checkpoint, "--config", tmp_path / "other.yaml", out)


def test_what_is_assumed_is_said_and_written(tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundled = load_world_model(bundled_model_path())
    states = {"encoder": bundled.encoder.state_dict(), "predictor": bundled.predictor.state_dict()}
    torch.save(states, tmp_path / "bare.pt")
    converted(tmp_path / "bare.pt", out)
    expected = ("3 attention heads in the encoder", "pictures of 128 px", "3 attention heads in the predictor")
    for text in (capsys.readouterr().out, header(out)["assumed"]):
        assert all(each in text for each in (*expected, "rotary positions", "GELU", "no camera extrinsics"))


def test_a_table_of_positions_betrays_another_size_of_pictures(tmp_path: Path, out: Path) -> None:
    bundled = load_world_model(bundled_model_path())
    encoder = bundled.encoder.state_dict() | {"pos_embed": torch.zeros(1, 8 * 24 * 24, 192)}
    torch.save({"encoder": encoder, "predictor": bundled.predictor.state_dict()}, tmp_path / "bare.pt")
    assert "table of 4608 positions was made for pictures of 384 px" in refused(tmp_path / "bare.pt", out)
    assert load_world_model(converted(tmp_path / "bare.pt", "--img-size", "384", out)).image_size == 384


def described(name: str) -> tuple[EncoderSetup, list[str]]:
    """What is read off the weights of a published encoder of full size, which need no memory here."""
    setup = (ENCODER_SETUPS | {key: config.encoder_setup for key, config in MODEL_CONFIGS.items()})[name]
    with torch.device("meta"):
        state = build_encoder(setup, device="meta").state_dict()
    return read_encoder(name, Part(state, "encoder"), Told())


@pytest.mark.parametrize("name", [*ENCODER_SETUPS, "vit_large", "vit_huge", "vit_giant"])
def test_published_encoders_are_known_by_their_weights(name: str) -> None:
    setup, assumed = described(name)
    expected = (ENCODER_SETUPS | {key: config.encoder_setup for key, config in MODEL_CONFIGS.items()})[name]
    assert setup == expected
    assert f"{expected.encoder.num_heads} attention heads in the encoder" in assumed


def test_the_published_predictor_is_known_by_its_weights() -> None:
    with torch.device("meta"):
        state = Predictor(MODEL_CONFIGS["vit_giant"]).state_dict()
    config, assumed = read_predictor("vjepa2-ac-vitg.pt", Part(state, "predictor"), Told())
    assert config == MODEL_CONFIGS["vit_giant"].predictor
    assert "16 attention heads in the predictor" in assumed


def test_loading_what_is_not_converted_warns_of_what_is_assumed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bundled = load_world_model(bundled_model_path())
    assert caplog.text == "", "our own files tell everything"
    states = {"encoder": bundled.encoder.state_dict(), "predictor": bundled.predictor.state_dict()}
    torch.save(states, tmp_path / "bare.pt")
    load_world_model(tmp_path / "bare.pt")
    assert "3 attention heads in the predictor" in caplog.text and "pictures of 128 px" in caplog.text
    caplog.clear()
    load_encoder(tmp_path / "bare.pt", told=Told(encoder_heads=3, img_size=128, rope=True, activation="gelu"))
    assert caplog.text == ""
