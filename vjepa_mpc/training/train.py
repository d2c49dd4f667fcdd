"""`vjepa-mpc train`: data from the simulator, training, and a safetensors file that is usable at any time."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, TextIO

import torch

from vjepa_mpc.training.config import TrainConfig, load_config
from vjepa_mpc.training.dataset import Clips, EpisodeDataset
from vjepa_mpc.training.generate import generate_missing, shard_counts
from vjepa_mpc.training.trainer import Trainer
from vjepa_mpc.training.validate import validate, validation_clips
from vjepa_mpc.worldmodel.checkpoint import save_world_model

MODEL_FILE = "franka_tiny.safetensors"
STATE_FILE = "training_state.pt"
LOG_FILE = "log.jsonl"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--config", type=Path, required=True, help="recipe, e.g. config/train/franka_tiny.yaml")
    parser.add_argument(
        "--out", type=Path, required=True, help=f"folder for {MODEL_FILE}, {LOG_FILE} and {STATE_FILE} (to resume)"
    )
    parser.add_argument(
        "--data", type=Path, default=None, help="data folder (default: OUT/data); what it lacks is generated first"
    )
    parser.add_argument("--threads", type=int, default=None, help="CPU threads (default: the recipe's)")
    parser.add_argument("--fresh", action="store_true", help=f"start again although OUT has a {STATE_FILE}")


def main(args: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    config = load_config(args.config)
    args.out.mkdir(parents=True, exist_ok=True)
    folder = args.data or args.out / "data"
    _generate(folder, config)
    torch.set_num_threads(args.threads or config.threads)
    validation_shards, training_shards = shard_counts(config.data)
    validation = validation_clips(EpisodeDataset.open(folder, 0, validation_shards))
    trainer = Trainer(config, EpisodeDataset.open(folder, validation_shards, training_shards))
    if (args.out / STATE_FILE).is_file() and not args.fresh:
        trainer.restore(args.out / STATE_FILE)
        print(f"resuming at step {trainer.step_number} of {config.steps}", flush=True)
    with (args.out / LOG_FILE).open("a" if trainer.step_number else "w", encoding="utf-8") as log:
        train(trainer, validation, args.out, log)
    print(f"wrote {args.out / MODEL_FILE}")
    return 0


def _generate(folder: Path, config: TrainConfig) -> None:
    start = time.monotonic()

    def report(done: int, total: int) -> None:
        _live(f"data: {done}/{total} shards, {time.monotonic() - start:.0f} s")

    generate_missing(folder, config.data, int(config.model["img_size"]), report)
    _live("", end="\n")


def train(trainer: Trainer, validation: Clips, out: Path, log: TextIO) -> None:
    """Train to the last step; validates, logs and writes the model at the configured periods."""
    config = trainer.config
    start, first = time.monotonic(), trainer.step_number
    stage_ends = {*config.stage_starts[1:], config.steps}
    while trainer.step_number < config.steps:
        terms = trainer.step()
        step = trainer.step_number
        pace = (time.monotonic() - start) / (step - first)
        _live(
            f"step {step}/{config.steps}  loss {terms['loss']:.3f}  prediction {terms['prediction']:.3f}  "
            f"metric {terms['metric']:.4f}  {pace:.2f} s/step  {(config.steps - step) * pace / 60.0:.1f} min left"
        )
        record: dict[str, Any] = {"step": step, "seconds": round(time.monotonic() - start, 1), **_rounded(terms)}
        if step % config.validate_every == 0 or step in stage_ends:
            measures = _rounded(validate(trainer, validation))
            record["validation"] = measures
            _live(f"step {step}: {_summary(measures)}", end="\n")
        print(json.dumps(record), file=log, flush=True)
        if step % config.checkpoint_every == 0 or step in stage_ends:
            export(trainer, out / MODEL_FILE)
            trainer.save(out / STATE_FILE)


def export(trainer: Trainer, path: Path) -> None:
    """Write encoder and predictor (averaged weights, normalisation folded in) as fp16 safetensors, atomically."""
    encoder, predictor = trainer.export_states()
    config = trainer.config
    metadata = {
        "trained_steps": str(trainer.step_number),
        "training_seed": str(config.seed),
        "training_data": f"{trainer.data.episodes} simulated episodes of {trainer.data.frames} frames, "
        f"seed {config.data.seed}",
        "supervision": "simulator labels (pose, gripper, block) beside the self-supervised prediction",
    }
    partial = path.with_name(path.name + ".partial")
    save_world_model(partial, config.model, encoder, predictor, dtype=torch.float16, metadata=metadata)
    partial.replace(path)


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 5) for name, value in values.items()}


def _summary(measures: dict[str, float]) -> str:
    return (
        f"prediction {measures['prediction']:.4f} (copy {measures['copy']:.4f}, shuffled {measures['shuffled']:.4f})  "
        f"R² encoder gripper {measures['encoder_gripper_r2']:.3f} block {measures['encoder_block_r2']:.3f} "
        f"pose {measures['encoder_pose_r2']:.4f}  errors pose {measures['position_error_cm']:.2f} "
        f"block {measures['block_error_cm']:.2f} cm  metric r {measures['metric_correlation']:.3f}"
    )


def _live(text: str, end: str = "") -> None:
    """A line that replaces itself on a terminal; in a file only finished lines are kept."""
    if sys.stdout.isatty():
        print(f"\r\033[K{text}", end=end, flush=True)
    elif end and text:
        print(text, flush=True)
