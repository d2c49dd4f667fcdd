"""How planning time grows: against samples, horizon, context frames and image size, one at a time.

An iteration of a plan predicts all candidates over the horizon; starting, which includes encoding the history of
several context frames, happens once a plan.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import common
import torch
from matplotlib.figure import Figure

from vjepa_mpc.arguments import COUNT, whole
from vjepa_mpc.exit_status import ExitStatus
from vjepa_mpc.worldmodel import MODEL_CONFIGS, VJEPAWorldModel, build_world_model
from vjepa_mpc.worldmodel.interface import Rollout
from vjepa_mpc.worldmodel.vjepa.layers import layer_norm_features


@dataclass(frozen=True)
class Case:
    """What is rolled out: the model's picture size in pixels, and how much."""

    samples: int = 16
    horizon: int = 1
    context_frames: int = 1
    image_size: int = 128


RANGES = {
    "samples": (4, 8, 16, 32, 64, 128),
    "horizon": (1, 2, 4, 8, 16),
    "context_frames": (1, 2, 4, 8),
    "image_size": (64, 128, 192, 256),
}


def main() -> ExitStatus:
    """Vary each size with the others fixed."""
    parser = common.arguments(__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=whole(1, COUNT), default=5)
    options = parser.parse_args()
    dtype = common.begin(options)
    measuring = (
        {"varied": name, "value": value, **measure(replace(Case(), **{name: value}), dtype, options)}
        for name, values in RANGES.items()
        for value in values
    )
    rows = list(common.until_interrupted(options, measuring))
    return common.finish(
        options,
        dtype,
        "Growth of the rollout's time",
        rows,
        tables={"slopes": slopes(rows)},
        notes=lambda: ["Slopes are exponents over the upper half of the values (log-log): 1 is linear."],
        figure=lambda: plot(rows),
    )


@torch.no_grad()
def measure(case: Case, dtype: torch.dtype, options: argparse.Namespace) -> dict[str, float]:
    """Seconds of an iteration's predictions, and of starting, which every plan does once."""
    model = predictor_of(case.image_size, options.device, dtype)
    random = torch.Generator().manual_seed(options.seed)
    frames, tokens = case.context_frames, model.tokens_per_frame
    context = layer_norm_features(torch.randn(frames, tokens, model.embed_dim, generator=random))
    poses = torch.tensor([0.5, 0.0, 0.2, math.pi, 0.0, 0.0, 0.0]).repeat(frames, 1)
    past = torch.zeros(frames - 1, 7)
    actions = (0.05 * torch.randn(case.horizon, case.samples, 7, generator=random)).to(options.device)

    def start() -> Rollout:
        return model.start_rollout(context, poses, case.samples, case.horizon, past)

    rollout = start()

    def predict() -> None:
        rollout.reset()
        for action in actions:
            rollout.step(action)

    seconds = common.side_by_side({"rollout": predict, "start": start}, options.repeats, options.device)
    starting = {f"start_{name}": value for name, value in common.spread(seconds["start"]).items()}
    return common.spread(seconds["rollout"]) | starting


@cache
def predictor_of(image_size: int, device: str, dtype: torch.dtype) -> VJEPAWorldModel:
    """The bundled model's sizes on a CPU, the published predictor's on a GPU, which small products leave idle."""
    config = MODEL_CONFIGS["vit_large" if device.startswith("cuda") else "franka_tiny"]
    shallow = replace(config, img_size=image_size, encoder=replace(config.encoder, depth=1))  # nothing is encoded
    return build_world_model(shallow, device=device, dtype=dtype)


def slopes(rows: Sequence[common.Row]) -> list[dict[str, Any]]:
    """How the time grows with each size of which every value was measured."""
    found = []
    for name, values in RANGES.items():
        taken = [row for row in rows if row["varied"] == name]
        if len(taken) == len(values):
            columns = {"iteration": "median_s", "start": "start_median_s"}
            exponents = {what: slope(values, [row[column] for row in taken]) for what, column in columns.items()}
            found.append({"varied": name, **exponents})
    return found


def slope(values: tuple[int, ...], seconds: list[float]) -> float:
    """Exponent of the growth over the upper half of the values."""
    middle = len(values) // 2
    exponent = math.log(seconds[-1] / seconds[middle]) / math.log(values[-1] / values[middle])
    return round(exponent, 2)


def plot(rows: list[dict[str, Any]]) -> Figure:
    """Log-log curves of time against each size."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for name in RANGES:
        points = [(row["value"], row["median_s"]) for row in rows if row["varied"] == name]
        axes.loglog(*zip(*points, strict=True), marker="o", label=name.replace("_", " "))
    starts = [(row["value"], row["start_median_s"]) for row in rows if row["varied"] == "context_frames"]
    axes.loglog(*zip(*starts, strict=True), marker="o", linestyle="--", label="context frames: start of a plan")
    axes.set(xlabel="samples, steps, frames or pixels a side", ylabel="seconds an iteration")
    axes.grid(which="both", alpha=0.3)
    axes.legend()
    return figure


if __name__ == "__main__":
    sys.exit(common.run(main))
