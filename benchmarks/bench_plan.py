"""Time of a whole replan (encode one picture, plan) by preset, against the matrix product's own rate.

On a CPU with the bundled model. On a GPU with the full-size model (random weights): as it is, compiled, and compiled
with its iterations recorded as CUDA graphs; there also the published planner at the paper's budget, as shipped
(float32) and under bfloat16 autocast. All that plans a preset takes turns.
"""

from __future__ import annotations

import argparse
import logging
import math
import resource
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import common
import numpy as np
import torch
from matplotlib.figure import Figure
from published import published_plan, published_predictor

from vjepa_mpc.arguments import COUNT, real, whole
from vjepa_mpc.exit_status import ExitStatus
from vjepa_mpc.planning import PRESETS, CEMConfig, CEMPlanner
from vjepa_mpc.worldmodel import (
    MODEL_CONFIGS,
    ModelConfig,
    VJEPAWorldModel,
    build_world_model,
    compile_rollouts,
)
from vjepa_mpc.worldmodel.vjepa.kernels import linear

POSE = torch.tensor([0.5, 0.0, 0.2, 3.14, 0.0, 0.0, 0.0])
VARIANTS = ("eager", "compile", "compile, graphs")
PUBLISHED = {"ratio_shipped": "published, as shipped", "ratio_autocast": "published, autocast"}
OPERATORS = 12  # lines of the profile

# What the best variant of the full-size model is meant to reach on a GPU.
AIMS = {"share_of_matmul": 0.75, "ratio_shipped": 10.0, "ratio_autocast": 2.0}
REALTIME_SECONDS = 0.25


def main() -> ExitStatus:
    """Each preset in every variant, and where the time of one replan goes."""
    parser = common.arguments(__doc__.splitlines()[0])
    parser.add_argument("--presets", nargs="+", choices=sorted(PRESETS), default=list(PRESETS))
    parser.add_argument("--repeats", type=whole(1, COUNT), default=5)
    parser.add_argument(
        "--limit", type=real(0.0, 86400.0), default=10.0, help="seconds before a third turn or later ones"
    )
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, help="default: eager on a CPU, all on a GPU")
    parser.add_argument(
        "--published",
        nargs="*",
        choices=sorted(PRESETS),
        help="presets whose budget the published code plans with, too (default: paper on a GPU, none on a CPU)",
    )
    parser.add_argument("--profile", choices=sorted(PRESETS), help="default: paper on a GPU, cpu on a CPU")
    options = parser.parse_args()
    dtype = common.begin(options)
    on_gpu = options.device.startswith("cuda")
    if on_gpu:
        model = build_world_model(MODEL_CONFIGS["vit_giant"], device=options.device, dtype=dtype)
    else:
        model = common.load_model(options, dtype)
    options.variants = options.variants or (VARIANTS if on_gpu else VARIANTS[:1])
    options.published = (["paper"] if on_gpu else []) if options.published is None else options.published
    options.profile = options.profile or ("paper" if on_gpu else "cpu")
    measuring = (row for name in options.presets for row in replans(model, name, options))
    rows = list(common.until_interrupted(options, measuring))
    operators = list(common.until_interrupted(options, profile(model, PRESETS[options.profile], options)))
    memory_mb = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
    return common.finish(
        options,
        dtype,
        "Replan by preset",
        rows,
        tables={"profile": operators},
        notes=lambda: [
            f"The profile is of one eager replan of the preset `{options.profile}`. "
            f"Most memory of the whole process on the CPU's side: {memory_mb} MB.",
            *([aims(rows)] if on_gpu else []),
        ],
        figure=lambda: plot(rows),
        process_peak_memory_mb=memory_mb,
        model=model.config.to_dict(),
    )


@dataclass
class Contender:
    """Plans, when called, in its turn.

    Attributes:
        plan: does so; returns the seconds of planning alone.
        plan_seconds: of each call.
        peak_memory_mb: on a GPU, the most memory that the first call needed.
        remarks: what planning warned of, above all that it could not compile or record.
        failure: why it cannot plan at all; empty when it can.
    """

    plan: Callable[[], float]
    plan_seconds: list[float] = field(default_factory=list)
    peak_memory_mb: int | None = None
    remarks: list[str] = field(default_factory=list)
    failure: common.Row = field(default_factory=dict)

    def __call__(self) -> None:
        """One turn."""
        with warnings_into(self.remarks):
            self.plan_seconds.append(self.plan())

    def warm_up(self, device: str) -> Contender:
        """Have a first turn, which does not count."""

        def first_turn() -> common.Row:
            self()
            return {}

        on_gpu = device.startswith("cuda")
        if on_gpu:
            torch.cuda.reset_peak_memory_stats(device)
        self.failure = common.row_or_failure(first_turn, device)
        if on_gpu:
            self.peak_memory_mb = round(torch.cuda.max_memory_allocated(device) / 1e6)
        self.plan_seconds.clear()
        return self

    def outcome(self) -> dict[str, Any]:
        """Its part of the row."""
        measured = times("plan", self.plan_seconds) if self.plan_seconds else {}
        memory = {"peak_memory_mb": self.peak_memory_mb} if self.peak_memory_mb else {}
        remarks = {"remarks": "; ".join(dict.fromkeys(self.remarks))} if self.remarks else {}
        return {**measured, **memory, **remarks, **self.failure}


