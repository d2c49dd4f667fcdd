"""`vjepa-mpc post-train`: from recordings of an arm to a model file that the planner node loads."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from vjepa_mpc import __version__
from vjepa_mpc.arguments import COUNT, local_path, real, whole
from vjepa_mpc.training.post_training.checkpoints import Checkpoints
from vjepa_mpc.training.post_training.config import PostTrainingError
from vjepa_mpc.training.post_training.latents.cache import LatentCache
from vjepa_mpc.training.post_training.latents.clips import Clips, EncodedEpisode, split
from vjepa_mpc.training.post_training.latents.encoding import Encoding, Interrupted, Recording, encode_missing
from vjepa_mpc.training.post_training.measure import measure, published_size
from vjepa_mpc.training.post_training.model_files import Start, write_model
from vjepa_mpc.training.post_training.parallel import Parallel, join_ranks, leave_ranks
from vjepa_mpc.training.post_training.progress import Reporter, duration
from vjepa_mpc.training.post_training.recipe import Recipe, load_recipe
from vjepa_mpc.training.post_training.run import INTERRUPTED, Run
from vjepa_mpc.training.post_training.trainer import PostTrainer
from vjepa_mpc.training.stopping import StopRequest
from vjepa_mpc.worldmodel.checkpoints.provenance import THE_SAME
from vjepa_mpc.worldmodel.preprocess import Crop

_DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--data", type=local_path, help="recordings, in any format that `vjepa-mpc data inspect` reads")
    parser.add_argument("--mapping", default=None, help="YAML that says what is what in the recordings")
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--checkpoint", type=local_path, help="world model whose predictor is trained further")
    start.add_argument(
        "--encoder",
        type=local_path,
        help="model whose encoder a new predictor is trained for: a file in any form, or a Hugging Face folder",
    )
    parser.add_argument("--out", type=local_path, help="folder of the run; one that has a checkpoint is resumed")
    parser.add_argument("--recipe", default="few_recordings", help="few_recordings, minutes, vjepa2_ac, or a YAML file")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting of the recipe"
    )
    parser.add_argument(
        "--seconds-a-step", type=real(0.001, 60.0), help="time between a clip's frames (default: the recipe's)"
    )
    parser.add_argument("--crop", choices=get_args(Crop), help="how images are cropped (default: the recipe's)")
    parser.add_argument(
        "--save-every", type=whole(1, COUNT), help="steps that a killed run loses at most (default: the recipe's)"
    )
    parser.add_argument("--cache", type=local_path, help="folder of encoded frames (default: OUT/latents)")
    parser.add_argument("--max-bad", type=whole(0, COUNT), default=10, help="unreadable episodes that are skipped")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: a GPU where there is one")
    parser.add_argument("--fsdp", action="store_true", help="split the predictor over the ranks of torchrun")
    parser.add_argument("--dtype", choices=list(_DTYPES), default="float16", help="precision of the written weights")
    parser.add_argument("--fresh", action="store_true", help="begin again although OUT has a checkpoint")
    parser.add_argument("--measure", action="store_true", help="only take one step on random clips and say its cost")


def main(args: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    recipe = load_recipe(args.recipe, [*args.set, *_changes(args)])
    device = join_ranks(args.device)
    try:
        if args.measure:
            model = Start.from_checkpoint(args.checkpoint).config if args.checkpoint else published_size(recipe)
            print(measure(model, recipe, device))
            return 0
        with StopRequest().listening() as stop:
            return _post_train(args, recipe, device, stop)
    finally:
        leave_ranks()


def _changes(args: argparse.Namespace) -> list[str]:
    """The options that are short for a setting."""
    names = ("seconds_a_step", "crop", "save_every")
    return [f"{name}={getattr(args, name)}" for name in names if getattr(args, name) is not None]


def _post_train(args: argparse.Namespace, recipe: Recipe, device: torch.device, stop: StopRequest) -> int:
    start = _start(args, recipe)
    parallel = Parallel.current(sharded=args.fsdp)
    report = Reporter(quiet=not parallel.first)
    args.out.mkdir(parents=True, exist_ok=True)
    _warn_of_another_pace(start, recipe, report)
    fingerprint = start.encoder_fingerprint()
    try:
        episodes = _encoded(args, recipe, start, fingerprint, device, parallel, stop, report)
    except Interrupted:
        report.say("interrupted while encoding: what is encoded is kept, and the same command goes on from there")
        return stop.status
    training, held_out = split(episodes, recipe.held_out, recipe.seed)
    trainer = PostTrainer(start.predictor(recipe.seed).to(device), recipe.post_training, parallel)
    identity = _identity(recipe, start, fingerprint)
    learned, looked_at = (Clips(part, recipe.clip_frames, recipe.seconds_a_step) for part in (training, held_out))
    run = Run(trainer, recipe, learned, looked_at, args.out, identity, report)
    if args.fresh and parallel.first:
        Checkpoints(args.out).clear()
    parallel.wait()
    run.resume()
    report.say(
        f"{learned.count} clips of {len(training)} episodes; {looked_at.count} of {len(held_out)} held-out ones: "
        + ", ".join(episode.name for episode in held_out[:8])
    )
    outcome = run.go(stop)
    report.say(f"{outcome} after step {trainer.step_number} of {run.steps}")
    if parallel.first and run.progress.best:
        card = _card(args, run, start, fingerprint, training, held_out)
        path = write_model(args.out, start, card, _DTYPES[args.dtype])
        step = run.progress.best_step
        report.say(f"wrote {path}: {f'the predictor of step {step}' if step else 'training has not improved it'}")
    if outcome == INTERRUPTED:
        report.say("the same command goes on from here")
        return stop.status
    return 0


def _start(args: argparse.Namespace, recipe: Recipe) -> Start:
    for name in ("data", "out"):
        if getattr(args, name) is None:
            raise PostTrainingError(f"--{name} is missing")
    if args.checkpoint:
        return Start.from_checkpoint(args.checkpoint)
    if args.encoder:
        return Start.from_encoder(args.encoder, recipe.predictor)
    raise PostTrainingError("give --checkpoint to train a released predictor further, or --encoder to train a new one")


def _warn_of_another_pace(start: Start, recipe: Recipe, report: Reporter) -> None:
    before = start.header.get("seconds_a_step")
    if before is not None and float(before) != recipe.seconds_a_step:
        report.say(
            f"{start.path.name} was trained with steps of {before} s, this run takes {recipe.seconds_a_step:g} s: what "
            "it knows about speeds has to be learned anew (--seconds-a-step)"
        )


def _encoded(
    args: argparse.Namespace,
    recipe: Recipe,
    start: Start,
    fingerprint: str,
    device: torch.device,
    parallel: Parallel,
    stop: StopRequest,
    report: Reporter,
) -> list[EncodedEpisode]:
    key = {
        "encoder": fingerprint,
        "img_size": start.config.img_size,
        "crop": recipe.crop,
        "precision": recipe.post_training.precision,
        "data": args.data.name,
        "mapping": _mapping_hash(args.mapping),
    }
    if start.config.frames_per_picture != start.config.tubelet_size:
        key["frames_per_picture"] = start.config.frames_per_picture
    shape = (start.config.tokens_per_frame, start.config.latent_dim)
    cache = LatentCache(args.cache or args.out / "latents", key, shape, recipe.cache_dtype)
    dtype = torch.bfloat16 if recipe.post_training.precision == "bf16" else torch.float32
    encoder = start.encoder(device, dtype)

    def encode(images: np.ndarray) -> Tensor:
        return encoder.encode(images, recipe.crop)  # type: ignore[arg-type]  # one of the names, as the recipe has checked

    how = Encoding(
        encode=encode,
        seconds=recipe.seconds_a_step,
        clip_frames=recipe.clip_frames,
        max_bad=args.max_bad,
        stopped=lambda: stop.requested,
    )
    return encode_missing(open_recordings(args), cache, how, parallel, report)


def open_recordings(args: argparse.Namespace) -> Iterable[Recording]:
    """The episodes of ``--data``."""
    from vjepa_mpc.data import open_dataset  # only runs need its packages, --help and --measure do not

    return open_dataset(args.data, args.mapping, max_bad=args.max_bad)


def _mapping_hash(mapping: str | None) -> str | None:
    """Of the file's text: another camera or unit makes other latents or states."""
    return None if mapping is None else hashlib.sha256(Path(mapping).read_bytes()).hexdigest()[:16]


