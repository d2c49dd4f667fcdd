"""`vjepa-mpc train-decoder`: learn to make pictures of a model's latents, from recordings or the simulator's frames."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from vjepa_mpc.arguments import COUNT, SEED, local_path, whole
from vjepa_mpc.data import open_dataset
from vjepa_mpc.exit_status import ExitStatus
from vjepa_mpc.files import require_writable
from vjepa_mpc.imagination.pixels.decoder import (
    MEASURED,
    SUFFIX,
    PixelDecoder,
    open_decoder,
    probe_picture,
    save_decoder,
)
from vjepa_mpc.imagination.pixels.network import PixelConfig
from vjepa_mpc.training.config import DataConfig
from vjepa_mpc.training.data_folder import open_folder
from vjepa_mpc.training.dataset import EpisodeDataset
from vjepa_mpc.training.decoder.frames import Frames, encode_frames, kept_frames, recorded, simulated, split
from vjepa_mpc.training.decoder.trainer import DecoderRecipe, DecoderTrainer, decoded, mean_picture, psnr
from vjepa_mpc.training.generate import generate_missing, shard_counts
from vjepa_mpc.training.stopping import StopRequest
from vjepa_mpc.worldmodel import (
    Crop,
    VJEPAWorldModel,
    bundled_model_path,
    choose_device,
    load_world_model,
    resolve_dtype,
    tune_process,
)
from vjepa_mpc.worldmodel.checkpoints.provenance import fingerprint

STATE_FILE, FRAMES_FILE = "decoder_state.pt", "decoder_frames.pt"
SIMULATED_EPISODES = 640
_HELD_OUT, _SAVE_EVERY = 512, 250  # pictures; steps
_GO_ON = "the same command goes on from here"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--model", type=local_path, help="checkpoint of the world model (default: the bundled one)")
    parser.add_argument(
        "--data",
        type=local_path,
        help="recordings to learn from, of any format that `vjepa-mpc data` reads (default: frames of the simulator)",
    )
    parser.add_argument("--mapping", type=local_path, help="YAML that says what is where in --data")
    parser.add_argument(
        "--out",
        type=local_path,
        required=True,
        help=f"folder of the decoder, of {STATE_FILE} and {FRAMES_FILE} (to resume)",
    )
    parser.add_argument("--steps", type=whole(1, COUNT), default=DecoderRecipe.steps, help="default: %(default)s")
    parser.add_argument("--frames", type=whole(2, COUNT), default=6000, help="pictures, at most (default: %(default)s)")
    parser.add_argument("--crop", choices=get_args(Crop), default="square", help="of the pictures (default: square)")
    parser.add_argument("--seed", type=whole(0, SEED), default=0, help="default: 0")
    parser.add_argument("--device", default="auto", help="PyTorch device (default: auto)")
    parser.add_argument("--threads", type=whole(1, 1024), default=1, help="CPU threads (default: 1)")
    parser.add_argument("--fresh", action="store_true", help=f"start again although OUT has a {STATE_FILE}")
    parser.add_argument(
        "--measure",
        type=local_path,
        metavar="DECODER",
        help="train nothing: say how far this decoder is off on the pictures that are held out",
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Source:
    """Where pictures come from.

    Attributes:
        words: for the card.
        learned: batches of pictures to learn from, and those that are held out.
        pairs: [clips, states and actions] of the simulator, to measure predictions with; None for recordings.
    """

    words: str
    learned: Iterator[np.ndarray]
    held_out: Iterator[np.ndarray]
    pairs: EpisodeDataset | None


def main(args: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    tune_process(args.threads)
    device = choose_device(args.device)
    path = args.model or bundled_model_path()
    file = args.out / (path.stem + SUFFIX)
    require_writable(file, "--out")
    model = load_world_model(path, device, resolve_dtype("float32" if device.type == "cpu" else "auto", device))
    with StopRequest().listening() as stop:
        source = _source(args, model, stop)
        if source is None:
            print(f"interrupted; {_GO_ON}", flush=True)
            return stop.status
        config = PixelConfig(grid=round(model.tokens_per_frame**0.5), latent_dim=model.embed_dim)
        held_out = encode_frames(model, source.held_out, config.side, args.crop)
        if args.measure is not None:
            decoder = open_decoder(args.measure, device)
            decoder.require_belongs(model.encode(probe_picture()[None])[0])
            print(_measured(decoder, model, held_out, source.pairs))
            return ExitStatus.DONE
        weights = {key: weight.cpu() for key, weight in model.encoder.state_dict().items()}
        made_with = {
            "model": path.name,
            "encoder": fingerprint(weights),
            "data": source.words,
            "pictures": args.frames,
            "crop": args.crop,
        }
        print(f"{args.frames} pictures at most of {source.words}", flush=True)
        frames = kept_frames(
            args.out / FRAMES_FILE,
            {**made_with, "seed": args.seed},
            lambda: encode_frames(model, source.learned, config.side, args.crop),
        )
        trainer = DecoderTrainer(DecoderRecipe(steps=args.steps, seed=args.seed), config, frames, device)
        if (args.out / STATE_FILE).is_file() and not args.fresh:
            trainer.restore(args.out / STATE_FILE, made_with)
            print(f"going on after step {trainer.step_number} of {args.steps}", flush=True)
        done = _train(trainer, args.out / STATE_FILE, made_with, stop)
    if not done:
        print(f"interrupted after step {trainer.step_number} of {args.steps}, which is saved: {_GO_ON}", flush=True)
        return stop.status
    _finish(trainer, file, path, source, model, held_out)
    return ExitStatus.DONE


def _source(args: argparse.Namespace, model: VJEPAWorldModel, stop: StopRequest) -> _Source | None:
    """The pictures; None when it was asked to stop meanwhile."""
    if args.data is not None:
        dataset = open_dataset(args.data, args.mapping)
        learned, held_out = split(dataset)
        words = f"{args.data.name} ({dataset.format}, {len(dataset)} episode(s))"
        return _Source(
            words=words,
            learned=recorded(learned, args.frames),
            held_out=recorded(held_out, _HELD_OUT),
            pairs=None,
        )
    folder, data = args.out / "data", DataConfig(episodes=SIMULATED_EPISODES)
    validation, training = shard_counts(data)
    open_folder(folder, data, model.image_size, (validation, training))
    with _progress("data: shard") as report:
        if not generate_missing(folder, data, model.image_size, report, lambda: stop.requested):
            return None
    return _Source(
        words=f"the simulator, seed {data.seed}, {data.episodes} episodes",
        learned=simulated(folder, validation, training, args.frames, args.seed),
        held_out=simulated(folder, 0, validation, _HELD_OUT, 0),
        pairs=EpisodeDataset.open(folder, 0, validation),
    )


def _train(trainer: DecoderTrainer, state: Path, made_with: dict[str, Any], stop: StopRequest) -> bool:
    """To the last step; False when it was asked to stop before."""
    with _progress("step") as report:
        while trainer.step_number < trainer.recipe.steps and not stop.requested:
            off = trainer.step()
            report(trainer.step_number, trainer.recipe.steps, f"error of colours {off:.4f}")
            if trainer.step_number % _SAVE_EVERY == 0:
                trainer.save(state, made_with)
    trainer.save(state, made_with)
    return trainer.step_number >= trainer.recipe.steps


def _finish(
    trainer: DecoderTrainer, file: Path, path: Path, source: _Source, model: VJEPAWorldModel, held_out: Frames
) -> None:
    card = {
        "model": path.name,
        "training_data": f"{len(trainer.frames)} pictures of {source.words}",
        "training_steps": str(trainer.step_number),
        "mean_picture_psnr": f"{_of_mean(trainer, held_out):.1f} dB",
    }
    sight = model.encode(probe_picture()[None])[0].float().cpu()
    save_decoder(file, trainer.network, sight, card)
    measured = _measured(open_decoder(file, trainer.device), model, held_out, source.pairs)
    save_decoder(file, trainer.network, sight, {**card, MEASURED: measured})
    print(f"{measured}; the mean picture instead: {card['mean_picture_psnr']}")
    print(f"wrote {file}. Put it beside {path.name}, where it is found, or name it with the parameter decoder")


def _of_mean(trainer: DecoderTrainer, held_out: Frames) -> float:
    mean = (255.0 * mean_picture(trainer.frames).transpose(1, 2, 0)).round().astype(np.uint8)
    return psnr(np.broadcast_to(mean, held_out.pictures.shape), held_out.pictures)


def _measured(decoder: PixelDecoder, model: VJEPAWorldModel, held_out: Frames, pairs: EpisodeDataset | None) -> str:
    """How far a decoder is off, in words."""
    seen = psnr(decoded(decoder, held_out.latents), held_out.pictures)
    text = f"{len(held_out)} held-out pictures: PSNR {seen:.1f} dB"
    return text if pairs is None else f"{text}; {_predicted(decoder, model, pairs)}"


def _predicted(decoder: PixelDecoder, model: VJEPAWorldModel, pairs: EpisodeDataset) -> str:
    """How far decoded predictions are off the picture that came, and how far the picture before is."""
    clips = pairs.sample(np.random.default_rng(0), min(_HELD_OUT, pairs.episodes * 4), 2)
    predictions = []
    for before, state, action in zip(model.encode(clips.images[:, 0]), clips.states, clips.actions, strict=True):
        rollout = model.start_rollout(before, torch.from_numpy(state[0]).to(model.device), samples=1)
        predictions.append(rollout.step(torch.from_numpy(action).to(model.device))[0].clone())
    ahead = psnr(decoded(decoder, torch.stack(predictions)), clips.images[:, 1])
    copied = psnr(clips.images[:, 0], clips.images[:, 1])
    return f"{len(predictions)} predictions of the next picture: {ahead:.1f} dB (the picture before: {copied:.1f} dB)"


@contextmanager
def _progress(name: str) -> Iterator[Any]:
    """A line that replaces itself on a terminal, and nothing in a file."""
    started, shown = time.monotonic(), sys.stdout.isatty()

    def report(done: int, total: int, more: str = "") -> None:
        if shown:
            print(f"\r\033[K{name} {done}/{total}  {more}  {time.monotonic() - started:.0f} s", end="", flush=True)

    try:
        yield report
    finally:
        if shown:
            print()