def replans(model: VJEPAWorldModel, name: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each way to plan a preset, measured in turns with the encoder and a large matrix product."""
    config, device = PRESETS[name], options.device
    plans = {variant: ours(model, config, variant, options.seed) for variant in options.variants}
    contenders = {variant: Contender(plan).warm_up(device) for variant, plan in plans.items()}
    if name in options.published:  # only now, so that its weights are not counted as our memory
        others = published(model, config, options.seed)
        contenders |= {variant: Contender(plan).warm_up(device) for variant, plan in others.items()}
    working = {variant: contender for variant, contender in contenders.items() if not contender.failure}
    product, operations = matmul(model)
    yardsticks = {"encode": partial(model.encode, pictures(options.seed)[0]), "matmul": product}
    for run in yardsticks.values():
        run()
    seconds = common.side_by_side(yardsticks | working, options.repeats, device, warm=True, limit=options.limit)
    rate = operations / statistics.median(seconds["matmul"])
    rows = []
    for variant, contender in contenders.items():
        row = {"preset": name, "variant": variant, "candidate_steps": config.candidate_steps, **contender.outcome()}
        if variant in working and variant in options.variants:
            row |= times("encode", seconds["encode"]) | times("replan", seconds[variant])
            row |= against_matmul(model.config, config, row["plan_median_s"], rate)
            row |= {
                ratio: round(statistics.median(working[theirs].plan_seconds) / row["plan_median_s"], 2)
                for ratio, theirs in PUBLISHED.items()
                if theirs in working
            }
        rows.append(row)
    return rows


def ours(model: VJEPAWorldModel, config: CEMConfig, variant: str, seed: int) -> Callable[[], float]:
    """Encodes a picture and plans; returns the seconds of planning."""
    image, goal_image = pictures(seed)
    goal = model.encode(goal_image)[0]
    if "compile" in variant:
        model = VJEPAWorldModel(model.config, model.encoder, model.predictor)  # the same weights
        compile_rollouts(model)
    planner = CEMPlanner(model, replace(config, cuda_graphs="graphs" in variant))

    def encode_and_plan() -> float:
        context = model.encode(image)[0]
        common.synchronise(model.device.type)  # what is left of encoding is not planning
        return planner.plan(context, POSE, goal).timings["total"]

    return encode_and_plan


def published(model: VJEPAWorldModel, config: CEMConfig, seed: int) -> dict[str, Callable[[], float]]:
    """The published planner with the same budget: in float32 as shipped, and under autocast."""
    context, goal = (model.encode(image)[0].float() for image in pictures(seed))
    original = published_predictor(model.predictor, model.config, config.rollout).float()
    device = model.device.type

    def plan(autocast: bool) -> None:
        with torch.autocast(device, torch.bfloat16, enabled=autocast):
            published_plan(original, context, POSE.to(context.device), goal, config)

    return {
        PUBLISHED["ratio_shipped"]: lambda: common.timed(partial(plan, False), device),
        PUBLISHED["ratio_autocast"]: lambda: common.timed(partial(plan, True), device),
    }


def matmul(model: VJEPAWorldModel) -> tuple[Callable[[], None], float]:
    """Large matrix products by the kernel that the model uses, and how many operations they are."""
    on_gpu = model.device.type == "cuda"
    size, count = (8192, 20) if on_gpu else (2048, 1)  # on a GPU enough for starting and waiting not to count
    large = torch.randn(size, size, device=model.device, dtype=model.dtype)
    layer = torch.nn.Linear(size, size, device=model.device, dtype=model.dtype)

    @torch.no_grad()
    def multiply() -> None:
        for _ in range(count):
            linear(large, layer)

    return multiply, count * 2 * size**3


def against_matmul(model: ModelConfig, config: CEMConfig, seconds: float, rate: float) -> dict[str, float]:
    """What planning reaches of a large matrix product's rate (operations a second)."""
    reached = config.candidate_steps / config.rollout * flops(model, config.rollout) / seconds
    return {"tflops": reached / 1e12, "matmul_tflops": rate / 1e12, "share_of_matmul": reached / rate}


def flops(config: ModelConfig, horizon: int) -> float:
    """Floating-point operations of one candidate in a cached rollout (matrix products and attention).

    What candidates share in the first layer, and what is left out of the last one, is counted as well (2 % of the
    full-size model's).
    """
    sizes, tokens = config.predictor, config.tokens_per_frame + 2
    width = sizes.predictor_embed_dim
    block = 2 * width**2 * (4 + 2 * sizes.mlp_ratio)
    attention = [4 * width * tokens * (step + 1) for step in range(horizon)]
    ends = 2 * 2 * sizes.embed_dim * width
    return sum(tokens * (sizes.depth * (block + seen) + ends) for seen in attention)


def profile(model: VJEPAWorldModel, config: CEMConfig, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Where the time of one eager replan goes: the operators by the time that they take themselves."""
    replan, kinds = ours(model, config, "eager", options.seed), torch.profiler.ProfilerActivity
    on_gpu = options.device.startswith("cuda")
    replan()
    with torch.profiler.profile(activities=[kinds.CPU, kinds.CUDA] if on_gpu else [kinds.CPU]) as recorded:
        replan()
    # Kernels are listed themselves, too, beside the operators that started them.
    operators = [event for event in recorded.key_averages() if event.device_type == torch.autograd.DeviceType.CPU]
    taken = {
        event.key: ((event.self_device_time_total if on_gpu else event.self_cpu_time_total) / 1e3, event.count)
        for event in operators
    }
    total = sum(milliseconds for milliseconds, _ in taken.values())
    longest = sorted(taken.items(), key=lambda item: -item[1][0])
    rest = [values for _, values in longest[OPERATORS:]]
    shown = [*longest[:OPERATORS], ("all others", (sum(ms for ms, _ in rest), sum(calls for _, calls in rest)))]
    for name, (ms, calls) in shown:
        yield {"operator": name, "calls": calls, "self_ms": round(ms, 2), "share_percent": round(100 * ms / total, 1)}


def aims(rows: Sequence[common.Row]) -> str:
    """How the fastest variant stands to what is aimed at on a GPU."""
    measured = sorted((row for row in rows if "replan_median_s" in row), key=lambda row: -row["replan_median_s"])
    fastest = {row["preset"]: row for row in measured}
    paper, realtime = fastest.get("paper", {}), fastest.get("realtime", {})
    missed = [f"paper's {name} is {paper.get(name)}" for name, least in AIMS.items() if not paper.get(name, 0) >= least]
    if not realtime.get("replan_median_s", math.inf) <= REALTIME_SECONDS:
        missed.append(f"realtime's replan takes {realtime.get('replan_median_s')} s")
    wanted = ", ".join(f"{name} of {least}" for name, least in AIMS.items())
    return (
        f"Aims for the fastest variants: paper with at least {wanted}, realtime in at most {REALTIME_SECONDS} s. "
        f"{common.met_or_missed(missed)}"
    )


def pictures(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two random pictures [1, 256, 256, 3]: the time does not depend on what they show."""
    random = np.random.default_rng(seed)
    image, goal = (random.integers(0, 256, (1, 256, 256, 3), dtype=np.uint8) for _ in range(2))
    return image, goal


def times(what: str, seconds: Sequence[float]) -> dict[str, float]:
    """Median, least and most seconds of something."""
    return {f"{what}_{name}": value for name, value in common.spread(seconds).items()}


@contextmanager
def warnings_into(messages: list[str]) -> Iterator[None]:
    """Have what the package warns of in these messages."""

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    collector, package = Collector(logging.WARNING), logging.getLogger("vjepa_mpc")
    package.addHandler(collector)
    try:
        yield
    finally:
        package.removeHandler(collector)


def plot(rows: Sequence[common.Row]) -> Figure:
    """Seconds of planning by preset and variant, from the fastest turn to the slowest."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    measured = [row for row in rows if "plan_median_s" in row]
    several = len({row["variant"] for row in measured}) > 1
    names = [f"{row['preset']}\n{row['variant']}" if several else row["preset"] for row in measured]
    medians = [row["plan_median_s"] for row in measured]
    below, above = ([abs(row[f"plan_{end}_s"] - row["plan_median_s"]) for row in measured] for end in ("min", "max"))
    axes.errorbar(names, medians, yerr=[below, above], fmt="o", capsize=4)
    for name, median in zip(names, medians, strict=True):
        axes.annotate(f"{median:.2g} s", (name, median), xytext=(8, 0), textcoords="offset points", va="center")
    axes.set(yscale="log", ylabel="seconds a plan")
    axes.margins(x=0.2, y=0.2)
    axes.yaxis.set_minor_formatter("")
    axes.tick_params("x", rotation=60 if several else 20)
    return figure


if __name__ == "__main__":
    sys.exit(common.run(main))
