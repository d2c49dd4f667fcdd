"""`vjepa-mpc train`: data from the simulator, training, and a safetensors file that is usable at any time."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import torch

from vjepa_mpc.arguments import local_path, whole
from vjepa_mpc.exit_status import ExitStatus
from vjepa_mpc.files import WriteError, require_writable
from vjepa_mpc.training.config import TrainConfig, load_config
from vjepa_mpc.training.data_folder import SIMULATOR, Origin, open_folder
from vjepa_mpc.training.dataset import Clips, EpisodeDataset
from vjepa_mpc.training.generate import generate_missing, shard_counts
from vjepa_mpc.training.recipe_file import changed_settings, recipes_folder
from vjepa_mpc.training.step_log import cut_log
from vjepa_mpc.training.stopping import StopRequest
from vjepa_mpc.training.trainer import Trainer
from vjepa_mpc.training.validate import validate, validation_clips
from vjepa_mpc.worldmodel import tune_process
from vjepa_mpc.worldmodel.checkpoint import save_world_model

MODEL_FILE = "franka_tiny.safetensors"
STATE_FILE = "training_state.pt"
LOG_FILE = "log.jsonl"
RECIPE = "franka_tiny.yaml"
_GO_ON = "the same command goes on from here"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--config", type=local_path, default=None, help=f"recipe (default: the bundled model's, {RECIPE})"
    )
    parser.add_argument(
        "--out",
        type=local_path,
        required=True,
        help=f"folder for {MODEL_FILE}, {LOG_FILE} and {STATE_FILE} (to resume)",
    )
    parser.add_argument(
        "--data",
        type=local_path,
        default=None,
        help="data folder (default: OUT/data); what it lacks of the simulator's data is generated first",
    )
    parser.add_argument("--threads", type=whole(1, 1024), default=None, help="CPU threads (default: the recipe's)")
    parser.add_argument("--fresh", action="store_true", help=f"start again although OUT has a {STATE_FILE}")


def main(args: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    config = load_config(args.config or recipes_folder() / RECIPE)
    tune_process(args.threads or config.threads)
    require_writable(args.out / MODEL_FILE, "--out")
    folder = args.data or args.out / "data"
    size = int(config.model["img_size"])
    origin = open_folder(folder, config.data, size, shard_counts(config.data))
    with StopRequest().listening() as stop:
        if origin.simulated and not _generate(folder, config, size, stop):
            print(f"interrupted; the data that are done are kept in {folder}, and {_GO_ON}", flush=True)
            return stop.status
        return _train(args, config, folder, origin, stop)


def _train(args: argparse.Namespace, config: TrainConfig, folder: Path, origin: Origin, stop: StopRequest) -> int:
    validation_shards, training_shards = shard_counts(config.data)
    validation = validation_clips(EpisodeDataset.open(folder, 0, validation_shards))
    trainer = Trainer(config, EpisodeDataset.open(folder, validation_shards, training_shards))
    if (args.out / STATE_FILE).is_file() and not args.fresh:
        _resume(trainer, args.out, origin)
        if trainer.step_number >= config.steps:
            return _finished(trainer, args.out, origin)
    print(f"{trainer.data.episodes} episodes to train on, {origin}", flush=True)
    try:
        if args.fresh:  # or a run that is killed early would go on as the former one
            (args.out / STATE_FILE).unlink(missing_ok=True)
        cut_log(args.out / LOG_FILE, trainer.step_number)
        with (args.out / LOG_FILE).open("a", encoding="utf-8") as log:
            done = train(trainer, validation, args.out, log, origin, stop)
    except OSError as error:
        kept = f"what was saved last in {args.out} is intact: make room, and {_GO_ON}"
        raise WriteError(f"step {trainer.step_number}: {error}; {kept}") from error
    if not done:
        print(f"interrupted after step {trainer.step_number} of {config.steps}, which is saved: {_GO_ON}", flush=True)
        return stop.status
    print(f"wrote {args.out / MODEL_FILE}")
    return ExitStatus.DONE


def _resume(trainer: Trainer, out: Path, origin: Origin) -> None:
    before = trainer.restore(out / STATE_FILE, _identity(trainer, origin))
    print(f"resuming at step {trainer.step_number} of {trainer.config.steps}", flush=True)
    changed = list(changed_settings(before["recipe"], _plain(trainer.config)))
    if changed:
        print(f"settings that the run did not begin with: {', '.join(changed)}", flush=True)


def _finished(trainer: Trainer, out: Path, origin: Origin) -> int:
    """Nothing is left to do, unless the model is gone."""
    model = out / MODEL_FILE
    if model.is_file():
        print(f"nothing to do: {model} is finished; --fresh begins again")
        return ExitStatus.DONE
    export(trainer, model, origin)
    print(f"wrote {model} from {out / STATE_FILE}, which is finished")
    return ExitStatus.DONE


def _identity(trainer: Trainer, origin: Origin) -> dict[str, Any]:
    """What a state must agree with: weights and normalisation are of no use elsewhere."""
    return {"model": trainer.model.to_dict(), "data": asdict(origin), "episodes": trainer.data.episodes}


def _plain(config: TrainConfig) -> dict[str, Any]:
    """The settings as a state file can carry them."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    return plain


