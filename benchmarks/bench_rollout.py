"""Time of a rollout: ours against the packaged original, same weights, same inputs, same threads.

One call of ours is what one iteration of a plan costs at most: it starts a rollout (which later iterations share) and
predicts every step of every candidate. One call of the original is what the published planner does in an iteration.
"""

from __future__ import annotations

import argparse
import math
from typing import Any

import common
import torch
from matplotlib.figure import Figure
from published import published_predictor, published_rollout
from torch import Tensor

from vjepa_mpc.worldmodel import MODEL_CONFIGS, ModelConfig, VJEPAWorldModel, build_world_model
from vjepa_mpc.worldmodel.layers import layer_norm_features

CPU_CONFIG = ModelConfig.from_dict(
    {
        "img_size": 256,
        "encoder": {"embed_dim": 384, "depth": 1, "num_heads": 6},
        "predictor": {"embed_dim": 384, "predictor_embed_dim": 384, "depth": 6, "num_heads": 6},
    }
)
POSE = (0.5, 0.0, 0.3, math.pi - 0.1, 0.1, 0.2, 0.5)


def main() -> None:
    """Compare at each horizon and number of candidates."""
    parser = common.arguments(__doc__.splitlines()[0], dtype="float32")
    parser.add_argument("--horizons", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--samples", type=int, nargs="+", help="candidates (default: 16 on a CPU, 64 256 800 on a GPU)")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    dtype = common.begin(options)
    on_gpu = options.device.startswith("cuda")
    config = MODEL_CONFIGS["vit_giant"] if on_gpu else CPU_CONFIG
    model = build_world_model(config, device=options.device, dtype=dtype)
    rows = [
        compare(model, horizon, samples, options)
        for samples in options.samples or ([64, 256, 800] if on_gpu else [16])
        for horizon in options.horizons
    ]
    common.finish(
        options,
        dtype,
        "Rollout against the packaged original",
        rows,
        figure=plot(rows),
        config=config.to_dict()["predictor"],
    )


@torch.no_grad()
def compare(model: VJEPAWorldModel, horizon: int, samples: int, options: argparse.Namespace) -> dict[str, Any]:
    """One row: seconds of both, their ratio, and how far their outputs are apart."""
    original = published_predictor(model.predictor, model.config, horizon)
    random = torch.Generator().manual_seed(options.seed)
    shape = (model.tokens_per_frame, model.embed_dim)
    context = layer_norm_features(torch.randn(shape, generator=random)).to(model.device, model.dtype)
    pose = torch.tensor(POSE, device=model.device)
    actions = (0.05 * torch.randn(horizon, samples, 7, generator=random)).to(model.device)
    actions[..., 3:6] = 0.0  # no rotations are planned

    def ours() -> list[Tensor]:
        rollout = model.start_rollout(context, pose, samples, horizon)
        return [rollout.step(action) for action in actions]

    def published() -> list[Tensor]:
        weights = model.dtype
        return published_rollout(original, context, pose.to(weights), actions.to(weights))

    error = max(largest_error(found, expected) for found, expected in zip(ours(), published(), strict=True))
    contenders = {"ours": ours, "published": published}
    seconds = common.side_by_side(contenders, options.repeats, options.device, warm=True)
    mine, theirs = common.spread(seconds["ours"]), common.spread(seconds["published"])
    return {
        "horizon": horizon,
        "samples": samples,
        "ratio": round(theirs["median_s"] / mine["median_s"], 3),
        "max_rel_error": error,
        **{f"ours_{name}": value for name, value in mine.items()},
        **{f"published_{name}": value for name, value in theirs.items()},
    }


def largest_error(found: Tensor, expected: Tensor) -> float:
    """Largest absolute difference, relative to the largest value."""
    return float((found.double() - expected.double()).abs().max() / expected.double().abs().max())


def plot(rows: list[dict[str, Any]]) -> Figure:
    """How many times faster, against the horizon."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for samples in dict.fromkeys(row["samples"] for row in rows):
        points = [(row["horizon"], row["ratio"]) for row in rows if row["samples"] == samples]
        axes.plot(*zip(*points, strict=True), marker="o", label=f"{samples} candidates")
    axes.axhline(1.0, color="black", linewidth=0.8)
    axes.set(xlabel="horizon in steps", ylabel="time of the original / ours", ylim=(0, None))
    axes.legend()
    return figure


if __name__ == "__main__":
    main()
