"""Time of a whole replan (encode one picture, plan) by preset, against the matrix product's own rate.

On a CPU with the bundled model; on a GPU with the full-size model (random weights), and there also the published
planner at the paper's budget, as shipped and under bfloat16 autocast.
"""

from __future__ import annotations

import argparse
import resource
from typing import Any

import common
import numpy as np
import torch
from matplotlib.figure import Figure
from published import published_plan, published_predictor

from vjepa_mpc.planning import PRESETS, CEMConfig, CEMPlanner
from vjepa_mpc.worldmodel import (
    MODEL_CONFIGS,
    ModelConfig,
    VJEPAWorldModel,
    build_world_model,
)
from vjepa_mpc.worldmodel.kernels import linear

POSE = torch.tensor([0.5, 0.0, 0.2, 3.14, 0.0, 0.0, 0.0])


def main() -> None:
    """Each preset, and on a GPU the published planner."""
    parser = common.arguments(__doc__.splitlines()[0])
    parser.add_argument("--presets", nargs="+", choices=sorted(PRESETS), default=list(PRESETS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--compile", action="store_true", help="compile rollout steps")
    options = parser.parse_args()
    dtype = common.begin(options)
    on_gpu = options.device.startswith("cuda")
    if on_gpu:
        model = build_world_model(MODEL_CONFIGS["vit_giant"], device=options.device, dtype=dtype)
    else:
        model = common.load_model(options, dtype)
    if options.compile:
        model.compile()
    rows = [replan(model, name, PRESETS[name], options) for name in options.presets]
    if on_gpu:
        rows += published(model, PRESETS["paper"], options)
    common.finish(
        options,
        dtype,
        "Replan by preset",
        rows,
        figure=plot(rows),
        compiled=options.compile,
        model=model.config.to_dict(),
    )


def replan(model: VJEPAWorldModel, name: str, config: CEMConfig, options: argparse.Namespace) -> dict[str, Any]:
    """One row: seconds of encoding and planning, and the share of the matrix product's rate that planning reaches."""
    image, goal_image = pictures(options.seed)
    goal = model.encode(goal_image)[0]
    planner = CEMPlanner(model, config)
    if options.device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(options.device)
    plan_seconds: list[float] = []

    def encode_and_plan() -> None:
        plan_seconds.append(planner.plan(model.encode(image)[0], POSE, goal).timings["total"])

    size = 8192 if options.device.startswith("cuda") else 2048
    large = torch.randn(size, size, device=options.device, dtype=model.dtype)
    layer = torch.nn.Linear(size, size, device=options.device, dtype=model.dtype)

    @torch.no_grad()
    def matmul() -> None:
        linear(large, layer)  # by the kernel that the model uses

    contenders = {"encode": lambda: model.encode(image), "replan": encode_and_plan, "matmul": matmul}
    seconds = common.side_by_side(contenders, options.repeats, options.device)
    rate = 2 * size**3 / common.spread(seconds.pop("matmul"))["median_s"]
    seconds["plan"] = plan_seconds[1:]  # the first turn is not timed
    times = {f"{what}_{name}": value for what, taken in seconds.items() for name, value in common.spread(taken).items()}
    reached = sum(config.samples_of(i) for i in range(config.cem_steps)) * flops(model.config, config.rollout)
    return {
        "preset": name,
        "candidate_steps": config.candidate_steps,
        **times,
        "tflops": reached / times["plan_median_s"] / 1e12,
        "matmul_tflops": rate / 1e12,
        "share_of_matmul": reached / times["plan_median_s"] / rate,
        "peak_memory_mb": peak_memory_mb(options.device),
    }


def published(model: VJEPAWorldModel, config: CEMConfig, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The published planner at the same budget: float32 as shipped, and under autocast."""
    image, goal_image = pictures(options.seed)
    context, goal = model.encode(image)[0].float(), model.encode(goal_image)[0].float()
    original = published_predictor(model.predictor, model.config, config.rollout).float()
    rows = []
    for name, autocast in (("published", False), ("published, autocast", True)):

        def plan(enabled: bool = autocast) -> None:
            with torch.autocast("cuda", torch.bfloat16, enabled=enabled):
                published_plan(original, context, POSE.to(context.device), goal, config)

        torch.cuda.reset_peak_memory_stats(options.device)
        taken = common.side_by_side({"plan": plan}, 2, options.device)["plan"]
        rows.append(
            {
                "preset": f"paper: {name}",
                "candidate_steps": config.candidate_steps,
                **{f"plan_{name}": value for name, value in common.spread(taken).items()},
                "peak_memory_mb": peak_memory_mb(options.device),
            }
        )
    return rows


def flops(config: ModelConfig, horizon: int) -> float:
    """Floating-point operations of one candidate in a cached rollout (matrix products and attention)."""
    sizes, tokens = config.predictor, config.tokens_per_frame + 2
    width = sizes.predictor_embed_dim
    block = 2 * width**2 * (4 + 2 * sizes.mlp_ratio)
    attention = [4 * width * tokens * (step + 1) for step in range(horizon)]
    ends = 2 * 2 * sizes.embed_dim * width
    return sum(tokens * (sizes.depth * (block + seen) + ends) for seen in attention)


def peak_memory_mb(device: str) -> float:
    """Most memory so far: of the GPU since the last reset, or of the whole process."""
    if device.startswith("cuda"):
        return round(torch.cuda.max_memory_allocated(device) / 1e6)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)


def pictures(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two random pictures [1, 256, 256, 3]: the time does not depend on what they show."""
    random = np.random.default_rng(seed)
    image, goal = (random.integers(0, 256, (1, 256, 256, 3), dtype=np.uint8) for _ in range(2))
    return image, goal


def plot(rows: list[dict[str, Any]]) -> Figure:
    """Seconds of planning by preset, from the fastest turn to the slowest."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    names, medians = [row["preset"] for row in rows], [row["plan_median_s"] for row in rows]
    below, above = ([abs(row[f"plan_{end}_s"] - row["plan_median_s"]) for row in rows] for end in ("min", "max"))
    axes.bar(names, medians, yerr=[below, above], capsize=4)
    axes.set(yscale="log", ylabel="seconds a plan")
    axes.tick_params("x", rotation=20)
    return figure


if __name__ == "__main__":
    main()