def _generate(folder: Path, config: TrainConfig, size: int, stop: StopRequest) -> bool:
    start = time.monotonic()

    def report(done: int, total: int) -> None:
        _live(f"data: {done}/{total} shards, {time.monotonic() - start:.0f} s")

    done = generate_missing(folder, config.data, size, report, lambda: stop.requested)
    _live("", end="\n")
    return done


def train(
    trainer: Trainer,
    validation: Clips,
    out: Path,
    log: TextIO,
    origin: Origin | None = None,
    stop: StopRequest | None = None,
) -> bool:
    """Train to the last step; validates, logs and writes the model at the configured periods.

    Args:
        trainer: at the step to go on from.
        validation: clips that are never trained on.
        out: folder of the model and of the state.
        log: gets a line of JSON a step.
        origin: of the data, for the model's card.
        stop: asks to save and end.

    Returns:
        Whether it came to the last step.

    Raises:
        OSError: something could not be written; what was written before is intact.
    """
    config = trainer.config
    made_with = {**(_identity(trainer, origin) if origin else {}), "recipe": _plain(config)}
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
        stopping = stop is not None and stop.requested
        if stopping or step % config.checkpoint_every == 0 or step in stage_ends:
            export(trainer, out / MODEL_FILE, origin)
            trainer.save(out / STATE_FILE, made_with)
        if stopping and step < config.steps:
            _live("", end="\n")
            return False
    return True


def export(trainer: Trainer, path: Path, origin: Origin | None = None) -> None:
    """Write encoder and predictor (averaged weights, normalisation folded in) as fp16 safetensors, atomically.

    Args:
        trainer: in any state.
        path: to write.
        origin: of the data that it was trained on; None if nobody knows.

    Raises:
        WriteError: it could not be written; a file that was there before is intact.
    """
    encoder, predictor = trainer.export_states()
    metadata = {
        "trained_steps": str(trainer.step_number),
        "training_seed": str(trainer.config.seed),
        **_data_card(trainer.data, origin),
    }
    save_world_model(path, trainer.config.model, encoder, predictor, dtype=torch.float16, metadata=metadata)


def _data_card(data: EpisodeDataset, origin: Origin | None) -> Mapping[str, str]:
    """What the header says about the data: what was used, not what the recipe asked for."""
    labels = f"{SIMULATOR} labels" if origin and origin.simulated else "labels of the data"
    return {
        "training_data": f"{data.episodes} episodes of {data.frames} frames, {origin or 'of unknown origin'}",
        "supervision": f"{labels} (pose, gripper, block) beside the self-supervised prediction",
    }


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
