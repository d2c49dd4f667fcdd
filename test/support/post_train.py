"""``vjepa-mpc post-train`` on fake recordings and a tiny model; as a script it is one rank of several.

Usage of the script: ``post_train.py MODEL OUT [--option ...]``, with what ``torchrun`` sets in the environment.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

from vjepa_mpc.training.post_training import command
from vjepa_mpc.worldmodel import ModelConfig, build_world_model, save_world_model

MODEL = {
    "img_size": 32,
    "patch_size": 16,
    "tubelet_size": 2,
    "encoder": {"embed_dim": 24, "depth": 1, "num_heads": 1},
    "predictor": {"embed_dim": 24, "predictor_embed_dim": 24, "depth": 2, "num_heads": 2},
}
RECIPE = """
seconds_a_step: 0.2
crop: square
clip_frames: 4
batch_size: 4
sampling: window
held_out: 0.25
held_out_clips: 5
evaluate_every: 3
save_every: 2
post_training: {ipe: 2, epochs: 4, warmup: 1, anneal: 1, start_lr: 1.0e-3, lr: 5.0e-3}
"""


def tiny_model(path: Path, seed: int = 0, **predictor: int) -> Path:
    """A world-model file with random weights."""
    torch.manual_seed(seed)
    config = {**MODEL, "predictor": {**MODEL["predictor"], **predictor}}  # type: ignore[dict-item]
    model = build_world_model(config)
    save_world_model(
        path,
        ModelConfig.from_dict(config),
        model.encoder.state_dict(),
        model.predictor.state_dict(),
        metadata={"license": "MIT", "seconds_a_step": "0.25"},
    )
    return path


def post_train(model: Path, out: Path, *options: str) -> int:
    """Run the command in this process; its exit status."""
    recipe = model.with_name("recipe.yaml")
    if not recipe.is_file():
        recipe.write_text(RECIPE)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    start = [] if "--encoder" in options else ["--checkpoint", str(model)]
    common = ["--data", "demo", "--out", str(out), "--recipe", str(recipe), "--dtype", "float32", "--device", "cpu"]
    return command.main(parser.parse_args([*common, *start, *options]))


def logged(out: Path) -> list[dict]:
    """The records of a run."""
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


if __name__ == "__main__":
    from support.recordings import FakeRecordings

    torch.set_num_threads(1)
    command.open_recordings = lambda args: FakeRecordings()  # type: ignore[assignment]
    sys.exit(post_train(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]))