def _identity(recipe: Recipe, start: Start, fingerprint: str) -> dict[str, Any]:
    return {
        "model": start.config.to_dict(),
        "lora_rank": recipe.post_training.lora_rank,
        "encoder": fingerprint,
        "crop": recipe.crop,
    }


def _card(
    args: argparse.Namespace,
    run: Run,
    start: Start,
    fingerprint: str,
    training: Sequence[EncodedEpisode],
    held_out: Sequence[EncodedEpisode],
) -> dict[str, str]:
    """What the header and ``model.md`` say; where the encoder first came from stays."""
    progress, recipe = run.progress, run.recipe
    errors = ", ".join(f"{name} {error:.4f}" for name, error in progress.best.items())
    return {
        **{name: text for name, text in start.header.items() if not name.startswith("predictor_")},
        "seconds_a_step": f"{recipe.seconds_a_step:g}",
        "crop": recipe.crop,
        "encoder_fingerprint": fingerprint,
        "encoder_file": start.header.get("encoder_file", start.path.name),
        "predictor_trained_with": THE_SAME,
        "predictor_start": start.path.name if args.checkpoint else "random weights",
        "trained_steps": str(progress.best_step),
        "trained_for": f"{run.trainer.step_number} of {run.steps} steps, {duration(progress.seconds)}",
        "training_data": f"{len(training)} episodes, {sum(len(each.stamps) for each in training)} frames of "
        f"{args.data.name}",
        "held_out_data": ", ".join(each.name for each in held_out),
        "held_out_errors": f"{errors} (L1 of layer-normed latents, rollout of {recipe.post_training.auto_steps} steps)",
        "recipe": json.dumps(dataclasses.asdict(recipe)),
        "date": datetime.date.today().isoformat(),
        "made_by": f"vjepa-mpc post-train {__version__}",
    }
