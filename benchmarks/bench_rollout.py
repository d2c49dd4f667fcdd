"""Time of a rollout: ours against the packaged original, same weights, same inputs, same threads.

One call of ours is what one iteration of a plan costs at most: it starts a rollout (which later iterations share) and
predicts every step of every candidate. One call of the original is what the published planner does in an iteration.
Both predict the same number of candidates at once: all of them on a CPU, on a GPU as many as there is memory for.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import common
import torch
from matplotlib.figure import Figure
from published import import_original, published_predictor, published_rollout
from torch import Tensor

from vjepa_mpc.arguments import COUNT, real, whole
from vjepa_mpc.exit_status import ExitStatus
from vjepa_mpc.planning import CEMConfig
from vjepa_mpc.planning.compute.memory import choose_micro_batch
from vjepa_mpc.worldmodel import MODEL_CONFIGS, ModelConfig, VJEPAWorldModel, build_world_model
from vjepa_mpc.worldmodel.vjepa.layers import layer_norm_features

CPU_CONFIG = ModelConfig.from_dict(
    {
        "img_size": 256,
        "encoder": {"embed_dim": 384, "depth": 1, "num_heads": 6},
        "predictor": {"embed_dim": 384, "predictor_embed_dim": 384, "depth": 6, "num_heads": 6},
    }
)
CPU_SAMPLES = 16
REQUIRED = {1: 1.15, 2: 1.9, 4: 3.3, 8: 6.0}  # ratio at each horizon, of the CPU's configuration in float32
EQUAL_WITHIN = 1e-4
POSE = (0.5, 0.0, 0.3, math.pi - 0.1, 0.1, 0.2, 0.5)


def main() -> ExitStatus:
    """Compare at each horizon and number of candidates."""
    parser = common.arguments(__doc__.splitlines()[0], dtype="float32")
    parser.add_argument("--horizons", type=whole(1, 64), nargs="+", default=[1, 2, 4, 8])
    parser.add_argument(
        "--samples", type=whole(1, COUNT), nargs="+", help="candidates (default: 16 on a CPU, 64 256 800 on a GPU)"
    )
    parser.add_argument("--repeats", type=whole(1, COUNT), default=3)
    parser.add_argument(
        "--limit", type=real(0.0, 86400.0), default=30.0, help="seconds before a third turn or later ones"
    )
    options = parser.parse_args()
    import_original()  # what is missing is asked for before anything is measured
    dtype = common.begin(options)
    on_gpu = options.device.startswith("cuda")
    config = MODEL_CONFIGS["vit_giant"] if on_gpu else CPU_CONFIG
    model = build_world_model(config, device=options.device, dtype=dtype)
    measuring = (
        {
            "horizon": horizon,
            "samples": samples,
            **common.row_or_failure(partial(compare, model, horizon, samples, options), options.device),
        }
        for samples in options.samples or ([64, 256, 800] if on_gpu else [CPU_SAMPLES])
        for horizon in options.horizons
    )
    rows = list(common.until_interrupted(options, measuring))
    return common.finish(
        options,
        dtype,
        "Rollout against the packaged original",
        rows,
        notes=lambda: verdict(rows),
        figure=lambda: plot(rows),
        config=config.to_dict()["predictor"],
    )


@torch.no_grad()
def compare(model: VJEPAWorldModel, horizon: int, samples: int, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of both, their ratio, and how far their outputs are apart."""
    original = published_predictor(model.predictor, model.config, horizon)
    random = torch.Generator().manual_seed(options.seed)
    shape = (model.tokens_per_frame, model.embed_dim)
    context = layer_norm_features(torch.randn(shape, generator=random)).to(model.device, model.dtype)
    pose = torch.tensor(POSE, device=model.device)
    actions = (0.05 * torch.randn(horizon, samples, 7, generator=random)).to(model.device)
    actions[..., 3:6] = 0.0  # no rotations are planned

    def ours(micro_batch: int) -> Iterator[list[Tensor]]:
        rollout = model.start_rollout(context, pose, micro_batch, horizon)
        for part in actions.split(micro_batch, dim=1):
            rollout.reset()
            yield [rollout.step(action) for action in part]

    def published(micro_batch: int) -> Iterator[list[Tensor]]:
        for part in actions.to(model.dtype).split(micro_batch, dim=1):
            # In half precision as its users run it: without autocast its attention refuses its own rotated queries.
            with torch.autocast(model.device.type, model.dtype, enabled=model.dtype != torch.float32):
                predicted = published_rollout(original, context, pose.to(model.dtype), part)
            yield predicted

    error, micro_batch = with_memory_for(
        lambda size: largest_error(ours(size), published(size)), first_micro_batch(model, horizon, samples)
    )
    contenders = {
        "ours": lambda: deque(ours(micro_batch), maxlen=0),
        "published": lambda: deque(published(micro_batch), maxlen=0),
    }
    seconds = common.side_by_side(contenders, options.repeats, options.device, warm=True, limit=options.limit)
    mine, theirs = common.spread(seconds["ours"]), common.spread(seconds["published"])
    return {
        "micro_batch": micro_batch,
        "ratio": round(theirs["median_s"] / mine["median_s"], 3),
        **required(model, horizon, samples),
        "max_rel_error": error,
        "repeats": len(seconds["ours"]),
        **{f"ours_{name}": value for name, value in mine.items()},
        **{f"published_{name}": value for name, value in theirs.items()},
    }


def first_micro_batch(model: VJEPAWorldModel, horizon: int, samples: int) -> int:
    """Candidates to predict at once: all on a CPU, on a GPU what the planner would choose."""
    if model.device.type == "cpu":
        return samples
    return choose_micro_batch(CEMConfig(rollout=horizon), model, samples, observed_frames=1)


def with_memory_for(run: Callable[[int], float], micro_batch: int) -> tuple[float, int]:
    """What ``run`` gives for a micro-batch, halved until there is memory for it; and that micro-batch.

    Raises:
        torch.OutOfMemoryError: there is no memory for a single candidate.
    """
    while True:
        try:
            return run(micro_batch), micro_batch
        except torch.OutOfMemoryError:
            if micro_batch == 1:
                raise
        torch.cuda.empty_cache()  # only here, where the error's traceback no longer holds the tensors
        micro_batch //= 2


def required(model: VJEPAWorldModel, horizon: int, samples: int) -> dict[str, float]:
    """The ratio that is required, where one is."""
    judged = model.config == CPU_CONFIG and samples == CPU_SAMPLES and model.dtype == torch.float32
    return {"required": REQUIRED[horizon]} if judged and horizon in REQUIRED else {}


def largest_error(found: Iterator[list[Tensor]], expected: Iterator[list[Tensor]]) -> float:
    """Largest absolute difference of a step's latents, relative to the largest value."""
    return max(
        float((mine.double() - theirs.double()).abs().max() / theirs.double().abs().max())
        for parts in zip(found, expected, strict=True)
        for mine, theirs in zip(*parts, strict=True)
    )


def verdict(rows: Sequence[common.Row]) -> list[str]:
    """Whether what is required was reached; nothing where nothing is."""
    judged = [row for row in rows if "required" in row]
    if not judged:
        return []
    missed = [
        f"H {row['horizon']}: ratio {row['ratio']}, error {row['max_rel_error']:.1e}"
        for row in judged
        if row["ratio"] < row["required"] or row["max_rel_error"] > EQUAL_WITHIN
    ]
    return [f"Required: these ratios, and outputs equal within {EQUAL_WITHIN:.0e}. {common.met_or_missed(missed)}"]


def plot(rows: Sequence[common.Row]) -> Figure:
    """How many times faster, against the horizon."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    measured = [row for row in rows if "failed" not in row]
    for samples in dict.fromkeys(row["samples"] for row in measured):
        points = [(row["horizon"], row["ratio"]) for row in measured if row["samples"] == samples]
        axes.plot(*zip(*points, strict=True), marker="o", label=f"{samples} candidates")
    axes.axhline(1.0, color="black", linewidth=0.8)
    needed = [(row["horizon"], row["required"]) for row in measured if "required" in row]
    if needed:
        axes.plot(*zip(*needed, strict=True), linestyle="none", marker="_", color="black", label="required")
    axes.set(xlabel="horizon in steps", ylabel="time of the original / ours", ylim=(0, None))
    if measured:
        axes.legend()
    return figure


if __name__ == "__main__":
    sys.exit(common.run(main))
